"""The envelope around every answer: {"result", "success", "errors", "messages", "result_info"?}."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from fastapi import Response
from pydantic_core import to_json

from lbdns.manage.api.frame.reply_messages import told

JSON_TYPE: Final = "application/json"


class Info(Protocol):
    """What stands in `result_info`."""

    def as_json(self) -> dict[str, int]:
        """Return it as the API says it."""


def ok(
    result: Any,
    result_info: Info | None = None,
    messages: Iterable[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a success: HTTP 200 with the result in its envelope. `result` is anything that JSON can say.

    `messages` come before those that were told while the request was answered.
    """
    body: dict[str, Any] = {"result": result, "success": True, "errors": [], "messages": [*messages, *told()]}
    if result_info is not None:
        body["result_info"] = result_info.as_json()
    return Response(to_json(body), media_type=JSON_TYPE, headers=dict(headers) if headers else None)


def failed(
    status: int,
    errors: Iterable[Mapping[str, Any]],
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a failure in its envelope: result null, and what was wrong."""
    body = {"result": None, "success": False, "errors": list(errors), "messages": []}
    return Response(to_json(body), status, media_type=JSON_TYPE, headers=dict(headers) if headers else None)
