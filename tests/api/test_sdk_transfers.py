"""Secondary DNS by the official client's dns.zone_transfers: every method, every field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cloudflare import APIStatusError, BadRequestError, NotFoundError

from tests.api.sdk import Sdk, plain, sdk_over_store, some

pytestmark = pytest.mark.process

SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U="


@pytest.fixture(scope="module")
def sdk(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sdk]:
    """A server of its own: these tests count what there is."""
    with sdk_over_store(tmp_path_factory.mktemp("transfers")) as made:
        yield made


def message(refused: pytest.ExceptionInfo[APIStatusError]) -> str:
    body: Any = refused.value.body
    return " ".join(one["message"] for one in body["errors"])


def test_keys_are_made_listed_changed_and_deleted_and_their_secret_is_shown_once(sdk: Sdk) -> None:
    keys = sdk.client.dns.zone_transfers.tsigs
    made = some(keys.create(account_id=sdk.account, name="tsig.customer.cf.", algo="hmac-sha512.", secret=SECRET))
    assert plain(made) == {"id": made.id, "name": "tsig.customer.cf", "algo": "hmac-sha512", "secret": SECRET}
    seen = {**plain(made), "secret": ""}
    assert plain(keys.get(made.id, account_id=sdk.account)) == seen
    assert [plain(one) for one in keys.list(account_id=sdk.account)] == [seen]
    other: Any = {"name": "other.example", "algo": "hmac-md5"}
    changed = some(keys.update(made.id, account_id=sdk.account, secret="", **other))
    assert plain(changed) == {"id": made.id, **other, "secret": ""}
    with sdk.server.local as client:
        text = client.get("/lbdns/v1/revisions", params={"limit": 5}).text + client.get("/lbdns/v1/export").text
    assert SECRET not in text
    with pytest.raises(BadRequestError) as refused:
        keys.create(account_id=sdk.account, name="third.", algo="rot13", secret="not base64!")
    assert "no algorithm" in message(refused) and "not base64" in message(refused) and "!" not in message(refused)
    assert some(keys.delete(made.id, account_id=sdk.account)).id == made.id
    with pytest.raises(NotFoundError):
        keys.get(made.id, account_id=sdk.account)


def test_peers_and_acls_are_made_listed_changed_and_deleted(sdk: Sdk) -> None:
    transfers = sdk.client.dns.zone_transfers
    key = some(transfers.tsigs.create(account_id=sdk.account, name="k.example", algo="hmac-sha256", secret=SECRET))
    peer = some(transfers.peers.create(account_id=sdk.account, name="my-peer-1"))
    assert plain(peer) == {
        "id": peer.id,
        "name": "my-peer-1",
        "ip": None,
        "port": 53,
        "ixfr_enable": False,
        "tsig_id": None,
    }
    fields: Any = {"name": "my-peer-1", "ip": "192.0.2.53", "port": 5353, "ixfr_enable": True, "tsig_id": key.id}
    assert plain(some(transfers.peers.update(peer.id, account_id=sdk.account, **fields))) == {"id": peer.id, **fields}
    assert [plain(one)["ip"] for one in transfers.peers.list(account_id=sdk.account)] == ["192.0.2.53"]
    with pytest.raises(APIStatusError) as used:
        transfers.tsigs.delete(key.id, account_id=sdk.account)
    assert used.value.status_code == 412
    acl = some(transfers.acls.create(account_id=sdk.account, name="my-acl-1", ip_range="192.0.2.48/28"))
    assert plain(transfers.acls.get(acl.id, account_id=sdk.account)) == {
        "id": acl.id,
        "name": "my-acl-1",
        "ip_range": "192.0.2.48/28",
    }
    wider = some(transfers.acls.update(acl.id, account_id=sdk.account, name="my-acl-1", ip_range="2001:db8::/64"))
    assert wider.ip_range == "2001:db8::/64"
    with pytest.raises(BadRequestError):
        transfers.acls.create(account_id=sdk.account, name="wrong", ip_range="192.0.2.0/33")
    assert some(transfers.acls.delete(acl.id, account_id=sdk.account)).id == acl.id
    assert some(transfers.peers.delete(peer.id, account_id=sdk.account)).id == peer.id
    assert some(transfers.tsigs.delete(key.id, account_id=sdk.account)).id == key.id
    assert not [*transfers.acls.list(account_id=sdk.account)]


def test_a_secondary_zone_and_where_it_comes_from(sdk: Sdk) -> None:
    transfers = sdk.client.dns.zone_transfers
    zone = some(sdk.client.zones.create(account={"id": sdk.account}, name="in.example", type="secondary"))
    assert zone.type == "secondary" and zone.name_servers == []
    assert [one.name for one in sdk.client.zones.list(extra_query={"type": "secondary"})] == ["in.example"]
    with pytest.raises(BadRequestError) as refused:
        sdk.client.dns.records.create(zone_id=zone.id, name="www", type="A", content="192.0.2.1", ttl=60)
    assert "come from its primaries" in message(refused)
    with pytest.raises(NotFoundError):
        transfers.incoming.get(zone_id=zone.id)
    bare = some(transfers.peers.create(account_id=sdk.account, name="bare"))
    fields: Any = {"name": "bare", "ip": "127.0.0.1", "port": 9}
    transfers.peers.update(bare.id, account_id=sdk.account, **fields)
    made = some(
        transfers.incoming.create(zone_id=zone.id, name="in.example.", peers=[bare.id], auto_refresh_seconds=86400)
    )
    assert (made.name, made.peers, made.auto_refresh_seconds) == ("in.example", [bare.id], 86400)
    assert made.soa_serial is None and made.created_time and made.modified_time
    assert plain(transfers.incoming.get(zone_id=zone.id)) == plain(made)
    with pytest.raises(BadRequestError):
        transfers.incoming.create(zone_id=zone.id, name="other.example", peers=[bare.id], auto_refresh_seconds=0)
    put = some(transfers.incoming.update(zone_id=zone.id, name="in.example", peers=[bare.id], auto_refresh_seconds=60))
    assert put.auto_refresh_seconds == 60
    with pytest.raises(APIStatusError) as used:
        transfers.peers.delete(bare.id, account_id=sdk.account)
    assert used.value.status_code == 412
    sdk.client.zones.delete(zone_id=zone.id)
    assert some(transfers.peers.delete(bare.id, account_id=sdk.account)).id == bare.id, "the zone's transfers went too"


def test_a_zone_that_others_may_transfer(sdk: Sdk) -> None:
    transfers = sdk.client.dns.zone_transfers
    zone = sdk.zone("out.example")
    peer = some(transfers.peers.create(account_id=sdk.account, name="ns2", extra_body={"ip": "127.0.0.1"}))
    made = some(transfers.outgoing.create(zone_id=zone, name="out.example", peers=[peer.id]))
    assert (made.name, made.peers) == ("out.example", [peer.id])
    assert transfers.outgoing.status.get(zone_id=zone) == "Enabled"
    assert transfers.outgoing.disable(zone_id=zone) == "Disabled"
    assert some(transfers.outgoing.update(zone_id=zone, name="out.example", peers=[peer.id])).peers == [peer.id]
    assert transfers.outgoing.status.get(zone_id=zone) == "Disabled", "what a PUT does not name stays"
    assert transfers.outgoing.enable(zone_id=zone) == "Enabled"
    assert plain(transfers.outgoing.get(zone_id=zone))["peers"] == [peer.id]
    assert some(transfers.outgoing.delete(zone_id=zone)).id == made.id
    with pytest.raises(NotFoundError):
        transfers.outgoing.status.get(zone_id=zone)
