"""Zones of which some records change: what is read anew of them comes to what reading all of them gives."""

from __future__ import annotations

import random
from typing import Any

from lbdns.base.kinds import Kind
from lbdns.dns.master.draft import ZoneDraft
from lbdns.dns.name import encode_canonical
from lbdns.manage.store.item import Item
from lbdns.manage.store.records.record_reading import canonical_record
from lbdns.manage.store.zones.drafted_zones import GONE_MAX, DraftedZone, drafted_zone
from lbdns.manage.store.zones.zone_bodies import canonical_zone

SEEDS = range(40)
STEPS = 40
NAMES = ("@", "a", "b", "c", "d.e", "*.f", "g.h.i")


def record(id: str, fields: dict[str, Any], is_local: bool = True) -> Item:
    """Return a record of example.com."""
    return Item(Kind.RECORD, id, canonical_record(fields, "example.com", [], ()), zone_id="z", is_local=is_local)


def fields(chance: random.Random) -> dict[str, Any]:
    """Return a record of some type, with one name of few."""
    kind = chance.choice(("A", "A", "AAAA", "TXT", "MX"))
    number = chance.randrange(4)
    content = {"A": f"192.0.2.{number}", "AAAA": f"2001:db8::{number}", "TXT": f'"t{number}"', "MX": f"m{number}.test"}
    priority = {"priority": number} if kind == "MX" else {}
    return {
        "name": chance.choice(NAMES),
        "type": kind,
        "content": content[kind],
        "ttl": chance.choice((60, 60, 60, 90)),
        **priority,
    }


def shown(one: DraftedZone) -> Any:
    """Return all that can be seen of a zone but the numbers of records, and of which record each RRset is the first."""
    draft = one.draft
    return (
        [
            (owner, [(rrset.type, rrset.ttl, rrset.rdatas, one.id_of(rrset.line)) for rrset in rrsets])
            for owner, rrsets in draft.nodes.items()
        ],
        [(rrset.owner, rrset.type, rrset.ttl, rrset.rdatas, one.id_of(rrset.line)) for rrset in one.zone.rrsets],
        [(one.id_of(problem.line), problem.path, problem.message) for problem in draft.problems],
        (draft.apex, draft.file, draft.view, one.zone.file, one.is_foreign),
    )


def zone(serial: int) -> Item:
    """Return example.com with a serial."""
    return Item(Kind.ZONE, "z", canonical_zone({"name": "example.com", "serial": serial}, [], ()))


def test_changes_come_to_what_reading_all_gives() -> None:
    taken_over = 0
    for seed in SEEDS:
        chance = random.Random(seed)
        is_alike = chance.randrange(2)  # no problems: what changes can be read alone
        item, own, made = zone(1), dict[str, Item](), 0
        drafted = drafted_zone(item, own, own)
        for step in range(STEPS):
            own = dict(own)
            for _ in range(chance.choice((1, 1, 2, 5))):
                what = chance.choice(("add", "add", "change", "remove", "again")) if own else "add"
                id = chance.choice([*own]) if own else ""
                if what in ("remove", "again"):
                    gone = own.pop(id)
                    if what == "again":
                        own[id] = gone
                    continue
                if what == "add":
                    made += 1
                    id = str(made)
                given = fields(chance)
                if is_alike:
                    given |= {"ttl": 60, "type": "TXT", "content": f'"{made}.{step}"'}
                    given.pop("priority", None)
                own[id] = record(id, given, is_local=chance.randrange(30) > 0)
            if chance.randrange(2):
                item = zone(step + 2)
            before, drafted = drafted, drafted_zone(item, own, own, "", drafted)
            assert shown(drafted) == shown(drafted_zone(item, own, own)), (seed, step)
            taken_over += any(map(lambda one, other: one is other, before.zone.rrsets, drafted.zone.rrsets))
    assert taken_over > STEPS * len(SEEDS) // 3


def test_what_a_change_does_not_touch_stays_the_same_object() -> None:
    own = {
        str(number): record(str(number), {"name": f"n{number}", "type": "A", "content": "192.0.2.1"})
        for number in range(9)
    }
    before = drafted_zone(zone(1), own, own)
    now = {**own, "4": record("4", {"name": "n4", "type": "A", "content": "192.0.2.2"})}
    del now["2"]
    after = drafted_zone(zone(2), now, now, "", before)
    changed = [rrset.owner for rrset in after.zone.rrsets if not any(rrset is one for one in before.zone.rrsets)]
    assert changed == [encode_canonical("example.com"), encode_canonical("n4.example.com")]
    kept = ZoneDraft.rrset(after.draft, encode_canonical("n5.example.com"), 1)
    assert kept is before.draft.rrset(encode_canonical("n5.example.com"), 1)
    assert after.gone == (3,) and after.id_of(3) is None and after.id_of(4) == "3" and after.id_of(10) is None


def test_numbers_are_given_anew_where_many_are_gone() -> None:
    own = {
        str(number): record(str(number), {"name": f"n{number}", "type": "A", "content": "192.0.2.1"})
        for number in range(400)
    }
    drafted = drafted_zone(zone(1), own, own)
    for number in range(GONE_MAX + 1):
        own = {id: one for id, one in own.items() if id != str(number)}
        drafted = drafted_zone(zone(1), own, own, "", drafted)
        assert drafted.id_of(drafted.draft.nodes[encode_canonical(f"n{number + 1}.example.com")][0].line) == str(
            number + 1
        )
    assert drafted.gone == ()
