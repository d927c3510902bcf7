"""The setting `dnssec`: policies, their bounds, and what a zone has of its own."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lbdns.model.dnssec_settings import DnssecPolicy, DnssecSettings
from lbdns.model.mistakes import mistakes_of
from lbdns.model.settings import Settings


def read(**fields: Any) -> DnssecSettings:
    """Return the setting with some fields."""
    return Settings.model_validate({"dnssec": fields}).dnssec


def test_defaults() -> None:
    """Algorithm 13, a CSK; signatures begin an hour back, hold two weeks and are made anew with one left."""
    policy = Settings().dnssec.policy_of("example.com")
    assert policy == DnssecPolicy()
    assert (policy.denial, policy.nsec_ttl, policy.algorithm_code, policy.keys) == ("nsec", None, 13, "csk")
    assert (policy.inception_s, policy.life_s, policy.renew_s, policy.key_inception_s) == (3600, 1209600, 604800, 300)
    assert (policy.zsk_lifetime, policy.ksk_lifetime, policy.dnskey_ttl) == (90 * 86400, 0, 3600)


def test_a_zone_says_what_differs() -> None:
    """What a zone does not say is as for all, not as by default; names are compared as DNS does."""
    settings = read(algorithm=15, keys="split", zones={"Shop.Example.COM.": {"zsk_lifetime": "30d", "keys": "csk"}})
    own = settings.policy_of("shop.example.com")
    assert (own.algorithm_code, own.keys, own.zsk_lifetime) == (15, "csk", 30 * 86400)
    assert settings.policy_of("example.com").keys == "split"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (13, "ECDSAP256SHA256"),
        ("14", "ECDSAP384SHA384"),
        ("ed25519", "ED25519"),
        ("ECDSAP256SHA256", "ECDSAP256SHA256"),
    ],
)
def test_algorithms_by_name_and_number(written: Any, name: str) -> None:
    assert read(algorithm=written).algorithm == name


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(86400, 86400), ("86400", 86400), ("90d", 7776000), ("90 D", 7776000), ("26w", 15724800), ("never", 0), (0, 0)],
)
def test_lengths_of_time(written: Any, seconds: int) -> None:
    assert read(zsk_lifetime=written).zsk_lifetime == seconds


@pytest.mark.parametrize(
    ("fields", "path", "part"),
    [
        ({"algorithm": 8}, ("algorithm",), '"RSASHA256" is no algorithm that keys are made with'),
        ({"algorithm": 16}, ("algorithm",), '"16" is no algorithm'),
        ({"algorithm": True}, ("algorithm",), "text"),
        ({"zsk_lifetime": "1y"}, ("zsk_lifetime",), "90d, 12h or 5m"),
        ({"zsk_lifetime": 600}, ("zsk_lifetime",), "86,400 s at least, or never"),
        ({"zsk_lifetime": "4000d"}, ("zsk_lifetime",), "at most 315360000"),
        ({"zsk_lifetime": 1.5}, ("zsk_lifetime",), "whole"),
        ({"nsec_ttl": -1}, ("nsec_ttl",), "0"),
        ({"keys": "ksk"}, ("keys",), "csk"),
        ({"denial": "none"}, ("denial",), "compact"),
        ({"signature_life": "10d"}, ("signature_life",), "at most half of their life"),
        ({"parent": ["ns.example.net"]}, ("parent", 0), "IP address"),
        ({"parent": ["192.0.2.1:0"]}, ("parent", 0), "port"),
        ({"zones": {"a..b": {}}}, ("zones", "a..b"), "empty label"),
        ({"zones": {"example.com": {"key": "csk"}}}, ("zones", "example.com", "key"), '"keys"'),
        ({"zones": {"example.com": {"user": "me"}}}, ("zones", "example.com", "user"), "unknown"),
        (
            {"zones": {"example.com": {"signature_renewal": "10d"}}},
            ("zones", "example.com", "signature_renewal"),
            "at most half",
        ),
        ({"user": "a b"}, ("user",), "USER:GROUP"),
    ],
)
def test_mistakes_have_their_place(fields: dict[str, Any], path: tuple[str | int, ...], part: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(**fields)
    (found,) = mistakes_of(caught.value, Settings)
    assert found.location == ("dnssec", *path) and part in found.message


def test_what_each_says_may_hold_only_together() -> None:
    """A zone whose renewal suits its own life, not that of the others."""
    zone = {"signature_life": "20d", "signature_renewal": "10d"}
    assert read(zones={"example.com": zone}).policy_of("example.com").renew_s == 864000
