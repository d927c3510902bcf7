"""The command line's way to the management API: requests in, results out, every refusal an LbdnsError.

    found            how                                            who one is
    a server here    the UNIX socket api.sock in its state dir      the user of this machine
    a server there   --api URL                                      --token
    no server here   the API in this process, over the store,       the user of this machine
                     which is locked meanwhile

`api_options` gives a command the options that say which, and its first argument: a Client. Nothing is connected before
the first request.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import click
from click.core import ParameterSource

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import OWN, Kind
from lbdns.base.wording import join_path, printable
from lbdns.base.words import (
    GUARD_HEADER,
    OBJECTS_PER_PAGE_MAX,
    OWN_PATH,
    SETTINGS_FILE,
    SETTINGS_VARIABLE,
    UNKNOWN_TOKEN,
    V4_PATH,
    WARNING_CODE,
)
from lbdns.cli.frame.api_place import Local, Place, find_place

if TYPE_CHECKING:
    import httpx

PAGES_MAX: Final = 100_000
_FIXED_WORDS: Final = (
    ": validation failed",
    ": value not unique",
    ": object not found",
    "This object is referenced by other objects, delete them first. ",
)
"""What programs look for at either end of messages, beside a sentence that says more."""


@dataclass(frozen=True, slots=True)
class ApiProblem:
    """One error of an answer: its code, the sentence, and the way to the value in question ("" where it has none)."""

    code: int
    message: str
    at: str = ""

    def __str__(self) -> str:
        return f"{self.at}: {self.message}" if self.at else self.message


class ApiRefusal(LbdnsError):
    """The API refused: `status` of HTTP, every error in `refusals`; the text has a line for each."""

    def __init__(self, status: int, refusals: tuple[ApiProblem, ...]) -> None:
        self.status = status
        self.refusals = refusals
        super().__init__("\n".join(map(str, refusals)))


@dataclass(frozen=True, slots=True)
class Reply:
    """A success: the result, what its envelope says beside it, and the revision of a single object (None: not told)."""

    result: Any
    info: Mapping[str, Any]
    warnings: tuple[str, ...]
    revision: int | None


class ApiClient:
    """The API at a place. Paths start with V4_PATH or OWN_PATH, or are what `balancing` returns.

    A parameter that is None is not sent. Every method raises ApiError where the API refuses, and LbdnsError where
    there is none.
    """

    def __init__(self, place: Place, may_create: bool = False) -> None:
        """Describe the way; `may_create`: where there is neither server nor store, a store is made."""
        self.place = place
        self._may_create = may_create
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> ApiClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def get(self, path: str, **params: Any) -> Any:
        """Return what is there."""
        return self.request("GET", path, params=params).result

    def post(self, path: str, body: Any = None, **params: Any) -> Any:
        """Create, or do; returns the result."""
        return self.request("POST", path, body, params=params).result

    def put(self, path: str, body: Any, revision: int | None = None, **params: Any) -> Any:
        """Replace, only where the object has not changed since `revision`; returns the object."""
        return self.request("PUT", path, body, revision, params).result

    def patch(self, path: str, body: Any, revision: int | None = None, **params: Any) -> Any:
        """Change what the body names, only where the object has not changed since `revision`; returns the object."""
        return self.request("PATCH", path, body, revision, params).result

    def delete(self, path: str, revision: int | None = None, **params: Any) -> Any:
        """Delete, only where the object has not changed since `revision`; returns {"id"}."""
        return self.request("DELETE", path, None, revision, params).result

    def fetch(self, path: str, **params: Any) -> Reply:
        """Return what is there with what is said beside it, such as its revision."""
        return self.request("GET", path, params=params)

    def text(self, path: str, **params: Any) -> str:
        """Return what is there as text: an export."""
        response = self._send("GET", path, params=params)
        if not response.is_success:
            _reply(response)
        return response.text

    def upload(self, path: str, content: bytes, tells: bool = True, **params: Any) -> Reply:
        """Send a form with one file, in the field `file`. `tells`: as of `request`."""
        reply = _reply(self._send("POST", path, params=params, files={"file": ("file", content)}))
        return told(reply) if tells else reply

    def pages(self, path: str, page_items: int = OBJECTS_PER_PAGE_MAX, **params: Any) -> Iterator[Any]:
        """Yield every item of a list, page by page; a list that knows no pages is one."""
        for page in range(1, PAGES_MAX):
            reply = self.fetch(path, page=page, per_page=page_items, **params)
            yield from reply.result
            if not reply.result or page >= reply.info.get("total_pages", 1):
                return

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        revision: int | None = None,
        params: Mapping[str, Any] | None = None,
        tells: bool = True,
        guard: str | None = None,
    ) -> Reply:
        """Ask; `tells`: show on standard error what the answer says beside its result. `guard`: how much of the
        recorded traffic it may move, such as 5%."""
        headers = {} if revision is None else {"If-Match": f'"{revision}"'}
        if guard is not None:
            headers[GUARD_HEADER] = guard
        arguments: dict[str, Any] = {"headers": headers, "params": params or {}}
        if body is not None:
            arguments["content"] = json.dumps(body, ensure_ascii=False).encode()
            headers["Content-Type"] = "application/json"
        reply = _reply(self._send(method, path, **arguments))
        return told(reply) if tells else reply

    @cached_property
    def account(self) -> str:
        """The id of the account; a server has one."""
        return str(self.get(f"{V4_PATH}/accounts")[0]["id"])

    def balancing(self, *parts: str) -> str:
        """Return the path of the account's balancing objects: `balancing("pools", id)`."""
        return "/".join(
            [f"{V4_PATH}/accounts/{self.account}/load_balancers", *(quote(part, safe="") for part in parts)]
        )

    def objects(self, kind: Kind, *parts: str) -> str:
        """Return the path of the objects of a kind that is the account's, or of one of them."""
        above = OWN_PATH if kind.area == OWN else f"{V4_PATH}/accounts/{self.account}/{kind.area}"
        return "/".join([above, kind.section, *(quote(part, safe="") for part in parts)])

    @cached_property
    def _http(self) -> httpx.Client:
        return self.place.connect(self._cleanup, self._may_create)

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        import httpx

        arguments["params"] = {
            key: str(value).lower() if isinstance(value, bool) else value
            for key, value in arguments["params"].items()
            if value is not None
        }
        try:
            return self._http.request(method, path, **arguments)
        except httpx.ConnectError as error:
            raise LbdnsError(self.place.unreachable(error)) from error
        except httpx.TimeoutException as error:
            raise LbdnsError(f"{self.place}: no answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise LbdnsError(f"{self.place}: {str(error) or type(error).__name__}") from error


def _reply(response: httpx.Response) -> Reply:
    try:
        envelope = response.json()
        errors, is_success = envelope["errors"], envelope["success"]
        warnings = tuple(one["message"] for one in envelope["messages"] if one["code"] == WARNING_CODE)
    except (ValueError, KeyError, TypeError):
        status = f"{response.status_code} {response.reason_phrase}".strip()
        raise LbdnsError(f"{response.url}: no answer of a management API came, but {status}") from None
    if not is_success and [error["message"] for error in errors] == [UNKNOWN_TOKEN]:
        raise LbdnsError(f"{response.url.copy_with(raw_path=b'/')}: the token is not known there")
    if not is_success:
        raise ApiRefusal(response.status_code, tuple(_refusal(error) for error in errors))
    tag = response.headers.get("etag", "").removeprefix("W/").strip('"')
    return Reply(envelope["result"], envelope.get("result_info") or {}, warnings, int(tag) if tag.isdigit() else None)


def _refusal(error: Mapping[str, Any]) -> ApiProblem:
    pointer = (error.get("source") or {}).get("pointer", "")
    message = error["message"].removeprefix(f"{dotted(pointer)}: ")
    for words in _FIXED_WORDS:
        message = message.removesuffix(words).removeprefix(words)
    return ApiProblem(error["code"], printable(message), dotted(pointer))


def told(reply: Reply) -> Reply:
    """Show on standard error what an answer says beside its result; return it."""
    for warning in reply.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)
    return reply


def _keys(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def dotted(pointer: str) -> str:
    """Return a JSON pointer (RFC 6901) as people write it: /origins/0/weight is origins[0].weight."""
    return join_path(*(int(key) if key.isdigit() else key for key in _keys(pointer)))


Command = Callable[..., Any]


def api_options(command: Command) -> Command:
    """Add the options that say where the API is; the command gets a Client as its first argument."""
    return _with_options(command, may_create=False)


def creating_api_options(command: Command) -> Command:
    """Add the same; where there is neither server nor store, the command makes a store."""
    return _with_options(command, may_create=True)


def _with_options(command: Command, may_create: bool) -> Command:
    @functools.wraps(command)
    def run(**arguments: Any) -> Any:
        place = place_of({name: arguments.pop(name) for name in PLACE_OPTIONS}, click.get_current_context())
        if isinstance(place, Local) and arguments.get("dry_run"):
            place = replace(place, is_dry_run=True)
        with ApiClient(place, may_create) as client:
            return command(client, **arguments)

    # click reads parameters from the last to the first: what is put first here comes last in --help.
    before = getattr(command, "__click_params__", [])
    run.__click_params__ = []  # type: ignore[attr-defined]
    for option in reversed(list(PLACE_OPTIONS.values())):
        option(run)
    run.__click_params__ += before  # type: ignore[attr-defined]
    return run


def place_of(options: Mapping[str, Any], context: click.Context) -> Place:
    """Return the place that these options name. What the command line says wins over the environment."""
    api, local = options["api"], [name for name in ("settings", "config", "state") if options[name] is not None]
    said = [name for name in local if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if api is not None and said:
        if context.get_parameter_source("api") is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--api asks a server elsewhere, --{said[0]} one on this machine: leave one out")
        api = None
    where = one_of_settings(options["settings"], options["config"], context)
    return find_place(api, options["token"], options["token_file"], where, options["state"])


def one_of_settings(settings: Path | None, config: Path | None, context: click.Context) -> Path | None:
    """Return where the settings are: the file of --settings or the directory of --config, None where neither says."""
    if settings is not None and config is not None:
        if context.get_parameter_source("settings") is ParameterSource.COMMANDLINE:
            raise click.UsageError("--settings and --config both say where the settings are: leave one out")
        return config
    return settings or config


PLACE_OPTIONS: Final[dict[str, Callable[[Command], Command]]] = {
    "settings": click.option(
        "--settings",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        envvar=SETTINGS_VARIABLE,
        metavar="FILE",
        help="The server's settings, which say where its state is. "
        f"[env: {SETTINGS_VARIABLE}; default: ./{SETTINGS_FILE}]",
    ),
    "config": click.option(
        "--config",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        metavar="DIR",
        help="The directory that the running server serves.",
    ),
    "state": click.option(
        "--state",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="PATH",
        help="The state directory, whatever the settings say.",
    ),
    "api": click.option(
        "--api", envvar="LBDNS_API", metavar="URL", help="Ask a server elsewhere: https://HOST:PORT. [env: LBDNS_API]"
    ),
    "token": click.option(
        "--token",
        envvar="LBDNS_TOKEN",
        metavar="TOKEN",
        help="The token for --api; others on this machine can see it: prefer --token-file. [env: LBDNS_TOKEN]",
    ),
    "token_file": click.option(
        "--token-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A file that holds the token for --api.",
    ),
}
"""Parameter name -> option, in the order of --help."""
