"""Virtual networks and routes by the official client's zero_trust.networks: every method, every field."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from cloudflare import APIStatusError, BadRequestError, NotFoundError

from tests.api.sdk import Sdk, plain, sdk_over_store, some

pytestmark = pytest.mark.process

UUID_A = "a5624d4e-044a-4ff0-b3e1-e2465353d4b4"
TUNNEL = "f70ff985-a4ef-4643-bbbc-4a0ed4fc8415"


@pytest.fixture(scope="module")
def sdk(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sdk]:
    """A server of its own: these tests leave nothing, and count what there is."""
    with sdk_over_store(tmp_path_factory.mktemp("networks")) as made:
        yield made


@pytest.fixture(autouse=True)
def without_networks(sdk: Sdk) -> Iterator[None]:
    """Leave no network, route or pool to the next test of this server."""
    yield
    networks = sdk.client.zero_trust.networks
    for pool in sdk.client.load_balancers.pools.list(account_id=sdk.account):
        sdk.client.load_balancers.pools.delete(some(pool.id), account_id=sdk.account)
    for route in networks.routes.list(account_id=sdk.account):
        networks.routes.delete(some(route.id), account_id=sdk.account)
    for network in networks.virtual_networks.list(account_id=sdk.account):
        networks.virtual_networks.edit(network.id, account_id=sdk.account, is_default_network=False)
        networks.virtual_networks.delete(network.id, account_id=sdk.account)


def errors(refused: pytest.ExceptionInfo[APIStatusError]) -> list[dict[str, Any]]:
    body: Any = refused.value.body
    return list(body["errors"])


def test_a_network_is_created_listed_changed_and_deleted(sdk: Sdk) -> None:
    networks = sdk.client.zero_trust.networks.virtual_networks
    made = some(networks.create(account_id=sdk.account, name="us-east-1-vpc", comment="Staging VPC for data science"))
    assert {**plain(made), "id": "", "created_at": ""} == {
        "id": "",
        "name": "us-east-1-vpc",
        "comment": "Staging VPC for data science",
        "is_default_network": False,
        "created_at": "",
        "deleted_at": None,
    }
    assert UUID(made.id).version == 4 and isinstance(made.created_at, datetime)
    assert plain(networks.get(made.id, account_id=sdk.account)) == plain(made)
    other = some(networks.create(account_id=sdk.account, name="Our second site", is_default=True))
    assert other.is_default_network

    def listed(**filters: Any) -> list[str]:
        return [one.name for one in networks.list(account_id=sdk.account, **filters)]

    assert listed() == ["us-east-1-vpc", "Our second site"]
    assert listed(name="us-east-1-vpc") == listed(id=made.id) == listed(is_default=False) == ["us-east-1-vpc"]
    assert listed(is_default_network=True) == ["Our second site"]
    assert listed(is_deleted=True) == listed(name="us") == []
    assert listed(is_deleted=False) == listed()

    changed = some(networks.edit(made.id, account_id=sdk.account, name="east", comment="", is_default_network=True))
    assert (changed.id, changed.name, changed.comment, changed.is_default_network) == (made.id, "east", "", True)
    assert listed(is_default_network=True) == ["east"], "the default moves in the same change"

    gone = some(networks.delete(other.id, account_id=sdk.account))
    assert (gone.id, gone.name) == (other.id, other.name) and gone.deleted_at is not None
    assert listed() == ["east"]
    with pytest.raises(NotFoundError):
        networks.get(other.id, account_id=sdk.account)


def test_a_route_is_created_listed_changed_and_deleted(sdk: Sdk) -> None:
    networks = sdk.client.zero_trust.networks.virtual_networks
    routes = sdk.client.zero_trust.networks.routes
    default = some(networks.create(account_id=sdk.account, name="default", is_default_network=True))
    site = some(networks.create(account_id=sdk.account, name="site"))
    made = some(
        routes.create(account_id=sdk.account, network="172.16.0.0/16", tunnel_id=TUNNEL, comment="Example comment")
    )
    assert {**plain(made), "id": "", "created_at": ""} == {
        "id": "",
        "network": "172.16.0.0/16",
        "virtual_network_id": default.id,
        "comment": "Example comment",
        "tunnel_id": TUNNEL,
        "created_at": "",
        "deleted_at": None,
    }
    id = some(made.id)
    assert plain(routes.get(id, account_id=sdk.account)) == plain(made)
    there = some(
        routes.create(account_id=sdk.account, network="172.16.5.0/24", tunnel_id="", virtual_network_id=site.id)
    )

    def listed(**filters: Any) -> list[str | None]:
        return [one.network for one in routes.list(account_id=sdk.account, **filters)]

    assert listed() == ["172.16.0.0/16", "172.16.5.0/24"]
    assert listed(per_page=1) == listed(), "the client turns the pages"
    assert listed(network_subset="172.16.0.0/20") == listed(virtual_network_id=site.id) == ["172.16.5.0/24"]
    assert listed(network_superset="172.16.9.0/24") == listed(comment="Example comment") == ["172.16.0.0/16"]
    assert listed(tunnel_id=TUNNEL) == listed(route_id=id) == ["172.16.0.0/16"]
    assert listed(is_deleted=True) == listed(existed_at="2019-10-12T07:20:50.52Z") == []
    assert listed(existed_at="2999-01-01T00:00:00Z") == listed()
    names = [one.virtual_network_name for one in routes.list(account_id=sdk.account)]
    assert names == ["default", "site"]

    def holds(ip: str, **of: Any) -> str | None:
        return some(routes.ips.get(ip, account_id=sdk.account, **of)).network

    assert holds("172.16.5.9") == "172.16.5.0/24"
    assert holds("172.16.5.9", virtual_network_id=default.id) == holds("172.16.9.9") == "172.16.0.0/16"
    assert holds("172.16.5.9", default_virtual_network_fallback=True) == "172.16.0.0/16"
    with pytest.raises(NotFoundError):
        holds("192.0.2.1")

    changed = some(routes.edit(id, account_id=sdk.account, network="172.17.0.0/16", virtual_network_id=site.id))
    assert (changed.network, changed.virtual_network_id) == ("172.17.0.0/16", site.id)
    gone = some(routes.delete(some(there.id), account_id=sdk.account))
    assert gone.network == "172.16.5.0/24" and gone.deleted_at is not None
    assert listed() == ["172.17.0.0/16"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_older_forms_name_a_route_by_its_addresses(sdk: Sdk) -> None:
    networks = sdk.client.zero_trust.networks.virtual_networks
    routes = sdk.client.zero_trust.networks.routes
    some(networks.create(account_id=sdk.account, name="default", is_default_network=True))
    site = some(networks.create(account_id=sdk.account, name="site"))
    encoded = "172.16.0.0%2F16"
    made = some(routes.networks.create(encoded, account_id=sdk.account, tunnel_id=TUNNEL))
    other = some(routes.networks.create(encoded, account_id=sdk.account, tunnel_id=TUNNEL, virtual_network_id=site.id))
    assert made.network == other.network == "172.16.0.0/16"
    assert some(routes.networks.edit(encoded, account_id=sdk.account)).id == made.id
    gone = some(routes.networks.delete(encoded, account_id=sdk.account, virtual_network_id=site.id))
    assert gone.id == other.id
    assert [one.id for one in routes.list(account_id=sdk.account)] == [made.id]
    with pytest.raises(NotFoundError):
        routes.networks.delete(encoded, account_id=sdk.account, virtual_network_id=site.id)
    with pytest.raises(BadRequestError) as refused:
        body = {"network": "172.17.0.0/16"}
        sdk.client.post(f"/accounts/{sdk.account}/teamnet/routes/network/{encoded}", cast_to=object, body=body)
    (error,) = errors(refused)
    assert error["source"]["pointer"] == "/network" and "stands in the path" in error["message"]


def test_what_others_name_is_not_deleted(sdk: Sdk) -> None:
    networks = sdk.client.zero_trust.networks.virtual_networks
    routes = sdk.client.zero_trust.networks.routes
    network = some(networks.create(account_id=sdk.account, name="site"))
    route = some(
        routes.create(account_id=sdk.account, network="10.0.0.0/8", tunnel_id="", virtual_network_id=network.id)
    )
    pools = sdk.client.load_balancers.pools
    origin: Any = {"name": "e", "address": "10.0.0.1", "virtual_network_id": network.id}
    pool = some(pools.create(account_id=sdk.account, name="eu", origins=[origin]))

    def refused() -> str:
        with pytest.raises(APIStatusError) as found:
            networks.delete(network.id, account_id=sdk.account)
        assert found.value.status_code == 412
        (error,) = errors(found)
        assert error["code"] == 1005
        return str(error["message"])

    assert 'route "10.0.0.0/8"' in refused() and 'pool "eu"' in refused()
    routes.delete(some(route.id), account_id=sdk.account)
    pools.edit(some(pool.id), account_id=sdk.account, origins=[origin | {"virtual_network_id": None}])
    networks.edit(network.id, account_id=sdk.account, is_default_network=True)
    assert 'the virtual network "site" is the default one' in refused()
    networks.edit(network.id, account_id=sdk.account, is_default_network=False)
    assert some(networks.delete(network.id, account_id=sdk.account)).id == network.id


def test_origins_are_read_as_they_were_sent(sdk: Sdk) -> None:
    """The documents' PATCHes of a pool's origins, with an id that was never given here and with one that was."""
    pools = sdk.client.load_balancers.pools
    pool = sdk.pool("eu", "10.0.0.1")
    origins: Any = [
        {"name": "a", "address": "10.0.0.1", "enabled": True, "weight": 1, "virtual_network_id": UUID_A},
        {"name": "b", "address": "10.0.0.2", "enabled": True, "weight": 1, "virtual_network_id": UUID_A},
    ]

    def patched() -> list[Any]:
        changed = plain(pools.edit(pool, account_id=sdk.account, origins=origins))
        assert changed["origins"] == plain(pools.get(pool, account_id=sdk.account))["origins"]
        return [one["virtual_network_id"] for one in changed["origins"]]

    assert patched() == [UUID_A, UUID_A], "there is no network yet: it is kept"
    made = sdk.client.post(
        f"/accounts/{sdk.account}/teamnet/virtual_networks", cast_to=object, body={"name": "dc", "id": UUID_A}
    )
    assert made["result"]["id"] == UUID_A  # type: ignore[index]
    assert patched() == [UUID_A, UUID_A]
    origins[0]["virtual_network_id"] = UUID_A.upper()
    assert patched() == [UUID_A, UUID_A], "an id is read in either case"
    origins[0]["virtual_network_id"] = UUID_A
    other = some(sdk.client.zero_trust.networks.virtual_networks.create(account_id=sdk.account, name="dc-2"))
    origins[1] |= {"address": "10.0.0.1", "virtual_network_id": other.id}
    assert patched() == [UUID_A, other.id], "one address in two networks, in one pool"
    origins[1]["virtual_network_id"] = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(BadRequestError) as refused:
        patched()
    (error,) = errors(refused)
    assert "unknown virtual network" in error["message"]
    assert error["source"]["pointer"] == "/origins/1/virtual_network_id"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "a", "via": {}}, "/via"),
        ({"name": "a", "via": {"proxy": "ftp://10.0.0.1"}}, "/via/proxy"),
        ({"name": "a", "is_default": "yes"}, "/is_default"),
        ({"name": "a", "is_default": True, "is_default_network": False}, "/is_default"),
        ({"name": "a", "id": "a"}, "/id"),
    ],
)
def test_networks_that_are_refused(sdk: Sdk, body: dict[str, Any], pointer: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        sdk.client.post(f"/accounts/{sdk.account}/teamnet/virtual_networks", cast_to=object, body=body)
    assert [error["source"]["pointer"] for error in errors(refused)] == [pointer]


def test_routes_that_are_refused(sdk: Sdk) -> None:
    routes = sdk.client.zero_trust.networks.routes
    networks = sdk.client.zero_trust.networks.virtual_networks
    site = some(networks.create(account_id=sdk.account, name="site")).id

    def refused(network: str, **fields: Any) -> tuple[str, str | None]:
        with pytest.raises(BadRequestError) as found:
            routes.create(account_id=sdk.account, network=network, tunnel_id="", **fields)
        (error,) = errors(found)
        return error["message"], error.get("source", {}).get("pointer")

    message, pointer = refused("10.0.0.1/8", virtual_network_id=site)
    assert (pointer, "the network that it is in is 10.0.0.0/8" in message) == ("/network", True)
    message, pointer = refused("10.0.0.0/8", virtual_network_id=UUID_A)
    assert (pointer, "unknown virtual network" in message) == ("/virtual_network_id", True)
    message, _ = refused("10.0.0.0/8")
    assert "no default network" in message
    routes.create(account_id=sdk.account, network="10.0.0.0/8", tunnel_id="", virtual_network_id=site)
    message, pointer = refused("10.0.0.0/8", virtual_network_id=site)
    assert (pointer, "there is a route of 10.0.0.0/8 to its network already" in message) == ("/network", True)


def test_via_is_shown_where_it_is_set(sdk: Sdk) -> None:
    path = f"/accounts/{sdk.account}/teamnet/virtual_networks"
    body = {"name": "tunnel", "via": {"device": "wg0", "source": "10.9.0.1"}}
    made: Any = sdk.client.post(path, cast_to=object, body=body)
    assert made["result"]["via"] == {"device": "wg0", "source": "10.9.0.1"}
    id = made["result"]["id"]
    cleared: Any = sdk.client.patch(f"{path}/{id}", cast_to=object, body={"via": None})
    assert "via" not in cleared["result"]


def test_a_private_address_without_a_network_is_told(sdk: Sdk) -> None:
    """The documents say that it must have one; it had none before there were networks, so it is told and taken."""
    some(sdk.client.zero_trust.networks.virtual_networks.create(account_id=sdk.account, name="site"))
    body = {"name": "eu", "origins": [{"name": "a", "address": "192.0.2.1"}, {"name": "b", "address": "10.0.0.1"}]}
    made: Any = sdk.client.post(f"/accounts/{sdk.account}/load_balancers/pools", cast_to=object, body=body)
    told = [(one["message"], one.get("source", {}).get("pointer")) for one in made["messages"]]
    (found,) = [one for one in told if "10.0.0.1" in one[0]]
    assert "is private, names no virtual_network" in found[0] and found[1] == "/origins/1/address"
