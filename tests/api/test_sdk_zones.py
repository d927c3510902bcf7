"""Zones by the official client, and its pages of zones and records."""

from __future__ import annotations

from typing import Any

import pytest
from cloudflare import BadRequestError, NotFoundError

from tests.api.sdk import Sdk, codes, plain, some, told

pytestmark = pytest.mark.process

ZONE_COUNT = 23  # more than a page of 20
RECORD_COUNT = 230  # more than two pages of 100


@pytest.fixture(scope="module")
def many_zones(sdk: Sdk) -> list[str]:
    """Zones whose names begin with `page`, in the order in which they were made."""
    names = [f"page{index:02}.example" for index in range(ZONE_COUNT)]
    for name in names:
        sdk.zone(name)
    return names


@pytest.fixture(scope="module")
def many_records(sdk: Sdk) -> tuple[str, list[str]]:
    """A zone, and the names of its TXT records."""
    zone = sdk.zone("records.example")
    names = [f"r{index:03}.records.example" for index in range(RECORD_COUNT)]
    posts: Any = [{"name": name, "type": "TXT", "content": '"x"', "ttl": 60} for name in names]
    sdk.client.dns.records.batch(zone_id=zone, posts=posts)
    return zone, names


def test_zone_is_made_of_its_name_and_serves_at_once(sdk: Sdk) -> None:
    made = some(sdk.client.zones.create(account={"id": sdk.account}, name="Example.NET", type="full"))
    assert (made.name, made.status, made.type, made.paused) == ("example.net", "active", "full", False)
    assert made.account.id == sdk.account
    assert made.name_servers == ["ns1.example.net"]
    assert made.created_on == made.modified_on == made.activated_on
    assert made.development_mode == 0
    assert (made.owner.id, made.plan.price, made.meta.dns_only) == (sdk.account, 0, True)
    assert "#dns_records:edit" in some(made.permissions)
    assert sdk.server.addresses("example.net", "NS") == ["ns1.example.net."]
    (soa,) = sdk.server.addresses("example.net", "SOA")
    assert soa.split()[2] == str(plain(made)["serial"])
    records = sdk.client.dns.records
    assert list(records.list(zone_id=made.id)) == []
    glue = {(one.name, one.type) for one in records.list(zone_id=made.id, extra_query={"name_servers": "true"})}
    assert glue == {("example.net", "NS"), ("ns1.example.net", "A")}


def test_zone_is_shown_changed_and_deleted(sdk: Sdk) -> None:
    zones = sdk.client.zones
    id = sdk.zone("life.example")
    made = some(zones.get(zone_id=id))
    assert (made.id, made.name) == (id, "life.example")

    paused = some(zones.edit(zone_id=id, paused=True))
    assert paused.paused is True and paused.modified_on > made.modified_on
    assert (paused.name, paused.created_on) == (made.name, made.created_on)
    soa = plain(zones.edit(zone_id=id, extra_body={"paused": None, "soa": {"minimum": 77}}))
    assert soa["paused"] is False and soa["soa"] == plain(made)["soa"] | {"minimum": 77}
    assert sdk.server.addresses("life.example", "SOA")[0].split()[-1] == "77"

    pool = sdk.pool("of-life", "192.0.2.77")
    balancer = some(
        sdk.client.load_balancers.create(
            zone_id=id, name="www.life.example", default_pools=[pool], fallback_pool=pool
        ).id
    )
    assert sdk.server.addresses("www.life.example") == ["192.0.2.77"]
    assert some(zones.delete(zone_id=id)).id == id
    with pytest.raises(NotFoundError):
        zones.get(zone_id=id)
    with pytest.raises(NotFoundError):
        sdk.client.load_balancers.get(balancer, zone_id=id)
    with pytest.raises(NotFoundError):
        list(sdk.client.dns.records.list(zone_id=id))
    assert sdk.server.query("www.life.example").rcode() == 5  # REFUSED: no zone of ours


def test_zones_are_found_by_name_and_status(sdk: Sdk, many_zones: list[str]) -> None:
    zones = sdk.client.zones
    assert [one.name for one in zones.list(name="page07.example")] == ["page07.example"]
    assert [one.name for one in zones.list(name="starts_with:page0")] == many_zones[:10]
    assert list(zones.list(name="none.example")) == []
    assert list(zones.list(status="pending")) == []
    assert "page00.example" in [one.name for one in zones.list(status="active", account={"id": sdk.account})]
    assert [one.name for one in zones.list(name="page07.example", type=["partial", "full"])] == ["page07.example"]
    assert list(zones.list(type=["partial"])) == []
    assert list(zones.list(account={"id": "0" * 32})) == []
    found = zones.list(name="starts_with:page", order="name", direction="desc")
    assert [one.name for one in found] == many_zones[::-1]


@pytest.mark.parametrize("per_page", [5, 20, 23, 50])
def test_pages_of_zones_end(sdk: Sdk, many_zones: list[str], per_page: int) -> None:
    listed = [one.name for one in sdk.client.zones.list(per_page=per_page, name="starts_with:page")]
    assert listed == many_zones


def test_pages_of_zones_say_where_they_stand(sdk: Sdk, many_zones: list[str]) -> None:
    first = sdk.client.zones.list(name="starts_with:page")
    assert len(first.result) == 20
    assert some(first.result_info).to_dict() == {
        "page": 1,
        "per_page": 20,
        "count": 20,
        "total_count": ZONE_COUNT,
        "total_pages": 2,
    }
    second = first.get_next_page()
    assert [one.name for one in second.result] == many_zones[20:]
    past = second.get_next_page()
    assert past.result == [] and not past.has_next_page()
    assert [one.name for page in first.iter_pages() for one in page.result] == many_zones


def test_pages_of_records_end(sdk: Sdk, many_records: tuple[str, list[str]]) -> None:
    zone, names = many_records
    records = sdk.client.dns.records
    assert [one.name for one in records.list(zone_id=zone, type="TXT")] == names
    first = records.list(zone_id=zone, type="TXT")
    assert [len(page.result) for page in first.iter_pages()] == [100, 100, 30, 0]
    assert plain(first.result_info)["total_count"] == RECORD_COUNT
    assert [one.name for one in records.list(zone_id=zone, type="TXT", per_page=7)] == names
    assert [one.name for one in records.list(zone_id=zone, type="TXT", page=3)] == names[200:]
    assert list(records.list(zone_id=zone, page=1000)) == []


def test_zone_that_there_is_already(sdk: Sdk) -> None:
    sdk.zone("twice.example")
    with pytest.raises(BadRequestError) as refused:
        sdk.zone("TWICE.example.")
    assert codes(refused.value) == [1061]


@pytest.mark.parametrize("name", ["", "no dots or so", "a..b", "x" * 64 + ".example", "*", 7, None])
def test_name_that_no_zone_can_have(sdk: Sdk, name: Any) -> None:
    before = sdk.revision()
    with pytest.raises(BadRequestError) as refused:
        sdk.zone(name)
    assert codes(refused.value) == [1002]
    assert told(refused.value)[0][2] == "/name"
    assert sdk.revision() == before
