"""How the data of common types is laid out: master-file text <-> wire without a library call, and where names stand.

A layout encodes the plainest way of writing its data; for any other `encode` returns None, and dnspython reads it
(library.py). What a layout shows is what dnspython would show. A test holds the two equal both ways.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Final, Protocol

from lbdns.dns.name import encode_name, name_end, show_absolute

NAME: Final = 0
U16: Final = 2
U32: Final = 4
"""What a field may be: a name, or a number of so many octets."""

_NUMBER: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_STRING: Final = re.compile(r'"[^"\\]{0,255}"|[^"\\]{1,255}')
_SHOWN: Final = [
    f"\\{octet:03d}" if not 0x20 <= octet < 0x7F else f"\\{octet:c}" if octet in b'"\\' else chr(octet)
    for octet in range(256)
]
"""Each octet as it stands inside quotes."""


class Layout(Protocol):
    """What a type's data is made of."""

    def encode(self, tokens: list[str], origin: bytes) -> bytes | None:
        """Return the wire format, None where the text is not of the plainest form. Raises BadName."""

    def show(self, rdata: bytes) -> str:
        """Return the master-file form."""


class AddressLayout:
    """One address of a family."""

    def __init__(self, family: socket.AddressFamily) -> None:
        self.family = family

    def encode(self, tokens: list[str], origin: bytes) -> bytes | None:
        """Return the address's octets, None where it is none."""
        if len(tokens) != 1:
            return None
        try:
            return socket.inet_pton(self.family, tokens[0])
        except (OSError, ValueError):
            return None

    def show(self, rdata: bytes) -> str:
        """Return the address."""
        return socket.inet_ntop(self.family, rdata)


class FieldsLayout:
    """Names and numbers in a row."""

    def __init__(self, *fields: int) -> None:
        self.fields = fields
        self.name_at = sum(fields) if fields.index(NAME) == len(fields) - 1 else None
        """The offset of the name, where there is one and the data ends with it."""

    def encode(self, tokens: list[str], origin: bytes) -> bytes | None:
        """Return the fields one behind the other, None where one is not written plainly."""
        if len(tokens) != len(self.fields):
            return None
        wire = b""
        for token, octets in zip(tokens, self.fields, strict=True):
            if octets == NAME:
                if token[0] in '"\\':
                    return None
                wire += encode_name(token, origin)
            elif not _NUMBER.fullmatch(token) or int(token) >> 8 * octets:
                return None
            else:
                wire += int(token).to_bytes(octets, "big")
        return wire

    def show(self, rdata: bytes) -> str:
        """Return the fields as words, names with their final dot."""
        words = []
        at = 0
        for octets in self.fields:
            end = name_end(rdata, at) if octets == NAME else at + octets
            value = rdata[at:end]
            words.append(show_absolute(value) if octets == NAME else str(int.from_bytes(value, "big")))
            at = end
        return " ".join(words)

    def names(self, rdata: bytes) -> Iterator[tuple[int, int]]:
        """Yield where each name begins and ends."""
        at = 0
        for octets in self.fields:
            end = name_end(rdata, at) if octets == NAME else at + octets
            if octets == NAME:
                yield at, end
            at = end


class AuthorityLayout(FieldsLayout):
    """SOA's fields. Its times may be written as `1h`, so the library reads all of it: a zone has only one."""

    def encode(self, tokens: list[str], origin: bytes) -> bytes | None:
        """Leave the text to the library."""
        return None


class StringsLayout:
    """Character strings in a row, at least one."""

    def encode(self, tokens: list[str], origin: bytes) -> bytes | None:
        """Return the strings, each behind its length, None where one has escapes or is not ASCII."""
        wire = b""
        for token in tokens:
            if not token.isascii() or not _STRING.fullmatch(token):
                return None
            text = token[1:-1] if token[0] == '"' else token
            wire += bytes((len(text),)) + text.encode()
        return wire or None

    def show(self, rdata: bytes) -> str:
        """Return the strings in quotes."""
        return " ".join(map(quoted, strings_of(rdata)))


def strings_of(rdata: bytes) -> Iterator[bytes]:
    """Yield the character strings that data is made of."""
    at = 0
    while at < len(rdata):
        yield rdata[at + 1 : at + 1 + rdata[at]]
        at += 1 + rdata[at]


def quoted(octets: bytes) -> str:
    """Return one character string in quotes, what is not printable as \\DDD."""
    text = octets.decode("latin-1")
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join([_SHOWN[octet] for octet in octets])}"'
