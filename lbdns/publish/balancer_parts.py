"""What the targets document takes from load balancers, kept from one document to the next as text: there may be very
many, and little of it is another."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lbdns.base.memo import KeyCounts, shared_ends
from lbdns.dns.name import encode_canonical
from lbdns.model.balancer import LoadBalancer
from lbdns.model.needed_names import answered_pools
from lbdns.model.targets_document import join_parts

_BEHIND: Final = len(join_parts((b"", b"")))
"""Octets between two parts."""


class BalancerParts:
    """The parts of all load balancers that are enabled, in order; `encode` makes one. `flattened`: the pools whose
    hostnames are answered as addresses, `at_apex`: those of load balancers at the apex of a zone."""

    def __init__(self, encode: Callable[[LoadBalancer], bytes]) -> None:
        """Begin with none."""
        self.flattened: KeyCounts[str] = KeyCounts()
        self.at_apex: KeyCounts[str] = KeyCounts()
        self.text = b""
        self._encode = encode
        self._those: Sequence[LoadBalancer] = ()
        self._sizes = np.zeros(0, np.uint32)  # of each part; 0: disabled, no part
        self._apexes: frozenset[bytes] = frozenset()

    def __len__(self) -> int:
        """How many load balancers are kept."""
        return len(self._those)

    def see(self, balancers: Sequence[LoadBalancer], apexes: frozenset[bytes]) -> None:
        """Take over what stands in a configuration; `apexes`: of its zones. The text is the very same where it says the
        same."""
        first, last = shared_ends(self._those, balancers)
        went, came = self._those[first : len(self._those) - last], balancers[first : len(balancers) - last]
        if went or came:
            self._put(first, last, came)
        self.flattened.change(_pools_of(came), _pools_of(went))
        if apexes == self._apexes:
            self.at_apex.change(_pools_of(came, apexes), _pools_of(went, apexes))
        else:
            self.at_apex, self._apexes = KeyCounts(), apexes
            self.at_apex.change(_pools_of(balancers, apexes), ())
        self._those = balancers

    def _put(self, first: int, last: int, came: Sequence[LoadBalancer]) -> None:
        """Have the text say those that came, between `first` that stay before them and `last` behind."""
        parts = [self._encode(one) if one.enabled else b"" for one in came]
        behind = len(self._sizes) - last
        start, end = _span(self._sizes[:first]), len(self.text) - _span(self._sizes[behind:])
        before, middle, after = self.text[:start], join_parts(filter(None, parts)), self.text[end:]
        text = join_parts(filter(None, (before, middle, after)))
        sizes = np.fromiter(map(len, parts), np.uint32, len(parts))
        self._sizes = np.concatenate((self._sizes[:first], sizes, self._sizes[behind:]))
        if text != self.text:
            self.text = text


def _span(sizes: NDArray[np.uint32]) -> int:
    """Return how many octets parts of these sizes take in the text, without what stands before and behind them."""
    count = int(np.count_nonzero(sizes))
    return int(sizes.sum()) + _BEHIND * (count - 1) if count else 0


def _pools_of(those: Sequence[LoadBalancer], apexes: Container[bytes] | None = None) -> Iterator[str]:
    """Yield the pools whose hostnames load balancers flatten; `apexes`: of those at one of these alone."""
    return (
        pool for one in those if apexes is None or encode_canonical(one.name) in apexes for pool in answered_pools(one)
    )
