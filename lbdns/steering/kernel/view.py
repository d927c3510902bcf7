"""What a decision works on: the view it reads, the query it is for, the decision it fills. No logic.

Typed in the `.pxd` beside this file; compiled code reads the fields without the interpreter.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Final

from lbdns.mapped.columns import *
from lbdns.mapped.typed_columns import TypedColumns
from lbdns.steering.kernel.numbers import *

NO_NAME: Final = bytearray(1)
"""The root, where no rule asks for a name."""


class View(TypedColumns):
    """A snapshot's columns and a health table's, paired, for one PoP: what decisions and look-ups read, nothing else;
    with them the table of signatures for what is decided.

    `columns`, `health` and `signatures` map names to flat memoryviews (mapped/columns.py lists them with their types);
    `pop_region` is the index of the PoP's region, -1 where unknown.
    """

    def __init__(
        self,
        columns: Mapping[str, memoryview],
        health: Mapping[str, memoryview],
        pop_region: int,
        signatures: Mapping[str, memoryview] = NO_SIGNATURES,
    ) -> None:
        super().__init__(columns, health, signatures)
        self.pop_region = pop_region


class Query:
    """What a decision depends on beside the view. Addresses are 128 bits, an IPv4 one in the top 32 of `*_high`.

    `lb`: index of the load balancer; `family`: FAMILY_A, FAMILY_AAAA or FAMILY_NAMED; `wants_cname`: decided as for
    `family`, and answered where that comes to an endpoint's CNAME alone; `*_version`: 4, 6, or 0 for none; `ecs_bits`:
    SOURCE PREFIX-LENGTH, 0 for no ECS; `now_s`: CLOCK_MONOTONIC; `draw_base`: 64 random bits, from which all draws
    follow, or with `draw_fixed` the one value that all draws take. For rules that ask: `name`, the name that the load
    balancer is asked by (lower-case wire form), and `asked_bits`, bit i for test i where Python makes it.
    """

    def __init__(self) -> None:
        self.lb = 0
        self.family = 0
        self.wants_cname = False
        self.resolver_high = 0
        self.resolver_low = 0
        self.resolver_version = 0
        self.ecs_high = 0
        self.ecs_low = 0
        self.ecs_version = 0
        self.ecs_bits = 0
        self.now_s = 0
        self.draw_base = 0
        self.draw_fixed = False
        self.name: bytearray | memoryview = NO_NAME
        self.asked_bits = 0


class Decision:
    """What was decided and every input that mattered; reused from query to query: its room takes longer to make than a
    decision.

    `base`: the load balancer asked, `lb`: the row that decides, by the rules' `verdict` and the pool sets'
    `set_verdict` (NO_VERDICT: there are none), whose own scope is `rule_scope`. `outcome`: OUTCOME_*;
    `picks[:pick_count]`: endpoint indices in the order of the answer; `mode`: MODE_*; `pool`: index or NO_POOL;
    `scope`: SCOPE PREFIX-LENGTH (RFC 7871); `ttl`: seconds, and `signed_ttl` before what a resolution has left
    shortened it: the original TTL of a signature (RFC 4034 section 3.1.4); `location_source`: LOCATED_BY_*;
    `place_class`, `pool_list`: which list applied; `address_draw`: 32 bits that choose among the addresses of one
    endpoint; `passed_*[:passed_count]`: pools passed over and why (PASSED_*); `addresses`: what is answered of FAMILY_A
    or FAMILY_AAAA, `address_count` of them, ADDRESS_BYTES apart, in `buffer`; `is_alias`: the one pick is answered by
    its CNAME; `owners`, `scores`: room for `list_answers`; `subject`: for a test's text.
    """

    def __init__(self) -> None:
        self.base = 0
        self.lb = 0
        self.verdict = NO_VERDICT
        self.set_verdict = NO_VERDICT
        self.rule_scope = 0
        self.outcome = OUTCOME_NO_POOL
        self.pool = NO_POOL
        self.is_fallback = False
        self.mode = MODE_ALL
        self.ttl = 0
        self.signed_ttl = 0
        self.scope = 0
        self.location_source = LOCATED_BY_NOTHING
        self.place_class = 0
        self.pool_list = 0
        self.picks = array("i", bytes(4 * PICK_CAPACITY))
        self.pick_count = 0
        self.passed_pool = array("i", bytes(4 * PASSED_CAPACITY))
        self.passed_reason = array("i", bytes(4 * PASSED_CAPACITY))
        self.passed_count = 0
        self.ecs_used = False
        self.hash_key = 0
        self.address_draw = 0
        self.is_alias = False
        self.address_count = 0
        # What the last endpoint has more than an answer takes is read before it is left out.
        self.buffer = bytearray((ADDRESSES_MAX + RESOLVED_MAX) * ADDRESS_BYTES)
        self.addresses = self.buffer
        self.owners = array("i", bytes(4 * ADDRESSES_MAX))
        self.scores = array("Q", bytes(8 * ADDRESSES_MAX))
        self.subject = bytearray(SUBJECT_BYTES)

    def picked(self) -> list[int]:
        """Return the endpoint indices in the order of the answer."""
        return [self.picks[index] for index in range(self.pick_count)]

    def packed(self) -> bytes:
        """Return the addresses that are answered, ADDRESS_BYTES apart."""
        return bytes(self.buffer[: self.address_count * ADDRESS_BYTES])
