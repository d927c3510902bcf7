"""Which row decides, over columns made by hand: rules, pool sets, fixed responses; in both forms of `decide`.

The load balancers of one scene stand in as each other's variants, so that what a variant decides is what `decide` says
of it when it is asked itself.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.mapped.columns import COLUMNS
from lbdns.model.balancer import LoadBalancer
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.tries import tree_of_networks, widen
from lbdns.steering.kernel import numbers as layout
from lbdns.steering.kernel.numbers import (
    LB_FIXED,
    LB_VARIES,
    NO_POOL,
    NO_RULES,
    NO_TRIE,
    NO_VERDICT,
    OUTCOME_ANSWER,
    OUTCOME_FIXED,
    OWN_ROW,
    RULE_KINDS,
    RULES_SCOPE_ADDRESS,
    RULES_SCOPE_NONE,
    RULES_SCOPE_PREFIX,
    SELECT_SET,
    SUBJECT_END,
    SUBJECT_NAME,
    TEST_ASKED,
    TEST_STARTS,
    TRIE_WIDTH,
)
from tests.steering.naive_world import Asked, World
from tests.steering.scenes import IN_CALIFORNIA, IN_DE, IN_NEW_YORK, IN_NL, NOBODY_KNOWS, asking, pool, scene
from tests.steering.served import Lane, Served

NETWORKS = ("20.128.0.0/9", "30.1.2.0/24", "10.0.0.0/8", "2a00::/17")
FIELDS = ("outcome", "pool", "mode", "scope", "ttl", "location_source", "place_class", "pool_list", "lb", "base")
ALL_FIELDS = (*FIELDS, "verdict", "set_verdict", "rule_scope", "pick_count", "address_count", "is_fallback", "is_alias")


BY_CLIENT = {"location_strategy": {"mode": "resolver_ip", "prefer_ecs": "always"}}


def balancer(name: str, *pools: str, **fields: Any) -> LoadBalancer:
    return LoadBalancer(
        **{
            "name": f"{name}.example.com",
            "default_pools": pools,
            "fallback_pool": pools[-1],
            "ttl": 60,
            **BY_CLIENT,
            **fields,
        }
    )


BALANCERS = {
    "base": balancer("base", "one"),
    "two": balancer("two", "two", ttl=30),
    "hashed": balancer("hashed", "hashed"),
    "geo": balancer(
        "geo", "three", steering_policy="geo", country_pools={"US": ("one",), "NL": ("two",), "DE": ("one",)}
    ),
    "fixed": balancer("fixed", "three", ttl=45),
    "set": balancer("set", "three", steering_policy="geo", country_pools={"US": ("one",), "NL": ("two",)}),
}
ROWS = {name: row for row, name in enumerate(BALANCERS)}


class Hand:
    """A compiled scene whose first load balancer gets rules, written column by column."""

    def __init__(self, lane: Lane, served: Served) -> None:
        self.lane = lane
        self.columns: dict[str, Any] = {
            name: array(COLUMNS[name], data) for name, data in served.snapshot.columns.items()
        }
        self.health = served.table.columns
        self.decision = lane.nouns.Decision()
        self._set(ROWS["fixed"], LB_FIXED)

    def _set(self, row: int, flag: int) -> None:
        self.columns["lb_flags"][row] |= flag

    def verdict(self, row: str | None, *hits: int) -> int:
        """Return the number of a new verdict; None: the load balancer's own row."""
        columns = self.columns
        columns["verdict_lb"].append(OWN_ROW if row is None else ROWS[row])
        columns["verdict_hit_start"].append(len(columns["verdict_hit"]))
        columns["verdict_hit_count"].append(len(hits))
        columns["verdict_hit"].extend(hits)
        return len(columns["verdict_lb"]) - 1

    def trie(self, *networks: str) -> int:
        """Return the number of a new trie that has these networks (class 1) and all else (class 0)."""
        tree = tree_of_networks(map(ip_network, networks), 1)
        wide = widen(tree, len(self.columns["trie_nodes"]) // TRIE_WIDTH, 2)
        self.columns["trie_root"].extend(wide.roots.tolist())
        self.columns["trie_nodes"].extend(wide.nodes.tolist())
        return len(self.columns["trie_root"]) // 2 - 1

    def cells(self, *verdicts: int) -> int:
        start = len(self.columns["rules_cell"])
        self.columns["rules_cell"].extend(verdicts)
        return start

    def rules(
        self,
        resolver: tuple[int, int],
        ecs: tuple[int, int],
        scope: int = RULES_SCOPE_NONE,
        tests: tuple[tuple[int, int, bytes], ...] = (),
        row: str = "base",
    ) -> None:
        """Give a load balancer a decision table: (trie, cells) without ECS and with it; tests of (subject, op,
        operand)."""
        columns = self.columns
        columns["lb_rules"][ROWS[row]] = len(columns["rules_scope"])
        self._set(ROWS[row], LB_VARIES)
        for name, value in (
            ("rules_resolver_trie", resolver[0]),
            ("rules_resolver_cells", resolver[1]),
            ("rules_ecs_trie", ecs[0]),
            ("rules_ecs_cells", ecs[1]),
            ("rules_width", RULE_KINDS << len(tests)),
            ("rules_scope", scope),
            ("rules_test_start", len(columns["test_op"])),
            ("rules_test_count", len(tests)),
            ("rules_reads_name", any(subject == SUBJECT_NAME for subject, _, _ in tests)),
            ("rules_asks_python", any(op == TEST_ASKED for _, op, _ in tests)),
        ):
            columns[name].append(value)
        for subject, op, operand in tests:
            columns["test_subject"].append(subject)
            columns["test_op"].append(op)
            columns["test_flags"].append(0)
            columns["test_from"].append(0)
            columns["test_to"].append(SUBJECT_END)
            columns["test_operand"].append(len(columns["blob"]))
            columns["test_operand_length"].append(len(operand))
            columns["test_number"].append(0)
            columns["blob"].frombytes(operand)

    def make_set(self, row: str, verdict_of_list: Callable[[int], int]) -> None:
        """Make a row one of pool sets: its classes lead to verdicts instead of lists."""
        columns = self.columns
        columns["lb_select"][ROWS[row]] = SELECT_SET
        self._set(ROWS[row], LB_VARIES)
        starts = {columns["lb_lists"][ROWS[row]], columns["lb_ecs_lists"][ROWS[row]]}
        [start] = starts
        others = [one for one in columns["lb_lists"] if one > start]
        listed = columns["class_list"][start : min(others, default=len(columns["class_list"]))]
        columns["lb_lists"][ROWS[row]] = columns["lb_ecs_lists"][ROWS[row]] = len(columns["class_list"])
        columns["class_list"].extend([verdict_of_list(one) for one in listed])

    def ask(
        self, asked: Asked, row: str = "base", name: bytes = b"\0", bits: int = 0, decision: Any = None
    ) -> dict[str, Any]:
        """Return what is decided, by the names of the fields; `decision`: one that is used again."""
        view = self.lane.nouns.View({key: memoryview(data) for key, data in self.columns.items()}, self.health, -1)
        query = self.lane.nouns.Query()
        query.lb = ROWS[row]
        query.family = {"A": 0, "AAAA": 1, "named": 2}[asked.family]
        query.wants_cname = asked.wants_cname
        query.name = bytearray(name)
        query.asked_bits = bits
        query.resolver_version, query.resolver_high, query.resolver_low = halves(str(asked.resolver))
        if asked.ecs is not None:
            query.ecs_version, query.ecs_high, query.ecs_low = halves(str(asked.ecs[0]))
            query.ecs_bits = asked.ecs[1]
        query.draw_fixed = True
        decision = decision or self.decision
        outcome = self.lane.decide(view, query, decision)
        found = {field: getattr(decision, field) for field in ALL_FIELDS}
        assert outcome == found["outcome"]
        found["picks"] = decision.picked()
        found["addresses"] = decision.packed() if decision.pick_count else b""
        return found


def halves(text: str) -> tuple[int, int, int]:
    address = ip_address(text)
    whole = address.packed.ljust(16, b"\0")
    return address.version, int.from_bytes(whole[:8], "big"), int.from_bytes(whole[8:], "big")


def world() -> World:
    made = scene(
        pool("one", "192.0.2.1", "2001:db8::1"),
        pool("two", "192.0.2.2"),
        pool("three", "192.0.2.3"),
        pool("hashed", "192.0.2.4", "192.0.2.5", origin_steering={"policy": "hash"}),
    )
    made.configuration = replace(made.configuration, load_balancers=tuple(BALANCERS.values()))
    return made


@pytest.fixture
def hand(lane: Lane, scene_geodata: Geodata, tmp_path: Path) -> Iterator[Hand]:
    served = Served(world(), scene_geodata, tmp_path)
    yield Hand(lane, served)
    served.close()


def alike(found: dict[str, Any], other: dict[str, Any], *but: str) -> bool:
    """Return whether two decisions give the same answer."""
    told = {"base", "verdict", "set_verdict", "rule_scope", *but}
    return {key: one for key, one in found.items() if key not in told} == {
        key: one for key, one in other.items() if key not in told
    }


def test_without_rules_the_row_is_its_own(hand: Hand) -> None:
    found = hand.ask(asking())
    assert (found["lb"], found["base"], found["verdict"], found["set_verdict"]) == (0, 0, NO_VERDICT, NO_VERDICT)
    assert all(rules == NO_RULES for rules in hand.columns["lb_rules"])
    assert found["outcome"] == OUTCOME_ANSWER


def test_the_resolvers_class_and_the_kind_of_query_lead_to_a_row(hand: Hand) -> None:
    own, two, geo = hand.verdict(None), hand.verdict("two", 0), hand.verdict("geo", 0, 1)
    here = hand.cells(*[own] * RULE_KINDS, two, geo, own)
    hand.rules((hand.trie(*NETWORKS), here), (NO_TRIE, hand.cells(*[own] * RULE_KINDS)))
    for address, rows in ((NOBODY_KNOWS, "base base base"), ("30.1.2.9", "two geo base"), ("2a00::5", "two geo base")):
        wanted = rows.split()
        asked = [asking("A", address), asking("AAAA", address), asking("A", address, wants_cname=True)]
        for each, row in zip(asked, wanted, strict=True):
            found = hand.ask(each)
            assert found["lb"] == ROWS[row] and found["base"] == 0
            assert alike(found, hand.ask(each, row)), row
    assert hand.ask(asking("A", "30.1.2.9"))["verdict"] == two


def test_with_ecs_ip_src_is_the_client_a_private_one_too(hand: Hand) -> None:
    own, two = hand.verdict(None), hand.verdict("two", 0)
    trie = hand.trie(*NETWORKS)
    cells = hand.cells(*[own] * RULE_KINDS, *[two] * RULE_KINDS)
    hand.rules((trie, cells), (trie, cells), RULES_SCOPE_PREFIX)
    for ecs, row, scope in (
        ("30.1.2.0/24", "two", 24),
        ("30.1.3.0/24", "base", 24),
        ("30.1.2.0/16", "two", 24),
        ("10.1.0.0/16", "two", 8),
        ("11.0.0.0/8", "base", 8),
        ("128.0.0.0/1", "base", 1),
        ("2a00::/32", "two", 17),
        ("2a00:8000::/32", "base", 17),
    ):
        # The resolver's own network says the contrary.
        found = hand.ask(asking(resolver=NOBODY_KNOWS if row == "two" else "30.1.2.9", ecs=ecs))
        assert (found["lb"], found["scope"], found["rule_scope"]) == (ROWS[row], scope, scope), ecs


def test_the_presence_of_ecs_has_a_scope_of_one_bit(hand: Hand) -> None:
    own, two = hand.verdict(None), hand.verdict("two", 0)
    hand.rules(
        (NO_TRIE, hand.cells(*[own] * RULE_KINDS)), (NO_TRIE, hand.cells(*[two] * RULE_KINDS)), RULES_SCOPE_PREFIX
    )
    assert (hand.ask(asking())["lb"], hand.ask(asking())["scope"]) == (0, 0)
    found = hand.ask(asking(ecs="192.0.2.0/24"))
    assert (found["lb"], found["scope"]) == (ROWS["two"], 1)


def test_a_text_of_the_address_has_the_scope_of_all_of_it(hand: Hand) -> None:
    own = hand.verdict(None)
    cells = hand.cells(*[own] * RULE_KINDS)
    hand.rules((NO_TRIE, cells), (NO_TRIE, cells), RULES_SCOPE_ADDRESS)
    assert hand.ask(asking(ecs="192.0.2.0/24"))["scope"] == 32
    assert hand.ask(asking(ecs="2001:db8::/56"))["scope"] == 128
    assert hand.ask(asking())["scope"] == 0


def test_scopes_of_rules_places_and_hashes_are_the_longest_of_them(hand: Hand) -> None:
    geo, hashed = hand.verdict("geo", 0), hand.verdict("hashed", 1)
    trie = hand.trie("30.1.2.0/26", "20.0.0.0/7")
    cells = hand.cells(*[geo] * RULE_KINDS, *[hashed] * RULE_KINDS)
    hand.rules((trie, cells), (trie, cells), RULES_SCOPE_PREFIX)
    for ecs, rule_scope, scope in (
        ("30.1.2.0/32", 26, 26),  # hashed would be 24
        ("20.1.0.0/16", 7, 24),  # hashed
        ("30.200.1.0/24", 9, 9),  # geo: 30.0.0.0/8
        ("31.1.1.0/24", 8, 8),
    ):
        found = hand.ask(asking(ecs=ecs))
        assert (found["rule_scope"], found["scope"]) == (rule_scope, scope), ecs
        assert found["scope"] == max(
            rule_scope, hand.ask(asking(ecs=ecs), "geo" if scope != 24 and scope != 26 else "hashed")["scope"]
        )


def test_tests_of_the_name_and_pythons_choose_among_cells(hand: Hand) -> None:
    own, two, geo, fixed = hand.verdict(None), hand.verdict("two", 0), hand.verdict("geo", 1), hand.verdict("fixed", 2)
    cells = hand.cells(*[verdict for verdict in (own, two, geo, fixed) for _ in range(RULE_KINDS)])
    tests = ((SUBJECT_NAME, TEST_STARTS, b"api."), (SUBJECT_NAME, TEST_ASKED, b"..."))
    hand.rules((NO_TRIE, cells), (NO_TRIE, cells), tests=tests)
    api, www = b"\3api\7example\3com\0", b"\3www\7example\3com\0"
    rows = [hand.ask(asking(), name=name, bits=bits)["lb"] for bits in (0, 2) for name in (www, api)]
    assert rows == [0, ROWS["two"], ROWS["geo"], ROWS["fixed"]]
    assert hand.ask(asking(ecs="192.0.2.0/24"), name=api)["scope"] == 0


def test_a_fixed_response_is_no_records_with_ttl_and_scope(hand: Hand) -> None:
    own, fixed = hand.verdict(None), hand.verdict("fixed", 3)
    trie = hand.trie(*NETWORKS)
    cells = hand.cells(*[own] * RULE_KINDS, *[fixed] * RULE_KINDS)
    hand.rules((trie, cells), (trie, cells), RULES_SCOPE_PREFIX)
    used = hand.lane.nouns.Decision()
    answered = hand.ask(asking(ecs="31.0.0.0/24"), decision=used)
    assert answered["outcome"] == OUTCOME_ANSWER and answered["pick_count"]
    for decision in (used, hand.lane.nouns.Decision()):  # nothing of the one before is left
        found = hand.ask(asking(ecs="20.200.1.0/24"), decision=decision)
        assert (found["outcome"], found["pool"], found["picks"], found["ttl"]) == (OUTCOME_FIXED, NO_POOL, [], 45)
        assert (found["scope"], found["verdict"], found["lb"]) == (9, fixed, ROWS["fixed"])
        assert not found["is_alias"] and not found["is_fallback"] and not found["address_count"]
        assert found["location_source"] == layout.LOCATED_BY_NOTHING and decision.passed_count == 0


def lists_of(hand: Hand) -> dict[int, str]:
    """Return the lists of the row "set" by their first pool."""
    columns, names = hand.columns, ("one", "two", "three", "hashed")
    return {row: names[columns["member_pool"][columns["list_start"][row]]] for row in range(len(columns["list_start"]))}


def test_a_place_leads_to_a_pool_set_and_that_to_a_row(hand: Hand) -> None:
    pools = lists_of(hand)
    verdicts = {"one": hand.verdict("two", 0), "two": hand.verdict("hashed", 1), "three": hand.verdict("base")}
    hand.make_set("set", lambda row: verdicts[pools[row]])
    for address, row in ((IN_NEW_YORK, "two"), (IN_NL, "hashed"), (IN_DE, "base"), (NOBODY_KNOWS, "hashed")):
        asked = asking(resolver=address)
        found = hand.ask(asked, "set")  # the PoP is in NL, which counts where nobody knows
        assert (found["lb"], found["verdict"]) == (ROWS[row], NO_VERDICT), address
        assert verdicts[{"two": "one", "hashed": "two", "base": "three"}[row]] == found["set_verdict"]
        assert alike(found, hand.ask(asked, row))
    for ecs, row, scope in (
        ("20.200.1.0/24", "two", 8),
        ("30.1.1.0/24", "hashed", 24),
        ("31.1.1.0/24", "base", 8),
        ("10.0.0.0/24", "hashed", 8),  # nobody hashes a private address
    ):
        found = hand.ask(asking(ecs=ecs), "set")
        alone = hand.ask(asking(ecs=ecs), row)
        assert (found["lb"], found["scope"]) == (ROWS[row], scope), ecs
        assert found["scope"] == max(found["rule_scope"], alone["scope"])
        assert alike(found, alone, "scope")


def test_pool_sets_come_after_what_rules_made(hand: Hand) -> None:
    pools = lists_of(hand)
    sets = {"one": hand.verdict("fixed", 1), "two": hand.verdict("geo", 2), "three": hand.verdict("base")}
    hand.make_set("set", lambda row: sets[pools[row]])
    own, made = hand.verdict(None), hand.verdict("set", 0)
    trie = hand.trie("0.0.0.0/1", "::/1")
    cells = hand.cells(*[own] * RULE_KINDS, *[made] * RULE_KINDS)
    hand.rules((trie, cells), (trie, cells), RULES_SCOPE_PREFIX)
    found = hand.ask(asking(ecs="20.1.1.0/24"))
    assert (found["verdict"], found["set_verdict"], found["outcome"]) == (made, sets["one"], OUTCOME_FIXED)
    assert (found["scope"], found["ttl"], found["location_source"]) == (8, 45, layout.LOCATED_BY_ECS)
    found = hand.ask(asking(ecs="30.1.1.0/24"))
    assert (found["verdict"], found["set_verdict"], found["lb"]) == (made, sets["two"], ROWS["geo"])
    assert alike(found, hand.ask(asking(ecs="30.1.1.0/24"), "geo"))
    found = hand.ask(asking(ecs="200.1.1.0/24"))
    assert (found["verdict"], found["set_verdict"], found["lb"], found["scope"]) == (own, NO_VERDICT, 0, 1)


@pytest.mark.parametrize("seed", range(4))
def test_the_ecs_invariant_holds(hand: Hand, seed: int) -> None:
    """Who shares as many bits with a client as its answer's scope has gets that answer, with that scope."""
    chance = Random(f"variants/{seed}")
    pools = lists_of(hand)
    sets = {"one": hand.verdict("two", 2), "two": hand.verdict("hashed", 3), "three": hand.verdict("geo")}
    hand.make_set("set", lambda row: sets[pools[row]])
    verdicts = [hand.verdict(row) for row in (None, "two", "hashed", "geo", "set", "fixed")]
    prefixes = {
        ip_network(
            f"{chance.choice([10, 20, 30, 40, 192])}.{chance.getrandbits(8)}.0.0/{chance.randint(9, 16)}", strict=False
        )
        for _ in range(3)
    }
    apart = [one for one in prefixes if not any(one != other and one.overlaps(other) for other in prefixes)]
    trie = hand.trie(*map(str, apart))
    cells = hand.cells(*[chance.choice(verdicts) for _ in range(2 * RULE_KINDS)])
    hand.rules((trie, cells), (trie, cells), RULES_SCOPE_PREFIX)
    answers = {}
    for _ in range(300):
        address = chance.choice(
            [chance.getrandbits(32), chance.choice([10, 20, 30, 31, 192]) << 24 | chance.getrandbits(24)]
        )
        client = ip_network((address, 32))
        found = hand.ask(asking(ecs=str(client)))
        covered = client.supernet(new_prefix=found["scope"])
        for other in (covered[0], covered[-1], covered[chance.randrange(covered.num_addresses)]):
            assert hand.ask(asking(ecs=f"{other}/32")) == found
        answers[covered] = found
    scopes = list(answers)
    assert not any(one != other and one.overlaps(other) for one in scopes for other in scopes)


def test_a_country_is_not_told_apart_where_no_set_asks(hand: Hand) -> None:
    """A set's places alone make its scope: California and New York are one network of theirs."""
    pools = lists_of(hand)
    verdicts = {"one": hand.verdict("two", 0), "two": hand.verdict("base", 1), "three": hand.verdict("base")}
    hand.make_set("set", lambda row: verdicts[pools[row]])
    for address in (IN_NEW_YORK, IN_CALIFORNIA):
        assert hand.ask(asking(ecs=f"{address}/32"), "set")["scope"] == 8
