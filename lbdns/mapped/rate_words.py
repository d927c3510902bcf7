"""The numbers of response rate limiting (answer/rate_table.py): limits, classes of answers, and the table's layout."""

from __future__ import annotations

from typing import Final

# The column rate_limit: what a reply costs, how much may be owed at once (both in microseconds), of the replies beyond
# that each so manieth is truncated, and whether a valid cookie exempts.
LIMIT_COST_US: Final = 0
LIMIT_BURST_US: Final = 1
LIMIT_SLIP: Final = 2
LIMIT_COOKIES: Final = 3

# Classes of answers, by what the look-up of the asked name came to. Errors are of no zone.
CLASS_ANSWER: Final = 0
CLASS_REFERRAL: Final = 1
CLASS_NODATA: Final = 2
CLASS_NXDOMAIN: Final = 3
CLASS_ERROR: Final = 4
RATE_CLASSES: Final = 5
RATE_CLASS_NAMES: Final = ("answer", "referral", "nodata", "nxdomain", "error")
NO_ZONE: Final = 0xFFFFFFFF

# What becomes of a reply.
RATE_WITHIN: Final = 0
RATE_TRUNCATED: Final = 1
RATE_DROPPED: Final = 2

# The table: a head, the seed of its hash in it; then sets of a cache line each. A word is the tag of whose it is and
# until when that is paid, microseconds of CLOCK_MONOTONIC.
RATE_HEAD_WORDS: Final = 8
RATE_HEAD_MAGIC: Final = 0
RATE_MAGIC: Final = 0x317472736E64626C  # "lbdnsrt1"
RATE_HEAD_SEED: Final = 1
RATE_SET_WORDS: Final = 8
RATE_SETS: Final = 16_384
RATE_WORDS: Final = RATE_HEAD_WORDS + RATE_SETS * RATE_SET_WORDS
RATE_TAG_SHIFT: Final = 48
RATE_TIME_MASK: Final = 0xFFFFFFFFFFFF
RATE_CLASS_BITS: Final = 4
RATE_VERSION_6: Final = 8  # beside the class
RATE_BEYOND_SHARE: Final = 100
"""A reply beyond the limit costs so much less: who asks a hundred times what he may have gets nothing whole."""
RATE_DEBT_US: Final = 1_000_000
"""How much more than a burst may be owed: who stops is limited for so long."""
