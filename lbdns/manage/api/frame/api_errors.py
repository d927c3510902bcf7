"""What a refusal looks like: every exception that means one, as HTTP status, code, message and JSON pointer.

| what happened                          | HTTP      | code  |
|----------------------------------------|-----------|-------|
| a value is invalid                     | 400       | 1002, every one with source.pointer |
| a name is taken; a zone's              | 400       | 1003; 1061 |
| an identical record; with another TTL  | 400       | 81058; 81057 |
| A, AAAA and CNAME at one name          | 400       | 81053 |
| deleting what others use               | 412       | 1005  |
| changed since (If-Match)               | 412       | 1006  |
| more clients move than the guard allows | 412      | 1012  |
| objects come from files                | 403       | 1007  |
| no such object; no such record         | 404       | 1001; 81044 |
| no such route, another account         | 404       | 7003  |
| malformed id                           | 400       | 7003  |
| method not allowed                     | 405       | 10405 |
| body is no JSON object, or too large   | 400, 413  | 1008, 1009 |
| auth missing, malformed, wrong         | 400, 400, 403 | 9106, 6003, 10000 |
| too many requests                      | 429       | 10013 |
| the store cannot be had for now        | 503       | 1000  |
| a cut-off machine of a fleet           | 503       | 1000  |
| what came of a change is not known yet | 503       | 1000  |
| the store or lbdns failed              | 500       | 1000  |
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from lbdns.base.errors import Clash, ConfigError, LbdnsError, Problem
from lbdns.base.kinds import Kind
from lbdns.base.wording import abridged, join_path
from lbdns.base.words import GUARDED_CODE
from lbdns.manage.api.frame.envelope import failed, ok
from lbdns.manage.api.frame.pointers import Pointing, Steps, pointer
from lbdns.manage.reading.body_refused import BadBody, BodyRefused, Found
from lbdns.manage.store.refusals import (
    InUse,
    NotFound,
    NotUnique,
    Outdated,
    ReadOnly,
    Referenced,
    StoreError,
    Unavailable,
    Unconfirmed,
)
from lbdns.manage.store.unreadable import Unreadable
from lbdns.publish.replay.guard import Guarded

INTERNAL: Final = 1000
NOT_FOUND: Final = 1001
INVALID: Final = 1002
NOT_UNIQUE: Final = 1003
REFERENCED: Final = 1005
OUTDATED: Final = 1006
READ_ONLY: Final = 1007
BAD_BODY: Final = 1008
TOO_LARGE: Final = 1009
ZONE_EXISTS: Final = 1061
MALFORMED_AUTH: Final = 6003
NO_ROUTE: Final = 7003
MISSING_AUTH: Final = 9106
WRONG_AUTH: Final = 10000
TOO_MANY: Final = 10013
BAD_METHOD: Final = 10405
NO_RECORD: Final = 81044
CLASHES: Final[Mapping[Clash, tuple[int, str]]] = {
    "host": (81053, "An A, AAAA, or CNAME record with that host already exists."),
    "exists": (81057, "The record already exists."),
    "identical": (81058, "An identical record already exists."),
}
"""Records that clash: code, and the words that clients look for."""

ERRORS_MAX: Final = 100
"""A body can hold more mistakes than anybody reads."""
_REFERENCED_WORDS: Final = "This object is referenced by other objects, delete them first."

PathMethods = Mapping[str, tuple[re.Pattern[str], set[str]]]
"""The methods of each path, by its template, in the order in which paths are tried: each is a route of its own."""

log = logging.getLogger("lbdns.api")


class ApiError(Exception):
    """A refusal: HTTP status, and one or more errors with code, message and perhaps a pointer."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        at: Steps | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.errors: list[dict[str, Any]] = [entry(code, message, at)]
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return it as an answer."""
        return failed(self.status, self.errors, self.headers)


def entry(code: int, message: str, at: Steps | None = None) -> dict[str, Any]:
    """Return one error of an envelope; `at` is the way to the value in the request's body."""
    found: dict[str, Any] = {"code": code, "message": abridged(message)}
    if at is not None:
        found["source"] = {"pointer": pointer(at)}
    return found


def invalid(*found: Found, more: int = 0) -> ApiError:
    """Return the refusal of values: what is wrong with each, and where it stands in the body; `more` were counted."""
    told = [entry(INVALID, f"{detail}: validation failed", at) for detail, at in found[:ERRORS_MAX]]
    return several(400, told, len(found) - len(told) + more)


def several(status: int, errors: Sequence[dict[str, Any]], more: int = 0) -> ApiError:
    """Return a refusal for several reasons, as many as somebody reads; `more` were counted beside these."""
    error = ApiError(status, INVALID, "validation failed")
    error.errors = [*errors[:ERRORS_MAX]] or error.errors
    more += max(0, len(errors) - ERRORS_MAX)
    if more:
        error.errors.append(entry(INVALID, f"and {more:,} more: validation failed"))
    return error


def no_record(id: str, at: Steps | None = None) -> dict[str, Any]:
    """Return the error for a record that there is not."""
    return entry(NO_RECORD, f"Record does not exist. There is no record {id}: object not found", at)


def no_route(path: str, status: int = 404) -> ApiError:
    """Return the refusal of a path that leads nowhere; 400 where an id in it is malformed."""
    return ApiError(status, NO_ROUTE, f"Could not route to {path}, perhaps your object identifier is invalid?")


def within_object(problem: Problem) -> Steps | None:
    """Tell where a problem stands in a body that is one object: its section and name are not part of the way."""
    return problem.at[2:] if len(problem.at) >= 2 else None


def point_by(request: Request, pointing: Pointing) -> None:
    """Have the mistakes that a change is refused for pointed to by `pointing`, in place of `within_object`."""
    request.state.pointing = pointing


def refused(error: ConfigError, pointing: Pointing = within_object) -> ApiError:
    """Return the refusal of a change for every mistake in it."""
    told = [_refusal(problem, pointing(problem)) for problem in error.problems[:ERRORS_MAX]]
    return several(400, told, len(error.problems) - len(told) + error.more)


def _refusal(problem: Problem, at: Steps | None) -> dict[str, Any]:
    if problem.clash:
        code, words = CLASHES[problem.clash]
        return entry(code, f"{words} {_told(problem, at)}", at)
    return entry(INVALID, f"{_told(problem, at)}: validation failed", at)


def _told(problem: Problem, at: Steps | None) -> str:
    """Return what is wrong, with the object's path where no pointer says where."""
    if at:
        return f"{join_path(*at)}: {problem.message}"
    return f"{problem.path}: {problem.message}" if problem.path else problem.message


def translated(error: Exception, request: Request) -> ApiError:
    """Return the refusal that an exception means."""
    match error:
        case ApiError():
            return error
        case BadBody():
            status, code = (413, TOO_LARGE) if error.is_too_large else (400, BAD_BODY)
            return ApiError(status, code, str(error))
        case BodyRefused():
            return invalid(*error.found, more=error.more)
        case ConfigError():
            return refused(error, getattr(request.state, "pointing", within_object))
        case NotFound() if (one := _unreadable(error, request)) is not None:
            return ApiError(503, INTERNAL, str(one.problem()))
        case NotFound(kind=Kind.RECORD):
            return several(404, [no_record(error.id)])
        case NotFound():
            return ApiError(404, NOT_FOUND, f"{error}: object not found")
        case NotUnique(kind=Kind.ZONE):
            return ApiError(400, ZONE_EXISTS, f"{error.name} already exists: {error}", error.at)
        case NotUnique():
            return ApiError(400, NOT_UNIQUE, f"{error}: value not unique", error.at)
        case Referenced():
            return ApiError(412, REFERENCED, f"{_REFERENCED_WORDS} {error}")
        case InUse():
            return ApiError(412, REFERENCED, f"{_REFERENCED_WORDS} {error}")
        case Outdated():
            return ApiError(412, OUTDATED, str(error))
        case Guarded():
            return ApiError(412, GUARDED_CODE, str(error))
        case ReadOnly():
            return ApiError(403, READ_ONLY, str(error))
        case Unconfirmed():
            log.error("%s %s: %s", request.method, request.scope["path"], error)
            return ApiError(503, INTERNAL, str(error))
        case Unavailable():
            return ApiError(503, INTERNAL, f"the change is not stored: {error}")
        case StoreError():
            log.error("%s %s: %s", request.method, request.scope["path"], error)
            return ApiError(500, INTERNAL, f"the change is not stored: {error}")
        case LbdnsError():
            return invalid((str(error), None))
        case RequestValidationError():
            return _bad_parameters(error, request)
        case HTTPException():
            return _of_routing(error, request)
    raise error


def _unreadable(error: NotFound, request: Request) -> Unreadable | None:
    """Return the object that is stored and cannot be read, where it is that which was not found."""
    unreadable: Sequence[Unreadable] = request.app.state.site.state.unreadable
    return next((one for one in unreadable if one.id == error.id), None)


def _bad_parameters(error: RequestValidationError, request: Request) -> ApiError:
    details = error.errors()
    if any(detail["loc"][:1] == ("path",) for detail in details):
        return no_route(request.scope["path"], 400)
    return invalid(*((_parameter_words(detail), None) for detail in details))


def _parameter_words(detail: Mapping[str, Any]) -> str:
    where, *names = detail["loc"]
    return f"{where} parameter {join_path(*names)}: {detail['msg']}"


def _of_routing(error: HTTPException, request: Request) -> ApiError:
    if isinstance(error.__cause__, ApiError):  # raised while FastAPI read the body
        return error.__cause__
    if error.status_code == 404:
        return no_route(request.scope["path"])
    if error.status_code == 405:
        allowed = ", ".join(_methods_at(request))
        words = f"{request.method} is not allowed here; expected one of {allowed}"
        return ApiError(405, BAD_METHOD, words, headers={"Allow": allowed})
    return ApiError(error.status_code, BAD_BODY, str(error.detail), headers=error.headers)


def _methods_at(request: Request) -> list[str]:
    """Return every method that a path takes, in order."""
    patterns: PathMethods = request.app.state.path_methods
    taken = next((methods for pattern, methods in patterns.values() if pattern.match(request.scope["path"])), set())
    return sorted({*taken, "OPTIONS", *({"HEAD"} if "GET" in taken else ())})


async def _answer(request: Request, error: Exception) -> Response:
    refusal = translated(error, request)
    if request.method == "OPTIONS" and refusal.status == 405:
        return ok(None, headers=refusal.headers)  # which methods there are is what was asked (RFC 9110 section 9.3.7)
    return refusal.response()


def install(app: FastAPI, kinds: Iterable[type[Exception]] = ()) -> None:
    """Have the application answer every refusal in the envelope."""
    for kind in (ApiError, LbdnsError, RequestValidationError, HTTPException, *kinds):
        app.add_exception_handler(kind, _answer)
