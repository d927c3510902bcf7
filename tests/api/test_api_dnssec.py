"""DNSSEC by the API: the v4 paths as the official client speaks them, and lbdns's own, over a signer that is played."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import httpx
import pytest

from lbdns.dnssec.zone_status import KeyRole, SigningState
from lbdns.manage.store.managing import Running
from lbdns.model.settings import Settings
from tests.api.conftest import Api
from tests.dnssec.played_signer import BEGAN_S, DIGEST, PUBLIC_KEY, PlayedServer, PlayedSigner, key

pytestmark = pytest.mark.slow

FIELDS = {
    "algorithm": "13",
    "digest": DIGEST,
    "digest_algorithm": "SHA256",
    "digest_type": "2",
    "ds": f"example.com. 3600 IN DS 12345 13 2 {DIGEST}",
    "flags": 257,
    "key_tag": 12345,
    "key_type": "ECDSAP256SHA256",
    "public_key": PUBLIC_KEY,
}
OFF = {
    "status": "disabled",
    **dict.fromkeys(FIELDS),
    "modified_on": None,
    "dnssec_multi_signer": False,
    "dnssec_presigned": False,
    "dnssec_use_nsec3": False,
}


@pytest.fixture
def zone(api: Api) -> str:
    return f"/zones/{api.zone().id}"


@pytest.fixture
def signer(api: Api, zone: str) -> PlayedSigner:
    server = PlayedServer(api.manager)
    api.manager.running = cast(Running, server)
    return server.signer


def result(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["result"]


def errors(response: httpx.Response, status: int = 400) -> list[tuple[str, str]]:
    assert response.status_code == status, response.text
    return [(one.get("source", {}).get("pointer", ""), one["message"]) for one in response.json()["errors"]]


def told(response: httpx.Response) -> str:
    return " ".join(one["message"] for one in response.json()["messages"])


def own(api: Api, zone: str) -> str:
    return f"{api.server.address}/lbdns/v1/dnssec/{zone.rpartition('/')[2]}"


def test_a_zone_is_signed_and_shows_the_ds_for_the_zone_above(
    client: httpx.Client, zone: str, signer: PlayedSigner
) -> None:
    at = f"{zone}/dnssec"
    assert result(client.get(at)) == OFF
    answer = client.patch(at, json={"status": "active"})
    on = {**OFF, **FIELDS, "status": "pending", "modified_on": "2027-01-15T08:00:00Z"}
    assert {**result(answer), "modified_on": on["modified_on"]} == on
    assert result(answer)["modified_on"].startswith("2027-01-15T08:00:00")
    assert "give the DS to the zone above" in told(answer)
    assert signer.asked[-1] == ("enable", {"zone": "example.com", "algorithm": None, "keys": None})
    count = len(signer.asked)
    assert result(client.patch(at, json={"status": "active"})) == result(answer)
    assert {verb for verb, _ in signer.asked[count:]} == {"status"}, "it is signed already"
    signer.zones["example.com"] = dataclasses.replace(
        signer.zones["example.com"], status=SigningState.ACTIVE, parent_ds=(f"12345 13 2 {DIGEST}",)
    )
    assert result(client.get(at)) == {**result(answer), "status": "active"}


def test_a_zone_is_signed_until_the_zone_above_has_lost_its_ds(
    api: Api, client: httpx.Client, zone: str, signer: PlayedSigner
) -> None:
    at = f"{zone}/dnssec"
    client.patch(at, json={"status": "active"})
    result(client.post(f"{own(api, zone)}/ds_seen"))
    answer = client.patch(at, json={"status": "disabled"})
    assert result(answer)["status"] == "pending-disabled" and result(answer)["ds"] is None
    assert "have its DS taken out of the zone above" in told(answer)
    assert result(client.patch(at, json={"status": "disabled"}))["status"] == "pending-disabled"
    assert result(client.patch(at, json={"status": "active"}))["status"] == "pending", "it was thought better of"
    result(client.post(f"{own(api, zone)}/ds_seen"))
    assert result(client.delete(at)) == ""
    assert result(client.get(at))["status"] == "pending-disabled"
    assert result(client.post(f"{own(api, zone)}/ds_seen"))["status"] == "disabled"
    assert result(client.get(at)) == OFF and result(client.delete(at)) == ""


def test_of_several_ds_the_one_that_the_zone_above_lacks_is_shown(
    client: httpx.Client, zone: str, signer: PlayedSigner
) -> None:
    client.patch(f"{zone}/dnssec", json={"status": "active"})
    old, new = key(), key(tag=777, algorithm=15)
    before = signer.zones["example.com"]
    signer.zones["example.com"] = dataclasses.replace(
        before, keys=(old, new), ds=(old.ds, new.ds), parent_ds=(old.ds,), status=SigningState.ACTIVE
    )
    shown = result(client.get(f"{zone}/dnssec"))
    assert (shown["key_tag"], shown["algorithm"], shown["key_type"]) == (777, "15", "ED25519")


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"status": "pending"}, [("/status", "expected active or disabled")]),
        ({"status": 1}, [("/status", "expected active or disabled")]),
        ({"dnssec_presigned": True}, [("/dnssec_presigned", "lbdns signs what it serves")]),
        ({"dnssec_multi_signer": "yes"}, [("/dnssec_multi_signer", "expected true or false")]),
        ({"statu": "active"}, [("/statu", 'unknown field "statu"; did you mean "status"?')]),
        (
            {"status": [], "dnssec_use_nsec3": 1},
            [("/status", "expected active"), ("/dnssec_use_nsec3", "expected true or false")],
        ),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_whole(
    client: httpx.Client, zone: str, signer: PlayedSigner, body: dict[str, Any], wrong: list[tuple[str, str]]
) -> None:
    found = errors(client.patch(f"{zone}/dnssec", json=body))
    assert [at for at, _ in found] == [at for at, _ in wrong]
    assert all(words in text for (_, text), (_, words) in zip(found, wrong, strict=True))
    assert signer.zones == {}


def test_nsec3_is_the_settings_and_multi_signer_is_accepted_and_told(
    client: httpx.Client, zone: str, signer: PlayedSigner
) -> None:
    at = f"{zone}/dnssec"
    ((pointer, text),) = errors(client.patch(at, json={"status": "active", "dnssec_use_nsec3": True}))
    assert pointer == "/dnssec_use_nsec3" and "dnssec.denial, now nsec" in text and signer.zones == {}
    answer = client.patch(at, json={"status": "active", "dnssec_multi_signer": True, "dnssec_use_nsec3": False})
    assert result(answer)["dnssec_multi_signer"] is False and "no second signer" in told(answer)
    ((pointer, text),) = errors(client.patch(at, json={"dnssec_use_nsec3": True}))
    assert pointer == "/dnssec_use_nsec3" and "dnssec.denial, now nsec" in text
    signer.zones["example.com"] = dataclasses.replace(signer.zones["example.com"], denial="nsec3")
    assert result(client.patch(at, json={"dnssec_use_nsec3": True}))["dnssec_use_nsec3"] is True


def test_a_change_is_tried_alone(client: httpx.Client, zone: str, signer: PlayedSigner) -> None:
    at = f"{zone}/dnssec"
    plan = result(client.patch(at, params={"dry_run": "true"}, json={"status": "active"}))
    (one,) = plan["differences"]
    assert one["fields"] == [{"field": "dnssec.status", "before": "disabled", "after": "active"}]
    assert plan["counts"]["update"] == {"zone": 1} and signer.zones == {}
    assert result(client.delete(at, params={"dry_run": "true"}))["differences"] == []


def test_scopes_are_those_of_zones(api: Api, zone: str, signer: PlayedSigner) -> None:
    other = api.zone("example.net")
    few, _ = api.store.tokens.create("few", "zones:write:example.com")
    with api.client(few) as allowed, api.client(api.read_token) as reader:
        assert result(allowed.patch(f"{zone}/dnssec", json={"status": "active"}))["status"] == "pending"
        assert allowed.patch(f"/zones/{other.id}/dnssec", json={"status": "active"}).status_code == 403
        assert reader.patch(f"{zone}/dnssec", json={"status": "active"}).status_code == 403
        signer.zones["example.net"] = dataclasses.replace(signer.zones["example.com"], zone="example.net")
        listed = f"{api.server.address}/lbdns/v1/dnssec"
        assert [one["zone"] for one in result(allowed.get(listed))] == ["example.com"]
        assert [one["zone"] for one in result(reader.get(listed))] == ["example.com", "example.net"]
        said = errors(allowed.post(f"{own(api, zone)}/import", json={"directory": "/keys"}), 403)
        assert "needs a token of scope write" in said[0][1], "the signer would read whatever directory"


def test_rolls_and_imports_by_the_own_paths(api: Api, client: httpx.Client, zone: str, signer: PlayedSigner) -> None:
    at = own(api, zone)
    assert errors(client.post(f"{at}/roll", json={}))[0][0] == "/role"
    assert errors(client.post(f"{at}/roll", json={"role": "zsk", "algorithms": 13}))[0][0] == "/algorithms"
    made = result(client.post(f"{at}/enable", json={"keys": "split", "algorithm": 15}))
    assert [(one["role"], one["algorithm"]) for one in made["keys"]] == [("ksk", 15), ("zsk", 15)]
    rolled = result(client.post(f"{at}/roll", json={"role": "zsk"}))
    assert rolled["keys"][-1]["next_state"] == "ready" and rolled["keys"][-1]["next_at_s"] == BEGAN_S + 7200
    assert result(client.get(at)) == rolled
    assert "role: expected one of ksk, zsk, csk" in errors(client.post(f"{at}/roll", json={"role": "zk"}))[0][1]
    assert result(client.post(f"{at}/disable"))["status"] == "disabled"
    assert result(client.post(f"{at}/import", json={"directory": "/keys"}))["keys"][0]["algorithm"] == 8
    assert signer.asked[-1] == ("import", {"zone": "example.com", "directory": "/keys"})


def test_what_the_signer_refuses_is_refused(client: httpx.Client, zone: str, signer: PlayedSigner, api: Api) -> None:
    ((_, text),) = errors(client.post(f"{own(api, zone)}/disable"))
    assert "example.com is not signed" in text
    guarded = client.patch(f"{zone}/dnssec", json={"status": "active"}, headers={"Lbdns-Guard": "5%"})
    assert guarded.status_code == 412 and signer.zones == {}


def test_without_a_server_a_zone_is_unsigned_unless_it_has_keys(api: Api, client: httpx.Client, zone: str) -> None:
    assert result(client.get(f"{zone}/dnssec")) == OFF
    assert "no server runs" in errors(client.patch(f"{zone}/dnssec", json={"status": "active"}))[0][1]
    place = api.manager.settings.state_dir() / "dnssec"
    place.mkdir()
    (place / "example.com.json").write_text("{}")
    assert "no server runs" in errors(client.get(f"{zone}/dnssec"))[0][1]


def test_the_official_client_signs_lists_keys_and_stops(api: Api, zone: str, signer: PlayedSigner) -> None:
    from cloudflare import Cloudflare

    id = zone.rpartition("/")[2]
    with Cloudflare(api_token=api.write_token, base_url=api.base, max_retries=0) as cloudflare:
        dnssec = cloudflare.dns.dnssec
        assert dnssec.edit(zone_id=id, status="active", dnssec_multi_signer=False).status == "pending"  # type: ignore[union-attr]
        shown = dnssec.get(zone_id=id)
        assert shown is not None and (shown.ds, shown.key_tag, shown.algorithm) == (FIELDS["ds"], 12345, "13")
        assert shown.modified_on is not None and shown.modified_on.timestamp() == BEGAN_S
        (zsk,) = dnssec.zsk.list(zone_id=id)
        assert zsk.dnskey is not None and zsk.dnskey.hdr is not None and zsk.tag == "active"
        assert (zsk.dnskey.flags, zsk.dnskey.hdr.name, zsk.dnskey.hdr.rdlength) == (257, "example.com.", 68)
        assert zsk.signing_key is not None and zsk.signing_key.privkey is None
        assert dnssec.delete(zone_id=id) == ""
        assert dnssec.get(zone_id=id).status == "disabled"  # type: ignore[union-attr]
        assert list(dnssec.zsk.list(zone_id=id)) == []


def test_a_ksk_signs_no_zone(client: httpx.Client, zone: str, signer: PlayedSigner, api: Api) -> None:
    result(client.post(f"{own(api, zone)}/enable", json={"keys": "split"}))
    retired = key(KeyRole.ZSK, 333, state="retired")
    before = signer.zones["example.com"]
    signer.zones["example.com"] = dataclasses.replace(before, keys=(*before.keys, retired))
    listed = result(client.get(f"{zone}/dnssec/zsk"))
    assert [(one["Name"], one["Tag"]) for one in listed] == [
        ("Kexample.com.+013+23456", "active"),
        ("Kexample.com.+013+00333", "retired"),
    ]


def test_what_is_new_in_a_signed_zone_says_how_long_it_may_stay_unseen(
    api: Api, client: httpx.Client, zone: str
) -> None:
    made = {"type": "A", "content": "192.0.2.1"}
    assert told(client.post(f"{zone}/dns_records", json={**made, "name": "before"})) == ""
    place = api.manager.settings.state_dir() / "dnssec"
    place.mkdir()
    (place / "example.com.json").write_text("{}")
    minimum = result(client.get(zone))["soa"]["minimum"]
    assert f"may not see it for {minimum} s, the TTL of its NSEC" in told(
        client.post(f"{zone}/dns_records", json={**made, "name": "new"})
    )
    pool = {"name": "eu", "origins": [{"name": "a", "address": "192.0.2.1"}]}
    pool_id = result(client.post(f"{api.account}/pools", json=pool))["id"]
    balancer = {"name": "lb.example.com", "default_pools": [pool_id], "fallback_pool": pool_id}
    result(client.post(f"{zone}/load_balancers", json=balancer))
    second = {**balancer, "name": "lb2.example.com"}
    assert "may not see it for 60 s" in told(client.post(f"{zone}/load_balancers", json=second))
    batch = client.post(f"{zone}/dns_records/batch", json={"posts": [{**made, "name": n} for n in ("x", "y")]})
    assert told(batch).count("may not see it") == 1
    compact = {"dnssec": {"zones": {"example.com": {"denial": "compact"}}}}
    api.manager.settings = Settings.model_validate({**api.manager.settings.model_dump(exclude_unset=True), **compact})
    assert "unseen" not in told(client.post(f"{zone}/dns_records", json={**made, "name": "z"}))
