"""The types of known_networks.pyx, for checkers."""

class KnownNetworks:
    """Networks from which somebody has come over TCP of late."""

    def __init__(self) -> None: ...
    def note(self, address: bytes) -> None: ...
