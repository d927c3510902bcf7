"""Who probes what: each check a few of a region's vantage points, the same by everybody's reckoning."""

from __future__ import annotations

import random

from lbdns.fleet.observing.sharing_out import SharingOut, place_hash
from tests.fleet.played_machines import Bus

CHECKS = [place_hash(f"check {number}") for number in range(400)]


def _chosen(places: list[tuple[str, str]], per_region: int | None) -> dict[int, list[str]]:
    """Return who probes each check, as each of the places reckons for itself."""
    found: dict[int, list[str]] = {check: [] for check in CHECKS}
    for place in places:
        sharing = SharingOut(per_region)
        sharing.adopt([place], [one for one in places if one != place])
        for check in CHECKS:
            found[check] += sharing.chosen(check, [place])
    return found


def test_each_check_has_as_many_in_each_region() -> None:
    places = [(f"m{number}", "WEU" if number < 12 else "ENAM" if number < 17 else "OC") for number in range(19)]
    for names in _chosen(places, 3).values():
        regions = [dict(places)[name] for name in names]
        assert (regions.count("WEU"), regions.count("ENAM"), regions.count("OC")) == (3, 3, 2)


def test_all_probe_where_that_is_said() -> None:
    places = [(f"m{number}", "WEU") for number in range(9)]
    assert all(len(names) == 9 for names in _chosen(places, None).values())


def test_the_work_is_even_and_few_checks_move() -> None:
    places = [(f"m{number}", "WEU") for number in range(10)]
    before = _chosen(places, 3)
    counts = [sum(name in names for names in before.values()) for name, _ in places]
    assert min(counts) > 80
    assert max(counts) < 165, "120 each"
    after = _chosen(places[:-1], 3)
    for check in CHECKS:
        assert set(before[check]) - {"m9"} <= set(after[check]), "who stays keeps what it probes"


def test_it_is_said_when_nothing_can_move() -> None:
    sharing = SharingOut(3)
    assert sharing.adopt([("a", "WEU")], [])
    assert not sharing.adopt([("a", "WEU")], [])
    assert not sharing.adopt([("a", "WEU")], [("b", "WEU")]), "both probe all"
    assert not sharing.adopt([("a", "WEU")], [("b", "WEU"), *((f"x{number}", "OC") for number in range(9))])
    assert sharing.adopt([("a", "WEU")], [(name, "WEU") for name in "bcd"])
    assert sharing.adopt([("a", "WEU")], [(name, "WEU") for name in "bc"]), "one less of many"
    everybody = SharingOut(None)
    assert not everybody.adopt([("a", "WEU")], [("b", "WEU")])


def test_who_is_lost_is_replaced_and_takes_over_again_when_it_is_steady() -> None:
    bus = Bus()
    machines = {name: bus.join(name, (name, "WEU")) for name in "abcd"}
    bus.run(5.0)
    luck = random.Random(1)
    check = luck.choice(CHECKS)

    def probing() -> set[str]:
        return {name for name, one in machines.items() for _ in one.chosen(check, [(name, "WEU")])}

    before = probing()
    assert len(before) == 3
    gone = min(before)
    others = [name for name in "abcd" if name != gone]
    bus.cut(gone, others)
    bus.run(5.0)
    assert probing() == set("abcd"), "three of those left, and the lost one for itself"
    bus.heal()
    bus.run(3.0)
    assert probing() == set("abcd"), "not yet"
    bus.run(12.0)
    assert probing() == before
