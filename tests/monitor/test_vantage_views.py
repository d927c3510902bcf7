"""What each vantage point sees of each endpoint: kept for people beside what all of them agree on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.health.reasons import Reason
from lbdns.health.verdict import HEALTHY, UNHEALTHY
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.vantage_rows import FILE, VantageRows, VantageView
from lbdns.model.targets_document import Vantage
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.probe_plan import standing_in
from lbdns.monitor.probes.result import Result
from tests.monitor.documents import document, endpoint, parse_targets, pool

AMS, LHR, JFK = Vantage("ams", "WEU"), Vantage("lhr", "WEU"), Vantage("jfk", "ENAM")
PASS = Result(True, Reason.NO_FAILURES, 200, 1500)
FAIL = Result(False, Reason.CODE_MISMATCH, 503, 900)


class Setup:
    """A ledger in which the first vantage point is `ams`; its clock is the test's."""

    def __init__(self, path: Path, *vantages: Vantage) -> None:
        self.path = path
        self.now_s = 100.0
        self.ledger = Ledger(HealthTable.create(path / "t", 4, 4, 1), lambda: self.now_s, lambda change: None)
        self.adopt(["e", "f"], vantages)

    def adopt(
        self, names: list[str], vantages: tuple[Vantage, ...], table: HealthTable | None = None, **more: Any
    ) -> None:
        endpoints = [endpoint(name, f"192.0.2.{ord(name)}") for name in names]
        for one, slot in zip(endpoints, more.pop("slots", range(9)), strict=False):
            one["slot"] = slot
        self.targets = parse_targets(document(self.path / "t", pool("p", *endpoints), **more))
        self.ledger.adopt(self.targets.pools, [], table or self.ledger.table, vantages)

    def take(self, name: str, vantage: Vantage, result: Result) -> None:
        self.now_s += 1
        found = next(one for one in self.ledger.pools["p"].endpoints if one.spec.name == name)
        series = next((one for one in found.series if one.vantage == vantage), None)
        if series is None:
            (member,) = self.targets.pools[0].members
            series = self.ledger.begin_series(found, member, found.spec.address, vantage)
        series.take(result)

    def seen(self, slot: int, *names: str, layout_id: int = 1) -> list[VantageView | None]:
        rows = VantageRows.attach(self.path / FILE, layout_id)
        assert rows is not None
        found = [rows.view(slot, name) for name in names]
        rows.close()
        return found


UP, DOWN = VantageView(HEALTHY, Reason.NO_FAILURES, 200, 1500), VantageView(UNHEALTHY, Reason.CODE_MISMATCH, 503, 0)


def test_each_says_what_it_saw(tmp_path: Path) -> None:
    setup = Setup(tmp_path, AMS, LHR, JFK)
    assert setup.seen(0, "ams", "lhr") == [None, None]
    setup.take("e", AMS, PASS)
    setup.take("e", LHR, FAIL)
    setup.take("f", JFK, FAIL)
    assert setup.seen(0, "ams", "lhr", "jfk", "nowhere") == [UP, DOWN, None, None]
    assert setup.seen(1, "ams", "lhr", "jfk") == [None, None, DOWN]
    setup.take("e", LHR, PASS)
    assert setup.seen(0, "lhr") == [UP]
    series = setup.ledger.pools["p"].endpoints[0].series[1]
    setup.ledger.end_series(setup.ledger.pools["p"].endpoints[0], series)
    assert setup.seen(0, "ams", "lhr") == [UP, None], "who looks no longer sees nothing"


def test_it_goes_on_over_generations_and_belongs_to_one_table(tmp_path: Path) -> None:
    setup = Setup(tmp_path, AMS, LHR)
    setup.take("e", AMS, PASS)
    setup.take("f", LHR, FAIL)
    setup.adopt(["f", "g"], (AMS, LHR), slots=(1, 0))
    assert setup.seen(0, "ams", "lhr") == [None, None], "the slot has another owner"
    assert setup.seen(1, "ams", "lhr") == [None, DOWN]
    setup.adopt(["f", "g"], (JFK, LHR), slots=(1, 0))
    assert setup.seen(1, "jfk", "lhr", "ams") == [None, DOWN, None]
    larger = HealthTable.create(tmp_path / "larger", 8, 4, 2)
    setup.adopt(["f", "g"], (JFK, LHR), larger, slots=(5, 0))
    assert VantageRows.attach(tmp_path / FILE, 1) is None
    assert setup.seen(5, "lhr", layout_id=2) == [DOWN]
    setup.adopt(["f", "g"], (LHR,), larger, slots=(5, 0))
    assert not (tmp_path / FILE).exists(), "what one alone sees stands in the health table"


def test_no_file_of_another_kind_is_read(tmp_path: Path) -> None:
    assert VantageRows.attach(tmp_path / FILE, 1) is None
    for content in (b"", b"x" * 100):
        (tmp_path / FILE).write_bytes(content)
        assert VantageRows.attach(tmp_path / FILE, 1) is None
    with pytest.raises(LbdnsError, match="cannot be made"):
        VantageRows.create(tmp_path / "nowhere" / FILE, ["a", "b"], 1, 1)


def test_who_probes_a_pool() -> None:
    every = (AMS, LHR, JFK)
    assert standing_in(("ENAM",), every) == [JFK]
    assert standing_in((), every) == standing_in(("OC",), every) == every
    assert standing_in(("ALL_REGIONS", "ENAM"), every) == every
