"""What one vantage point believes of one address: a noun, its name in the whole fleet, and its octets on the bus.

    key (12) | number of the vantage point (1) | state (1) | reason (1) | code (2) | rtt in us (4) | streak (4) | ms (8)

A state of WITHDRAWN says that nobody looks any more. Numbers are little-endian. Later releases append to a record:
how long one is stands in the message's head, and a reader passes over what it does not know.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Final, NamedTuple

KEY_BYTES: Final = 12
RTT_STEP_MIN_US: Final = 1000
"""A round-trip time that moves by less is as it was, however large a part of it that is."""
WITHDRAWN: Final = 0xFF
_RECORD: Final = struct.Struct("<12sBBBHIiQ")
RECORD_BYTES: Final = _RECORD.size


class Observation(NamedTuple):
    """What is believed, after the thresholds of who looked: a state of `health.verdict`, and the result that says why
    (a Reason's number, a code, a round-trip time); `streak`: +n passes or -n failures in a row; `at_s`: when that
    result came, in unix seconds of who looked."""

    state: int
    reason: int
    code: int
    rtt_us: int
    streak: int
    at_s: float

    def is_news(self, told: Observation | None) -> bool:
        """Whether others are to hear of it at once who were told `told`."""
        return told is None or self[:3] != told[:3]

    def is_slower_or_faster(self, told: Observation) -> bool:
        """Whether its round-trip time has moved by more than a quarter."""
        moved_us = abs(self.rtt_us - told.rtt_us)
        return moved_us >= RTT_STEP_MIN_US and 4 * moved_us > told.rtt_us


class ObservedEntry(NamedTuple):
    """An observation with the vantage point's name and the key of what was looked at; None: nobody looks any more."""

    vantage: str
    key: bytes
    seen: Observation | None


def target_key(pool: str, endpoint: str, address: str, network: str, monitor: str, probed: str) -> bytes:
    """Return what names a row of probes in the whole fleet: of an endpoint as configured, by a monitor, of the address
    that is probed."""
    text = "\0".join((pool, endpoint, address, network, monitor, probed)).encode()
    return hashlib.blake2b(text, digest_size=KEY_BYTES).digest()


def pack_entry(entry: ObservedEntry, number: int) -> bytes:
    """Return an entry's octets; `number`: of its vantage point."""
    seen = entry.seen
    if seen is None:
        return _RECORD.pack(entry.key, number, WITHDRAWN, 0, 0, 0, 0, 0)
    return _pack(entry.key, number, seen)


def _pack(key: bytes, number: int, seen: Observation) -> bytes:
    state, reason, code, rtt_us, streak, at_s = seen
    at_ms = int(at_s * 1000)
    return _RECORD.pack(
        key,
        number,
        state,
        reason,
        code & 0xFFFF,
        rtt_us if rtt_us <= 0xFFFFFFFF else 0xFFFFFFFF,
        streak if -0x7FFFFFFF <= streak <= 0x7FFFFFFF else 0x7FFFFFFF if streak > 0 else -0x7FFFFFFF,
        at_ms if at_ms > 0 else 0,
    )


def unpack_entry(data: bytes, offset: int) -> tuple[bytes, int, Observation | None]:
    """Return what a record says: key, the vantage point's number, the observation."""
    key, number, state, reason, code, rtt_us, streak, at_ms = _RECORD.unpack_from(data, offset)
    if state == WITHDRAWN:
        return key, number, None
    return key, number, Observation(state, reason, code, rtt_us, streak, at_ms / 1000)


def entry_digest(vantage: str, key: bytes, seen: Observation) -> int:
    """Return what an entry adds to the digest of all that a machine observes; digests add up modulo 2^64."""
    octets = _pack(key, 0, seen) + vantage.encode()
    return int.from_bytes(hashlib.blake2b(octets, digest_size=8).digest(), "little")


DIGEST_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF
