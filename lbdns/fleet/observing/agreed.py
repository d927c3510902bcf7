"""The verdicts that were agreed last: what stands for an endpoint while its machine is cut off, and over a restart.

On disk: a line of JSON, then a key and a state for each endpoint.
"""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.fleet.observing.hearing import HearingCount
from lbdns.fleet.observing.observation import KEY_BYTES, target_key
from lbdns.health.verdict import HEALTHY, UNHEALTHY, UNKNOWN

_ENTRY_BYTES: Final = KEY_BYTES + 1


def endpoint_key(pool: str, endpoint: str, address: str, network: str) -> bytes:
    """Return what names an endpoint in the whole fleet."""
    return target_key(pool, endpoint, address, network, "", "")


class AgreedWhen(NamedTuple):
    """When verdicts were agreed last, in unix seconds, and by how many machines of how many that were known."""

    at_s: float = 0.0
    by: HearingCount = HearingCount(1, 1)


class Agreed:
    """The state that was agreed last of each endpoint, by its key."""

    def __init__(self) -> None:
        """Begin with none."""
        self._states: dict[bytes, int] = {}
        self.when = AgreedWhen()
        self.is_kept = True  # as it is

    def of(self, key: bytes) -> int:
        """Return what was agreed of an endpoint; UNKNOWN where nothing was."""
        return self._states.get(key, UNKNOWN)

    def note(self, key: bytes, state: int) -> None:
        """Take it that a state is agreed."""
        if self._states.get(key, UNKNOWN) != state:
            self._states[key] = state
            self.is_kept = False

    def keep_only(self, keys: set[bytes]) -> None:
        """Let go of endpoints that are no more."""
        for gone in self._states.keys() - keys:
            del self._states[gone]
            self.is_kept = False

    def encode(self) -> bytes:
        """Return its octets on disk."""
        head = {"v": 1, "at": self.when.at_s, "heard": self.when.by.heard, "known": self.when.by.known}
        rows = (key + bytes((state,)) for key, state in sorted(self._states.items()))
        return json.dumps(head).encode() + b"\n" + b"".join(rows)

    @classmethod
    def decode(cls, data: bytes) -> Agreed:
        """Return what octets say; raises LbdnsError in words."""
        found = cls()
        line, _, rows = data.partition(b"\n")
        try:
            head = json.loads(line)
            found.when = AgreedWhen(float(head["at"]), HearingCount(int(head["heard"]), int(head["known"])))
            if len(rows) % _ENTRY_BYTES:
                raise ValueError("cut short")
        except (ValueError, KeyError, TypeError) as error:
            raise LbdnsError(f"not the verdicts of a fleet: {error}") from error
        for at in range(0, len(rows), _ENTRY_BYTES):
            state = rows[at + KEY_BYTES]
            if state in (HEALTHY, UNHEALTHY):
                found._states[rows[at : at + KEY_BYTES]] = state
        return found
