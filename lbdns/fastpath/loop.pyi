"""The types of loop.pyx, for checkers."""

from lbdns.fastpath.known_networks import KnownNetworks
from lbdns.fastpath.rounds import Rounds
from lbdns.fastpath.sampling import Sampler
from lbdns.mapped.counters import Counters
from lbdns.mapped.tap_ring import Tap

class Loop(Rounds):
    """The fast path of one UDP socket."""

    def __init__(
        self,
        fd: int,
        is_wildcard: bool,
        counters: Counters,
        seed: int,
        room: memoryview,
        known: KnownNetworks | None = None,
        sampler: Sampler | None = None,
        tap: Tap | None = None,
    ) -> None: ...
