"""How a zone stands with those that it is transferred from and to: public data, JSON on the way.

Command line, API, metrics, `lbdns status` and the dashboard show what stands here, and work nothing out of it twice.
Times are unix seconds. Zones have their names without the last dot, addresses are "192.0.2.1:53" or "[2001:db8::1]:53",
keys are names alone: nothing here is secret.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final


class TransferRole(StrEnum):
    """What this server is to a zone that is transferred."""

    PRIMARY = "primary"
    """Others may transfer it from here."""
    SECONDARY = "secondary"
    """It comes from its primaries; others may transfer it from here all the same."""


class TransferState(StrEnum):
    """How a zone stands."""

    CURRENT = "current"
    """What is served is what its primary has; of a primary: whoever is notified has acknowledged its serial."""
    PENDING = "pending"
    """Nothing has come yet, so that nothing is served: SERVFAIL. Of a primary: who is notified has yet to answer."""
    FAILING = "failing"
    """The last check, transfer or NOTIFY failed, or what came was refused: what was there is served on."""
    EXPIRED = "expired"
    """No primary was reached for the SOA's EXPIRE (RFC 1035 section 3.3.13): SERVFAIL."""


COUNTS: Final[Mapping[str, str]] = {
    "checks": "Questions for the SOA of a primary.",
    "checks_failed": "Those of them that no primary answered.",
    "ixfr": "Transfers of differences that came in (RFC 1995).",
    "axfr": "Transfers of the whole zone that came in (RFC 5936).",
    "transfers_failed": "Transfers that were begun here and broken off, or whose content was refused.",
    "notifies": "NOTIFY that came in from who may send it (RFC 1996).",
    "notifies_sent": "NOTIFY that went out, retries too.",
    "notifies_failed": "Serials of which somebody to be notified was never seen to know.",
}
"""What is counted of a zone since the transfer worker began, and what it means: metrics have a sample for each."""


@dataclass(frozen=True, slots=True)
class TransferPeer:
    """Somebody that a zone comes from, or that is told of its changes.

    `serial` is the one that it has said to have, or whose NOTIFY it has acknowledged; `heard_s` when that was; both
    None where it never said anything. `problem`: what was wrong the last time that it was spoken to, "" where nothing
    was.
    """

    address: str
    key: str = ""
    tls: bool = False
    serial: int | None = None
    heard_s: float | None = None
    problem: str = ""

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> TransferPeer:
        """Return what `as_json` of the zone made JSON of."""
        return TransferPeer(**said)


@dataclass(frozen=True, slots=True)
class ZoneTransferStatus:
    """A zone. `since_s`: when `state` became what it is; 0.0 where that is not known.

    `serial` is the one that is served, None where nothing is. `primaries` are in the order in which they are asked,
    `notified` are those that this server tells of changes. `last_check_s` is when a primary was last asked for its SOA,
    whatever came of it, `next_check_s` when one will be; both None of a primary. `last_transfer` says by what the copy
    that is there came: "axfr" or "ixfr", "" where none did, `last_transfer_s` when. `expires_s`: when it expires unless
    a primary is reached. `last_error` stays with its time when later tries go well; `state` says whether it lasts.
    `warnings` are what somebody should look at though all goes well: a load balancer whose name the primary has
    deleted. `counts` has some of COUNTS.
    """

    zone: str
    role: TransferRole
    state: TransferState
    since_s: float = 0.0
    serial: int | None = None
    primaries: tuple[TransferPeer, ...] = ()
    notified: tuple[TransferPeer, ...] = ()
    last_check_s: float | None = None
    next_check_s: float | None = None
    last_transfer: str = ""
    last_transfer_s: float | None = None
    expires_s: float | None = None
    last_error: str = ""
    last_error_s: float | None = None
    warnings: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        return {
            **dataclasses.asdict(self),
            "primaries": [dataclasses.asdict(one) for one in self.primaries],
            "notified": [dataclasses.asdict(one) for one in self.notified],
            "warnings": list(self.warnings),
            "counts": dict(self.counts),
        }

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> ZoneTransferStatus:
        """Return what `as_json` made JSON of."""
        peers = {key: tuple(map(TransferPeer.from_json, said[key])) for key in ("primaries", "notified")}
        words = {"role": TransferRole(said["role"]), "state": TransferState(said["state"])}
        return ZoneTransferStatus(**{**said, **words, **peers, "warnings": tuple(said["warnings"])})

    @property
    def is_wrong(self) -> bool:
        """Whether somebody has to mend something, here or elsewhere."""
        lasts = self.state in (TransferState.FAILING, TransferState.EXPIRED)
        return lasts or (self.state == TransferState.PENDING and bool(self.last_error))

    @property
    def problem(self) -> str:
        """What is wrong with it, "" where nothing is."""
        return self.last_error if self.is_wrong else ""
