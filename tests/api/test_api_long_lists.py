"""Lists of thousands of load balancers over the API: in gzip or as they are, made once and sent again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lbdns.base.gzip_pieces import GzipPiece
from lbdns.base.kinds import Kind
from lbdns.manage.api.frame.kept_lists import KeptLists
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import State
from lbdns.model.bounds import REGION_CODES
from tests.api.conftest import Api
from tests.work import calls_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_ten_thousand_load_balancers_are_listed_in_a_few_steps_each(
    api: Api, client: httpx.Client, coding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools = [f"{number:032x}" for number in range(20)]
    zone = Item(Kind.ZONE, "f" * 32, {"name": "example.com", "serial": 1, "soa": {}})
    items = [
        Item(
            Kind.LOAD_BALANCER,
            f"{number + 1000:032x}",
            {
                "name": f"w{number}.example.com",
                "default_pools": pools[:3],
                "fallback_pool": pools[0],
                "steering_policy": "geo",
                "region_pools": {region: pools[2:5] for region in REGION_CODES[:4]},
                "random_steering": {"pool_weights": dict.fromkeys(pools[:3], 0.5)},
            },
            zone.id,
            "2026-11-21T10:00:00.123456Z",
            "2026-11-21T10:00:00.123456Z",
            1,
        )
        for number in range(10_000)
    ]
    api.manager._state = State.of([zone, *items], 1)
    counted: list[Counter[str]] = []
    pieces = KeptLists.pieces

    def count(*given: Any) -> Iterator[GzipPiece]:
        made: list[GzipPiece] = []
        counted.append(calls_of(lambda: made.extend(pieces(*given))))
        return iter(made)

    monkeypatch.setattr(KeptLists, "pieces", count)
    path, headers = f"/zones/{zone.id}/load_balancers", {"Accept-Encoding": coding}
    once, again = (client.get(path, headers=headers) for _ in range(2))
    assert once.content == again.content
    assert once.headers.get("Content-Encoding", "identity") == coding and once.headers["Vary"] == "Accept-Encoding"
    assert [one["id"] for one in once.json()["result"]] == [item.id for item in items]
    assert once.json()["success"] is True and once.json()["errors"] == once.json()["messages"] == []
    assert counted[0]["to_json"] < 100  # of hundreds of them at once, and of what stands between their values
    assert counted[0].total() < 20 * 10_000
    assert counted[1].total() < 10_000  # nothing is made again
    assert not client.head(path, headers=headers).content
    paged = client.get(f"{path}?per_page=1000", headers=headers)
    assert paged.json()["result"] == once.json()["result"][:1000] and "Content-Encoding" not in paged.headers
