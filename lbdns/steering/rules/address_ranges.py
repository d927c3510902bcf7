"""Comparisons of addresses -> ranges of addresses, and of the ECS text -> the networks that it comes to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from lbdns.expressions.function_table import address_text
from lbdns.expressions.tree import (
    Address,
    Block,
    Call,
    Compare,
    Comparison,
    Field,
    In,
    Literal,
    NamedList,
    Operator,
    Span,
    Truth,
    Value,
    Wildcard,
    wildcard_parts,
)

Network = IPv4Network | IPv6Network
Lists = Mapping[str, Collection[Network]]
Ranges = dict[int, list[tuple[int, int]]]
"""Family (4, 6) -> ranges, first and last address."""

BITS = {4: 32, 6: 128}
_ORDERED = (Operator.EQ, Operator.LT, Operator.LE, Operator.GT, Operator.GE)


def is_of_ranges(comparison: Comparison) -> bool:
    """Return whether a comparison of ip.src comes to ranges of addresses."""
    if isinstance(comparison, Compare):
        return comparison.operator in _ORDERED and _kept_bits(comparison.left) is not None
    return isinstance(comparison, In) and _kept_bits(comparison.left) is not None


def address_ranges(comparison: Comparison, lists: Lists) -> Ranges:
    """Return the ranges of ip.src for which a comparison is true; they may overlap."""
    assert isinstance(comparison, Compare | In)
    kept = _kept_bits(comparison.left)
    assert kept is not None, "is_of_ranges was not asked"
    ranges: Ranges = {4: [], 6: []}
    if isinstance(comparison, Compare):
        _add_compared(ranges, comparison.operator, comparison.right.value)
    else:
        for item in comparison.items:
            _add_item(ranges, item, lists)
    return {family: _before_mask(found, BITS[family] - kept[family]) for family, found in ranges.items()}


def _kept_bits(value: Value) -> dict[int, int] | None:
    """Return how many bits of ip.src count, by family, with cidr and cidr6 around it; None of anything else."""
    kept = dict(BITS)
    while isinstance(value, Call) and value.name in ("cidr", "cidr6"):
        inner, *literals = value.arguments
        bits = [one.value for one in literals if isinstance(one, Literal) and isinstance(one.value, int)]
        if value.name == "cidr":
            kept[4] = min(kept[4], bits[0])
        kept[6] = min(kept[6], bits[-1])
        if not isinstance(inner, Field | Call):
            return None
        value = inner
    return kept if isinstance(value, Field) and value.name == "ip.src" else None


def _add_compared(ranges: Ranges, operator: Operator, literal: object) -> None:
    assert isinstance(literal, Address)
    number, last = int(literal), (1 << BITS[literal.version]) - 1
    first, final = {
        Operator.EQ: (number, number),
        Operator.LT: (0, number - 1),
        Operator.LE: (0, number),
        Operator.GT: (number + 1, last),
        Operator.GE: (number, last),
    }[operator]
    if first <= final:
        ranges[literal.version].append((first, final))


def _add_item(ranges: Ranges, item: object, lists: Lists) -> None:
    if isinstance(item, Literal) and isinstance(item.value, Address):
        ranges[item.value.version].append((int(item.value), int(item.value)))
    elif isinstance(item, Span) and isinstance(item.low, Address) and isinstance(item.high, Address):
        ranges[item.low.version].append((int(item.low), int(item.high)))
    elif isinstance(item, Block):
        _add_networks(ranges, (item.network,))
    else:
        assert isinstance(item, NamedList)
        _add_networks(ranges, lists[item.name])


def _add_networks(ranges: Ranges, networks: Iterable[Network]) -> None:
    for network in networks:
        first = int(network.network_address)
        family = network.version
        ranges[family].append((first, first + (1 << (BITS[family] - network.prefixlen)) - 1))


def network_ranges(networks: Iterable[Network]) -> Ranges:
    """Return networks as ranges."""
    ranges: Ranges = {4: [], 6: []}
    _add_networks(ranges, networks)
    return ranges


def _before_mask(ranges: list[tuple[int, int]], lost_bits: int) -> list[tuple[int, int]]:
    """Return the addresses that are in the ranges once their last bits are zero."""
    if not lost_bits:
        return ranges
    blocks = ((-(-first >> lost_bits), last >> lost_bits) for first, last in ranges)
    return [(low << lost_bits, ((high + 1) << lost_bits) - 1) for low, high in blocks if low <= high]


def ecs_networks(comparison: Comparison) -> tuple[Network, ...] | None:
    """Return the networks whose addresses have a text that a comparison is true of; None where it is no matter of
    networks. The text is that of `address_text`."""
    texts: list[bytes] = []
    if isinstance(comparison, Compare) and comparison.operator is Operator.EQ and _is_text(comparison.left):
        assert isinstance(comparison.right.value, bytes)
        texts = [comparison.right.value]
    elif isinstance(comparison, In) and _is_text(comparison.left):
        texts = [one.value for one in comparison.items if isinstance(one, Literal) and isinstance(one.value, bytes)]
    elif (
        isinstance(comparison, Truth) and isinstance(comparison.value, Call) and comparison.value.name == "starts_with"
    ):
        text, literal = comparison.value.arguments
        if not _is_text(text) or not isinstance(literal, Literal) or not isinstance(literal.value, bytes):
            return None
        return _begun_by(literal.value)
    elif isinstance(comparison, Wildcard) and _is_text(comparison.left):
        first, *rest = wildcard_parts(comparison.pattern)
        if rest != [b""]:
            return None
        return _begun_by(first)
    else:
        return None
    return tuple(network for text in texts for network in _called(text))


def _is_text(value: object) -> bool:
    return isinstance(value, Field) and value.name == "dns.rr.opt.client.addr"


def _called(text: bytes) -> list[Network]:
    """Return the one address that has this text, none where no address has."""
    try:
        address = ip_address(text.decode("ascii"))
    except ValueError:
        return []
    return [ip_network(address)] if address_text(address) == text else []


def _begun_by(text: bytes) -> tuple[Network, ...] | None:
    """Return the networks of the addresses whose texts begin so; None before the first dot, where both families may."""
    *full, begun = text.decode("latin-1").split(".")
    if not full or len(full) > 4 or not all(_is_octet(one) for one in full):
        return None if not full else ()
    if begun and (not begun.isascii() or not begun.isdigit()):
        return ()
    if len(full) == 4:
        return ()  # no text goes on behind the last octet
    if not begun:
        return (_by_octets(full),)
    return tuple(_by_octets([*full, str(octet)]) for octet in range(256) if str(octet).startswith(begun))


def _is_octet(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3 and str(int(text)) == text and int(text) < 256


def _by_octets(octets: Sequence[str]) -> Network:
    padded = [*octets, "0", "0", "0"][:4]
    return ip_network(f"{'.'.join(padded)}/{8 * len(octets)}")
