"""What is kept of pools is what would be found anew, and pools that say nothing are not looked at again."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from lbdns.base.kinds import Kind
from lbdns.config.checks import pool_checks
from lbdns.config.checks.checked_pools import CheckedPools
from lbdns.config.checks.pool_checks import check_pools
from lbdns.config.yaml.objects import Objects
from lbdns.config.yaml.repair import build
from lbdns.config.yaml.source import Placed, Source
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings

NAMES = ("a", "b", "c", "d", "e", "f")
ADDRESSES = ("192.0.2.1", "2001:db8::1", "host.example.net")


def placed(name: str, **body: Any) -> Placed[Pool]:
    found = build(Pool, {"name": name, **body}, Source("pools.yaml", 0, "pools", name), [])
    assert found is not None
    return found


def drawn(chance: Random, name: str) -> Placed[Pool]:
    origins = [
        {"name": "e", "address": address, "enabled": chance.random() < 0.7}
        for address in chance.sample(ADDRESSES, chance.randint(1, 3))
    ]
    more: dict[str, Any] = {"check_regions": ["WEU"]} if chance.random() < 0.2 else {}
    more |= {"monitor": chance.choice(("web", "missing"))} if chance.random() < 0.3 else {}
    return placed(name, origins=origins, **more)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_kept_is_what_would_be_found(seed: int) -> None:
    chance, kept, settings = Random(seed), CheckedPools(), Settings()
    pools = {name: drawn(chance, name) for name in NAMES}
    declared = {(Kind.MONITOR, "web")}
    for _ in range(40):
        if chance.random() < 0.7:
            names = chance.sample(NAMES, chance.randint(0, 2))
            pools = {name: one for name, one in pools.items() if name not in names or chance.random() < 0.3}
            pools |= {name: drawn(chance, name) for name in names if chance.random() < 0.8}
        if chance.random() < 0.1:
            kept.clear()
        objects = Objects()
        objects.keyed[Kind.POOL] = pools
        assert [*check_pools(objects, settings, kept)] == [*check_pools(objects, settings, CheckedPools())]
        assert kept.families(pools) == CheckedPools().families(pools)
        assert [*kept.naming_others(pools, declared)] == [
            one for one in pools.values() if one.item.monitor == "missing"
        ]


def test_pools_that_say_nothing_are_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    check = pool_checks._check_pool

    def counted(pool: Placed[Pool]) -> Any:
        looked.append(pool.item.name)
        return check(pool)

    monkeypatch.setattr(pool_checks, "_check_pool", counted)
    endpoint = {"name": "e", "address": "192.0.2.1"}
    good: dict[str, Any] = {"origins": [endpoint]}
    objects, kept = Objects(), CheckedPools()
    objects.keyed[Kind.POOL] = {
        "off": placed("off", origins=[{**endpoint, "enabled": False}]),
        **{f"p{n}": placed(f"p{n}", **good) for n in range(50)},
    }
    told = [[*map(str, check_pools(objects, Settings(), kept))] for _ in range(3)]
    assert len(looked) == 51 and told[0] == told[1] == told[2] != []
    assert [pool.item.name for pool, _ in kept.telling(objects.pools)] == ["off"]
    objects.keyed[Kind.POOL] = {**objects.pools, "p7": placed("p7", **good, description="x")}
    assert [*map(str, check_pools(objects, Settings(), kept))] == told[0]
    assert looked[51:] == ["p7"]
