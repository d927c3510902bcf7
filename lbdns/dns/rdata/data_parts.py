"""The `data` of a record as the API has it: its parts by name, for types whose content is a row of them.

A `DataForm` takes three roads: wire -> data, data -> content, and data -> the text that is encoded. Most types have a
`PartsForm`, which says for each part what the API calls it, what dnspython calls it, and of which kind it is; LOC has a
form of its own (loc.py). record_types.py says which type has which.

Some kinds of parts have spellings that mean the same, and are shown as they were sent: hexadecimal digits in either
case, names with or without their final dot. Hosts are shown without it, for clients append one.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from lbdns.base.json_values import Report, is_text, number_in_text, whole_number
from lbdns.base.wording import unknown_field, wrong_number
from lbdns.dns import record_bounds
from lbdns.dns.name import BadName, show_host
from lbdns.dns.rdata.layouts import quoted

PRIORITY: Final = "priority"
Complete = Callable[[str], str]
"""Returns a host's absolute name, with its final dot; raises BadName."""

PARTS_OF_NAME: Final = {"service": "an SRV's service", "proto": "an SRV's protocol", "name": "an SRV's name"}
"""What clients of old send as data of a service's record (RFC 2782)."""
_OPTIONAL: Final = frozenset({"parameters"})
_HEX: Final = re.compile(r"[0-9A-Fa-f]+", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z0-9]+", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class DataPart(NamedTuple):
    """One part: its key in `data`, dnspython's attribute, its kind, and the largest number it may be."""

    key: str
    attribute: str
    kind: str
    most: int = 0


def u8(key: str, attribute: str = "") -> DataPart:
    """Return a part that is a number of one octet."""
    return DataPart(key, attribute or key, "number", 255)


def u16(key: str, attribute: str = "") -> DataPart:
    """Return a part that is a number of two octets."""
    return DataPart(key, attribute or key, "number", 65_535)


def part(kind: str, key: str, attribute: str = "") -> DataPart:
    """Return a part of another kind: host, name, word, quoted, hex, base64, or parameters (which may be missing)."""
    return DataPart(key, attribute or key, kind)


class DataForm(Protocol):
    """What the `data` of a type is made of."""

    keys: tuple[str, ...]

    def of(self, parsed: Any) -> dict[str, Any]:
        """Return the parts of dnspython's data."""

    def content(self, data: Mapping[str, Any]) -> str:
        """Return the content that says the same as data from `of`."""

    def sent(self, content: str) -> Mapping[str, Any]:
        """Return the parts of content that have several spellings, as they stand in it."""

    def spelled(self, data: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
        """Return data from `of` with such parts as they were sent, where these mean the same."""

    def text(self, data: Mapping[str, Any], priority: Any, complete: Complete, report: Report) -> str | None:
        """Return master-file data of what a client gave as `data`; None where a mistake was reported.

        `priority` stands in for a missing one.
        """


class PartsForm:
    """Parts in the order of the content's words."""

    def __init__(self, *parts: DataPart) -> None:
        self.parts = parts
        self.keys = tuple(one.key for one in parts)
        kinds = [one.kind for one in parts]
        self.host_at = next((at for at, kind in enumerate(kinds) if kind in ("host", "name")), None)
        """Where a host's name stands among the words."""
        self.ends_in_host = self.host_at == len(kinds) - 1 and "quoted" in kinds
        """Whether it is the last behind texts in quotes, which may hold white space."""

    def of(self, parsed: Any) -> dict[str, Any]:
        """Return the parts of dnspython's data."""
        return {one.key: _value(one, parsed) for one in self.parts}

    def content(self, data: Mapping[str, Any]) -> str:
        """Return the content that says the same as data from `of`."""
        words = [
            quoted(str(data[one.key]).encode()) if one.kind == "quoted" else str(data[one.key]) for one in self.parts
        ]
        return " ".join(words).rstrip()

    def sent(self, content: str) -> dict[str, str]:
        """Return the digits that end the content, and the name in it."""
        found = {}
        last = len(self.parts) - 1
        for at, one in enumerate(self.parts):
            if one.kind not in _SPELLINGS:
                continue
            if one.kind == "name" and not self.ends_in_host:
                words = content.split(None, at + 1)
            elif one.kind == "name":
                words = [*[""] * at, content.rpartition(" ")[2]]
            else:
                words = content.split(None, last)
            if len(words) > at:
                found[one.key] = words[at]
        return found

    def spelled(self, data: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
        """Return data from `of` with digits in the case that was sent, and names with the final dot that was."""
        made = dict(data)
        for one in self.parts:
            text = sent.get(one.key)
            if one.kind in _SPELLINGS and isinstance(text, str):
                made[one.key] = _SPELLINGS[one.kind](data[one.key], text)
        return made

    def text(self, data: Mapping[str, Any], priority: Any, complete: Complete, report: Report) -> str | None:
        """Return the words of what a client gave; None where a mistake was reported."""
        check_known(data, self.keys, report)
        words: list[str | None] = []
        for one in self.parts:
            value = data.get(one.key)
            if value is None and one.key == PRIORITY:
                value = priority
            if value is None and one.kind in _OPTIONAL:
                continue
            words.append(_word(one, value, complete, report))
        return " ".join(word for word in words if word is not None) if None not in words else None


def check_known(data: Mapping[str, Any], known: Iterable[str], report: Report) -> None:
    """Report the parts that there are not."""
    keys = list(known)
    for key in data:
        if key in keys:
            continue
        if key in PARTS_OF_NAME and "port" in keys:
            message = "stands in the record's name, not in its data: SERVICE.PROTO.NAME, such as _sip._udp.example.com"
            report(str(key), f"{PARTS_OF_NAME[key]} {message}")
        else:
            report(str(key), unknown_field(str(key), keys))


def _value(part: DataPart, parsed: Any) -> Any:
    if part.kind == "parameters":
        return "".join(parsed.to_text().split(" ", 2)[2:])
    value = getattr(parsed, part.attribute)
    if part.kind == "number":
        return int(value)
    if part.kind in ("host", "name"):
        return show_host(value.to_wire())
    if part.kind == "hex":
        return value.hex()
    if part.kind == "base64":
        return base64.b64encode(value).decode()
    return value.decode("utf-8", "backslashreplace")


def _word(part: DataPart, value: Any, complete: Complete, report: Report) -> str | None:
    """Return one part as master-file text."""
    if value is None:
        report(part.key, "this part is missing")
        return None
    if part.kind == "number":
        number = whole_number(number_in_text(value))
        if number is None or not 0 <= number <= part.most:
            report(part.key, wrong_number(value, f"expected a whole number from 0 to {part.most}"))
            return None
        return str(number)
    if not isinstance(value, str) or len(value) > record_bounds.MAX_CONTENT_CHARS or not is_text(value):
        report(part.key, "expected text")
        return None
    try:
        return _TEXTS[part.kind](value, complete)
    except (BadName, ValueError) as error:
        report(part.key, str(error))
        return None


def in_case_of(text: str, sent: str) -> str:
    """Return a text with its letters in the case in which they were sent, where white space and case are all the
    difference.
    """
    letters = "".join(sent.split())
    there = "".join(text.split())
    if len(there) != len(letters) or there.lower() != letters.lower():
        return text
    rest = iter(letters)
    return "".join(char if char.isspace() else next(rest) for char in text)


def _dotted(name: str, sent: str) -> str:
    """Return a name with a final dot where it was sent with one."""
    is_sent_with = sent.endswith(".") and not sent.endswith("\\.")
    return f"{name}." if is_sent_with and not name.endswith(".") else name


_SPELLINGS: Final = {"hex": in_case_of, "name": _dotted}
"""Parts that have several spellings: what shows one as it was sent."""


def _quoted(value: str, complete: Complete) -> str:
    """Return a text in quotes. One that comes in them, as clients cut content into words, is taken without."""
    is_in_quotes = len(value) > 1 and value[0] == value[-1] == '"'
    return quoted((value[1:-1] if is_in_quotes else value).encode())


def _hex(value: str, complete: Complete) -> str:
    digits = "".join(value.split())
    if not _HEX.fullmatch(digits) or len(digits) % 2:
        raise ValueError("expected hexadecimal digits, two for each octet")
    return digits


def _base64(value: str, complete: Complete) -> str:
    digits = "".join(value.split())
    if not digits or base64.b64encode(base64.b64decode(digits.encode(), validate=True)).decode() != digits:
        raise ValueError("expected Base64")
    return digits


def _plain(value: str, complete: Complete) -> str:
    if not _WORD.fullmatch(value):
        raise ValueError("expected a word of letters and digits")
    return value


def _parameters(value: str, complete: Complete) -> str:
    if _CONTROL.search(value):
        raise ValueError("a control character stands in it")
    return value


_TEXTS: Final[dict[str, Callable[[str, Complete], str]]] = {
    "host": lambda value, complete: complete(value),
    "name": lambda value, complete: complete(value),
    "quoted": _quoted,
    "word": _plain,
    "hex": _hex,
    "base64": _base64,
    "parameters": _parameters,
}
