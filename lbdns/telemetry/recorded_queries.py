"""Recorded traffic as queries to ask again: by the networks that samples keep, each for as many as it stands for.

What a sample does not say it is not asked with: without networks (`privacy: none`) nobody knows who would move.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lbdns.answer.reply import Client
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import halves, make_query
from lbdns.mapped.snapshot_file import VIEWS
from lbdns.places.place import Address, Network
from lbdns.publish.replay.replayed import PORT, Replayed, subnet_of
from lbdns.snapshot.lookup.view_of import view_of
from lbdns.steering.kernel.decide import walk
from lbdns.steering.kernel.numbers import NO_TRIE
from lbdns.telemetry.samples import TrafficSample

QUERIES_MAX: Final = 20_000
"""Samples that are asked again; of more, as many at even distances, each for more queries."""
NO_NETWORK: Final = "no network"
NO_QUESTION: Final = "no question"
NO_ZONE: Final = "no zone asked"
_NS: Final = 1e-9


@dataclass(slots=True)
class RecordedQueries:
    """Queries to ask again, the oldest first; `left_out`: samples that cannot be, by why; `held`: those that are held
    in the view that they were answered in, as their networks alone do not say it; `cut`: those whose answer was for
    less than the network that is kept."""

    queries: list[Replayed] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    held: int = 0
    cut: int = 0


def recorded_queries(
    samples: Sequence[TrafficSample], before: ServingView, after: ServingView, stands_for: float = 1.0
) -> RecordedQueries:
    """Return the queries that samples are of, for two views of which they are asked; `stands_for`: how many samples
    each of these is one of."""
    found = RecordedQueries()
    usable: list[tuple[TrafficSample, Network]] = []
    for one in samples:
        why = _unusable(one)
        if why:
            found.left_out[why] += 1
        elif one.resolver is not None:
            usable.append((one, one.resolver))
    usable.sort(key=lambda pair: pair[0].unix_ns)
    step = max(1.0, len(usable) / QUERIES_MAX)
    askers = _Askers(before, after)
    for place in range(min(len(usable), QUERIES_MAX)):
        sample, network = usable[int(place * step)]
        resolver, views = askers.of(sample, network)
        found.held += views != (None, None) and not askers.is_known(sample)
        found.cut += sample.ecs is not None and sample.scope > sample.ecs.prefixlen
        found.queries.append(
            Replayed(
                sample.qname,
                sample.qtype,
                resolver,
                sample.ecs,
                views,
                sample.interval * step * stands_for,
                sample.unix_ns * _NS,
                sample.country,
            )
        )
    return found


def _unusable(sample: TrafficSample) -> str:
    if not sample.qname:
        return NO_QUESTION
    if not sample.kind:
        return NO_ZONE
    is_left_out = sample.resolver is None or (sample.ecs is None and sample.ecs_bits)
    return NO_NETWORK if is_left_out else ""


class _Askers:
    """Which address of its network a sample's resolver is taken to have, and in which view it is.

    An address of which samples keep too little may be one that is believed in what it says of its clients, or of
    another view than its network; a key or a listener may have said the view. The view and the scope of the answer then
    tell, as long as the same generation is served.
    """

    def __init__(self, before: ServingView, after: ServingView) -> None:
        self._before = before
        self._numbers = _view_numbers(before), _view_numbers(after)
        self._trusted: dict[Network, Address | None] = {}

    def is_known(self, sample: TrafficSample) -> bool:
        """Whether a key or a listener said the view."""
        return self._numbers[0].get(sample.known_view, 0) != 0

    def of(self, sample: TrafficSample, network: Network) -> tuple[Address, tuple[int | None, int | None]]:
        """Return the address, and the numbers of the views, before and after, None where the addresses say them."""
        first = network.network_address
        if self.is_known(sample):
            return first, self._in_view(sample.known_view)
        if len(self._numbers[0]) == 1:
            return first, (None, None)
        believed = self._believed_in(network)
        candidates = (first,) if believed is None else (believed, first)
        is_same = sample.generation == self._before.snapshot.generation
        if not is_same or sample.view not in self._numbers[0]:
            return candidates[0], (None, None)
        number = self._numbers[0][sample.view]
        for address in candidates:
            query = make_query(Client(address.packed, PORT), subnet_of(sample.ecs), 0, 0)
            seen = view_of(self._before.steering, query, 0)
            if seen >> 8 == number and seen & 0xFF <= sample.scope:
                return address, (None, None)
        return first, self._in_view(sample.view)

    def _in_view(self, name: str) -> tuple[int | None, int | None]:
        return self._numbers[0].get(name), self._numbers[1].get(name)

    def _believed_in(self, network: Network) -> Address | None:
        """Return an address of a network that is believed in what it says of its clients, None where none is."""
        if network not in self._trusted:
            self._trusted[network] = _trusted_address(self._before, network)
        return self._trusted[network]


def _trusted_address(view: ServingView, network: Network) -> Address | None:
    """Return the first address of a network that is trusted, found cell by cell of the trie."""
    trie = view.columns["trust_trie"][0]
    if trie == NO_TRIE:
        return None
    at, last = int(network.network_address), int(network.broadcast_address)
    while at <= last:
        address = type(network.network_address)(at)
        found = walk(view.steering, trie, network.version, *halves(address.packed))
        if found >> 8:
            return address
        rest = network.max_prefixlen - (found & 0xFF)
        at = ((at >> rest) + 1) << rest
    return None


def _view_numbers(view: ServingView) -> Mapping[str, int]:
    return {name: number for number, name in enumerate(view.snapshot.meta.get(VIEWS, ("",)))}
