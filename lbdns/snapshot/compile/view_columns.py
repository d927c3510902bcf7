"""The columns of views: which view an address is in, and which resolvers are believed.

Networks of several views may lie within each other; the smallest decides. Each address has the class of the smallest
network that it is in, and a class knows the one around it: for an ECS prefix that is shorter than the network.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from lbdns.model.configuration import Configuration
from lbdns.model.named_lists import Network
from lbdns.model.settings import Settings
from lbdns.model.views import ViewSettings
from lbdns.snapshot.compile.class_tries import trie_of_classes
from lbdns.snapshot.compile.tries import Tries
from lbdns.steering.kernel.numbers import NO_TRIE
from lbdns.steering.rules.address_ranges import BITS
from lbdns.steering.rules.address_sets import FAMILIES, Addresses, as_addresses
from lbdns.steering.rules.decision_table import Cells

Columns = dict[str, "array[int]"]
_INSIDE = 1


class _NetworkRow(NamedTuple):
    """A class of addresses: the view, the length of the network that says so, and the class around it."""

    view: int
    bits: int
    around: int


class _Segments(NamedTuple):
    starts: tuple[Addresses, Addresses]
    classes: tuple[Cells, Cells]


def append_views(columns: Columns, views: Mapping[str, ViewSettings], trusted: Iterable[Network], tries: Tries) -> None:
    """Fill view_* and trust_trie. Views are numbered from 1 in their order."""
    networks = [(network, number) for number, view in enumerate(views.values(), 1) for network in view.networks]
    rows = {_NetworkRow(0, 0, 0): 0}
    segments = _segments(networks, rows)
    columns["view_trie"].append(trie_of_classes(segments, tries) if networks else NO_TRIE)
    columns["view_number"].extend([row.view for row in rows])
    columns["view_bits"].extend([row.bits for row in rows])
    columns["view_around"].extend([row.around for row in rows])
    columns["trust_trie"].append(trie_of_networks(trusted, tries))


def trie_of_networks(networks: Iterable[Network], tries: Tries, may_be_empty: bool = False) -> int:
    """Return a trie in which addresses of some networks are of class 1, all others of class 0; NO_TRIE for no network,
    but where `may_be_empty`."""
    inside = [(network, _INSIDE) for network in networks]
    if not inside and not may_be_empty:
        return NO_TRIE
    return trie_of_classes(_segments(inside, {_NetworkRow(0, 0, 0): 0}), tries)


def key_rows(configuration: Configuration) -> list[tuple[str, str, str, int]]:
    """Return name, algorithm, secret in base64 and number of the view (0: none) of each key."""
    views = configuration.settings.views
    numbers = {key: number for number, view in enumerate(views.values(), 1) for key in view.keys}
    return [
        (key.name, key.algorithm, key.secret, numbers.get(key.name, 0))
        for key in configuration.tsig_keys.values()
        if key.secret is not None
    ]


def listener_rows(settings: Settings) -> dict[str, int]:
    """Return the number of the view of each address that is listened on, 0 for none; nothing where all have none."""
    numbers = {one: number for number, view in enumerate(settings.views.values(), 1) for one in view.listeners}
    return {address: numbers.get(address, 0) for address in settings.listen} if numbers else {}


def _segments(networks: list[tuple[Network, int]], rows: dict[_NetworkRow, int]) -> _Segments:
    """Return the segments that networks cut the addresses into, by classes that are added to `rows`."""
    found = []
    for family in FAMILIES:
        of_family = [(network, view) for network, view in networks if network.version == family]
        found.append(_segments_of_family(of_family, family, rows))
    (starts_v4, classes_v4), (starts_v6, classes_v6) = found
    return _Segments((starts_v4, starts_v6), (classes_v4, classes_v6))


def _segments_of_family(
    networks: list[tuple[Network, int]], family: int, rows: dict[_NetworkRow, int]
) -> tuple[Addresses, Cells]:
    bits = BITS[family]
    placed = sorted((int(network.network_address), network.prefixlen, view) for network, view in networks)
    class_from = {0: 0}
    open_networks: list[tuple[int, _NetworkRow]] = []  # the address behind each network around, outermost first
    for start, length, view in [*placed, (1 << bits, 0, 0)]:
        while open_networks and open_networks[-1][0] <= start:
            end, _ = open_networks.pop()
            class_from[end] = rows[open_networks[-1][1]] if open_networks else 0
        around = rows[open_networks[-1][1]] if open_networks else 0
        if open_networks and open_networks[-1][1].view == view:
            continue
        row = _NetworkRow(view, length, around)
        if start < 1 << bits:
            class_from[start] = rows.setdefault(row, len(rows))
            open_networks.append((start + (1 << bits - length), row))
    class_from.pop(1 << bits, None)
    turns: list[tuple[int, int]] = []
    for start, number in class_from.items():
        if not turns or turns[-1][1] != number:
            turns.append((start, number))
    return as_addresses([start for start, _ in turns], family), np.array([number for _, number in turns], np.int32)
