"""Columns of names that are altered where few names are others say what those say that are compiled anew, and so do
their templates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.dns.name import encode_canonical, show_name
from lbdns.dns.zone import RRset, Zone
from lbdns.fastpath.template_memo import TemplateMemo
from lbdns.fastpath.templates import add_templates
from lbdns.mapped.health_table import HealthTable
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.pool import Endpoint, Pool
from lbdns.snapshot.compile import name_columns
from lbdns.snapshot.compile.compile_memo import CompileMemo
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots
from tests.steering.conftest import Toy
from tests.steering.said import differing, differing_templates
from tests.steering.strategies import APEX, ZONE
from tests.steering.test_steering_patch import CLIENTS, has_moved

STEPS = 60
OTHER = encode_canonical("example.net")
BELOW = encode_canonical("sub.example.com")
LABELS = (b"\1a", b"\1b", b"\1c", b"\1*", b"\2dd")
POOL = Pool(name="p", origins=tuple(Endpoint(name=f"e{at}", address=f"192.0.2.{at + 1}") for at in range(2)))
MAIL = Pool(name="m", origins=(Endpoint(name="e", address="mail.example.org"),))


def rdata(chance: Random, rtype: int, apex: bytes) -> bytes:
    """Return data of a type; names lead into the zone, or out of it."""
    name = chance.choice((b"\1a" + apex, b"\1b\1a" + apex, b"\1a" + OTHER, encode_canonical("out.example.org")))
    data = {1: chance.randbytes(4), 16: b"\2" + chance.randbytes(2), 28: chance.randbytes(16), 15: b"\0\1" + name}
    return data.get(rtype, name)


def owner(chance: Random, apex: bytes) -> bytes:
    """Return a name of a zone, up to three labels below its apex."""
    labels = [chance.choice(LABELS) for _ in range(chance.randrange(4))]
    return b"".join((*labels[:1], *(one for one in labels[1:] if one != b"\1*"))) + apex


def change_rrsets(chance: Random, zone: Zone) -> Zone:
    """Add, change or take away some RRsets, and give the SOA another serial."""
    rrsets = [*zone.rrsets]
    for _ in range(chance.choice((1, 1, 1, 2, 6))):
        what = chance.choice(("add", "add", "change", "remove"))
        at = chance.randrange(2, len(rrsets)) if len(rrsets) > 2 else 0
        if what == "add" or not at:
            rtype = chance.choice((1, 1, 1, 16, 16, 28, 15, chance.choice((5, 5, 2, 39))))
            name = owner(chance, zone.apex)
            if not any((one.owner, one.type) == (name, rtype) for one in rrsets):
                rrsets.append(RRset(name, rtype, 60, (rdata(chance, rtype, zone.apex),)))
        elif what == "change":
            rrsets[at] = replace(rrsets[at], rdatas=(rdata(chance, rrsets[at].type, zone.apex),))
        else:
            del rrsets[at]
    soa = rrsets[0].rdatas[0]
    if chance.randrange(2):
        rrsets[0] = replace(rrsets[0], rdatas=(soa[:-20] + chance.randbytes(4) + soa[-16:],))
    return replace(zone, rrsets=tuple(rrsets))


def change(chance: Random, before: Configuration) -> Configuration:
    """Change a zone, or add, take away, disable or enable a load balancer."""
    if chance.randrange(3):
        zones = list(before.zones)
        at = chance.randrange(len(zones))
        zones[at] = change_rrsets(chance, zones[at])
        return replace(before, zones=tuple(zones))
    balancers = list(before.load_balancers)
    what = chance.choice(("add", "add", "remove", "toggle")) if balancers else "add"
    at = chance.randrange(len(balancers)) if balancers else 0
    if what == "add":
        made = balancer(chance, chance.choice(before.zones).apex)
        if not any((one.name, one.type) == (made.name, made.type) for one in balancers):
            balancers.append(made)
    elif what == "remove":
        del balancers[at]
    else:
        balancers[at] = balancers[at].model_copy(update={"enabled": not balancers[at].enabled})
    return replace(before, load_balancers=tuple(balancers))


def balancer(chance: Random, apex: bytes) -> LoadBalancer:
    """Return a load balancer at a name of a zone."""
    kind, pool = chance.choice((("A", "p"), ("A", "p"), ("MX", "m")))
    name = show_name(owner(chance, apex))
    return LoadBalancer(name=name, type=kind, default_pools=(pool,), fallback_pool=pool)


def world(chance: Random) -> Configuration:
    """Return three zones, one of them within another, and some load balancers."""
    zones = []
    for apex in (APEX, OTHER, BELOW):
        base = tuple(replace(one, owner=apex) for one in ZONE.rrsets)
        zones.append(Zone(apex, base, "file"))
    balancers = {(one.name, one.type): one for one in (balancer(chance, chance.choice(zones).apex) for _ in range(4))}
    return Configuration(zones=tuple(zones), pools={"p": POOL, "m": MAIL}, load_balancers=tuple(balancers.values()))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_altered_names_say_what_those_say_that_are_compiled_anew(
    seed: int, toys: list[Toy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, table = Random(seed), HealthTable.create(tmp_path / "health.bin", 256, 256, layout_id=1)
    monkeypatch.setattr(name_columns, "WASTE_MIN", chance.choice((0, 1 << 16)))
    has_mail = seed % 2 == 0
    configuration, slots = world(chance), Slots()
    kept, templates = CompileMemo(), TemplateMemo()
    altered = rendered = 0
    for step in range(STEPS):
        if not has_mail:  # an endpoint with a hostname: all templates are rendered each time
            plain = tuple(one for one in configuration.load_balancers if one.type == "A")
            configuration = replace(configuration, load_balancers=plain, pools={"p": POOL})
        slots = slots.assign(configuration)
        before = kept.names, templates.names
        found = compile_snapshot(configuration, toys[0][1], slots, 7, table.layout_id, kept)
        is_step = kept.names is not None and kept.names.step is not None
        altered += is_step
        rendered += is_step and templates.columns(found) is not None and before[0] is not None
        found = add_templates(found, ServingView(found, table), templates, kept.names)
        wanted = compile_snapshot(configuration, toys[0][1], slots, 7, table.layout_id, CompileMemo())
        wanted = add_templates(wanted, ServingView(wanted, table))
        clients = CLIENTS if kept.steering is not None and has_moved(kept.steering) else ()
        assert differing(found, wanted, table, clients) == [], (seed, step)
        assert differing_templates(found, wanted, table) == [], (seed, step)
        configuration = change(chance, configuration)
    assert altered > STEPS // 4, "too little was altered to tell anything"
    assert has_mail or rendered > STEPS // 20
