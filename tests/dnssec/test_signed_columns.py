"""A signed zone as columns: every RRset with its signatures, names in canonical order, what each may have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.dns.canonical import nsec3_hash, order_key, type_bitmap
from lbdns.dns.codes import TYPE_A, TYPE_AAAA, TYPE_MX, TYPE_NS, TYPE_NSEC, TYPE_RRSIG, TYPE_TXT
from lbdns.dns.name import encode_canonical, read_name
from lbdns.mapped.columns import NONE_32
from lbdns.mapped.snapshot_file import RENEWAL
from lbdns.snapshot.compile.signed_rows import SIGNED_COLUMNS
from lbdns.snapshot.lookup.name_rows import DENIAL_NSEC, DENIAL_NSEC3, DENIAL_UNSIGNED
from tests.dnssec.in_process import NOW_S, Policy, SomeKeys, signed_view
from tests.dnssec.naive_chain import check_signatures, rrset_of

ZONE = """$TTL 300
@ IN SOA ns hostmaster 1 7200 900 1209600 60
@ IN NS ns
ns IN A 192.0.2.53
www IN A 192.0.2.80
a.empty IN TXT "below nothing"
mixed IN TXT "beside a load balancer"
mixed IN A 192.0.2.81
alias IN CNAME www
cut IN NS ns.cut
ns.cut IN A 192.0.2.54
secure IN NS ns.example.net.
secure IN DS 12345 13 2 49FD46E6C4B45C55D4AC49FD46E6C4B45C55D4AC49FD46E6C4B45C55D4AC0000
"""
POOLS = {
    "both": [{"name": "e4", "address": "192.0.2.1"}, {"name": "e6", "address": "2001:db8::1"}],
    "v4": [{"name": "e4", "address": "192.0.2.2"}],
    "named": [{"name": "h", "address": "host.example.net"}],
    "mail": [{"name": "m", "address": "mail.example.net"}],
}
TREE: dict[str, Any] = {
    "settings": {"resolvers": ["127.0.0.1:9"]},
    "zones": {"example.com": ZONE, "example.org": ZONE},
    "pools": {name: {"origins": origins} for name, origins in POOLS.items()},
    "load_balancers": [
        {"name": "lb.example.com", "default_pools": ["v4"], "fallback_pool": "v4"},
        {"name": "*.apps.example.com", "default_pools": ["v4"], "fallback_pool": "both"},
        {"name": "mixed.example.com", "default_pools": ["v4"], "fallback_pool": "v4"},
        {"name": "cname.example.com", "default_pools": ["named"], "fallback_pool": "named"},
        {
            "name": "rules.example.com",
            "default_pools": ["v4"],
            "fallback_pool": "v4",
            "rules": [{"condition": 'dns.qry.name == "x"', "overrides": {"pools": ["both"]}}],
        },
        {"name": "example.com", "type": "MX", "default_pools": ["mail"], "fallback_pool": "mail"},
    ],
}


def entry_of(view: ServingView, zone: int, text: str) -> int:
    """Return the entry of a name, given as text."""
    entry = view.find_name(zone, encode_canonical(text))
    assert entry is not None, text
    return entry


def types_at(view: ServingView, zone: int, text: str) -> bytes | None:
    """Return the bitmap of a name."""
    offset = view.columns["name_types"][entry_of(view, zone, text)]
    if offset == NONE_32:
        return None
    blob = view.columns["blob"]
    length = blob[offset] | blob[offset + 1] << 8
    return bytes(blob[offset + 2 : offset + 2 + length])


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ServingView]:
    """The configuration with example.com signed, by denial."""
    folder = tmp_path_factory.mktemp("signed")
    keys = SomeKeys.make("example.com")
    return {one: signed_view(TREE, folder / one, keys, policy=Policy(one)) for one in ("nsec", "nsec3", "compact")}


def test_what_is_signed_has_signatures_in_the_view(views: dict[str, ServingView]) -> None:
    for denial, view in views.items():
        apex = entry_of(view, 0, "example.com")
        dnskey = view.rrset(apex, 48)
        assert dnskey is not None
        rrsets = [
            rrset
            for name in ("example.com", "www.example.com", "alias.example.com", "secure.example.com")
            for rrset in view.rrsets(entry_of(view, 0, name))
            if rrset.type != TYPE_NS or name == "example.com"
        ]
        assert all(rrset.signatures for rrset in rrsets)
        assert check_signatures(rrsets, rrset_of(dnskey), NOW_S) == len(rrsets)
        assert view.negative(0).signatures == rrsets[0].signatures, denial
        for name in ("cut.example.com", "ns.cut.example.com"):
            assert not any(one.signatures for one in view.rrsets(entry_of(view, 0, name)) if one.type != TYPE_NSEC)
        # Another zone of the same configuration stays as it is.
        assert not any(one.signatures for one in view.rrsets(entry_of(view, 1, "example.org")))
        assert list(view.columns["zone_signed"]) == [{"nsec": 1, "nsec3": 2, "compact": 3}[denial], DENIAL_UNSIGNED]
        assert list(view.columns["zone_key_count"]) == [1, 0]
        assert list(view.columns["signing_key_id"]) == [SomeKeys.make("example.com").keys.zone_signers[0].id]
        assert view.snapshot.meta[RENEWAL] > NOW_S


def test_names_in_canonical_order(views: dict[str, ServingView]) -> None:
    columns = views["nsec"].columns
    count = columns["zone_nsec_count"][0]
    names = [views["nsec"].name(entry) for entry in columns["nsec_name"][:count]]
    assert names == sorted(names, key=order_key)
    blob = columns["blob"]
    for name, offset in zip(names, columns["nsec_order"], strict=True):
        key = order_key(name)
        assert bytes(blob[offset : offset + 2 + len(key)]) == len(key).to_bytes(2, "little") + key
    # Cuts are among them, what is hidden below them and empty names are not.
    told = {encode_canonical(f"{one}.example.com") for one in ("cut", "lb", "*.apps")}
    assert told <= set(names)
    assert not {encode_canonical(f"{one}.example.com") for one in ("ns.cut", "empty", "apps")} & set(names)
    for entry in columns["nsec_name"][:count]:
        assert views["nsec"].rrsets(entry)[-1].type == TYPE_NSEC
    assert columns["zone_nsec_count"][1] == 0


def test_hashes_in_order(views: dict[str, ServingView]) -> None:
    view = views["nsec3"]
    columns = view.columns
    count = columns["zone_nsec3_count"][0]
    hashes = [bytes(columns["nsec3_hash"][at * 20 : at * 20 + 20]) for at in range(count)]
    assert hashes == sorted(hashes) and columns["zone_signed"][0] == DENIAL_NSEC3
    for name in ("example.com", "empty.example.com", "apps.example.com", "lb.example.com", "cut.example.com"):
        assert nsec3_hash(encode_canonical(name)) in hashes
    assert nsec3_hash(encode_canonical("ns.cut.example.com")) not in hashes
    for at in range(count):
        row = columns["nsec3_rrset"][at]
        assert columns["rrset_type"][row] == 50 and columns["rrset_signature_count"][row] == 1
        assert read_name(columns["blob"], columns["nsec3_owner"][at]).endswith(encode_canonical("example.com"))


@pytest.mark.parametrize("denial", ["nsec", "nsec3", "compact"])
def test_what_names_may_have(views: dict[str, ServingView], denial: str) -> None:
    view = views[denial]
    own = (TYPE_RRSIG,) if denial == "nsec3" else (TYPE_RRSIG, TYPE_NSEC)
    wanted = {
        "lb.example.com": (TYPE_A,),
        "*.apps.example.com": (TYPE_A, TYPE_AAAA),
        "mixed.example.com": (TYPE_A, TYPE_TXT),
        "cname.example.com": (TYPE_A, TYPE_AAAA),
        "rules.example.com": (TYPE_A, TYPE_AAAA),
    }
    for name, types in wanted.items():
        assert types_at(view, 0, name) == type_bitmap((*types, *own)), name
    apex = types_at(view, 0, "example.com")
    assert apex is not None and apex[2 + 1] & 0x80 >> TYPE_MX % 8
    for name in ("empty.example.com", "apps.example.com"):
        assert types_at(view, 0, name) == (b"" if denial == "nsec3" else type_bitmap(own))
    cut = (TYPE_NS,) if denial == "nsec3" else (TYPE_NS, *own)
    assert types_at(view, 0, "cut.example.com") == type_bitmap(cut)
    assert types_at(view, 0, "secure.example.com") == type_bitmap((TYPE_NS, 43, *own))
    assert types_at(view, 0, "ns.cut.example.com") is None
    assert types_at(view, 1, "www.example.org") is None


def test_nothing_is_there_where_no_zone_is_signed(tmp_path: Path) -> None:
    view = signed_view(TREE, tmp_path)
    assert all(len(view.columns[name]) == 0 for name in SIGNED_COLUMNS)
    assert view.snapshot.meta[RENEWAL] == 0
    assert view.rrset(entry_of(view, 0, "www.example.com"), TYPE_A) is not None


def test_a_chain_is_short_lived_beside_load_balancers(views: dict[str, ServingView], tmp_path: Path) -> None:
    """In the zone with load balancers NSEC lives 60 s, its denials' own TTL; the policy may say less or more."""
    tree = {**TREE, "load_balancers": []}
    tree["zones"] = {"example.com": ZONE.replace("1209600 60", "1209600 900")}
    keys = SomeKeys.make("example.com")
    for nsec_ttl, balancers, wanted in (
        (None, [], 300),
        (None, TREE["load_balancers"], 60),
        (7, [], 7),
        (900, [], 300),
    ):
        view = signed_view(
            {**tree, "load_balancers": balancers},
            tmp_path / str(wanted + len(balancers)),
            keys,
            policy=Policy(nsec_ttl=nsec_ttl),
        )
        found = view.rrset(entry_of(view, 0, "www.example.com"), TYPE_NSEC)
        assert found is not None and found.ttl == wanted
    assert views["nsec"].columns["zone_signed"][0] == DENIAL_NSEC
