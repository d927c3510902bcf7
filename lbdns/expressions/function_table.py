"""Every function of the Rules language: what it takes and what it gives. Here is where one is added; `call` runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from types import MappingProxyType
from typing import Any, Final

from lbdns.expressions.tree import Address, Type

Fact = bytes | int | float | Address | tuple[Any, ...] | Mapping[bytes, Any]
"""A value of a field; a Bool is an int's True or False, an array a tuple."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What one argument is: its types, whether it may be a value or a literal, and a literal number's bounds."""

    name: str
    types: tuple[Type, ...]
    value: bool = True
    literal: bool = False
    within: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """One function. `optional` of the last parameters may be left out; `repeated`: the last may stand several times."""

    name: str
    parameters: tuple[Parameter, ...]
    gives: Type
    run: Callable[..., Fact]
    meaning: str
    optional: int = 0
    repeated: bool = False

    @property
    def least(self) -> int:
        """Return how many arguments there are at least."""
        return len(self.parameters) - self.optional

    @property
    def most(self) -> int | None:
        """Return how many arguments there are at most; None: any number."""
        return None if self.repeated else len(self.parameters)

    @property
    def signature(self) -> str:
        """Return how it is called, such as `substring(text, start, end)`."""
        return f"{self.name}({', '.join(one.name for one in self.parameters)}{', ...' if self.repeated else ''})"


def _lower(text: bytes) -> bytes:
    return text.lower()


def _upper(text: bytes) -> bytes:
    return text.upper()


def _concat(*parts: bytes | int) -> bytes:
    return b"".join(part if isinstance(part, bytes) else _to_string(part) for part in parts)


def _substring(text: bytes, start: int, end: int | None = None) -> bytes:
    """Return the bytes from start up to end, which stays outside; below zero they count from the end."""
    return text[start:end]


def address_text(address: Address) -> bytes:
    """Return an address as conditions see its text: RFC 5952, an IPv6 one without an IPv4 address in it."""
    if not isinstance(address, IPv6Address) or address.ipv4_mapped is None:
        return str(address).encode()
    # Newer versions of Python write ::ffff:192.0.2.1.
    low = int(address) & 0xFFFFFFFF
    return f"::ffff:{low >> 16:x}:{low & 0xFFFF:x}".encode()


def _to_string(value: bool | int | Address) -> bytes:
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode() if isinstance(value, int) else address_text(value)


def _cidr(address: Address, bits_4: int, bits_6: int) -> Address:
    return _masked(address, bits_4 if address.version == 4 else bits_6)


def _cidr6(address: Address, bits_6: int) -> Address:
    return address if address.version == 4 else _masked(address, bits_6)


def _masked(address: Address, bits: int) -> Address:
    network: IPv4Address | IPv6Address = ip_network((address, bits), strict=False).network_address
    return network


_TEXT = (Type.BYTES, Type.STRING)
_OF_TEXT = Parameter("text", _TEXT)
_EACH = Parameter("comparison", (Type.ARRAY_OF_BOOL,))
_BITS_4 = Parameter("IPv4 bits", (Type.INT,), value=False, literal=True, within=(1, 32))
_BITS_6 = Parameter("IPv6 bits", (Type.INT,), value=False, literal=True, within=(1, 128))

FUNCTIONS: Final[Mapping[str, FunctionRow]] = MappingProxyType(
    {
        row.name: row
        for row in (
            FunctionRow("lower", (_OF_TEXT,), Type.BYTES, _lower, "the text with A-Z as a-z"),
            FunctionRow("upper", (_OF_TEXT,), Type.BYTES, _upper, "the text with a-z as A-Z"),
            FunctionRow("len", (_OF_TEXT,), Type.INT, len, "how many bytes the text has"),
            FunctionRow(
                "starts_with",
                (_OF_TEXT, Parameter("beginning", _TEXT, value=False, literal=True)),
                Type.BOOL,
                bytes.startswith,
                "whether the text begins so",
            ),
            FunctionRow(
                "ends_with",
                (_OF_TEXT, Parameter("end", _TEXT, value=False, literal=True)),
                Type.BOOL,
                bytes.endswith,
                "whether the text ends so",
            ),
            FunctionRow(
                "concat",
                (Parameter("part", (*_TEXT, Type.INT), literal=True),),
                Type.BYTES,
                _concat,
                "the parts, one behind the other; numbers as text",
                repeated=True,
            ),
            FunctionRow(
                "substring",
                (
                    _OF_TEXT,
                    Parameter("start", (Type.INT,), value=False, literal=True),
                    Parameter("end", (Type.INT,), value=False, literal=True),
                ),
                Type.BYTES,
                _substring,
                "the bytes from `start` (the first is 0) up to `end`; below 0 they count from the end",
                optional=1,
            ),
            FunctionRow(
                "to_string",
                (Parameter("value", (Type.INT, Type.BOOL, Type.IP)),),
                Type.STRING,
                _to_string,
                "the value as text: `1`, `true`, `192.0.2.1`",
            ),
            FunctionRow("any", (_EACH,), Type.BOOL, any, "whether the comparison holds for one of an array"),
            FunctionRow("all", (_EACH,), Type.BOOL, all, "whether the comparison holds for all of an array"),
            FunctionRow(
                "cidr",
                (Parameter("address", (Type.IP,)), _BITS_4, _BITS_6),
                Type.IP,
                _cidr,
                "the address with only its first bits, by its family; the others are zero",
            ),
            FunctionRow(
                "cidr6",
                (Parameter("address", (Type.IP,)), _BITS_6),
                Type.IP,
                _cidr6,
                "the same of an IPv6 address; an IPv4 address stays as it is",
            ),
        )
    }
)
"""Name -> function."""
