"""What the ledger asks of the other machines of a fleet, where this machine is in one."""

from __future__ import annotations

from typing import Protocol

from lbdns.model.targets_document import Vantage
from lbdns.monitor.ledger.states import EndpointHealth, Series, Taker
from lbdns.monitor.targets import Member


class Fellows(Protocol):
    """The other machines, as far as results are concerned."""

    def begin_series(
        self, taker: Taker, endpoint: EndpointHealth, member: Member, address: str, vantage: Vantage
    ) -> Series:
        """Return a series that others hear of, or that is another machine's."""
        ...

    def noted(self, series: Series, flips: bool) -> None:
        """Take it that an own series has a result; `flips`: which changed its state."""
        ...

    def set_aside(self, series: Series) -> None:
        """Take it that an own series had a failure of which nothing follows: nor of what it said before."""
        ...

    def ended(self, series: Series) -> None:
        """Take it that a series is no more."""
        ...

    def state_of(self, endpoint: EndpointHealth) -> int:
        """Return the state that follows from all of an endpoint's series."""
        ...
