"""Names in master files -> wire format, relative to an origin.

The common case is encoded here, without a library call; the rest by dnspython.
"""

from __future__ import annotations

import re
from typing import Final

import dns.exception
import dns.name

MAX_WIRE_OCTETS: Final = 255
MAX_LABEL_OCTETS: Final = 63
ROOT: Final = b"\0"
IDNA: Final = dns.name.IDNA_2008_UTS_46
"""How Unicode labels become A-labels: as lbdns.model.hostnames has it."""

_PLAIN = re.compile(r"[A-Za-z0-9_*-]+(?:\.[A-Za-z0-9_*-]+)*\.?", re.ASCII)
_PLAIN_OCTETS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_*-."
_LENGTH: Final = [bytes((length,)) for length in range(MAX_LABEL_OCTETS + 1)]


class BadName(Exception):
    """A name that is none; the text says why."""


def encode_name(text: str, origin: bytes) -> bytes:
    """Return a name's uncompressed wire format, its case kept; `origin` (wire) completes a relative one.

    Raises BadName.
    """
    if text == "@":
        return origin
    if not _PLAIN.fullmatch(text):
        return _encode_unusual(text, origin)
    if text[-1] == ".":
        labels, tail = text[:-1].split("."), ROOT
    else:
        labels, tail = text.split("."), origin
    try:
        wire = b"".join([_LENGTH[len(label)] + label.encode() for label in labels]) + tail
    except IndexError:
        raise BadName(f'the name "{text}" has a label of more than {MAX_LABEL_OCTETS} characters') from None
    if len(wire) > MAX_WIRE_OCTETS:
        raise BadName(f'the name "{text}" is longer than {MAX_WIRE_OCTETS} octets in all')
    return wire


def _encode_unusual(text: str, origin: bytes) -> bytes:
    """Encode names with escapes, empty labels, Unicode or other unusual octets."""
    try:
        name = dns.name.from_text(text, dns.name.from_wire(origin, 0)[0], idna_codec=IDNA)
    except dns.name.EmptyLabel:
        raise BadName(f'the name "{text}" has an empty label: two dots in a row, or one at the beginning') from None
    except (dns.name.LabelTooLong, dns.name.NameTooLong):
        raise BadName(f'the name "{text}" is too long: a label has at most 63 octets, a name 255') from None
    except dns.name.BadEscape:
        raise BadName(
            f'the name "{text}" has a bad escape; expected \\DDD (000 to 255) or \\ and a character'
        ) from None
    except (dns.exception.DNSException, UnicodeError, ValueError) as error:
        raise BadName(f'"{text}" is no name: {error}') from None
    return name.to_wire() or ROOT


def show_name(wire: bytes) -> str:
    """Return a wire-format name as text without the trailing dot; the root as `.`."""
    labels = []
    at = 0
    while wire[at]:
        labels.append(wire[at + 1 : at + 1 + wire[at]])
        at += 1 + wire[at]
    text = b".".join(labels)
    if labels and not text.translate(None, _PLAIN_OCTETS) and text.count(b".") == len(labels) - 1:
        return text.decode()
    return dns.name.from_wire(wire, 0)[0].to_text(omit_final_dot=True)


def parents_of(name: bytes, apex: bytes) -> list[bytes]:
    """Return the names above `name` in wire format, nearest first, down to and with `apex`.

    `name` is at or below `apex`; the apex itself has none.
    """
    found = []
    while len(name) > len(apex):
        name = name[1 + name[0] :]
        found.append(name)
    return found


def is_within(name: bytes, apex: bytes) -> bool:
    """Tell whether a name (wire, lower case) is the apex or below it."""
    if not name.endswith(apex):
        return False
    at = 0
    while len(name) - at > len(apex):
        at += 1 + name[at]
    return len(name) - at == len(apex)
