"""Instances of zones: as few as there are ways in which views see them, and the same with a memo as without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from lbdns.config.loading import parse
from lbdns.dns.zone import RRset, Zone
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.model.configuration import Configuration
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compile_memo import CompileMemo
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.lookup.name_rows import NAME_ROW
from lbdns.snapshot.slots import Slots

ZONE = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\nold CNAME ns1\n"
OWN = "$TTL 60\nwww A 10.0.0.1\n"
VIEWS = {f"v{number}": {"networks": [f"10.{number}.0.0/16"]} for number in range(10)}
POOLS = {"eu": {"origins": [{"name": "a", "address": "192.0.2.10"}]}}


def configured(folder: Path, zones: dict[str, str], views: dict[str, Any], *places: tuple[str, str]) -> Configuration:
    balancers = [{"name": name, "view": view, "default_pools": ["eu"], "fallback_pool": "eu"} for name, view in places]
    tree = {"settings": {"views": views}, "zones": zones, "pools": POOLS, "load_balancers": balancers}
    return parse(tree, folder).configuration


def compiled(configuration: Configuration, memo: CompileMemo | None = None) -> Snapshot:
    return compile_snapshot(configuration, Geodata.open(), Slots().assign(configuration), 1, 0, memo)


def names_in(snapshot: Snapshot) -> int:
    return len(snapshot.columns["name_row"]) // NAME_ROW


def test_views_without_content_of_their_own_cost_nothing(tmp_path: Path) -> None:
    zones = {"example.com": ZONE, "example.net": ZONE}
    plain = compiled(configured(tmp_path, zones, {}, ("www.example.com", "")))
    viewed = compiled(configured(tmp_path, zones, VIEWS, ("www.example.com", "")))
    names = ("table", "name_row", "rrset_type", "zone_apex", "public_zones", "blob")
    assert all(bytes(plain.columns[name]) == bytes(viewed.columns[name]) for name in names)


def test_a_zone_that_no_view_has_a_word_in_is_there_once(tmp_path: Path) -> None:
    """One view's overlay makes one instance of its zone, and a row in that view's directory."""
    zones = {"example.com": ZONE, "example.net": ZONE}
    before = compiled(configured(tmp_path, zones, VIEWS))
    after = compiled(configured(tmp_path, {**zones, "example.com@v3": OWN}, VIEWS))
    assert len(before.columns["zone_apex"]) == 2
    assert len(after.columns["zone_apex"]) == 3
    assert names_in(after) == names_in(before) + 5  # four names with www, and the directory's


def test_views_that_see_the_same_share_an_instance(tmp_path: Path) -> None:
    other = OWN.replace("www", "other")
    zones = {"example.com": ZONE, "example.com@v1": OWN, "example.com@v2": OWN, "example.com@v3": other}
    snapshot = compiled(configured(tmp_path, zones, VIEWS))
    assert len(snapshot.columns["zone_apex"]) == 3


def test_a_load_balancer_at_an_apex_of_a_view_alone_has_a_row_for_each(tmp_path: Path) -> None:
    zones = {"example.com": ZONE, "app.example.com@v1": ZONE}
    snapshot = compiled(configured(tmp_path, zones, VIEWS, ("app.example.com", "")))
    assert len(snapshot.columns["lb_rules"]) == 2
    assert len({*snapshot.columns["lb_slot"]}) == 1


def test_a_snapshot_is_the_same_with_a_memo(tmp_path: Path) -> None:
    zones = {"example.com": ZONE, "example.com@v1": OWN, "corp@v2": ZONE}
    places = (("www.example.com", ""), ("www.corp", "v2"), ("old.example.com", "v1"))
    first = configured(tmp_path, zones, VIEWS, *places)
    (overlay,) = first.overlays
    other = Zone(overlay.apex, (RRset(overlay.apex, 16, 60, (b"\x01x",)),), overlay.file, overlay.view)
    turned = dict(reversed(first.settings.views.items()))
    steps = [
        first,
        first,
        replace(first, overlays=(other,)),
        replace(first, overlays=()),
        replace(first, load_balancers=first.load_balancers[:2]),
        replace(first, settings=first.settings.model_copy(update={"views": turned})),
        first,
    ]
    memo = CompileMemo()
    for step in steps:
        kept, fresh = compiled(step, memo), compiled(step)
        assert all(bytes(kept.columns[name]) == bytes(fresh.columns[name]) for name in fresh.columns)


def test_what_did_not_change_is_not_compiled_again(tmp_path: Path) -> None:
    zones = {"example.com": ZONE, "example.com@v1": OWN, "corp@v2": ZONE}
    configuration = configured(tmp_path, zones, VIEWS, ("www.corp", "v2"))
    memo = CompileMemo()
    first = compiled(configuration, memo)
    again = compiled(configuration, memo)
    assert again.columns["name_row"] is first.columns["name_row"]
