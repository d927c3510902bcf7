"""What a machine of a fleet says of health: when it was agreed, where it is cut off; and no warning of far regions."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lbdns.config.loading import load
from lbdns.fleet.known_regions import KNOWN_FILE
from lbdns.fleet.told_hearing import ToldHearing, write_hearing
from lbdns.health.verdict import HEALTHY, UNHEALTHY
from lbdns.mapped.vantage_rows import FILE, VantageRows, VantageView
from lbdns.telemetry.report import add_agreed

SETTINGS = 'listen: ["127.0.0.1:0"]\npop: {region: WEU}\n'
FLEET = "fleet: {name: A, join: nats://127.0.0.1:1}\n"
ZONE = "@ 300 SOA ns hostmaster 1 2 3 4 5\n@ 300 NS ns\nns 300 A 192.0.2.53\n"
OBJECTS = """monitors: {m: {type: tcp, port: 1}}
pools:
  p: {origins: [{name: e, address: 192.0.2.1}, {name: f, address: 192.0.2.2}], monitor: m, check_regions: [ENAM]}
"""


def _loaded(path: Path, settings: str) -> Any:
    (path / "lbdns.yaml").write_text(SETTINGS + f"state: {path / 'state'}\n" + settings)
    (path / "objects.yaml").write_text(OBJECTS)
    (path / "example.com.zone").write_text(ZONE)
    return load(path)


@pytest.mark.parametrize(("settings", "is_warned"), [("", True), (FLEET, False)])
def test_regions_that_others_stand_in_are_no_reason_to_warn(tmp_path: Path, settings: str, is_warned: bool) -> None:
    loaded = _loaded(tmp_path, settings)
    assert any("no vantage point stands in" in str(one) for one in loaded.warnings) is is_warned


@pytest.mark.parametrize(
    ("regions", "told"),
    [(["WEU", "ENAM"], ""), (["SAM"], 'stands in "ENAM": all machines probe the pool'), ([""], "ENAM"), (None, "")],
)
def test_a_region_in_which_no_known_machine_stands_is_told(
    tmp_path: Path, regions: list[str] | None, told: str
) -> None:
    if regions is not None:
        known = [["B", time.time(), [[f"B/{region}", region] for region in regions]]]
        (tmp_path / "state" / "fleet").mkdir(parents=True)
        (tmp_path / "state" / "fleet" / KNOWN_FILE).write_text(json.dumps({"v": 1, "known": known}))
    warnings = [str(one) for one in _loaded(tmp_path, FLEET).warnings if "check_regions" in str(one)]
    assert [told in one for one in warnings] == ([True] if told else []), warnings


def test_what_is_held_says_when_it_was_agreed(tmp_path: Path) -> None:
    configuration = _loaded(tmp_path, FLEET).configuration
    (pool,) = configuration.pools.values()
    slots = {pool.endpoint_key(one): number for number, one in enumerate(pool.origins)}
    table = SimpleNamespace(path=tmp_path / "health-1.bin", layout_id=7)
    published = SimpleNamespace(
        table=table, configuration=configuration, slots=SimpleNamespace(endpoint=slots, pool={"p": 0})
    )
    rows = VantageRows.create(tmp_path / FILE, ["A", "B"], 2, 7)
    rows.write(0, "A", VantageView(UNHEALTHY, 2, 0, 0))
    rows.write(1, "A", VantageView(HEALTHY, 0, 0, 900))
    rows.close()

    def agreed() -> list[str | None]:
        told = [{"name": "p", "origins": [{"state": "healthy"}, {"state": "healthy"}]}]
        add_agreed(cast(Any, published), cast(Any, told))
        return [one["agreed"] for one in cast(Any, told)[0]["origins"]]

    assert agreed() == [None, None], "nobody has told yet whom it hears"
    write_hearing(tmp_path, ToldHearing(("B",), ("B", "C")))
    assert agreed() == [None, None]
    write_hearing(tmp_path, ToldHearing((), ("B", "C"), (), time.monotonic() - 40, 2))
    assert agreed() == ["agreed 40 s ago by 2 of 3", None], "its own probes say that the other is up"
