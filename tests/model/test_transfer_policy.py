"""What settings make of transfers: each zone's policy, and patterns of names."""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest
from pydantic import ValidationError

from lbdns.dns.name import encode_canonical
from lbdns.dns.name_pattern import matches
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings
from lbdns.model.transfer_policy import Notified, Primary, TlsCheck, TransferPolicies, transfer_policies

SECRET = b64encode(bytes(32)).decode()
SETTINGS = {
    "keys": [{"name": "ns2", "secret": SECRET}, {"name": "acme", "secret": SECRET}],
    "access": {"transfer": [{"network": "192.0.2.0/24"}], "update": [{"key": "acme"}]},
    "zones": {
        "Example.com.": {
            "also_notify": ["192.0.2.54", {"address": "[2001:db8::54]:5353", "key": "NS2."}],
            "transfer": {"steered": "flatten"},
            "access": {"transfer": [{"key": "ns2", "network": "2001:db8::/32"}], "query": []},
        },
        "corp.example": {
            "primaries": [
                "2001:db8::60",
                {"address": "192.0.2.60", "key": "ns2", "tls": True},
                {"address": "192.0.2.60:8853", "tls": {"name": "NS1.example.net", "ca_file": "/ca.pem"}},
            ]
        },
    },
}


def policies(settings: Mapping[str, object] = SETTINGS) -> TransferPolicies:
    """Return what settings make."""
    return transfer_policies(Settings.model_validate(settings))


def test_a_zones_lists_take_the_place_of_the_servers() -> None:
    own = policies().of(encode_canonical("example.com"))
    assert [(str(one.network), one.key) for one in own.transfer] == [("2001:db8::/32", "ns2")]
    assert [one.key for one in own.update] == ["acme"], "the server's, since the zone says nothing of it"
    assert own.query == (), "nobody, which is not the same as nothing said"
    assert own.notify_targets == (Notified("192.0.2.54"), Notified("2001:db8::54", 5353, "ns2"))
    assert own.steered == "flatten"
    assert own.has_followers and not own.is_secondary
    other = policies().of(encode_canonical("other.example"))
    assert [str(one.network) for one in other.transfer] == ["192.0.2.0/24"]
    assert other.apex == encode_canonical("other.example")
    assert other.query is None and other.steered is None


def test_primaries_may_notify_and_speak_tls_on_its_own_port() -> None:
    (secondary,) = policies().secondaries
    assert secondary.primaries == (
        Primary("2001:db8::60"),
        Primary("192.0.2.60", 853, "ns2", TlsCheck()),
        Primary("192.0.2.60", 8853, "", TlsCheck("ns1.example.net", Path("/ca.pem"))),
    )
    assert [str(one) for one in secondary.primaries] == ["[2001:db8::60]:53", "192.0.2.60:853", "192.0.2.60:8853"]
    notifying = secondary.entries("notify")
    assert notifying is not None
    assert [str(one.network) for one in notifying] == ["2001:db8::60/128", "192.0.2.60/32"]
    assert secondary.notify == ()


def test_nothing_said_is_nothing_allowed() -> None:
    nothing = policies({})
    assert nothing.is_empty and not policies().is_empty
    own = nothing.of(encode_canonical("example.com"))
    assert (own.transfer, own.notify, own.update, own.query) == ((), (), (), None)
    assert Configuration().transfer_policies == nothing


def test_keys_are_known_by_name() -> None:
    configuration = Configuration(settings=Settings.model_validate(SETTINGS))
    assert list(configuration.tsig_keys) == ["ns2", "acme"]
    assert SECRET not in repr(configuration.tsig_keys)


@pytest.mark.parametrize(
    "zones",
    [
        {"example.com": {}, "Example.COM.": {}},
        {"example.com": {"primaries": [{"address": "192.0.2.1", "tls": True}]}},
        {"example.com": {"access": {"transfer": [{}]}}},
        {"example.com": {"access": {"query": [{"key": "k", "types": "A"}]}}},
        {"example.com": {"also_notify": ["224.0.0.1"]}},
    ],
)
def test_what_is_refused(zones: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"zones": zones})


def test_what_was_written_is_read_again() -> None:
    settings = Settings.model_validate(SETTINGS)
    again = Settings.model_validate_json(settings.model_dump_json(exclude_unset=True))
    assert transfer_policies(again) == transfer_policies(settings)


def naive_match(pattern: list[str], labels: list[str]) -> bool:
    """Say it slowly: a `*` takes one label, or one and goes on."""
    if not pattern or not labels:
        return not pattern and not labels
    if pattern[0] == "*":
        return naive_match(pattern[1:], labels[1:]) or naive_match(pattern, labels[1:])
    return pattern[0] == labels[0] and naive_match(pattern[1:], labels[1:])


def test_patterns_of_names_against_a_naive_model() -> None:
    draw = random.Random(14)
    names = [list(one) for length in range(1, 6) for one in product("ab", repeat=length)]
    for _ in range(200):
        pattern = [draw.choice("ab*") for _ in range(draw.randint(1, 5))]
        for labels in names:
            found = matches(".".join(pattern), encode_canonical(".".join(labels)))
            assert found == naive_match(pattern, labels), (pattern, labels)


def test_a_pattern_takes_bounded_work() -> None:
    name = encode_canonical(".".join("a" * 120))
    assert not matches(".".join("*a" * 60) + ".b", name)
