"""The types of loop.pyx, for checkers."""

from lbdns.fastpath.known_networks import KnownNetworks
from lbdns.fastpath.read import Server
from lbdns.fastpath.sampling import Sampler
from lbdns.mapped.counters import Counters
from lbdns.mapped.tap_ring import Tap

class Loop:
    """The fast path of one UDP socket."""

    event_fd: int
    left: int
    is_empty: bool
    left_out: list[tuple[bytes, bytes, int]]
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
    @staticmethod
    def room_bytes() -> int: ...
    @staticmethod
    def known_networks() -> KnownNetworks: ...
    def start_with(self, first: Server, second: Server) -> None: ...
    def idle_server(self) -> Server | None: ...
    def swap(self) -> None: ...
    def stop(self) -> None: ...
    def take(self, is_known: bool = False) -> tuple[bytes, bytes, int] | None: ...
    def reply(self, data: bytes) -> None: ...
    def run(self) -> None: ...
