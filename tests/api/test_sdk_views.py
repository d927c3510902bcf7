"""Views by the official client, which has no word for them: what a server serves to each is what was asked for."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import click
import dns.message
import dns.query
import pytest
from cloudflare import BadRequestError

from lbdns.cli.commands.zone_command import zone as zone_group
from tests.api.sdk import SETTINGS, Sdk, sdk_over_store, some
from tests.store.served import wait_until

pytestmark = pytest.mark.process

VIEWS = """
views:
  office: {networks: [127.0.0.2/32, 127.1.0.0/16]}
  lab: {networks: [127.1.2.0/24]}
"""
PUBLIC, OFFICE, LAB = "127.0.0.1", "127.0.0.2", "127.1.2.3"


@pytest.fixture(scope="module")
def sdk(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sdk]:
    with sdk_over_store(tmp_path_factory.mktemp("views"), SETTINGS + VIEWS) as made:
        yield made


def view(name: str) -> dict[str, Any]:
    """Return what a call of the client takes beside its own words."""
    return {"extra_body": {"view": name}}


def asked(sdk: Sdk, source: str, name: str, qtype: str = "A", tcp: bool = False) -> bytes:
    """Return the reply to a query from an address, whose ID is always the same."""
    query = dns.message.make_query(name, qtype)
    query.id = 7
    ask = dns.query.tcp if tcp else dns.query.udp
    reply = ask(query, "127.0.0.1", port=sdk.server.port, timeout=5, source=source)
    return reply.to_wire()


def answers(sdk: Sdk, source: str, name: str) -> list[str]:
    """Return the addresses that a name has for who asks from an address; over UDP and TCP they are the same."""
    found = []
    for tcp in (False, True):
        reply = dns.message.from_wire(asked(sdk, source, name, tcp=tcp))
        found.append(sorted(rdata.to_text() for rrset in reply.answer for rdata in rrset))
    assert found[0] == found[1]
    return found[0]


def eventually(sdk: Sdk, source: str, name: str, expected: list[str]) -> None:
    wait_until(lambda: answers(sdk, source, name) == expected, lambda: f"{answers(sdk, source, name)} for {source}")


def test_two_views_of_one_zone(sdk: Sdk) -> None:
    zone = sdk.zone("two.example")
    create = sdk.client.dns.records.create
    create(zone_id=zone, name="www", type="A", content="192.0.2.1", ttl=60)
    office: Any = create(zone_id=zone, name="www", type="A", content="10.0.0.1", ttl=60, **view("office"))
    create(zone_id=zone, name="all", type="A", content="192.0.2.2", ttl=60)
    create(zone_id=zone, name="nobody", type="A", content="192.0.2.3", ttl=60, **view("public"))
    assert office.view == "office"
    eventually(sdk, PUBLIC, "www.two.example", ["192.0.2.1"])
    eventually(sdk, OFFICE, "www.two.example", ["10.0.0.1"])
    eventually(sdk, LAB, "www.two.example", ["192.0.2.1"])
    for source in (PUBLIC, OFFICE, LAB):
        eventually(sdk, source, "all.two.example", ["192.0.2.2"])
        eventually(sdk, source, "nobody.two.example", ["192.0.2.3"] if source == PUBLIC else [])
    listed = sdk.client.dns.records.list(zone_id=zone, extra_query={"view": "office"})
    assert [(one.content, some(one.to_dict()).get("view")) for one in listed] == [("10.0.0.1", "office")]
    # A change in one view leaves the bytes of the others alone, but for the SOA's serial, which is of all.
    before = {source: asked(sdk, source, "www.two.example") for source in (PUBLIC, LAB)}
    sdk.client.dns.records.edit(
        office.id, zone_id=zone, name="www", type="A", content="10.0.0.9", ttl=60, **view("office")
    )
    eventually(sdk, OFFICE, "www.two.example", ["10.0.0.9"])
    assert {source: asked(sdk, source, "www.two.example") for source in (PUBLIC, LAB)} == before


def test_a_zone_of_a_view_is_not_there_for_others(sdk: Sdk) -> None:
    made: Any = sdk.client.zones.create(account={"id": sdk.account}, name="corp.example", **view("office"))
    assert made.view == "office"
    sdk.client.dns.records.create(zone_id=made.id, name="db", type="A", content="10.0.0.2", ttl=60)
    eventually(sdk, OFFICE, "db.corp.example", ["10.0.0.2"])
    for source in (PUBLIC, LAB):
        for name, qtype in (("db.corp.example", "A"), ("corp.example", "SOA"), ("corp.example", "ANY")):
            hidden, missing = (
                dns.message.from_wire(asked(sdk, source, one, qtype)) for one in (name, "not.here.example")
            )
            assert hidden.rcode() == missing.rcode() == dns.rcode.REFUSED
            assert not (hidden.answer or hidden.authority or hidden.additional)
    found = sdk.client.zones.list(name="corp.example", extra_query={"view": "office"})
    assert [one.id for one in found] == [made.id]
    before = asked(sdk, PUBLIC, "two.example", "SOA")
    sdk.client.zones.delete(zone_id=made.id)
    wait_until(
        lambda: dns.message.from_wire(asked(sdk, OFFICE, "db.corp.example")).rcode() == dns.rcode.REFUSED, lambda: ""
    )
    assert asked(sdk, PUBLIC, "two.example", "SOA") == before


def test_a_load_balancer_of_a_view(sdk: Sdk) -> None:
    zone, inside, outside = sdk.zone("lb.example"), sdk.pool("inside", "10.0.0.3"), sdk.pool("outside", "192.0.2.9")
    create = sdk.client.load_balancers.create
    create(zone_id=zone, name="app.lb.example", default_pools=[outside], fallback_pool=outside)
    made: Any = create(
        zone_id=zone, name="app.lb.example", default_pools=[inside], fallback_pool=inside, **view("office")
    )
    assert made.view == "office"
    eventually(sdk, OFFICE, "app.lb.example", ["10.0.0.3"])
    eventually(sdk, PUBLIC, "app.lb.example", ["192.0.2.9"])
    before = asked(sdk, PUBLIC, "app.lb.example")
    sdk.client.load_balancers.edit(made.id, zone_id=zone, default_pools=[outside])
    eventually(sdk, OFFICE, "app.lb.example", ["192.0.2.9"])
    assert asked(sdk, PUBLIC, "app.lb.example") == before
    with sdk.server.local as client:

        def explained(**params: str) -> Any:
            asked_for = {"name": "app.lb.example", **params}
            return client.get("/lbdns/v1/explain", params=asked_for).json()["result"]

        named = explained(view="office")
        assert named["view"] == "office"
        assert any("app.lb.example@office" in step["text"] for step in named["steps"])
        told = explained(resolver=OFFICE)
        step = next(step for step in told["steps"] if step["stage"] == "view")
        assert step["text"] == f"office (127.0.0.2/32 holds the resolver {OFFICE})"
        assert explained()["view"] == "public"
        refusal = client.get("/lbdns/v1/explain", params={"name": "app.lb.example", "view": "offce"}).json()
        assert 'did you mean "office"?' in refusal["errors"][0]["message"]
        located = client.get("/lbdns/v1/locate", params={"ip": LAB}).json()["result"]
        assert (located["view"], located["view_network"]) == ("lab", "127.1.2.0/24")
        names = [row["name"] for row in client.get("/lbdns/v1/status").json()["result"]["standing"]["rows"]]
        assert "views" in names
        health = client.get("/lbdns/v1/health").json()["result"]["load_balancers"]
        assert [(one["name"], one.get("view")) for one in health] == [
            ("app.lb.example", None),
            ("app.lb.example", "office"),
        ]


@pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not installed")
def test_dig_from_two_addresses(sdk: Sdk) -> None:
    zone = sdk.zone("dig.example")
    for content, more in (("192.0.2.1", {}), ("10.0.0.1", view("office"))):
        sdk.client.dns.records.create(zone_id=zone, name="www", type="A", content=content, ttl=60, **more)
    eventually(sdk, OFFICE, "www.dig.example", ["10.0.0.1"])
    for source, expected in ((PUBLIC, "192.0.2.1"), (OFFICE, "10.0.0.1")):
        command = ["dig", "@127.0.0.1", "-p", str(sdk.server.port), "-b", source, "+short", "www.dig.example"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
        assert ended.stdout.split() == [expected], ended


def test_a_view_that_there_is_not_stores_nothing(sdk: Sdk) -> None:
    revision = sdk.revision()
    with pytest.raises(BadRequestError) as refused:
        sdk.client.zones.create(account={"id": sdk.account}, name="x.example", **view("offce"))
    assert "office" in str(refused.value)
    assert sdk.revision() == revision


def test_the_shell_completes_views_and_labels(sdk: Sdk) -> None:
    zone = sdk.zone("complete.example")
    sdk.client.zones.create(account={"id": sdk.account}, name="complete.example", **view("lab"))
    assert zone
    shown = zone_group.commands["show"]
    context = click.Context(shown)
    context.params = {"state": sdk.server.state_dir}
    name = next(one for one in shown.params if one.name == "zone")
    assert [one.value for one in name.shell_complete(context, "complete")] == [
        "complete.example",
        "complete.example@lab",
    ]
    option = next(one for one in zone_group.commands["create"].params if one.name == "view")
    assert [one.value for one in option.shell_complete(context, "la")] == ["lab"]
