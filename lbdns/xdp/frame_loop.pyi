"""The types of frame_loop.pyx, for checkers."""

from lbdns.fastpath.known_networks import KnownNetworks
from lbdns.fastpath.rounds import Rounds
from lbdns.fastpath.sampling import Sampler
from lbdns.mapped.counters import Counters
from lbdns.mapped.tap_ring import Tap
from lbdns.xdp.rings import Rings

class FrameLoop(Rounds):
    """The fast path of one queue."""

    rings: Rings
    def __init__(
        self,
        counters: Counters,
        seed: int,
        room: memoryview,
        known: KnownNetworks | None = None,
        sampler: Sampler | None = None,
        tap: Tap | None = None,
    ) -> None: ...
    def close(self) -> None: ...
