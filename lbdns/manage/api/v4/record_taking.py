"""A record as clients send it -> as the store takes it: what means nothing here is left out, or kept, and told of.

unknown fields, of the record, its settings and its data    left out
fields of the v4 API without effect here                    kept, and shown again (`echo` of the stored body)
what the server sets (READ_ONLY)                            left out, untold: who read a record sends them back
numbers as text                                             numbers, untold
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic_core import to_json

from lbdns.base.json_values import number_in_text
from lbdns.base.wording import printable, unknown_field
from lbdns.dns.rdata.data_parts import PARTS_OF_NAME
from lbdns.dns.rdata.record_types import record_type
from lbdns.manage.api.frame.pointers import Steps
from lbdns.manage.api.frame.reply_messages import MESSAGES_MAX, told
from lbdns.manage.store.records.record_bodies import ECHO, READ_ONLY, SETTINGS, WRITABLE, known_type

WITHOUT_EFFECT: Final[Mapping[str, str]] = {
    "extra": "the fields of a record stand beside its content",
    "locked": "every record may be changed by whoever may change the zone",
}
"""Fields that clients of old send, and why they have no effect."""
ECHO_OCTETS_MAX: Final = 2000
"""Of one value that is kept to be shown again."""
KEY_CHARS_MAX: Final = 100
_NUMBERS: Final = ("ttl", "priority")
_IN_NAME: Final = "it stands in the record's name: SERVICE.PROTO.NAME, such as _sip._udp.example.com"

Tell = Callable[[str, Steps, bool], None]
"""Hears what is to be told, where in the record it stands, and whether there is no such field."""


def taken_record(body: Mapping[str, Any], tell: Tell, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the fields of a request that the store takes; `before` is the stored body of a record that they change."""
    made = {key: number_in_text(body[key]) if key in _NUMBERS else body[key] for key in WRITABLE if key in body}
    echo: dict[str, Any] = dict((before or {}).get(ECHO, {}))
    for key, value in body.items():
        if key in WITHOUT_EFFECT:
            echo.pop(key, None)
            if value is not None:
                tell(f"{key}: of no effect here, for {WITHOUT_EFFECT[key]}", (key,), False)
                echo |= _kept(key, value)
        elif key not in WRITABLE and key not in READ_ONLY:
            tell(_unknown(key, WRITABLE), (key,), True)
    if isinstance(made.get("settings"), Mapping):
        made["settings"] = {key: made["settings"][key] for key in _known_settings(made["settings"], tell)}
    if "data" in body:
        echo.pop("data", None)
    if isinstance(made.get("data"), Mapping):
        rdtype = made.get("type", (before or {}).get("type"))
        made["data"], parts = _taken_data(made["data"], rdtype, made.get("content") is not None, tell)
        if parts:
            echo["data"] = parts
    if echo or before:
        made[ECHO] = echo or None
    return made


def _known_settings(settings: Mapping[str, Any], tell: Tell) -> Iterator[str]:
    for key in settings:
        if key in SETTINGS:
            yield key
        else:
            tell(_unknown(key, SETTINGS), ("settings", key), True)


def _taken_data(
    data: Mapping[str, Any], type_text: Any, has_content: bool, tell: Tell
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return the parts that a type has, and those that are kept to be shown again."""
    try:
        form = record_type(known_type(type_text)).data if isinstance(type_text, str) else None
    except ValueError:  # the store says that there is no such type
        return dict(data), {}
    if form is None:
        if not data or not has_content:
            return dict(data), {}
        tell("data: of no effect here, for content says it all in records of this type", ("data",), False)
        return None, {}
    parts: dict[str, Any] = {}
    for key, value in data.items():
        if key in form.keys:
            continue
        if key in PARTS_OF_NAME and "port" in form.keys:
            tell(f"data.{key}: of no effect here, for {_IN_NAME}", ("data", key), False)
            parts |= _kept(key, value)
        else:
            tell(_unknown(key, form.keys), ("data", key), True)
    return {key: value for key, value in data.items() if key in form.keys}, parts


def _unknown(key: str, known: Sequence[str]) -> str:
    """Return what to say of a field that there is not. To find what was meant takes time, so not for ever."""
    shown = printable(key[:KEY_CHARS_MAX])
    return f"left out: {unknown_field(shown, known)}" if len(told()) < MESSAGES_MAX else f"left out: {shown}"


def _kept(key: str, value: Any) -> dict[str, Any]:
    """Return what is kept of a field without effect: nothing of one that is too long to be meant."""
    return {key: value} if value is not None and len(to_json(value)) <= ECHO_OCTETS_MAX else {}
