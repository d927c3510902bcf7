"""Named lists of networks, which the conditions of rules ask for as `ip.src in $NAME`."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final

from lbdns.base.wording import counted
from lbdns.model import bounds
from lbdns.model.mistakes import shown
from lbdns.model.refusal import Mistake, refusal, refuse_all

Network = IPv4Network | IPv6Network
NetworkList = frozenset[Network]
"""What a list says, no network within another."""
_BITS: Final = {4: 32, 6: 128}
_Parsed = tuple[int, int, int]
"""Family, first address and length of the prefix: sorted, a network stands behind those that it lies within."""


def check_list(value: Any) -> NetworkList | Path:
    """Return what `lists` says of one name: the networks, or the file that has them, one a line."""
    if isinstance(value, frozenset | Path):
        return value
    if isinstance(value, str):
        if not value or len(value) > bounds.MAX_FILE_PATH_CHARS or "\0" in value:
            raise refusal(f"a path has 1 to {bounds.MAX_FILE_PATH_CHARS} characters, none of them NUL")
        return Path(value)
    if not isinstance(value, list | tuple):
        raise refusal(
            f"{shown(value)} is no list; expected networks such as 192.0.2.0/24, or a file that has one a line"
        )
    if too_many := excess(len(value)):
        raise refusal(too_many)
    networks, mistakes = read_networks(value)
    refuse_all("NetworkList", (Mistake((index,), message) for index, message in mistakes))
    return networks


def excess(count: int) -> str:
    """Return what to say of so many networks, "" where a list may have as many."""
    if count <= bounds.MAX_LISTED_NETWORKS:
        return ""
    return f"{counted(count, 'network')}; expected at most {bounds.MAX_LISTED_NETWORKS:,}"


def read_networks(texts: Iterable[Any]) -> tuple[NetworkList, list[tuple[int, str]]]:
    """Return the networks of some texts, those within others left out, and what is wrong with texts, by index.

    An address alone is a network of that address.
    """
    found, mistakes = _read(texts)
    return frozenset(_merged(found)), mistakes


def read_each(texts: Iterable[Any]) -> tuple[tuple[Network, ...], list[tuple[int, str]]]:
    """Return the networks of some texts, all of them and in their order, and what is wrong with texts, by index."""
    found, mistakes = _read(texts)
    return tuple(_network(*one) for one in found), mistakes


def _read(texts: Iterable[Any]) -> tuple[list[_Parsed], list[tuple[int, str]]]:
    found: list[_Parsed] = []
    mistakes: list[tuple[int, str]] = []
    for index, text in enumerate(texts):
        parsed = _parsed(text) if isinstance(text, str) else None
        if parsed is None:
            mistakes.append((index, _what_is_wrong(text)))
        else:
            found.append(parsed)
    return found, mistakes


def as_texts(networks: NetworkList | Path) -> list[str] | str:
    """Return what `check_list` reads as the same."""
    if isinstance(networks, Path):
        return str(networks)
    return [str(network) for network in sorted(networks, key=_order)]


def _order(network: Network) -> _Parsed:
    return network.version, int(network.network_address), network.prefixlen


def _parsed(text: str) -> _Parsed | None:
    """Return a network; None where a text is none, or has bits behind its prefix. Several times faster than ipaddress,
    which says what is wrong with the few that are refused."""
    address, slash, length = text.partition("/")
    family = 6 if ":" in address else 4
    bits = _BITS[family]
    try:
        packed = socket.inet_pton(socket.AF_INET6 if family == 6 else socket.AF_INET, address)
    except (OSError, ValueError):
        return None
    if slash and not (length.isascii() and length.isdigit() and len(length) <= 3):
        return None
    prefix_len = int(length) if slash else bits
    number = int.from_bytes(packed, "big")
    if prefix_len > bits or number & ((1 << bits - prefix_len) - 1):
        return None
    return family, number, prefix_len


def _what_is_wrong(text: Any) -> str:
    expected = "expected one such as 192.0.2.0/24 or 2001:db8::/32"
    if not isinstance(text, str):
        return f"{shown(text)} is no network; {expected}, in quotes"
    try:
        whole = ip_network(text, strict=False)
    except ValueError:
        return f"{shown(text)} is no network; {expected}"
    if _parsed(str(whole)) is None or text.partition("/")[2] != str(whole.prefixlen):
        return f"{shown(text)} is no network; {expected}"
    return f"{shown(text)} has bits behind its prefix; the network that it is in is {whole}"


def _merged(found: Sequence[_Parsed]) -> Iterable[Network]:
    """Yield networks without those that lie within others, or stand there twice."""
    end_family = end = 0
    for family, number, prefix_len in sorted(found):
        last = number + (1 << _BITS[family] - prefix_len) - 1
        if family == end_family and last <= end:
            continue
        end_family, end = family, last
        yield _network(family, number, prefix_len)


def _network(family: int, number: int, prefix_len: int) -> Network:
    return (IPv4Network if family == 4 else IPv6Network)((number, prefix_len))
