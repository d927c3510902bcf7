"""Which word of a file of counters (counters.py) counts what."""

from __future__ import annotations

from typing import Final

from lbdns.mapped import rate_words

# Fixed ones, then groups.
DATAGRAMS: Final = 0
DEFERRED_COUNT: Final = 1
DROPPED_COUNT: Final = 2
OVERFLOWS: Final = 3
SEND_ERRORS: Final = 4
TCP_MESSAGES: Final = 5
GENERATION: Final = 6  # no count: the generation that this writer answers from
BEAT_NS: Final = 7  # no count: CLOCK_MONOTONIC of the writer's last turn, idle or not

RCODES_FIRST: Final = 8
RCODE_COUNT: Final = 16
TYPES_FIRST: Final = RCODES_FIRST + RCODE_COUNT
TYPE_OTHER: Final = 255
SOURCES_FIRST: Final = TYPES_FIRST + TYPE_OTHER + 1
SOURCE_COUNT: Final = 4
# How long a batch took from when it was read to when its replies were sent: batches up to each bound, then longer ones;
# their sum; the longest. Then the longest that the first batch from a new snapshot kept its core.
BATCH_BOUNDS_US: Final = (100, 250, 500, 1000, 2500, 5000, 10_000)
BATCH_BOUND_COUNT: Final = len(BATCH_BOUNDS_US)
BATCH_TIMES_FIRST: Final = SOURCES_FIRST + SOURCE_COUNT
BATCH_NS: Final = BATCH_TIMES_FIRST + BATCH_BOUND_COUNT + 1
LONGEST_BATCH_NS: Final = BATCH_NS + 1
LONGEST_ADOPTION_NS: Final = BATCH_NS + 2
# Behind the words of level_words.py. Signatures of what is steered: found in the table and sent, asked of the signer,
# and not had: those answers were SERVFAIL.
SIGNATURES_SENT: Final = BATCH_NS + 6
SIGNATURES_ASKED: Final = BATCH_NS + 7
SIGNATURES_FAILED: Final = BATCH_NS + 8
# Guards. Queries by how their cookie stands, but for those without one; replies by class that were truncated, or not
# sent, for the limit (rate_words.py).
COOKIE_NONE: Final = 0
COOKIE_NEW: Final = 1  # the client's part alone
COOKIE_VALID: Final = 2
COOKIE_BAD: Final = 3  # the server's part is not ours, or too old
COOKIE_STANDINGS: Final = ("none", "new", "valid", "bad")
COOKIES_FIRST: Final = BATCH_NS + 9
TRUNCATED_FIRST: Final = COOKIES_FIRST + len(COOKIE_STANDINGS)
LIMITED_FIRST: Final = TRUNCATED_FIRST + rate_words.RATE_CLASSES
BARRED_COUNT: Final = LIMITED_FIRST + rate_words.RATE_CLASSES  # refused, as who asked may not ask the zone
PROXIED_COUNT: Final = BARRED_COUNT + 1  # asked by a proxy for somebody, or for itself
UNPROXIED_COUNT: Final = BARRED_COUNT + 2  # of a proxy, and its header is missing or broken: not answered
# Behind it the words of xdp_words.py, of unread_words.py and of stream_words.py.
SLOTS_MAX: Final = 1 << 20  # of each kind; what has a higher slot is not counted
LOAD_BALANCERS_FIRST: Final = 512
POOLS_FIRST: Final = LOAD_BALANCERS_FIRST + SLOTS_MAX
ENDPOINTS_FIRST: Final = POOLS_FIRST + SLOTS_MAX
RULES_FIRST: Final = ENDPOINTS_FIRST + SLOTS_MAX
WORD_COUNT: Final = RULES_FIRST + SLOTS_MAX
