"""The fields beside the objects in a body of lbdns's own API: which there are, and of which type each is."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final, NotRequired

from typing_extensions import TypedDict

from lbdns.manage.reading.body_refused import BodyRefused, Found

_TYPES: Final[dict[str, tuple[type | tuple[type, ...], str]]] = {
    "configuration": (dict, "an object"),
    "prune": (bool, "true or false"),
    "dry_run": (bool, "true or false"),
    "based_on": ((int, type(None)), "a revision's number"),
    "message": (str, "a text"),
}
_TOLD_MAX: Final = 1000
"""Fields that are looked at; there are no more than four."""


class ApplyBody(TypedDict):
    """A whole configuration, and the revision that its plan was made on. `prune`: what it does not name is deleted.

    `message` says why, for the audit trail.
    """

    configuration: dict[str, Any]
    prune: NotRequired[bool]
    based_on: NotRequired[int | None]
    message: NotRequired[str]


class RestoreBody(TypedDict):
    """`dry_run`: say what would change, and change nothing."""

    dry_run: NotRequired[bool]
    based_on: NotRequired[int | None]
    message: NotRequired[str]


def checked_fields(body: Mapping[str, Any], shape: Any) -> Mapping[str, Any]:
    """Return a body as it is; raises BodyRefused for fields of a wrong type or name."""
    known = shape.__annotations__
    found: list[Found] = []
    for field, value in islice(body.items(), _TOLD_MAX):
        if field not in known:
            found.append((f'unknown field "{field}"; expected {", ".join(known)}', (field,)))
        elif not isinstance(value, _TYPES[field][0]) or (field == "based_on" and isinstance(value, bool)):
            found.append((f"{field}: expected {_TYPES[field][1]}", (field,)))
    if "configuration" in known and "configuration" not in body:
        found.append(("configuration: the field is missing", ("configuration",)))
    if found:
        raise BodyRefused(*found, more=max(0, len(body) - _TOLD_MAX))
    return body
