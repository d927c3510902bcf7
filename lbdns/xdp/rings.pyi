"""The types of rings.pyx, for checkers."""

class Rings:
    """The rings of one queue's socket."""

    failure: int
    at_once: int
    is_serving: bool
    losses: int
    def give(self, fd: int, sockets_map: int, interface: int, queue: int, copies: bool) -> None: ...
    def close(self) -> None: ...
