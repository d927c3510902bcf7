"""Where notifications go: the protocol of sinks, each a module, and how a sink says that it failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from lbdns.monitor.notify.alerts import Alert

Told = tuple[Alert, Sequence[str]]
"""An alert and the load balancers that it concerns."""


MayReach = Callable[[str], bool]
"""Tells whether a message may be sent to an IP address."""


class DeliveryFailed(Exception):
    """A notification did not get through; `again`: it may, later."""

    def __init__(self, why: str, again: bool) -> None:
        super().__init__(why)
        self.again = again


class Sink(Protocol):
    """One way of telling a receiver. Whoever calls it sets the deadline and tries again; a sink sends once."""

    async def deliver(self, told: Sequence[Told], unheard: int, id: str) -> str:
        """Tell of alerts, oldest first, in one message; `unheard` counts further ones that were not kept.

        `id` is the message's own, the same whenever it is tried again. Returns the text that was sent; raises
        DeliveryFailed.
        """
        ...
