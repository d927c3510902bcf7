"""TSIG keys, peers, networks and zones' transfers in a store: files in and out, policies, secrets shown to nobody."""

from __future__ import annotations

import contextlib
import json
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbdns.answer.explain.view_step import Viewer, number_of
from lbdns.base.errors import ConfigError
from lbdns.base.kinds import Kind
from lbdns.config.loading import parse
from lbdns.dns.name import encode_canonical
from lbdns.manage.store.builder import Builder
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.revisions.diff import between, describe
from lbdns.manage.store.revisions.from_files import apply, state_of
from lbdns.manage.store.revisions.to_files import export, tree_of
from lbdns.manage.store.revisions.wanted import wanted_of
from lbdns.manage.store.sqlite import Store
from lbdns.manage.store.state import State
from lbdns.model.configuration import Configuration
from lbdns.model.configuration_document import decode_configuration, encode_configuration
from lbdns.model.settings import Settings
from lbdns.model.transfer_policy import Notified, Primary

SECRET = b64encode(b"a secret of thirty-two octets...").decode()
ZONE = "$TTL 300\n@ SOA ns1 h 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"
SECTIONS: dict[str, Any] = {
    "tsigs": {"ns2": {"algo": "hmac-sha512.", "secret": SECRET}, "spare.example.net": {}},
    "peers": {
        "first": {"ip": "192.0.2.60", "port": 5353, "tsig": "ns2", "ixfr_enable": True},
        "second": {"ip": "2001:db8::60"},
        "later": {},
    },
    "acls": {"office": {"ip_range": "198.51.100.0/24"}},
    "incoming": {"corp.example": {"peers": ["second", "first"], "auto_refresh_seconds": 600}},
    "outgoing": {
        "example.com": {"peers": ["first", "later"], "steered": "flatten"},
        "example.net": {"peers": ["second"]},
        "example.org": {"peers": ["second"], "enabled": False},
    },
}
ZONES = dict.fromkeys(("example.com", "example.net", "example.org"), ZONE)


def read(**changed: Any) -> Configuration:
    """Return the configuration with some sections changed."""
    return parse({"zones": ZONES, **SECTIONS, **changed}, Path()).configuration


def examined(state: State, settings: Settings | None = None) -> Configuration:
    """Return what a store with that state serves."""
    return Builder().examine(state, settings or Settings()).loaded().configuration


def test_policies_of_peers() -> None:
    policies = read().transfer_policies
    corp = policies.of(encode_canonical("corp.example"))
    assert corp.primaries == (
        Primary("2001:db8::60", 53, "", takes_ixfr=False),
        Primary("192.0.2.60", 5353, "ns2", takes_ixfr=True),
    )
    assert corp.refresh_s == 600 and corp.is_secondary
    assert [str(one.network) for one in corp.entries("notify") or ()] == [
        "198.51.100.0/24",
        "2001:db8::60/128",
        "192.0.2.60/32",
    ]
    out = policies.of(encode_canonical("example.com"))
    assert [(one.network, one.key) for one in out.transfer] == [(None, "ns2")], "who has a key has to sign"
    assert out.notify_targets == (Notified("192.0.2.60", 5353, "ns2"),) and out.steered == "flatten"
    unsigned = policies.of(encode_canonical("example.net"))
    assert [str(one.network) for one in unsigned.transfer] == ["2001:db8::60/128", "198.51.100.0/24"]
    assert not policies.of(encode_canonical("example.org")).has_followers, "disabled"
    assert [key.algorithm for key in read().tsig_keys.values()] == ["hmac-sha512"], "one has no secret"


def test_files_and_back() -> None:
    configuration = read()
    state = state_of(configuration, 1)
    zones = {item.name: item for item in state.all(Kind.ZONE).values()}
    (incoming,) = state.all(Kind.INCOMING).values()
    assert zones["corp.example"].body["type"] == "secondary" and incoming.zone_id == zones["corp.example"].id
    peers = {item.name: item.id for item in state.all(Kind.PEER).values()}
    (tsig,) = (item.id for item in state.all(Kind.TSIG).values() if item.name == "ns2")
    assert incoming.body["peers"] == [peers["second"], peers["first"]]
    assert state.all(Kind.PEER)[peers["first"]].body["tsig_id"] == tsig
    served = examined(state)
    assert served.transfer_policies == configuration.transfer_policies
    assert {zone.apex for zone in served.zones} == {zone.apex for zone in configuration.zones}
    again = parse(tree_of(state), Path()).configuration
    assert again.transfer_policies == configuration.transfer_policies and again.tsig_keys == configuration.tsig_keys
    stored = replace(configuration, unready=())
    assert decode_configuration(encode_configuration(stored)) == stored


def test_it_is_stored(tmp_path: Path) -> None:
    state = state_of(read(), 1)
    with contextlib.closing(Store(tmp_path)) as store:
        store.commit(between(State(), state), "ann", "all", "2026-11-21T10:00:00.000000Z", 0)
    with contextlib.closing(Store(tmp_path)) as store:
        kept = store.load()
    assert between(kept, state) == []
    assert examined(Builder().sift(kept)).transfer_policies == read().transfer_policies


def test_secrets_are_in_no_difference_no_export_and_no_text_for_people() -> None:
    state = state_of(read(), 1)
    assert SECRET not in repr(read().tsigs) + repr(read().tsig_keys) + str(read().transfer_policies)
    assert SECRET not in json.dumps(describe(between(State(), state), State(), state))
    shown = export(state, has_keys=False)
    assert SECRET not in str(shown) and "ns2: {algo: hmac-sha512}\n" in shown.files["transfers.yaml"]
    assert "1 tsig key (ns2) without secret, which is shown once" in "".join(shown.notes)
    assert SECRET in export(state).files["transfers.yaml"], "what is kept for a start without the store has them"


def test_files_without_secrets_leave_those_of_the_store() -> None:
    before = state_of(read(), 1)
    shown = tree_of(before, has_keys=False)
    edit = Edit(before, 0.0)
    apply(edit, wanted_of(parse(shown, Path()).configuration), prune=True)
    assert edit.finish() == ()
    edit = Edit(before, 0.0)
    shown["tsigs"]["ns2"]["secret"] = b64encode(bytes(32)).decode()
    apply(edit, wanted_of(parse(shown, Path()).configuration))
    (change,) = edit.finish()
    assert change.item.name == "ns2"


def test_a_secondary_zone_takes_no_records_and_goes_with_its_transfers() -> None:
    before = state_of(read(), 1)
    (corp,) = (item for item in before.all(Kind.ZONE).values() if item.name == "corp.example")
    edit = Edit(before, 0.0)
    edit.create(Kind.RECORD, {"name": "www", "type": "A", "content": "192.0.2.1"}, corp.id)
    assert [problem.message for problem in edit.problems] == [
        'the records of "corp.example" come from its primaries; change them there'
    ]
    edit = Edit(before, 0.0)
    edit.delete(Kind.ZONE, corp.id)
    assert sorted(change.item.kind for change in edit.finish()) == [Kind.INCOMING, Kind.ZONE]


def test_transfers_are_of_their_own_zone() -> None:
    before = state_of(read(), 1)
    (com,) = (item for item in before.all(Kind.ZONE).values() if item.name == "example.com")
    edit = Edit(before, 0.0)
    edit.create(Kind.INCOMING, {"name": "example.com"}, com.id)
    edit.create(Kind.OUTGOING, {"name": "other.example"}, com.id)
    assert [problem.message for problem in edit.problems] == [
        '"example.com" has records of its own; a zone that comes from peers is of the type "secondary"',
        'the outgoing transfer of "other.example" would be those of example.com',
    ]


def test_a_secondary_zone_without_primaries_is_not_ready() -> None:
    zone = {"name": "corp.example", "type": "secondary"}
    edit = Edit(State(), 0.0)
    edit.create(Kind.ZONE, zone)
    assert not edit.problems
    edit.finish()
    (unready,) = examined(edit.state).unready
    assert unready.zone.apex == encode_canonical("corp.example")
    assert unready.problems == ("corp.example is secondary, and has no primaries yet: give it incoming transfers",)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"peers": {"first": {"tsig": "ns3"}}, "incoming": {}, "outgoing": {}}, 'unknown tsig key "ns3"'),
        ({"incoming": {"example.com": {"peers": ["first"]}}}, "and has records here as well"),
        ({"outgoing": {"exmaple.com": {}}}, 'there is no zone "exmaple.com" here; did you mean "example.com"?'),
        ({"incoming": {"corp.example": {"peers": ["first", "first"]}}}, '"first" is listed already'),
        ({"settings": {"keys": [{"name": "ns2", "secret": SECRET}]}}, '"ns2" stands under keys in lbdns.yaml already'),
        ({"settings": {"zones": {"corp.example": {"primaries": ["192.0.2.1"]}}}}, "has primaries under zones"),
        ({"peers": {"first": {"ip": "0.0.0.0"}}, "incoming": {}, "outgoing": {}}, "is not the address of one server"),
        ({"acls": {"office": {"ip_range": "192.0.2.1/24"}}}, "has bits behind its prefix"),
        ({"tsigs": {"ns2": {"algo": "hmac-sha3"}}}, "is not known here"),
        (
            {
                "outgoing": {"example.com": {"peers": ["first"]}},
                "pools": {"eu": {"origins": [{"name": "e", "address": "192.0.2.9"}]}},
                "load_balancers": [{"name": "www.example.com", "default_pools": ["eu"], "fallback_pool": "eu"}],
            },
            "say what others get of them, steered: flatten, or refuse",
        ),
    ],
)
def test_mistakes(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**changed)
    assert said in str(caught.value) and SECRET not in str(caught.value)


def test_settings_may_name_keys_of_the_store_and_views_too() -> None:
    state = state_of(read(), 1)
    settings = Settings.model_validate(
        {"access": {"update": [{"key": "ns2"}]}, "views": {"lab": {"keys": ["ns2"]}}, "zones": {"corp.example": {}}}
    )
    assert examined(state, settings).transfer_policies.general.update[0].key == "ns2"
    assert number_of(Viewer(key="NS2."), settings, examined(state, settings).tsig_keys) == 1, "as explain --key asks"
    gone = State.of([item for item in all_of(state) if item.name not in ("ns2", "first")], 2)
    errors = [str(one) for one in Builder().examine(gone, settings).errors]
    assert any("access.update[0].key" in one and 'no key is called "ns2"' in one for one in errors)
    assert any("views.lab.keys[0]" in one or "views[lab]" in one for one in errors), errors


def all_of(state: State) -> list[Item]:
    """Return everything in a state."""
    return [item for kind in Kind for item in state.all(kind).values()]
