"""What columns say of a name's types, of its chain and of its signatures is what stands at it, in every view."""

from __future__ import annotations

import ipaddress
import random
from pathlib import Path
from typing import Any

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.base.words import BALANCER_TYPES
from lbdns.config.loading import parse
from lbdns.dns.canonical import order_key, type_bitmap
from lbdns.dns.codes import TYPE_A, TYPE_AAAA, TYPE_DS, TYPE_MX, TYPE_NS, TYPE_NSEC, TYPE_RRSIG, TYPE_SRV
from lbdns.dns.name import name_end
from lbdns.mapped.columns import NONE_32
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.snapshot.lookup.name_rows import (
    DENIAL_NSEC3,
    NAME_CUT,
    NAME_OCCLUDED,
    NAME_ROW,
    ROW_LOAD_BALANCER,
    ROW_ZONE,
)
from tests.dnssec.in_process import NOW_S, Policy, SomeKeys, signs, view_of_configuration
from tests.dnssec.naive_chain import check_signatures, rrset_of
from tests.dnssec.test_signed_columns import ZONE

VIEWS = {"inside": {"networks": ["10.0.0.0/8"]}, "lab": {"networks": ["172.16.0.0/12"]}}


def random_tree(draw: random.Random) -> dict[str, Any]:
    """Return a configuration of one zone with views: records and load balancers of all, and of some."""
    addresses = ["192.0.2.1", "2001:db8::1", "host.example.net"]
    pools = {
        f"p{number}": {
            "origins": [
                {
                    "name": f"e{at}",
                    "address": address,
                    "enabled": draw.random() < 0.8,
                    "flatten_cname": draw.random() < 0.5,
                }
                for at, address in enumerate(draw.sample(addresses, draw.randint(1, 3)))
            ]
        }
        for number in range(4)
    }
    pools["hosts"] = {"origins": [{"name": "h", "address": "mail.example.net", "port": 25}]}
    balancers = []
    for name in ("example.com", "mixed.example.com", "*.w.example.com", "a.b.example.com", "www.example.com"):
        for view in draw.sample(("", "inside", "lab"), draw.randint(0, 2)):
            kind = draw.choice(("A", "A", "MX", "SRV"))
            names = draw.sample(sorted(pools)[1:], 2) if kind == "A" else ["hosts"]
            one: dict[str, Any] = {"name": name, "default_pools": names[:1], "fallback_pool": names[-1]}
            if kind == "A" and draw.random() < 0.5:
                one["rules"] = [{"condition": "", "overrides": {"pools": [draw.choice(sorted(pools)[1:])]}}]
            balancers.append(one | ({"type": kind} if kind != "A" else {}) | ({"view": view} if view else {}))
    return {
        "settings": {"resolvers": ["127.0.0.1:9"], "views": VIEWS},
        "zones": {"example.com": ZONE},
        "pools": pools,
        "load_balancers": balancers,
    }


def types_of(balancer: LoadBalancer, configuration: Configuration) -> set[int]:
    """Return what a load balancer can ever answer, whatever is healthy, matches or is asked."""
    if balancer.type != "A":
        return {{"MX": TYPE_MX, "SRV": TYPE_SRV}[balancer.type]}
    lists = [balancer.default_pools, (balancer.fallback_pool,)]
    lists += [rule.overrides.pools for rule in balancer.rules if rule.overrides and rule.overrides.pools]
    found: set[int] = set()
    for endpoint in (one for pools in lists for name in pools for one in configuration.pools[name].origins):
        if not endpoint.is_used:
            continue
        try:
            found.add(TYPE_A if ipaddress.ip_address(endpoint.address).version == 4 else TYPE_AAAA)
        except ValueError:
            found |= {TYPE_A, TYPE_AAAA}
    return found


def check_zone(view: ServingView, configuration: Configuration, zone: int) -> int:
    """Assert that an instance of the zone is whole; return how many names it has."""
    columns = view.columns
    by_label = {(one.label, one.type): one for one in configuration.load_balancers}
    with_nsec = columns["zone_signed"][zone] != DENIAL_NSEC3
    entry = columns["zone_apex"][zone]
    keys = view.rrset(entry, 48)
    assert keys is not None
    owning = []
    count = 0
    while columns["name_row"][entry * NAME_ROW + ROW_ZONE] == zone + 1:
        count += 1
        flags, rrsets = view.name_flags(entry), view.rrsets(entry)
        offset = columns["name_types"][entry]
        if flags & NAME_OCCLUDED:
            assert offset == NONE_32 and not any(one.signatures for one in rrsets)
            entry += 1
            continue
        types = {one.type for one in rrsets} - {TYPE_NSEC}
        if flags & NAME_CUT:
            types &= {TYPE_NS, TYPE_DS}
        for position, kind in enumerate(BALANCER_TYPES):
            row = columns["name_row"][entry * NAME_ROW + ROW_LOAD_BALANCER + position]
            if row != NONE_32:
                types |= types_of(by_label[view.text("lb_text", row), kind], configuration)
        if types and (with_nsec or not flags & NAME_CUT or TYPE_DS in types):
            types.add(TYPE_RRSIG)
        if with_nsec:
            types |= {TYPE_RRSIG, TYPE_NSEC}
        length = int.from_bytes(columns["blob"][offset : offset + 2], "little")
        assert bytes(columns["blob"][offset + 2 : offset + 2 + length]) == type_bitmap(types), view.name(entry)
        denial = view.rrset(entry, TYPE_NSEC)
        if denial is not None:
            assert rrsets[-1] == denial
            assert denial.rdatas[0][name_end(denial.rdatas[0], 0) :] == type_bitmap(types)
            owning.append((order_key(view.name(entry)), entry))
        for one in rrsets:
            is_own = not flags & NAME_CUT or one.type in (TYPE_DS, TYPE_NSEC)
            assert bool(one.signatures) == is_own
        check_signatures(rrsets, rrset_of(keys), NOW_S)
        entry += 1
    start = columns["zone_nsec_start"][zone]
    names = list(columns["nsec_name"][start : start + columns["zone_nsec_count"][zone]])
    assert names == [number for _, number in sorted(owning)]
    return count


@pytest.mark.parametrize("seed", range(5))
def test_columns_agree_with_what_stands_there(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    configuration = parse(random_tree(draw), tmp_path).configuration
    policy = Policy(draw.choice(("nsec", "nsec3", "compact")))
    view = view_of_configuration(configuration, tmp_path, signs(SomeKeys.make("example.com"), policy=policy))
    signed = [zone for zone, denial in enumerate(view.columns["zone_signed"]) if denial]
    assert signed
    assert sum(check_zone(view, configuration, zone) for zone in signed) >= 10 * len(signed)
