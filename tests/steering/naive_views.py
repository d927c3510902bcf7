"""Views, slowly and obviously: who a client is, and for which clients that holds."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network

from tests.steering.naive_places import Address, Network

PUBLIC = "public"
Networks = Mapping[str, Sequence[Network]]
Around = tuple[tuple[int, str], ...]


def networks_around(networks: Networks, address: Address) -> Around:
    """Return (length, view) of the networks that an address is in, the largest first, without those within another of
    the same view that nothing stands between."""
    found: list[tuple[int, str]] = []
    for bits, name in sorted((one.prefixlen, name) for name, one in _all(networks) if address in one):
        if not found or found[-1][1] != name:
            found.append((bits, name))
    return tuple(found)


def view_of_address(networks: Networks, address: Address) -> str:
    """Return the view of the smallest network that an address is in."""
    around = networks_around(networks, address)
    return around[-1][1] if around else PUBLIC


def view_of_prefix(networks: Networks, address: Address, bits: int) -> str:
    """Return the view of a client of whom the first bits are told: where it is the same network for all who may be
    meant, that one's; else that of the smallest network that holds all of them."""
    told = ip_network((address, bits), strict=False)
    if _is_one(networks, told):
        return view_of_address(networks, told.network_address)
    around = [(one.prefixlen, name) for name, one in _all(networks) if holds(one, told)]
    return max(around, default=(0, PUBLIC))[1]


def scope_of(networks: Networks, address: Address) -> int:
    """Return the length of the shortest prefix around an address whose clients are in the same networks."""
    lengths = range(1, address.max_prefixlen + 1)
    return lengths[
        bisect(lengths, False, key=lambda bits: _is_one(networks, ip_network((address, bits), strict=False)))
    ]


def holds(outer: Network, inner: Network) -> bool:
    """Return whether a network lies within another."""
    same = outer.version == inner.version and outer.prefixlen <= inner.prefixlen
    return same and inner.network_address in outer


def _is_one(networks: Networks, told: Network) -> bool:
    inner = [one for _, one in _all(networks) if holds(told, one)]
    turns = {told.network_address, *(one.network_address for one in inner)}
    turns |= {one.broadcast_address + 1 for one in inner if one.broadcast_address != told.broadcast_address}
    return len({networks_around(networks, turn) for turn in turns}) == 1


def _all(networks: Networks) -> Iterator[tuple[str, Network]]:
    return ((name, one) for name, several in networks.items() for one in several)
