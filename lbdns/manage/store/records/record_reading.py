"""The body of a record that a client gives, checked: every mistake at its field, and the canonical body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from lbdns.base import words
from lbdns.base.errors import Problem
from lbdns.base.json_values import is_text, whole_number
from lbdns.base.wording import printable, unknown_field, wrong_number
from lbdns.base.words import STORED
from lbdns.dns import record_bounds
from lbdns.dns.codes import TYPE_SOA
from lbdns.dns.name import ROOT, BadName, encode_host, encode_owner, show_absolute, show_name
from lbdns.dns.rdata.content import content_as_sent, content_of, encode_content, text_of_data
from lbdns.dns.rdata.master_form import BadRdata, check_complete, encode_complete
from lbdns.dns.rdata.record_types import Priority, record_type, type_text
from lbdns.manage.store.records.record_bodies import (
    ECHO,
    NAME_SERVER,
    NOT_FOR_DNS,
    READ_ONLY,
    SETTINGS,
    STORED_FIELDS,
    WRITABLE,
    known_type,
)
from lbdns.model.mistakes import mistakes_of
from lbdns.model.view_names import VIEW, labelled
from lbdns.model.views import ViewName


def canonical_record(
    body: Mapping[str, Any], zone_name: str, problems: list[Problem], at: tuple[str | int, ...], zone_view: str = ""
) -> dict[str, Any]:
    """Return the body to store; every mistake goes into `problems`, and what comes back is then good for nothing else.

    `at` is the record's own place, the first part of every problem's. `zone_view`: the zone's, where it is of one, and
    so of its records, which then say none.
    """
    reading = _RecordReading(body, zone_name, problems, at, zone_view)
    return reading.read()


class _RecordReading:
    """One body while it is checked. A field that is wrong is reported once and stands at its default from then on."""

    def __init__(
        self,
        body: Mapping[str, Any],
        zone_name: str,
        problems: list[Problem],
        at: tuple[str | int, ...],
        zone_view: str,
    ) -> None:
        self.body = body
        self.zone_name = zone_name
        self.problems = problems
        self.at = at
        self.zone_view = zone_view
        self.subject = "a record"

    def read(self) -> dict[str, Any]:
        """Return the canonical body."""
        name, rdtype = self._name(), self._type()
        if name is not None and rdtype is not None:
            self.subject = f"{name} {type_text(rdtype)}"
        made: dict[str, Any] = {"name": name or self.zone_name}
        if rdtype is not None:
            made["type"] = type_text(rdtype)
            made.update(self._content(rdtype, name))
        self._check_known()
        for key, read in _OTHERS.items():
            if self.body.get(key) is not None:
                value = read(self, self.body[key])
                if value:
                    made[key] = value
        made.update({key: self.body[key] for key in (ECHO, NAME_SERVER) if self.body.get(key)})
        self.check_traffic()
        made["ttl"] = self._ttl()
        return made

    def report(self, message: str, *steps: str | int) -> None:
        """Take note of a mistake at a field."""
        shown = printable(message if len(message) <= 400 else f"{message[:400]}...")
        path = f"{self.subject} {'.'.join(map(str, steps))}"
        self.problems.append(Problem(STORED, 0, printable(path), shown, at=(*self.at, *steps)))

    def _text(self, key: str) -> str | None:
        """Return a required text; None where it is missing or none."""
        value = self.body.get(key)
        if value is None:
            self.report(f"a record needs its {key}", key)
        elif not isinstance(value, str) or not is_text(value):
            self.report("expected text", key)
        else:
            return value
        return None

    def _name(self) -> str | None:
        """Return the complete name. The apex is "", "@", and what a client makes of "@" that completes all names."""
        text = self._text("name")
        if text == "" or (text is not None and text.lower().removesuffix(".") == f"@.{self.zone_name}"):
            text = "@"
        try:
            return show_name(encode_owner(text, self.zone_name)) if text is not None else None
        except BadName as error:
            self.report(str(error), "name")
            return None

    def _type(self) -> int | None:
        text = self._text("type")
        if text is None:
            return None
        try:
            rdtype = known_type(text)
        except ValueError as error:
            self.report(str(error), "type")
            return None
        if rdtype == TYPE_SOA:
            self.report('the SOA record is the zone\'s own; change "soa" of the zone', "type")
            return None
        return rdtype

    def _content(self, rdtype: int, name: str | None) -> dict[str, Any]:
        """Return content, and the priority of MX, from whichever of content and data was given."""
        row = record_type(rdtype)
        is_priority_apart = row.priority is Priority.BESIDE_CONTENT
        priority = self._priority()
        if priority is None and is_priority_apart and self.body.get("priority") is not None:
            priority = 0  # reported already; what else is wrong shows beside it
        from_data = self._from_data(rdtype, priority)
        content = self.body.get("content")
        if content is None and self.body.get("data") is not None and row.data is not None:
            return self._shown(rdtype, from_data, self.body["data"])
        content = self._text("content")
        if content is None:
            return {}
        try:
            rdata = encode_content(rdtype, content, priority, self.zone_name)
            check_complete(rdtype, rdata, content)
        except BadRdata as error:
            is_priority_missing = is_priority_apart and priority is None and len(content.split()) == 1
            self.report(str(error), "priority" if is_priority_missing else "content")
            return {}
        if from_data is not None and from_data != rdata:
            said = content_of(rdtype, from_data)[0]
            self.report(f"data says {said}, which is not what content says; give one of the two", "data")
        if (
            row.priority is Priority.BESIDE_DATA
            and priority is not None
            and int.from_bytes(rdata[:2], "big") != priority
        ):
            self.report("content begins with another priority; give one of the two", "priority")
        return self._shown(rdtype, rdata, content)

    def _shown(self, rdtype: int, rdata: bytes | None, sent: str | Mapping[str, Any]) -> dict[str, Any]:
        if rdata is None:
            return {}
        content, priority = content_as_sent(rdtype, rdata, sent)
        return {"content": content} if priority is None else {"content": content, "priority": priority}

    def _priority(self) -> int | None:
        """Return the priority. Types without one have it ignored, as the v4 API does."""
        value = self.body.get("priority")
        if value is None:
            return None
        number = whole_number(value)
        if number is None or not 0 <= number <= record_bounds.MAX_PRIORITY:
            expected = f"expected a whole number from 0 to {record_bounds.MAX_PRIORITY}"
            self.report(wrong_number(value, expected), "priority")
            return None
        return number

    def _from_data(self, rdtype: int, priority: int | None) -> bytes | None:
        """Return the wire format of `data`; None where there is none, or a mistake in it."""
        data = self.body.get("data")
        has_parts = record_type(rdtype).data is not None
        if data is None or (data == {} and not has_parts):
            return None
        if not has_parts:
            self.report(f"{type_text(rdtype)} records have content, not data", "data")
            return None
        found: list[tuple[str, str]] = []
        text = text_of_data(rdtype, data, priority, self._complete, lambda key, message: found.append((key, message)))
        for key, message in found:
            self.report(message, "data", *([key] if key else []))
        if text is None or found:
            return None
        try:
            return encode_complete(rdtype, [text], ROOT)
        except BadRdata as error:
            self.report(str(error), "data")
            return None

    def _complete(self, host: str) -> str:
        return show_absolute(encode_host(host, self.zone_name))

    def _check_known(self) -> None:
        for key in self.body:
            if key not in STORED_FIELDS and key not in READ_ONLY:
                self.report(unknown_field(str(key), WRITABLE), str(key))

    def _ttl(self) -> int:
        value = self.body.get("ttl")
        if value is None:
            return words.AUTOMATIC_TTL
        ttl = whole_number(value)
        if ttl is None or not 0 <= ttl <= record_bounds.MAX_TTL_S:
            expected = f"expected seconds from 0 to {record_bounds.MAX_TTL_S}, or 1 for automatic"
            self.report(wrong_number(value, expected), "ttl")
            return words.AUTOMATIC_TTL
        return ttl

    def check_traffic(self) -> None:
        """Check that a record is about DNS alone."""
        for key in NOT_FOR_DNS:
            value = self.body.get(key)
            if value is True:
                said = "proxied" if key == "proxied" else "routed privately"
                self.report(f"lbdns answers queries and carries no traffic, so a record cannot be {said}", key)
            elif value is not None and value is not False:
                self.report("expected false", key)

    def comment(self, value: Any) -> str | None:
        """Check and return the comment."""
        if isinstance(value, str) and is_text(value) and len(value) <= record_bounds.MAX_COMMENT_CHARS:
            return value
        self.report(f"expected text of at most {record_bounds.MAX_COMMENT_CHARS} characters", "comment")
        return None

    def tags(self, value: Any) -> list[str] | None:
        """Check and return the tags, each once."""
        if not isinstance(value, (list, tuple)) or len(value) > record_bounds.MAX_TAGS:
            self.report(f'expected a list of at most {record_bounds.MAX_TAGS} tags such as "team:web"', "tags")
            return None
        for index, tag in enumerate(value):
            if not isinstance(tag, str) or not is_text(tag) or not tag or len(tag) > record_bounds.MAX_TAG_CHARS:
                message = (
                    f'expected "name:value" of at most {record_bounds.MAX_TAG_CHARS} characters, such as "team:web"'
                )
                self.report(message, "tags", index)
                return None
        return list(dict.fromkeys(value))

    def settings(self, value: Any) -> dict[str, bool] | None:
        """Check and return the settings that are on."""
        if not isinstance(value, Mapping):
            self.report("expected an object", "settings")
            return None
        for key, setting in value.items():
            if key not in SETTINGS:
                self.report(unknown_field(str(key), SETTINGS), "settings", str(key))
            elif not isinstance(setting, bool):
                self.report("expected true or false", "settings", key)
            elif key == "flatten_cname" and setting:
                message = "a CNAME record is answered as it is; a load balancer flattens hostnames"
                self.report(message, "settings", key)
        return {key: True for key in SETTINGS if value.get(key) is True}

    def view(self, value: Any) -> str | None:
        """Check and return the view; None where all see the record, or its zone says who does."""
        given = view_in(value, lambda message: self.report(message, VIEW))
        if given and self.zone_view and given != self.zone_view:
            zone = labelled(self.zone_name, self.zone_view)
            self.report(f'what is in the zone "{zone}" is of its view, "{self.zone_view}"; leave it out', VIEW)
        return given if not self.zone_view else None


def view_in(value: Any, report: Callable[[str], None]) -> str:
    """Return the view that a field names, "" where it names none, or hears of a mistake."""
    if value in (None, ""):
        return ""
    try:
        return _view_name().validate_python(value, strict=True)
    except ValidationError as error:
        for found in mistakes_of(error):
            report(found.message)
    return ""


@cache
def _view_name() -> TypeAdapter[str]:
    return TypeAdapter(ViewName)


_OTHERS: Final[dict[str, Callable[[_RecordReading, Any], Any]]] = {
    "comment": _RecordReading.comment,
    "tags": _RecordReading.tags,
    "settings": _RecordReading.settings,
    VIEW: _RecordReading.view,
}
