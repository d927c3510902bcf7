"""What the targets document takes from load balancers, kept from one document to the next as text: there may be very
many, and little of it is another."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence

from lbdns.base.memo import KeyCounts, shared_ends
from lbdns.dns.name import encode_canonical
from lbdns.model.balancer import LoadBalancer
from lbdns.model.needed_names import answered_pools
from lbdns.publish.edited_text import EditedText


class BalancerParts:
    """The parts of all load balancers that are enabled, in order; `encode` makes one. `flattened`: the pools whose
    hostnames are answered as addresses, `at_apex`: those of load balancers at the apex of a zone."""

    def __init__(self, encode: Callable[[LoadBalancer], bytes]) -> None:
        """Begin with none."""
        self.flattened: KeyCounts[str] = KeyCounts()
        self.at_apex: KeyCounts[str] = KeyCounts()
        self.text = EditedText.of_parts(())
        self._encode = encode
        self._those: Sequence[LoadBalancer] = ()
        self._enabled = b""  # of each load balancer, 1 or 0: those that are disabled have no part
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
        behind = len(self._enabled) - last
        before, went, after = self._enabled[:first], self._enabled[first:behind], self._enabled[behind:]
        parts = [self._encode(one) for one in came if one.enabled]
        self.text = self.text.replaced(before.count(1), went.count(1), parts)
        self._enabled = b"".join((before, bytes([one.enabled for one in came]), after))


def _pools_of(those: Sequence[LoadBalancer], apexes: Container[bytes] | None = None) -> Iterator[str]:
    """Yield the pools whose hostnames load balancers flatten; `apexes`: of those at one of these alone."""
    return (
        pool for one in those if apexes is None or encode_canonical(one.name) in apexes for pool in answered_pools(one)
    )
