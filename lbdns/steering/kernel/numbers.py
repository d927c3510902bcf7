"""The numbers that compiled columns and decisions are written in: flags, codes, sentinels. One place, no logic.

Compiled modules have them as constants of C (setup.py says how).
"""

from __future__ import annotations

from typing import Final

# Address families of a query: A and AAAA look at addresses, NAMED (MX, SRV) at host names.
FAMILY_A: Final = 0
FAMILY_AAAA: Final = 1
FAMILY_NAMED: Final = 2
ADDRESS_FAMILIES: Final = 2
FAMILY_COUNT: Final = 3

# How a load balancer picks from its list of candidate pools.
SELECT_FIRST: Final = 0
SELECT_WEIGHTED: Final = 1
SELECT_FASTEST: Final = 2
SELECT_NEAREST: Final = 3  # the place class is a unit of coordinates
SELECT_SET: Final = 4  # from pool sets: the place class leads to a verdict

LB_ECS_PREFERRED: Final = 1
LB_RESOLVER_LOCATES: Final = 2
LB_STICKY: Final = 4
LB_APEX: Final = 8
LB_GIVES_CNAME: Final = 16  # an endpoint of one of its pools, in any variant, is answered as a CNAME
LB_FIXED: Final = 32  # answers without records (fixed_response)
LB_VARIES: Final = 64  # has rules, or is SELECT_SET: another row may decide

# Rules. A kind of query is its family, or RULE_KIND_CNAME, which no load balancer of FAMILY_NAMED is asked for.
NO_RULES: Final = 0xFFFFFFFF
OWN_ROW: Final = 0xFFFFFFFF
NO_VERDICT: Final = 0xFFFFFFFF
RULE_KIND_CNAME: Final = 2
RULE_KINDS: Final = 3
# What ECS means to a decision table: nothing, a prefix (of 1 bit at least), the whole address.
RULES_SCOPE_NONE: Final = 0
RULES_SCOPE_PREFIX: Final = 1
RULES_SCOPE_ADDRESS: Final = 2

# Tests of a message's texts. A subject that the message lacks fails each of them.
SUBJECT_NAME: Final = 0  # dns.qry.name
SUBJECT_ECS_TEXT: Final = 1  # dns.rr.opt.client.addr
SUBJECT_BYTES: Final = 256  # room for either
NO_SUBJECT: Final = -1
SUBJECT_END: Final = 0x7FFFFFFF  # as test_to: as far as it goes
TEST_UPPER: Final = 1  # of upper-case letters, as `upper` makes it
TEST_ANY_CASE: Final = 2  # of a wildcard
TEST_EQUALS: Final = 0
TEST_LESS: Final = 1
TEST_LESS_EQUAL: Final = 2
TEST_GREATER: Final = 3
TEST_GREATER_EQUAL: Final = 4
TEST_CONTAINS: Final = 5
TEST_STARTS: Final = 6
TEST_ENDS: Final = 7
TEST_ONE_OF: Final = 8  # operand: texts, each after its length in 2 bytes, low one first
TEST_WILDCARD: Final = 9  # operand: the whole text, `*` for any bytes, after a backslash itself
TEST_LENGTH_EQUALS: Final = 10
TEST_LENGTH_LESS: Final = 11
TEST_LENGTH_LESS_EQUAL: Final = 12
TEST_LENGTH_GREATER: Final = 13
TEST_LENGTH_GREATER_EQUAL: Final = 14
TEST_LENGTH_BITS: Final = 15  # any of the number's bits is set in it
TEST_LENGTH_ONE_OF: Final = 16  # operand: ranges, first and last, 8 bytes each, low one first
NUMBER_BYTES: Final = 8  # of a bound of such a range
TEST_ASKED: Final = 17  # of Python, which evaluates the expression that the operand is

# A list whose pools may hash the source address: LIST_HASHED << family.
LIST_HASHED: Final = 1

POOL_ENABLED: Final = 1
POOL_MONITORED: Final = 2
POOL_HAS_ENDPOINT: Final = 4
POOL_HASH: Final = 8
POOL_LOCATED: Final = 16  # has coordinates
POOL_HAS_HOSTNAME: Final = 32  # an enabled endpoint is one

# The shape of a pool's answers in one family: exactly one endpoint (weights differ); all weights are 0.
SHAPE_ONE: Final = 1
SHAPE_ZERO: Final = 2

SHED_BY_DRAW: Final = 0
SHED_BY_HASH: Final = 1

ENDPOINT_HOSTNAME: Final = 1
ENDPOINT_FLATTEN: Final = 2
ENDPOINT_REPEATED: Final = 4  # its address is another one's of the pool as well, in another virtual network

# Trie nodes have 16 records, one for each value of the next 4 bits: a node, or TRIE_LEAF | unused << UNUSED_SHIFT |
# class, where `unused` of the 4 bits do not matter. One cache line a node.
TRIE_STRIDE: Final = 4
TRIE_WIDTH: Final = 16
TRIE_LEAF: Final = 0x80000000
UNUSED_SHIFT: Final = 28
UNUSED_MASK: Final = 3
CLASS_MASK: Final = 0x0FFFFFFF
CLASS_UNKNOWN: Final = 0
CLASS_PRIVATE: Final = 1
NO_TRIE: Final = 0xFFFFFFFF
PRIVATE_TRIE: Final = 0

# Health bytes as the monitor worker writes them (mapped/health_table.py).
STATE_MASK: Final = 3
HEALTHY: Final = 1
TAKES_TRAFFIC: Final = 1
BYTE_COUNTS: Final = 8

LOCATED_BY_NOTHING: Final = 0
LOCATED_BY_ECS: Final = 1
LOCATED_BY_RESOLVER: Final = 2
LOCATED_BY_POP: Final = 3

# Bytes of texts, and what addresses are written in.
ASTERISK: Final = 0x2A
DOT: Final = 0x2E
DIGIT_0: Final = 0x30
COLON: Final = 0x3A
UPPER_A: Final = 0x41
UPPER_Z: Final = 0x5A
BACKSLASH: Final = 0x5C
LOWER_A: Final = 0x61
LOWER_Z: Final = 0x7A
CASE_STEP: Final = 0x20  # from a letter to the small one
ADDRESS_GROUPS: Final = 8  # of an IPv6 address

OUTCOME_ANSWER: Final = 0
OUTCOME_NO_POOL: Final = 1
OUTCOME_NO_ENDPOINT: Final = 2
OUTCOME_FIXED: Final = 3  # a rule's or pool set's fixed_response

MODE_ALL: Final = 0
MODE_WEIGHTED: Final = 1
MODE_HASHED: Final = 2

PASSED_DISABLED: Final = 1
PASSED_DOWN: Final = 2
PASSED_SHED: Final = 3
PASSED_WEIGHT_ZERO: Final = 4
PASSED_UNRESOLVED: Final = 5

# Why an endpoint of the decided pool does not answer; 0 is that it may.
SKIPPED_DISABLED: Final = 1
SKIPPED_FAMILY: Final = 2
SKIPPED_WEIGHT_ZERO: Final = 3
SKIPPED_DOWN: Final = 4
SKIPPED_UNRESOLVED: Final = 5

NO_POOL: Final = -1

# The bits of an address that hashes and scopes look at.
HASH_BITS_4: Final = 24
HASH_BITS_6: Final = 56
HASH_MASK_4: Final = 0xFFFFFF0000000000
HASH_MASK_6: Final = 0xFFFFFFFFFFFFFF00

LAST_COSINE: Final = -2.0  # below that of any angle
NO_COSINE: Final = -3.0

# Hashing: splitmix64's numbers, and the step between two 53-bit fractions.
MASK_64: Final = 0xFFFFFFFFFFFFFFFF
LOW_32: Final = 0xFFFFFFFF
GOLDEN_64: Final = 0x9E3779B97F4A7C15
MIX_FIRST: Final = 0xBF58476D1CE4E5B9
MIX_SECOND: Final = 0x94D049BB133111EB
UNIT_53: Final = 1.0 / 9007199254740992.0

# Bounds: endpoints of a pool, pools of a list, addresses of an answer (no RRset is larger).
PICK_CAPACITY: Final = 100
PASSED_CAPACITY: Final = 256
ADDRESSES_MAX: Final = 100

# Salts of the draws of one query.
SALT_POOL: Final = 1
SALT_ENDPOINT: Final = 2
SALT_ROTATION: Final = 3
SALT_ADDRESS: Final = 4
SALT_SHED: Final = 16  # and the 32 bits of a pool's hash
SALT_ANSWER: Final = 0x200000000  # and an answer's place
