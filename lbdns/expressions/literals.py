"""Literals: what stands in the text as a value, by the type of what it is compared with."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from lbdns.expressions.expression_error import quoted
from lbdns.expressions.tree import TEXTS, Address, Network, Type

INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1

_ESCAPE = re.compile(r'\\(?:(["\\])|x([0-9A-Fa-f]{2})|([0-3][0-7]{2}))')
_NUMBER = re.compile(r"(-)?(?:0x([0-9A-Fa-f]+)|([0-9]+))", re.ASCII)
_DECIMAL = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)
_BARE_BYTES = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})+", re.ASCII)
_LIKE_BYTES = re.compile(r"[0-9A-Za-z]{1,2}[:-][0-9A-Za-z:-]*", re.ASCII)
_PREFIX_LENGTH = re.compile(r"[0-9]{1,3}", re.ASCII)

_EXAMPLE_CHARS_MAX: Final = 40
"""What is longer is not repeated as an example."""

EXPECTED: Final = {
    Type.INT: "a whole number",
    Type.FLOAT: "a number",
    Type.IP: "an IP address",
    **{kind: "a text in quotes" for kind in TEXTS},
}
"""What a literal of each type is called in a sentence."""


class LiteralError(ValueError):
    """A literal that is none: a sentence, and how many characters behind its beginning it is about."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


def is_quoted(written: str) -> bool:
    """Tell whether a literal is a text in quotes, raw or not."""
    return written.endswith('"') or written.endswith("#")


def is_number(written: str) -> bool:
    """Tell whether a literal looks like a whole number."""
    return _NUMBER.fullmatch(written) is not None


def text_of(written: str) -> tuple[bytes, list[int]]:
    """Return the bytes of a text in quotes, and for each byte and their end how far it stands behind the beginning.

    Raises LiteralError for an escape that there is not.
    """
    if written.startswith("r"):
        return raw_text(written)
    out = bytearray()
    offsets: list[int] = []
    at, end = 1, len(written) - 1
    while at < end:
        if written[at] != "\\":
            encoded = written[at].encode()
            step = 1
        else:
            found = _ESCAPE.match(written, at, end)
            if not found:
                raise _wrong_escape(written, at)
            char, hexadecimal, octal = found.groups()
            encoded = char.encode() if char else bytes([int(hexadecimal, 16) if hexadecimal else int(octal, 8)])
            step = len(found[0])
        out += encoded
        offsets += [at] * len(encoded)
        at += step
    return bytes(out), [*offsets, end]


def _wrong_escape(written: str, at: int) -> LiteralError:
    known = r"expected \", \\, \xHH (two hexadecimal digits) or \OOO (three octal digits)"
    return LiteralError(f'{quoted(written[at : at + 2])} is no escape; {known}, or a raw text: r"..."', at)


def raw_text(written: str) -> tuple[bytes, list[int]]:
    """Return the bytes of a raw text as they are; offsets like text_of."""
    start = written.index('"') + 1
    return _as_written(written[start : 1 - start], start)


def pattern_text(written: str) -> tuple[bytes, list[int]]:
    """Return the bytes of a regular expression: of what stands in quotes, only \\" is an escape of the text's own."""
    if written.startswith("r"):
        return raw_text(written)
    out, offsets = bytearray(), []
    at, end = 1, len(written) - 1
    while at < end:
        step = 2 if written[at] == "\\" else 1
        piece = '"' if written[at : at + step] == '\\"' else written[at : at + step]
        for index, char in enumerate(piece):
            encoded = char.encode()
            out += encoded
            offsets += [at + index] * len(encoded)
        at += step
    return bytes(out), [*offsets, end]


def _as_written(text: str, start: int) -> tuple[bytes, list[int]]:
    if text.isascii():
        return text.encode(), list(range(start, start + len(text) + 1))
    offsets = [start + index for index, char in enumerate(text) for _ in char.encode()]
    return text.encode(), [*offsets, start + len(text)]


def bytes_of(written: str) -> bytes:
    """Return the bytes of a text in quotes, or of 61:62."""
    if is_quoted(written):
        return text_of(written)[0]
    if _BARE_BYTES.fullmatch(written):
        return bytes.fromhex(written.replace(":", ""))
    raise without_quotes(written)


def without_quotes(written: str) -> LiteralError:
    """Return what to raise where a text lacks its quotes."""
    plain = quoted(written)[1:-1]
    example = f', such as "{plain}"' if len(written) < _EXAMPLE_CHARS_MAX else ""
    others = " or bytes such as 61:62" if _LIKE_BYTES.fullmatch(written) else ""
    networks = "; networks go with ip.src" if "/" in written else ""
    return LiteralError(f"{plain} has no quotes; expected a text in quotes{example}{others}{networks}")


def int_of(written: str) -> int:
    """Return a 64-bit number: decimal, 0x hexadecimal, octal with a leading 0."""
    found = _NUMBER.fullmatch(written)
    if not found:
        raise LiteralError(_no_number(written, EXPECTED[Type.INT]))
    minus, hexadecimal, digits = found.groups()
    if minus and (hexadecimal or (digits.startswith("0") and len(digits) > 1)):
        raise LiteralError(f"{quoted(written)} is no whole number; expected decimal digits behind the minus sign")
    if hexadecimal:
        value = int(hexadecimal, 16)
    elif digits.startswith("0") and len(digits) > 1:
        wrong = next((index for index, digit in enumerate(digits) if digit in "89"), None)
        if wrong is not None:
            raise LiteralError(
                f"{quoted(written)} begins with 0 and is octal; expected digits from 0 to 7, or no 0 in front", wrong
            )
        value = int(digits, 8)
    else:
        value = int(digits[:40]) * (-1 if minus else 1)
    if not INT_MIN <= value <= INT_MAX:
        raise LiteralError(f"{quoted(written)} is out of bounds; expected a number from {INT_MIN} to {INT_MAX}")
    return value


def float_of(written: str) -> int | float:
    """Return a number with or without decimals, such as -0.13."""
    if not _DECIMAL.fullmatch(written):
        raise LiteralError(_no_number(written, EXPECTED[Type.FLOAT]))
    return float(written)


def _no_number(written: str, expected: str) -> str:
    if is_quoted(written):
        return f"{quoted(written)} is a text; expected {expected}, without quotes"
    number = re.fullmatch(r"(?i:AS)([0-9]{1,10})", written)
    hint = f"; did you mean {number[1]}?" if number else ""
    example = "48.5" if expected == EXPECTED[Type.FLOAT] else "28"
    return f"{quoted(written)} is no {expected.removeprefix('a ')}; expected one, such as {example}{hint}"


def address_of(written: str) -> Address:
    """Return an IPv4 or IPv6 address."""
    if is_quoted(written):
        what = "a network" if "/" in written else "an IP address"
        raise LiteralError(f"{quoted(written)} is a text; expected {what}, without quotes")
    try:
        return ip_address(written)
    except ValueError:
        pass
    if "/" in written:
        raise LiteralError(f"{quoted(written)} is a network; expected one address, or in and a set: in {{{written}}}")
    raise LiteralError(f"{quoted(written)} is no IP address; expected one, such as 192.0.2.1 or 2001:db8::1")


def network_of(written: str) -> Network:
    """Return a network, whose host bits are zero."""
    address, _, length = written.partition("/")
    if not address:
        raise LiteralError(f"{quoted(written)} lacks its address; expected a network such as 192.0.2.0/24")
    base = address_of(address)
    if not _PREFIX_LENGTH.fullmatch(length) or int(length) > base.max_prefixlen:
        wrong = f"{quoted(length)} is no prefix length" if length else "the prefix length is missing"
        raise LiteralError(f"{wrong}; expected a number from 0 to {base.max_prefixlen}", len(address) + 1)
    network: Network = ip_network((base, int(length)), strict=False)
    if network.network_address != base:
        raise LiteralError(f"{quoted(written)} has host bits; expected {network}")
    return network


def span_of(written: str, kind: Type) -> tuple[int | float | Address, int | float | Address]:
    """Return the ends of a range a..b of numbers or of addresses."""
    first, _, last = written.partition("..")
    second = len(first) + 2
    low = _end_of(first, kind, written, 0)
    high = _end_of(last, kind, written, second)
    if isinstance(low, (IPv4Address, IPv6Address)) and isinstance(high, (IPv4Address, IPv6Address)):
        if low.version != high.version:
            raise LiteralError(
                f"{quoted(written)} goes from IPv{low.version} to IPv{high.version}; expected addresses of one family"
            )
        backwards = int(low) > int(high)
    else:
        backwards = low > high  # type: ignore[operator]
    if backwards:
        raise LiteralError(f"{quoted(written)} runs backwards; expected the lower end first: {last}..{first}")
    return low, high


def _end_of(written: str, kind: Type, whole: str, offset: int) -> int | float | Address:
    if not written:
        side = "first" if offset == 0 else "last"
        raise LiteralError(f"{quoted(whole)} lacks its {side} value; expected a range such as {_RANGES[kind]}", offset)
    if "/" in written:
        raise LiteralError(f"{quoted(written)} is a network; expected an address at each end of a range", offset)
    try:
        return scalar_of(written, kind)  # type: ignore[return-value]
    except LiteralError as error:
        raise LiteralError(str(error), offset + error.offset) from None


_RANGES: Final = {Type.INT: "1..28", Type.FLOAT: "47.5..55", Type.IP: "192.0.2.1..192.0.2.9"}


def scalar_of(written: str, kind: Type) -> bytes | int | float | Address:
    """Return a literal as a value of a type; raises LiteralError where it is none."""
    if kind is Type.INT:
        return int_of(written)
    if kind is Type.FLOAT:
        return float_of(written)
    if kind is Type.IP:
        return address_of(written)
    return bytes_of(written)
