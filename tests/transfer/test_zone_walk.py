"""What a transfer of a zone holds, walked as whoever sends it does: interpreted and compiled, signed and not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.dns.codes import TYPE_A, TYPE_MX, TYPE_NSEC, TYPE_NSEC3, TYPE_SOA
from lbdns.dns.name import encode_canonical
from lbdns.dns.zone import RRset
from lbdns.fastpath.templates import add_templates
from lbdns.mapped.health_table import HealthTable
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.compile.transferred_zones import CompiledZones, TransferredZones
from lbdns.snapshot.lookup import zone_walk
from lbdns.snapshot.lookup.name_rows import TRANSFER_FLAT, TRANSFER_PLAIN, TRANSFER_STEERED
from lbdns.snapshot.slots import Slots
from tests.dnssec.in_process import Policy, SomeKeys, signs
from tests.interpreted import standing_in
from tests.transfer.publications import walked, zone_of

APEX = encode_canonical("example.com")
WWW = encode_canonical("www.example.com")
ZONE = """$TTL 300
@ SOA ns1 hostmaster 7 7200 900 1209600 60
@ NS ns1
ns1 A 192.0.2.53
www TXT "beside it"
sub.deep A 192.0.2.9
*.wild MX 10 ns1
cut NS ns.cut
ns.cut A 192.0.2.77
"""
TREE: dict[str, Any] = {
    "zones": {"example.com": ZONE, "plain.example": ZONE, "steered.example": ZONE},
    "pools": {"eu": {"origins": [{"name": "a", "address": "192.0.2.10"}]}},
    "load_balancers": [
        {"name": "www.example.com", "default_pools": ["eu"], "fallback_pool": "eu"},
        {"name": "www.steered.example", "default_pools": ["eu"], "fallback_pool": "eu"},
    ],
}
ANSWERS = (
    RRset(WWW, TYPE_A, 30, (bytes((192, 0, 2, 10)),)),
    RRset(encode_canonical("new.example.com"), TYPE_A, 30, (bytes((192, 0, 2, 11)), bytes((192, 0, 2, 12)))),
)


class _Settling:
    """What `compile_snapshot` takes as `transfers`: these RRsets for one zone."""

    def __init__(self, flat: Sequence[RRset]) -> None:
        self.flat = flat
        self.zones: Sequence[Any] = ()

    def settle(self, compiled: CompiledZones) -> TransferredZones:
        self.zones = compiled.zones
        at = next(index for index, zone in enumerate(compiled.zones) if zone.apex == APEX)
        sealed = compiled.seal(at, self.flat, ())
        return TransferredZones(compiled.zones, {at: tuple(sealed)}, {})


def viewed(folder: Path, flat: Sequence[RRset], signing: Any = None) -> tuple[ServingView, _Settling]:
    configuration = parse(TREE, folder).configuration
    slots = Slots().assign(configuration)
    table = HealthTable.create(folder / "health.bin", slots.endpoint_count, slots.pool_count, 1)
    settling = _Settling(flat)
    snapshot = compile_snapshot(configuration, Geodata.open(), slots, 1, 1, None, signing, settling)
    view = ServingView(snapshot, table)
    return ServingView(add_templates(snapshot, view), table), settling


def content(rrsets: Sequence[RRset]) -> Mapping[tuple[bytes, int], RRset]:
    found = {(one.owner, one.type): replace(one, line=0) for one in rrsets}
    assert len(found) == len(rrsets), "an RRset is there twice"
    return found


def test_a_transfer_has_what_the_zone_has_and_load_balancers_as_records(tmp_path: Path) -> None:
    view, settling = viewed(tmp_path, ANSWERS)
    found = walked(view, zone_of(view, "example.com"))
    assert found[0].type == TYPE_SOA
    own = next(zone.rrsets for zone in settling.zones if zone.apex == APEX)
    assert content(found) == content((*own, *ANSWERS))
    assert [one.type for one in walked(view, zone_of(view, "plain.example"))].count(TYPE_SOA) == 1
    columns = view.columns["zone_transfer"]
    stands = {name: columns[zone_of(view, name)] for name in TREE["zones"]}
    assert stands == {
        "example.com": TRANSFER_FLAT,
        "plain.example": TRANSFER_PLAIN,
        "steered.example": TRANSFER_STEERED,
    }


@pytest.mark.parametrize("denial", ["nsec", "nsec3"])
def test_in_a_signed_zone_it_takes_the_place_of_what_denies(tmp_path: Path, denial: str) -> None:
    signing = signs(SomeKeys.make("example.com"), policy=Policy(denial=denial))
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
    before, _ = viewed(tmp_path / "before", ANSWERS, signing)
    zone = zone_of(before, "example.com")
    plain = walked(before, zone)
    denies = [one for one in plain if one.type in (TYPE_NSEC, TYPE_NSEC3)]
    replaced = tuple(replace(one, rdatas=(one.rdatas[0] + b"\1\1\x40",), signatures=()) for one in denies[1:3])
    after, _ = viewed(tmp_path / "after", (*ANSWERS, *replaced), signing)
    found = content(walked(after, zone))
    assert found.keys() == content(plain).keys()
    for one in replaced:
        assert found[one.owner, one.type].rdatas == one.rdatas
        assert len(found[one.owner, one.type].signatures) == 1
    assert found[WWW, TYPE_A].signatures
    assert after.rrset(after.find_name(zone, WWW) or 0, TYPE_A) is None, "it answers queries"


def test_interpreted_and_compiled_walk_alike(tmp_path: Path) -> None:
    view, _ = viewed(
        tmp_path, (*ANSWERS, RRset(WWW, TYPE_MX, 30, (b"\0\1" + WWW,))), signs(SomeKeys.make("example.com"))
    )
    with standing_in("snapshot.lookup.zone_walk") as interpreted:
        for zone in range(3):
            assert walked(view, zone, interpreted) == walked(view, zone)
            octets = interpreted.content_octets(view.steering, zone, interpreted.ContentCursor())
            assert octets == zone_walk.content_octets(view.steering, zone, zone_walk.ContentCursor())
            assert octets == sum(
                len(one.owner) + 10 + len(rdata)
                for one in walked(view, zone)
                for rdata in (*one.rdatas, *one.signatures)
            )
