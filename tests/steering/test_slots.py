"""Slots and tenants from one configuration to the next: what is checked decides, not what it is called."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.probe_types import NOT_CHECKED
from lbdns.config.loading import parse
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.publish.slots_document import SlotsText, decode_slots, encode_slots
from lbdns.snapshot.checked import Checking
from lbdns.snapshot.slots import QUARANTINE, Slots, SlotsMemo, rule_keys
from tests.processes.load import ZONE

Fields = dict[str, Any]
MONITORS: Fields = {
    "web": {"type": "http", "path": "/a"},
    "same": {"type": "http", "path": "/a", "consecutive_down": 3, "description": "other words"},
    "else": {"type": "http", "path": "/b"},
    "fixed": {"type": "http", "path": "/a", "port": 8080},
}
GROUPS: Fields = {
    "alone": {"members": [{"monitor": "web"}]},
    "both": {"members": [{"monitor": "web"}, {"monitor": "else", "must_be_healthy": True}]},
    "turned": {"members": [{"monitor": "else", "must_be_healthy": True}, {"monitor": "same"}]},
    "watching": {"members": [{"monitor": "web"}, {"monitor": "else", "monitoring_only": True}]},
}


def pool(*endpoints: str, judge: str | None = "web", **fields: Any) -> Fields:
    """A pool; endpoints are `NAME ADDRESS [PORT]`."""
    origins = []
    for text in endpoints:
        name, address, *port = text.split()
        origins.append({"name": name, "address": address, **({"port": int(port[0])} if port else {})})
    kind = "monitor_group" if judge in GROUPS else "monitor"
    return {"origins": origins, **({kind: judge} if judge else {}), **fields}


def configured(**pools: Fields) -> Configuration:
    balancer = {"name": "www.example.com", "default_pools": list(pools), "fallback_pool": next(iter(pools))}
    tree = {"zones": {"example.com": ZONE}, "monitors": MONITORS, "monitor_groups": GROUPS, "pools": pools}
    return parse({**tree, "load_balancers": [balancer]}, Path()).configuration


def tenants(slots: Slots) -> dict[str, int]:
    """Return the tenants' numbers by POOL/ENDPOINT."""
    return {f"{pool}/{name}": number for (pool, name, _), number in slots.tenant.items()}


def checks(**pools: Fields) -> list[int]:
    configuration = configured(**pools)
    checking = Checking(configuration)
    return [number for one in configuration.pools.values() for number in checking.of(one).values()]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (pool("a 192.0.2.1"), pool("b 192.0.2.1"), True),
        (pool("a 192.0.2.1"), pool("a 192.0.2.1", judge="same"), True),
        (pool("a 192.0.2.1"), pool("a 192.0.2.1", judge="alone"), True),
        (pool("a 192.0.2.1", judge="both"), pool("a 192.0.2.1", judge="turned"), True),
        (pool("a 192.0.2.1 8080"), pool("a 192.0.2.1", judge="fixed"), True),
        (pool("a 192.0.2.1 80"), pool("a 192.0.2.1"), True),
        (pool("a 192.0.2.1"), pool("a 192.0.2.1", description="x"), True),
        (pool("a 192.0.2.1"), pool("a 192.0.2.2"), False),
        (pool("a 192.0.2.1 81"), pool("a 192.0.2.1 82"), False),
        (pool("a 192.0.2.1"), pool("a 192.0.2.1", judge="else"), False),
        (pool("a 192.0.2.1"), pool("a 192.0.2.1", judge="both"), False),
        (pool("a 192.0.2.1", judge="both"), pool("a 192.0.2.1", judge="watching"), False),
        (pool("a 192.0.2.1"), pool("a 192.0.2.1", check_regions=["WEU"]), False),
    ],
)
def test_a_check_is_the_same_whatever_it_is_called(one: Fields, other: Fields, same: bool) -> None:
    first, second = checks(one=one, other=other)
    assert (first == second) == same
    assert NOT_CHECKED not in (first, second)


def test_who_is_not_probed_has_no_check_but_for_the_addresses_of_its_name() -> None:
    off, unwatched, name, again = checks(
        off=pool("a 192.0.2.1", enabled=False),
        unwatched=pool("a 192.0.2.1", judge=None),
        name=pool("a www.example.net", judge=None),
        again=pool("b www.example.net", judge=None),
    )
    assert off == unwatched == NOT_CHECKED
    assert name == again != NOT_CHECKED


def test_a_tenant_goes_with_its_check_and_gets_a_slot_of_its_own() -> None:
    before = Slots().assign(configured(p=pool("a 192.0.2.1", "b 192.0.2.2"), q=pool("c 192.0.2.3")))
    swapped = before.assign(configured(p=pool("b 192.0.2.1", "a 192.0.2.2"), r=pool("d 192.0.2.3")))
    old, new = tenants(before), tenants(swapped)
    assert (new["p/b"], new["p/a"], new["r/d"]) == (old["p/a"], old["p/b"], old["q/c"])
    assert not set(swapped.endpoint.values()) & set(before.endpoint.values())
    assert swapped.endpoint_origin == {
        swapped.endpoint["p", "b", "192.0.2.1"]: before.endpoint["p", "a", "192.0.2.1"],
        swapped.endpoint["p", "a", "192.0.2.2"]: before.endpoint["p", "b", "192.0.2.2"],
        swapped.endpoint["r", "d", "192.0.2.3"]: before.endpoint["q", "c", "192.0.2.3"],
    }
    assert swapped.pool_origin == {swapped.pool["p"]: before.pool["p"], swapped.pool["r"]: before.pool["q"]}
    assert not set(swapped.pool.values()) & set(before.pool.values())


def test_a_second_one_with_the_same_check_begins_as_the_first_and_is_another_tenant() -> None:
    before = Slots().assign(configured(p=pool("a 192.0.2.1")))
    after = before.assign(configured(p=pool("a 192.0.2.1"), q=pool("a 192.0.2.1")))
    assert after.endpoint_origin == {after.endpoint["q", "a", "192.0.2.1"]: before.endpoint["p", "a", "192.0.2.1"]}
    assert len(set(after.tenant.values())) == 2
    assert after.endpoint["p", "a", "192.0.2.1"] == before.endpoint["p", "a", "192.0.2.1"]
    assert after.pool["p"] == before.pool["p"]


def test_a_new_monitor_changes_no_row_and_a_new_address_is_nobodys() -> None:
    before = Slots().assign(configured(p=pool("a 192.0.2.1")))
    other = before.assign(configured(p=pool("a 192.0.2.1", judge="else")))
    assert (other.endpoint, other.tenant, other.pool) == (before.endpoint, before.tenant, before.pool)
    moved = before.assign(configured(p=pool("a 192.0.2.9")))
    assert not moved.endpoint_origin
    assert not set(moved.tenant.values()) & set(before.tenant.values())


def test_slots_rest_before_they_are_used_again() -> None:
    first = Slots().assign(configured(p=pool("a 192.0.2.1")))
    slots, seen = first, {0}
    for number in range(QUARANTINE + 1):
        slots = slots.assign(configured(p=pool(f"a{number} 192.0.2.1")))
        (slot,) = slots.endpoint.values()
        assert slot not in seen
        seen.add(slot)
    assert slots.tenant_count == 1
    slots = slots.assign(configured(p=pool("z 192.0.2.1")))
    assert set(slots.endpoint.values()) == {0}


def test_with_a_memo_slots_are_the_same_as_without() -> None:
    first = configured(p=pool("a 192.0.2.1"), q=pool("c 192.0.2.3"), r=pool("a 192.0.2.1", judge="both"))
    renamed = configured(s=pool("a 192.0.2.1"), r=pool("a 192.0.2.1", judge="both"))
    steps = [
        first,
        dataclasses.replace(first, pools={**first.pools, "q": renamed.pools["s"].model_copy(update={"name": "q"})}),
        dataclasses.replace(first, pools={"r": first.pools["r"], **renamed.pools}),
        dataclasses.replace(renamed, monitors={**renamed.monitors, "web": renamed.monitors["else"]}),
        first,
        first,
    ]
    memo, with_memo, without = SlotsMemo(), Slots(), Slots()
    text = SlotsText()
    for step in steps:
        with_memo, without = with_memo.assign(step, memo), without.assign(step)
        assert with_memo == without
        assert text.encode(with_memo) == encode_slots(with_memo)
        assert decode_slots(text.encode(with_memo)) == without
        assert with_memo.endpoint_origin == without.endpoint_origin
        assert with_memo.pool_origin == without.pool_origin


def random_pool(chance: random.Random) -> Fields:
    """Return a pool whose endpoints have few addresses and names, so that checks are often those of others."""
    kept = chance.sample(["a", "b", "c", "d, [", 'e"', "f\\"], chance.randint(1, 4))
    judge = chance.choice(["same", "alone", "both", "else", None])
    found = pool(*(f"- 192.0.2.{last}" for last in chance.sample(range(1, 7), len(kept))), judge=judge)
    for endpoint, name in zip(found["origins"], kept, strict=True):
        endpoint["name"] = name
    return {**found, "minimum_origins": chance.randint(1, 2)}


@pytest.mark.parametrize("seed", range(12))
def test_after_random_changes_slots_and_their_text_are_those_of_who_looks_at_all(seed: int) -> None:
    chance = random.Random(seed)
    step = configured(**{f"p{number}": random_pool(chance) for number in range(6)})
    memo, with_memo, without, text = SlotsMemo(), Slots(), Slots(), SlotsText()
    for _ in range(40):
        pools = dict(step.pools)
        for name in chance.sample([*pools, "new", "last", "more"], chance.randint(0, 3)):
            pools.pop(name, None)
            if chance.random() < 0.7:
                pools |= configured(**{name: random_pool(chance)}).pools
        step = dataclasses.replace(step, pools=pools, load_balancers=some_balancers(chance))
        before, with_memo, without = with_memo, with_memo.assign(step, memo), without.assign(step)
        assert with_memo == without
        assert (with_memo.pool_origin, with_memo.endpoint_origin.keys()) == (
            without.pool_origin,
            without.endpoint_origin.keys(),
        )
        assert text.encode(with_memo) == encode_slots(with_memo)
        assert decode_slots(text.encode(with_memo)) == without
        changes = with_memo.since(before)
        assert changes is not None and with_memo.since(Slots()) is None
        for kind in ("endpoint", "pool", "load_balancer", "rule"):
            was, now = getattr(before, kind), getattr(with_memo, kind)
            others = {key for key in was.keys() | now.keys() if was.get(key) != now.get(key)}
            assert others <= {*getattr(changes, kind)} <= was.keys() | now.keys()


def some_balancers(chance: random.Random) -> tuple[LoadBalancer, ...]:
    made = with_rules(*chance.sample("abcd", chance.randint(0, 3)), kind=chance.choice(["A", "MX"]))
    [balancer] = made.load_balancers
    names = chance.sample([f"lb{number}.example.com" for number in range(8)], chance.randint(1, 5))
    return tuple(balancer.model_copy(update={"name": name}) for name in names)


def test_a_change_of_few_writes_few_rows_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    first = configured(**{f"p{number}": pool(f"a 192.0.2.{number}") for number in range(200)})
    memo, text = SlotsMemo(), SlotsText()
    before = Slots().assign(first, memo)
    text.encode(before)
    rows: list[object] = []
    dumps = json.dumps

    def counted(row: object) -> str:
        rows.append(row)
        return dumps(row)

    monkeypatch.setattr("lbdns.publish.slots_document.json.dumps", counted)
    moved = configured(p7=pool("a 192.0.2.250")).pools
    after = before.assign(dataclasses.replace(first, pools={**first.pools, **moved}), memo)
    text.encode(after)
    assert sum(isinstance(row, tuple) for row in rows) == 4, "a row of the pool and two endpoints, before or now"
    assert after.load_balancer is before.load_balancer and after.rule is before.rule


def with_rules(*names: str, sets: tuple[str, ...] = (), kind: str = "A") -> Configuration:
    """Return a configuration whose load balancer has rules and pool sets of these names."""
    made = configured(web=pool("a 192.0.2.1", judge=None))
    [balancer] = made.load_balancers
    named = [{"name": name, "condition": "ip.src in {0.0.0.0/1}", "fixed_response": {}} for name in names]
    fields = {**balancer.model_dump(exclude_unset=True), "rules": named, "type": kind}
    fields["pool_sets"] = [{"name": name, "fixed_response": {}} for name in sets]
    return dataclasses.replace(made, load_balancers=(LoadBalancer(**fields),))


def told(configuration: Configuration) -> list[str]:
    return [name for one in configuration.load_balancers for _, _, name in rule_keys(one)]


def test_rules_are_called_by_name_where_no_other_is_called_so_else_by_position() -> None:
    assert told(with_rules("a", "b", sets=("c",))) == ["a", "b", "c"]
    assert told(with_rules("a", "", "a", sets=("b", ""))) == ["rules[0]", "rules[1]", "rules[2]", "b", "pool_sets[1]"]
    assert told(with_rules("a", sets=("a", "b"))) == ["rules[0]", "pool_sets[0]", "b"]
    assert told(with_rules("rules[1]", "b")) == ["rules[0]", "b"]
    assert told(with_rules()) == []


def test_a_rule_keeps_its_slot_wherever_it_stands_and_one_that_left_rests_it() -> None:
    slots = Slots().assign(with_rules("a", "b", sets=("c",)))
    held = {name: slot for (_, _, name), slot in slots.rule.items()}
    assert sorted(held.values()) == [0, 1, 2] and slots.rule_count == 3
    after = slots.assign(with_rules("new", "b", sets=("other", "c")))
    kept = {name: slot for (_, _, name), slot in after.rule.items()}
    assert (kept["b"], kept["c"]) == (held["b"], held["c"])
    assert held["a"] not in kept.values() and after.rule_count == 5
    other = after.assign(with_rules("b", kind="MX"))
    assert set(other.rule.values()).isdisjoint(kept.values()), "a load balancer of another type is another one"


def test_slots_of_rules_are_in_the_document_and_one_without_any_is_read() -> None:
    slots = Slots().assign(with_rules("a", "b", sets=("c",))).assign(with_rules("b"))
    text = encode_slots(slots)
    assert decode_slots(text) == slots
    older = {key: value for key, value in json.loads(text).items() if not key.startswith("rule")}
    assert decode_slots(json.dumps(older)).rule == {}
