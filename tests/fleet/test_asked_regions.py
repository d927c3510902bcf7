"""Which vantage points of a fleet probe a pool with check regions."""

from __future__ import annotations

from lbdns.fleet.observing.asked_regions import AskedRegions
from lbdns.fleet.observing.judging import Speaker


def test_who_stands_in_a_region_that_is_asked_for_and_all_where_nobody_does() -> None:
    speakers = {"a": Speaker("a", "WEU", "a"), "b": Speaker("b", "ENAM", "b")}
    standing = AskedRegions(speakers)
    assert standing.stands(["WEU"], "WEU")
    assert not standing.stands(["WEU"], "ENAM")
    assert standing.stands([], "ENAM")
    assert standing.stands(["ALL_REGIONS"], "ENAM")
    assert standing.stands(["OC"], "ENAM"), "nobody stands there"
    speakers["c"] = Speaker("c", "OC", "c")
    assert standing.follow()
    assert not standing.stands(["OC"], "ENAM")
    speakers["d"] = Speaker("d", "OC", "d")
    assert not standing.follow(), "one more of a region is nothing new"
