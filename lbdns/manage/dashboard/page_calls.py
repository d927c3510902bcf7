"""Calls of the API in this process, as whoever is signed in: the same routes, scopes, bounds and words as over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, unquote, urlencode

from pydantic_core import from_json, to_json
from starlette.types import ASGIApp, Message, Scope

from lbdns.manage.api.frame.auth import SignedIn
from lbdns.manage.api.frame.envelope import JSON_TYPE
from lbdns.manage.api.frame.gate import GUEST, SIGNED_IN

Query = Mapping[str, Any]


@dataclass(frozen=True)
class ApiAnswer:
    """What the API answered to one call."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    content: bytes

    @cached_property
    def envelope(self) -> dict[str, Any]:
        """The whole answer."""
        found: dict[str, Any] = from_json(self.content)
        return found

    @property
    def is_success(self) -> bool:
        """Whether the API did what it was asked."""
        return self.status < 400

    @property
    def result(self) -> Any:
        """The result; None of a refusal."""
        return self.envelope["result"]

    @property
    def errors(self) -> list[dict[str, Any]]:
        """What was wrong: each with code, message and perhaps source.pointer."""
        return list(self.envelope["errors"])

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What is said beside the result."""
        return list(self.envelope["messages"])

    @property
    def info(self) -> dict[str, Any]:
        """`result_info` of a list; empty where there is none."""
        return self.envelope.get("result_info") or {}

    @property
    def revision(self) -> str:
        """The ETag of a single object, to be sent back as If-Match; "" where there is none."""
        return self.headers.get("etag", "")


class ApiRefused(Exception):
    """The API refused what a page cannot do without; the page of its errors is shown instead."""

    def __init__(self, answer: ApiAnswer) -> None:
        super().__init__(f"{answer.method} {answer.path}: {answer.status}")
        self.answer = answer


def path_with(path: str, query: Query | None) -> str:
    """Return a path with a query string; what is None is left out, and lists stand there once for each value."""
    said = urlencode([*_pairs(query or {})])
    return f"{path}?{said}" if said else path


def path_of(*parts: str) -> str:
    """Return the path that is made of these parts, each escaped whole: path_of(OWN_PATH, "tokens", name)."""
    first, *rest = parts
    return "/".join([first, *(quote(part, safe="") for part in rest)])


def _pairs(query: Query) -> Iterable[tuple[str, str]]:
    for key, value in query.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is not None:
                yield key, str(one).lower() if isinstance(one, bool) else str(one)


async def ask_api(
    app: ASGIApp,
    asked_by: Scope,
    who: SignedIn | None,
    method: str,
    path: str,
    query: Query | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> ApiAnswer:
    """Ask the API's application for the request `asked_by`, as `who`; None: as whoever `headers` say.

    `path` is escaped already (`path_of`). A body that is bytes is sent as it is, anything else as JSON.
    """
    content = b"" if body is None else body if isinstance(body, bytes) else to_json(body)
    sent = {"content-length": str(len(content)), **(headers or {})}
    if body is not None:
        sent.setdefault("content-type", JSON_TYPE)
    state = {key: value for key, value in asked_by.get("state", {}).items() if key == GUEST}
    if who is not None:
        state[SIGNED_IN] = who
    whole = path_with(path, query)
    raw, _, said = whole.partition("?")
    scope: Scope = {
        "type": "http",
        "asgi": asked_by.get("asgi", {"version": "3.0"}),
        "http_version": "1.1",
        "method": method,
        "scheme": asked_by["scheme"],
        "path": unquote(raw),
        "raw_path": raw.encode(),
        "query_string": said.encode(),
        "root_path": "",
        # As clients send what stands in no Latin-1 (of a link that somebody made up): the API takes it for what it is.
        "headers": [(name.lower().encode(), value.encode("utf-8", "replace")) for name, value in sent.items()],
        "client": asked_by.get("client"),
        "server": asked_by.get("server"),
        "state": state,
    }
    answer = _Answer(content)
    await app(scope, answer.receive, answer.send)
    return ApiAnswer(method, whole, answer.status, answer.headers, b"".join(answer.parts))


class _Answer:
    """The two ends of one call: gives the body once, gathers the answer."""

    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content
        self.status = 0
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []

    async def receive(self) -> Message:
        if self._content is None:
            await asyncio.Event().wait()  # whoever listens on waits for the client to go away; none does
        content, self._content = self._content, None
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]
            }
        else:
            self.parts.append(message.get("body", b""))


def as_text(value: Any) -> str:
    """Return JSON for people to read."""
    return json.dumps(value, indent=2, ensure_ascii=False)
