"""What went wrong, in the shape of the v4 API's GraphQL: message, path with its numbers as texts, time and code."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

from graphql import GraphQLError

from lbdns.base.wording import abridged
from lbdns.manage.store.item import time_text

ERRORS_MAX: Final = 20
AUTHORIZATION: Final = "authz"
INVALID: Final = "invalid"
BUSY: Final = "busy"


def error_shown(error: GraphQLError) -> dict[str, Any]:
    """Return one error as JSON has it."""
    shown: dict[str, Any] = {"message": abridged(error.message)}
    shown["path"] = [str(step) for step in error.path] if error.path else None
    if error.locations:
        shown["locations"] = [{"line": one.line, "column": one.column} for one in error.locations]
    code = (error.extensions or {}).get("code", INVALID)
    shown["extensions"] = {"timestamp": time_text(time.time()), "code": code}
    return shown


def refused(errors: Iterable[GraphQLError]) -> dict[str, Any]:
    """Return the answer to a query that is refused."""
    return {"data": None, "errors": [error_shown(error) for error in list(errors)[:ERRORS_MAX]]}
