"""Answers that lack signatures: what is lacking is asked for, and the same answer is given again with what came.

    answer --lacking--> signer --given--> the same answer: same view, time and draw --lacking still, ROUNDS times--> ...
                          '--nothing came--> SERVFAIL, as the answer without them was

A zone that denies compactly has a signature made for each name that is not there, whatever clients ask for. One whose
network has had its budget gets what the zone's chain proves of these, as far as it does.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from lbdns.answer.answer import Road
from lbdns.base.networks import network_of
from lbdns.processes.responder.signature_client import SignatureClient

ROUNDS: Final = 2
"""What is signed may need more that is to be signed: once."""
SIGNATURES_PER_S: Final = 50.0
SAVED_MAX: Final = 200.0
"""As many may be had at once by who had none for a while."""
NETWORKS_MAX: Final = 4096
"""Networks that are told apart; the one that asked nothing for the longest is forgotten."""


class AskedSignatures:
    """Has signatures made for the answers of one thread."""

    def __init__(self, client: SignatureClient) -> None:
        """Ask by `client`."""
        self._client = client
        self._budget = SigningBudget()

    def begin(self, address: bytes) -> Road:
        """Return the road of an answer to a client."""
        return Road(falls_back=self._budget.is_spent(address, time.monotonic()))

    def complete(
        self, road: Road, reply: bytes | None, answer: Callable[[Road], bytes | None], address: bytes
    ) -> tuple[Road, bytes | None]:
        """Return road and reply once more, with the signatures that it lacked, as far as they could be had; `answer`
        gives the same answer on another road."""
        for _ in range(ROUNDS):
            self._budget.spend(address, len(road.lacking), time.monotonic())
            given = self._client.ask(road.lacking)
            if not given:
                break
            road = Road(falls_back=road.falls_back, given={**road.given, **given})
            reply = answer(road)
            if not road.lacking:
                break
        return road, reply


class SigningBudget:
    """How many signatures networks of clients may have made."""

    def __init__(self) -> None:
        """Begin with all that may be saved."""
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()  # network -> left, as of

    def is_spent(self, address: bytes, now_s: float) -> bool:
        """Whether a client's network has none left; `now_s`: of CLOCK_MONOTONIC."""
        return self._of(network_of(address), now_s) < 1.0

    def spend(self, address: bytes, count: int, now_s: float) -> None:
        """Take so many from a client's network."""
        network = network_of(address)
        self._left[network] = max(self._of(network, now_s) - count, 0.0), now_s
        self._left.move_to_end(network)
        if len(self._left) > NETWORKS_MAX:
            self._left.popitem(last=False)

    def _of(self, network: bytes, now_s: float) -> float:
        left, as_of_s = self._left.get(network, (SAVED_MAX, now_s))
        return min(left + (now_s - as_of_s) * SIGNATURES_PER_S, SAVED_MAX)
