"""A name in wire format, uncompressed: what all of lbdns holds for a name, and everything that is asked of one.

    text -> wire   encode_name (relative to an origin, case kept), encode_canonical (absolute, in lower case),
                   encode_owner and encode_host (as the API spells names in records)
    wire -> text   show_name: `www.example.com`, show_absolute: `www.example.com.`, show_host: as API content
    text -> text   show_unicode: `bücher.example` of `xn--bcher-kva.example`; compared_name: the other way, to compare
    the tree       parent, ancestors, is_at_or_below, longest_match, labels_of, relative_to, text_suffixes
    in a buffer    name_end and read_name for names that we wrote; checked_name_end, skip_name and expand_name for those
                   of a datagram, which may be anything

Names are looked up and compared in lower case (RFC 4343); length octets are none of `A` to `Z`, so `lower()` of the
whole name is safe. Plain names are encoded here; those with escapes or Unicode by dnspython, which is imported when the
first one comes: processes that only answer queries never need it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from lbdns.dns.codes import LABEL_BYTES_MAX, NAME_BYTES_MAX

ROOT: Final = b"\0"
WILDCARD_LABEL: Final = b"\1*"
"""The first label of a wildcard's name (RFC 4592)."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_*-]+(?:\.[A-Za-z0-9_*-]+)*\.?", re.ASCII)
_PLAIN_OCTETS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_*-."
_CANONICAL: Final = re.compile(r"[a-z0-9_*-]{1,63}(?:\.[a-z0-9_*-]{1,63})*\.?", re.ASCII)
_A_LABEL: Final = re.compile(r"\bxn--[a-z0-9-]+", re.ASCII | re.IGNORECASE)
NAME_CHARS_MAX: Final = 5 * NAME_BYTES_MAX
"""Of a name as text: an octet may be written as \\DDD, and a character of Unicode as several octets."""
_SHOWN_CHARS: Final = 60
_UNSEEN: Final = re.compile(r"[\x00-\x20\x7f]")
_LENGTH: Final = [bytes((length,)) for length in range(LABEL_BYTES_MAX + 1)]
_POINTER_BITS: Final = 0xC0
POINTER_TARGET_MAX: Final = 0x3FFF
"""What the 14 bits of a compression pointer reach (RFC 1035 section 4.1.4)."""

_T = TypeVar("_T")
Octets = bytes | memoryview


class BadName(Exception):
    """A name that is none; the text says why."""


# --- text -> wire ---


def encode_name(text: str, origin: bytes = ROOT) -> bytes:
    """Return a name's wire format, its case kept; `origin` (wire) completes a relative one. Raises BadName."""
    if text == "@":
        return origin
    if len(text) > NAME_CHARS_MAX:
        raise BadName(f'the name "{text[:_SHOWN_CHARS]}..." has {len(text):,} characters; no name has so many')
    if not _PLAIN.fullmatch(text):
        return _encode_unusual(text, origin)
    if text[-1] == ".":
        labels, tail = text[:-1].encode().split(b"."), ROOT
    else:
        labels, tail = text.encode().split(b"."), origin
    try:
        wire = b"".join([_LENGTH[len(label)] + label for label in labels]) + tail
    except IndexError:
        raise BadName(f'the name "{text}" has a label of more than {LABEL_BYTES_MAX} characters') from None
    if len(wire) > NAME_BYTES_MAX:
        raise BadName(f'the name "{text}" is longer than {NAME_BYTES_MAX} octets in all')
    return wire


def _encode_unusual(text: str, origin: bytes) -> bytes:
    """Encode names with escapes, empty labels, Unicode (as lbdns.model.hostnames has it) or other unusual octets."""
    import dns.exception
    import dns.name

    try:
        name = dns.name.from_text(text, dns.name.from_wire(origin, 0)[0], idna_codec=dns.name.IDNA_2008_UTS_46)
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


def encode_canonical(text: str) -> bytes:
    """Return the wire format, in lower case, of a name that is absolute with or without its final dot.

    Raises BadName.
    """
    if len(text) <= NAME_CHARS_MAX and _CANONICAL.fullmatch(text):
        # By far the most names of a configuration: no escapes, nothing to fold.
        labels = text.removesuffix(".").encode().split(b".")
        wire = b"".join([_LENGTH[len(label)] + label for label in labels]) + ROOT
        if len(wire) <= NAME_BYTES_MAX:
            return wire
    return encode_name(text if text.endswith(".") else f"{text}.").lower()


def encode_owner(text: str, zone_name: str) -> bytes:
    """Return the wire format, in lower case, of a record's name in the API: `@`, complete with or without the final
    dot, or relative to the zone.

    Raises BadName.
    """
    apex = encode_canonical(zone_name)
    if text == "@":
        return apex
    if not text or _UNSEEN.search(text):
        raise BadName(f'"{text}" is no name; expected one such as www.{zone_name}, or @ for {zone_name} itself')
    absolute = encode_canonical(text)
    if is_at_or_below(absolute, apex):
        return absolute
    if not text.endswith("."):
        return encode_name(text, apex).lower()
    raise BadName(f'"{text}" is outside the zone "{zone_name}"; names in it end in .{zone_name}')


def encode_host(text: str, zone_name: str) -> bytes:
    """Return the wire format of a name that a record points to in the API, its case kept.

    `@` is the zone, a single label is completed by it, and any other name is absolute. Raises BadName.
    """
    if not text or _UNSEEN.search(text):
        raise BadName(f'"{text}" is no name; expected one such as www.example.com')
    if text == "@":
        return encode_canonical(zone_name)
    if text.endswith("."):
        return encode_name(text)
    absolute = encode_name(f"{text}.")
    return encode_name(text, encode_canonical(zone_name)) if _is_single_label(absolute) else absolute


# --- wire -> text ---


def show_name(wire: bytes) -> str:
    """Return a name as text without the final dot; the root as `.`."""
    labels = labels_of(wire)
    text = b".".join(labels)
    if labels and not text.translate(None, _PLAIN_OCTETS) and text.count(b".") == len(labels) - 1:
        return text.decode()
    import dns.name

    return dns.name.from_wire(wire, 0)[0].to_text(omit_final_dot=True)


def show_absolute(wire: bytes) -> str:
    """Return a name as master files have it, with the final dot."""
    name = show_name(wire)
    return name if name == "." else f"{name}."


def show_host(wire: bytes) -> str:
    """Return a name that a record points to as the API shows it, which `encode_host` reads back.

    Without the final dot, save where it is a single label or the root.
    """
    return show_absolute(wire) if _is_single_label(wire) else show_name(wire)


def compared_name(text: str) -> str:
    """Return what names that people wrote are compared by: A-labels, lower case, no final dot; no name is folded."""
    try:
        return show_name(encode_canonical(text))
    except BadName:
        return text.casefold().removesuffix(".") or text


def show_unicode(text: str) -> str:
    """Return a text with the A-labels in it as the Unicode that they stand for (RFC 5890); others stay as they are."""
    return _A_LABEL.sub(lambda found: _u_label(found[0]), text) if "xn--" in text.lower() else text


def _u_label(label: str) -> str:
    import dns.exception
    import dns.name

    try:
        return str(dns.name.IDNA_2008_UTS_46.decode(label.encode()))
    except (dns.exception.DNSException, UnicodeError):
        return label


def _is_single_label(name: bytes) -> bool:
    return len(name) == name[0] + 2


# --- the tree of names ---


def labels_of(name: bytes) -> list[bytes]:
    """Return a name's labels, the leftmost first, without the root's empty one."""
    labels = []
    at = 0
    while name[at]:
        end = at + 1 + name[at]
        labels.append(name[at + 1 : end])
        at = end
    return labels


def parent(name: bytes) -> bytes:
    """Return a name without its first label; the root has none to take."""
    return name[name[0] + 1 :]


def ancestors(name: bytes, apex: bytes) -> list[bytes]:
    """Return the names above `name`, nearest first, down to and with `apex`.

    `name` is at or below `apex`; the apex itself has none.
    """
    found = []
    while len(name) > len(apex):
        name = name[1 + name[0] :]
        found.append(name)
    return found


def is_at_or_below(name: bytes, apex: bytes) -> bool:
    """Tell whether a name is another or below it, both in lower case.

    Label by label: bytes inside a label may look like the other's.
    """
    if not name.endswith(apex):
        return False
    at = 0
    while len(name) - at > len(apex):
        at += 1 + name[at]
    return len(name) - at == len(apex)


def longest_match(name: bytes, apexes: Mapping[bytes, _T]) -> _T | None:
    """Return what stands for the longest of some apexes that a name is at or below, None where it is in none."""
    while name not in apexes:
        if name == ROOT:
            return None
        name = parent(name)
    return apexes[name]


def relative_to(name: bytes, apex: bytes) -> bytes:
    """Return the labels of a name before those of an apex above it, as a name of their own."""
    return name[: len(name) - len(apex)] + ROOT


def text_suffixes(name: str) -> Iterator[str]:
    """Yield a name and those above it but the root, longest first: text without escapes or a final dot."""
    while name:
        yield name
        name = name.partition(".")[2]


# --- names in a buffer ---


def name_end(buffer: Octets, start: int) -> int:
    """Return the offset after the uncompressed name at `start`, which is known to be one."""
    at = start
    while buffer[at]:
        at += 1 + buffer[at]
    return at + 1


def read_name(buffer: Octets, start: int) -> bytes:
    """Return the uncompressed name at `start`, which is known to be one: names end themselves."""
    return bytes(buffer[start : name_end(buffer, start)])


def checked_name_end(datagram: bytes, start: int) -> int | None:
    """Return the offset after an uncompressed name of at most 255 bytes, or None where there is none at `start`."""
    position = start
    size = len(datagram)
    while position < size:
        length = datagram[position]
        position += 1 + length
        if length > LABEL_BYTES_MAX or position - start > NAME_BYTES_MAX:
            return None
        if length == 0:
            return position
    return None


def skip_name(datagram: bytes, start: int) -> int | None:
    """Return the offset after a name that may end in a compression pointer (not followed), None where there is none."""
    position = start
    while position < len(datagram):
        length = datagram[position]
        if length & _POINTER_BITS == _POINTER_BITS:
            return position + 2 if position + 2 <= len(datagram) else None
        if length > LABEL_BYTES_MAX:
            return None
        position += 1 + length
        if length == 0:
            return position
    return None


def expand_name(datagram: bytes, start: int) -> bytes | None:
    """Return the whole name at `start`, its pointers followed (backwards only), or None where there is none."""
    name = b""
    position = lowest = start
    while position < len(datagram):
        length = datagram[position]
        if length & _POINTER_BITS == _POINTER_BITS:
            position = int.from_bytes(datagram[position : position + 2], "big") & POINTER_TARGET_MAX
            if position >= lowest:
                return None
            lowest = position
            continue
        name += datagram[position : position + 1 + length]
        position += 1 + length
        if length > LABEL_BYTES_MAX or len(name) > NAME_BYTES_MAX:
            return None
        if length == 0:
            return name
    return None
