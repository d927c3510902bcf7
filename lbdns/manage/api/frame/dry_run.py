"""`?dry_run=true` on a write (ours): check, compile and try everything, say what would change, and change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from fastapi import Query, Response

from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.openapi import component
from lbdns.manage.api.frame.reply_messages import ReplyMessage
from lbdns.manage.store.managing import Done
from lbdns.manage.store.revisions import diff
from lbdns.manage.store.state import State

DryRun = Annotated[bool, Query(description="say what would change, and change nothing")]
_FIELD: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"field": {"type": "string"}, "before": {}, "after": {}},
    "required": ["field"],
    "additionalProperties": False,
}
_DIFFERENCE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        **{key: {"type": "string"} for key in ("action", "kind", "id", "name", "zone", "type")},
        "fields": {"type": "array", "items": _FIELD},
    },
    "required": ["action", "kind", "id", "name", "fields"],
    "additionalProperties": False,
}
DRY_RUN: Final = component(
    "DryRun",
    {
        "type": "object",
        "description": "what a write would change, references by name; `revision` is the newest one",
        "properties": {
            "revision": {"type": "integer"},
            "differences": {"type": "array", "items": _DIFFERENCE},
            "counts": {"type": "object"},
        },
        "required": ["revision", "differences", "counts"],
        "additionalProperties": False,
    },
)


def or_dry_run(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a write's result, or of what it would change."""
    return {"anyOf": [dict(result), DRY_RUN]}


def planned(done: Done[Any], before: State, messages: Iterable[ReplyMessage]) -> Response:
    """Return what a change that was only tried would do to `before`, with the messages that it would have."""
    after = before.changed(done.changes, done.revision + 1)
    differences = diff.describe(done.changes, before, after)
    result = {"revision": done.revision, "differences": differences, "counts": diff.count(done.changes)}
    return ok(result, messages=messages)
