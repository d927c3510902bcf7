"""Response rate limiting: how much each network of clients is owed, by zone and class of answer, in a table of one size
that all threads of all processes write.

    until when what it had is paid:  now ......... now + burst ....... + RATE_DEBT_US
                                      `- whole replies ---'`- beyond: truncated or not sent

A reply pushes that time ahead by what it costs, 1/`per_second`; one beyond the limit by a hundredth of it, so that a
network which asks a little more than it may has its share whole, and a flood nothing. A set of eight words, a cache
line, has whoever hashes there; whose reply is paid first makes room: forgetting it forgives the least. So neither names
that nobody asked before nor networks that are forged fill the table: each takes the place of one like it.

No lock: a word is written whole, and of two threads that write it at once one is not counted. Runs interpreted and
compiled (types in the `.pxd`).
"""

from __future__ import annotations

from lbdns.base.networks import *
from lbdns.mapped.rate_words import *
from lbdns.snapshot.lookup.name_rows import *
from lbdns.steering.kernel.hashing import mix64


class RateTable:
    """The table, in memory that processes share (mapped/rate_room.py), or in this one's."""

    def __init__(self, words: memoryview) -> None:
        """Go on with RATE_WORDS words, whose head is filled."""
        self.words = words


def class_of(kind: int, is_none: bool) -> int:
    """Return the class of an answer by what the first look-up came to (KIND_*); `is_none`: a load balancer that has no
    record to give."""
    if kind == KIND_NXDOMAIN:
        return CLASS_NXDOMAIN
    if kind == KIND_NODATA or (kind == KIND_STEERED and is_none):
        return CLASS_NODATA
    if kind == KIND_REFERRAL:
        return CLASS_REFERRAL
    return CLASS_ERROR if kind in (NO_KIND, KIND_OUT_OF_ZONE, KIND_UNREADY) else CLASS_ANSWER


def charge(
    table: RateTable, limit: memoryview, version: int, high: int, zone: int, answer_class: int, now_us: int, draw: int
) -> int:
    """Count a reply, and return what becomes of it (RATE_*).

    `limit`: the column rate_limit; `version`, `high`: 4 or 6, and the first 64 bits of the client's address, an IPv4
    one in the top 32; `now_us`: of CLOCK_MONOTONIC; `draw`: random bits, which say which reply beyond the limit is
    truncated where not all are.
    """
    network = high >> (64 - (NETWORK_BITS_V4 if version == 4 else NETWORK_BITS_V6))
    kind = answer_class if version == 4 else answer_class | RATE_VERSION_6
    if answer_class == CLASS_ERROR:
        zone = NO_ZONE
    key = mix64(mix64(network ^ table.words[RATE_HEAD_SEED]) ^ (zone << RATE_CLASS_BITS | kind))
    burst = limit[LIMIT_BURST_US]
    first = RATE_HEAD_WORDS + (key & (RATE_SETS - 1)) * RATE_SET_WORDS
    place = first
    owed = 0
    least = RATE_TIME_MASK
    for index in range(first, first + RATE_SET_WORDS):
        word = table.words[index]
        left = (word - now_us) & RATE_TIME_MASK
        if left > burst + RATE_DEBT_US:  # it is paid, or nobody's
            left = 0
        if word >> RATE_TAG_SHIFT == key >> RATE_TAG_SHIFT:
            place = index
            owed = left
            break
        if left < least:
            least = left
            place = index
    is_beyond = owed > burst
    owed += max(limit[LIMIT_COST_US] // RATE_BEYOND_SHARE, 1) if is_beyond else limit[LIMIT_COST_US]
    if owed > burst + RATE_DEBT_US:
        owed = burst + RATE_DEBT_US
    table.words[place] = key >> RATE_TAG_SHIFT << RATE_TAG_SHIFT | ((now_us + owed) & RATE_TIME_MASK)
    if not is_beyond:
        return RATE_WITHIN
    slip = limit[LIMIT_SLIP]
    return RATE_TRUNCATED if slip and mix64(draw ^ key) % slip == 0 else RATE_DROPPED
