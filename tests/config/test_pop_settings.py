"""The PoP of lbdns.yaml, where its code is one that the table of airports lacks: a newer table dropped it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.config.loading import examine, load
from lbdns.places.airports import is_airport
from lbdns.places.place import Place
from lbdns.publish.explaining import explain_configuration
from lbdns.snapshot.compile.compiler import site_of
from lbdns.steering.policies.context import Site

GONE = "QQQ"
PLACED = f"code: {GONE}, country: KH, latitude: 11.55, longitude: 104.84"
ZONE = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 3600 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"
OBJECTS = """
pools:
  here: {origins: [{name: a, address: 192.0.2.1}], latitude: 11, longitude: 105}
  there: {origins: [{name: b, address: 192.0.2.2}], latitude: 50, longitude: 5}
load_balancers:
  - {name: geo.example.com, steering_policy: geo, default_pools: [there], fallback_pool: there,
     pop_pools: {qqq: [here]}, location_strategy: {mode: pop, prefer_ecs: never}}
  - {name: near.example.com, steering_policy: proximity, default_pools: [there, here], fallback_pool: there,
     location_strategy: {mode: pop, prefer_ecs: never}}
"""
REFUSED = (
    f'lbdns.yaml:1: pop.code: no airport has the IATA code "{GONE}"; a PoP is named by one, such as AMS; '
    "where the code is right, give country, latitude and longitude"
)
UNKNOWN_KEY = (
    f"objects.yaml:7: load_balancers[geo.example.com].pop_pools.{GONE}: "
    f'no airport has the IATA code "{GONE}"; a PoP is named by one, such as AMS'
)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert not is_airport(GONE)
    (tmp_path / "example.com.zone").write_text(ZONE)
    (tmp_path / "objects.yaml").write_text(OBJECTS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems(pop: str) -> list[str]:
    Path("lbdns.yaml").write_text(f"pop: {{{pop}}}\n")
    return [str(problem) for problem in examine(Path()).errors]


def explained(name: str, **more: Any) -> dict[str, Any]:
    return explain_configuration(load(Path()).configuration, {"name": f"{name}.example.com", **more})


@pytest.mark.parametrize("pop", [PLACED, PLACED.replace(GONE, GONE.lower()), f"{PLACED}, region: SEAS"])
@pytest.mark.usefixtures("directory")
def test_a_code_that_no_airport_has_is_placed_by_the_settings(pop: str) -> None:
    """Its keys are known, its place is what proximity goes by."""
    assert problems(pop) == []
    assert explained("geo")["answer"] == ["geo.example.com. 30 IN A 192.0.2.1"]
    assert explained("near")["answer"] == ["near.example.com. 30 IN A 192.0.2.1"]
    assert site_of(load(Path()).configuration.settings) == Site(GONE, Place("KH", "", 11.55, 104.84), "SEAS")


@pytest.mark.parametrize(
    "pop",
    [
        f"code: {GONE}",
        f"code: {GONE}, country: KH",
        f"code: {GONE}, country: KH, region: SEAS",
        f"code: {GONE}, latitude: 11.55, longitude: 104.84",
    ],
)
@pytest.mark.usefixtures("directory")
def test_without_a_whole_place_it_is_refused(pop: str) -> None:
    assert REFUSED in problems(pop)


@pytest.mark.usefixtures("directory")
def test_another_servers_code_is_still_no_airports() -> None:
    assert problems("code: AMS") == [UNKNOWN_KEY]
    assert problems(PLACED.replace(GONE, "QQX")) == [UNKNOWN_KEY]


@pytest.mark.usefixtures("directory")
def test_an_explanation_for_the_own_pop_is_at_its_place() -> None:
    assert problems(PLACED) == []
    assert explained("near", pop=GONE)["answer"] == explained("near")["answer"]
    assert explained("near", pop="BRU")["answer"] == ["near.example.com. 30 IN A 192.0.2.2"]
    with pytest.raises(LbdnsError, match="no airport has the IATA code QQX"):
        explained("near", pop="QQX")
