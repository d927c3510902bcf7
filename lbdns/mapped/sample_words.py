"""Where in a file of samples (sample_ring.py) and in each of its records stands what.

Of a field's number the unit follows from its group: words have 64 bits, halves 32, octets 8; all count from where the
record begins. What a record lacks is 0.
"""

from __future__ import annotations

from typing import Final

SAMPLE_MAGIC: Final = 0x6C62646E73733101  # of this layout
SAMPLE_BYTES: Final = 512  # of a record, and of the head of the file
SAMPLE_WORDS: Final = SAMPLE_BYTES // 8
SAMPLE_HALVES: Final = SAMPLE_BYTES // 4

# The head, in words.
HEAD_MAGIC: Final = 0
HEAD_CAPACITY: Final = 1  # records that there is room for
HEAD_WRITTEN: Final = 2  # the number of the last record; the first has 1
HEAD_SEEN: Final = 3  # replies that this writer has seen, sampled or not
HEAD_MISSED: Final = 4  # of them, those that samples would have stood for that were not written
HEAD_INTERVAL: Final = 5  # one in how many is sampled just now; 0 = none is
HEAD_OWNER: Final = 6  # process id of the writer

# A record's words.
SAMPLE_NUMBER: Final = 0  # NEVER while it is written; 0 = nothing has been
SAMPLE_UNIX_NS: Final = 1
SAMPLE_DRAW: Final = 2  # the query's random bits
SAMPLE_RESOLVER: Final = 3  # the first 64 bits of its network, IPv4 in the top 32, cut
SAMPLE_ECS: Final = 4  # the same of the client's network that it told
WORDS_CLEARED: Final = 32  # all before the name

# Its halves.
SAMPLE_INTERVAL: Final = 10  # how many replies it stands for
SAMPLE_GENERATION: Final = 11  # whose slots it names
SAMPLE_LOAD_BALANCER: Final = 12
SAMPLE_POOL: Final = 13
SAMPLE_PLACE: Final = 14  # the place class
SAMPLE_TTL: Final = 15
SAMPLE_RTT: Final = 16  # a float: the pool's round-trip time from the PoP's region, ms; 0 = no figure
SAMPLE_ENDPOINTS: Final = 17
SAMPLED_ENDPOINTS: Final = 8
SAMPLE_RULES: Final = SAMPLE_ENDPOINTS + SAMPLED_ENDPOINTS
SAMPLED_RULES: Final = 8
SAMPLE_PASSED: Final = SAMPLE_RULES + SAMPLED_RULES  # pools passed over
SAMPLED_PASSED: Final = 4
HALVES_END: Final = SAMPLE_PASSED + SAMPLED_PASSED

# Its octets.
SAMPLE_FLAGS: Final = HALVES_END * 4
SAMPLE_TRANSPORT: Final = SAMPLE_FLAGS + 1
SAMPLE_RCODE: Final = SAMPLE_FLAGS + 2
SAMPLE_KIND: Final = SAMPLE_FLAGS + 3  # of the first look-up, and 1 more; 0 = no zone was asked
SAMPLE_QTYPE: Final = SAMPLE_FLAGS + 4  # two, the high one first
SAMPLE_VIEW: Final = SAMPLE_FLAGS + 6  # the number of the view that answered
SAMPLE_KNOWN_VIEW: Final = SAMPLE_FLAGS + 7  # of the one that key or listener said, 0 for none
SAMPLE_FAMILY: Final = SAMPLE_FLAGS + 8
SAMPLE_OUTCOME: Final = SAMPLE_FLAGS + 9
SAMPLE_SOURCE: Final = SAMPLE_FLAGS + 10  # of the location
SAMPLE_MODE: Final = SAMPLE_FLAGS + 11
SAMPLE_SCOPE: Final = SAMPLE_FLAGS + 12
SAMPLE_RESOLVER_VERSION: Final = SAMPLE_FLAGS + 13  # 4, 6; 0 = left out
SAMPLE_ECS_VERSION: Final = SAMPLE_FLAGS + 14  # 4, 6; 0 = none, or left out
SAMPLE_ECS_BITS: Final = SAMPLE_FLAGS + 15  # SOURCE PREFIX-LENGTH as it was told
SAMPLE_POSITION: Final = SAMPLE_FLAGS + 16  # of the pool among the candidates, from 1; 0 = not among them
SAMPLE_POOL_STATE: Final = SAMPLE_FLAGS + 17
SAMPLE_ENDPOINT_COUNT: Final = SAMPLE_FLAGS + 18
SAMPLE_RULE_COUNT: Final = SAMPLE_FLAGS + 19
SAMPLE_PASSED_COUNT: Final = SAMPLE_FLAGS + 20
SAMPLE_REASONS: Final = SAMPLE_FLAGS + 21  # why the pools were passed over
SAMPLE_POLICY: Final = SAMPLE_REASONS + SAMPLED_PASSED
SAMPLE_ENDPOINT_POSITION: Final = SAMPLE_POLICY + 1  # of the first endpoint in its pool, from 0
SAMPLE_NAME_BYTES: Final = SAMPLE_POLICY + 2  # 0 = the reply has no question
SAMPLE_NAME: Final = WORDS_CLEARED * 8  # lower-case wire form

SAMPLE_FLAG_STEERED: Final = 1  # a load balancer decided
SAMPLE_FLAG_FALLBACK: Final = 2  # the fallback pool serves as such
SAMPLE_FLAG_STICKY: Final = 4  # session affinity by address
SAMPLE_FLAG_ECS_USED: Final = 8
SAMPLE_FLAG_ALIAS: Final = 16  # answered by an endpoint's CNAME
SAMPLE_FLAG_POOL: Final = 32  # a pool was decided for

TRANSPORT_UDP: Final = 0
TRANSPORT_TCP: Final = 1

# How a writer samples.
NEVER: Final = 1 << 62  # more than there are of replies and records
INTERVAL_MAX: Final = 1 << 30
PERIOD_NS: Final = 1_000_000_000
AIM: Final = 0.75  # of the quota
GUARD: Final = 0.875
STEPS: Final = 128
OCTET_MAX: Final = 255
