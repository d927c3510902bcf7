"""Who may do what: a snapshot's lists, by network, key, both, name and type."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from lbdns.answer.access_table import AccessTable
from lbdns.config.loading import parse
from lbdns.dns.name import encode_canonical
from lbdns.dns.rdata.record_types import parse_type
from lbdns.dns.tsig import UNKNOWN_KEY, UNSIGNED, Judgement, Seal, known_key
from lbdns.mapped.snapshot_file import ACCESS
from lbdns.model.settings import Settings
from lbdns.model.transfer_policy import transfer_policies
from lbdns.snapshot.compile.access_rows import access_rows
from tests.answer.lanes import compiled_view

SECRET = b64encode(bytes(32)).decode()
SETTINGS: Mapping[str, Any] = {
    "keys": [{"name": name, "secret": SECRET} for name in ("ns2", "acme", "dyn")],
    "access": {"transfer": [{"key": "ns2"}, {"network": "192.0.2.0/24"}]},
    "zones": {
        "example.com": {
            "transfer": {"steered": "flatten"},
            "access": {
                "transfer": [{"key": "ns2", "network": "2001:db8::/32"}],
                "query": [{"network": "198.51.100.7"}],
                "update": [
                    {"key": "acme", "names": "_acme-challenge.*", "types": "TXT"},
                    {"key": "dyn", "names": ["*.dyn.example.com", "home.example.com"], "types": ["A", "AAAA"]},
                    {"network": "127.0.0.1"},
                ],
            },
        },
        "corp.example": {"primaries": ["192.0.2.60"]},
    },
}
EXAMPLE = encode_canonical("example.com")
OTHER = encode_canonical("other.example")


@pytest.fixture(scope="module")
def table() -> AccessTable:
    """The table as a process reads it from a file."""
    rows = access_rows(transfer_policies(Settings.model_validate(SETTINGS)))
    return AccessTable(json.loads(json.dumps(rows)))


def signed(name: str) -> Judgement:
    """Return what is said of a message that was signed well by a key."""
    owner = encode_canonical(name)
    return Judgement(seal=Seal(known_key(name, "hmac-sha256", bytes(32)), owner, b"", b"", b""))


def packed(address: str) -> bytes:
    """Return an address as it comes with a query."""
    return ip_address(address).packed


@pytest.mark.parametrize(
    ("right", "apex", "address", "judgement", "may"),
    [
        ("transfer", OTHER, "192.0.2.9", UNSIGNED, True),
        ("transfer", OTHER, "192.0.3.0", UNSIGNED, False),
        ("transfer", OTHER, "203.0.113.1", signed("ns2"), True),
        ("transfer", OTHER, "203.0.113.1", signed("NS2"), True),
        ("transfer", OTHER, "203.0.113.1", signed("acme"), False),
        ("transfer", OTHER, "203.0.113.1", UNKNOWN_KEY, False),
        ("transfer", OTHER, "192.0.2.9", UNKNOWN_KEY, True),
        ("transfer", EXAMPLE, "192.0.2.9", UNSIGNED, False),
        ("transfer", EXAMPLE, "192.0.2.9", signed("ns2"), False),
        ("transfer", EXAMPLE, "2001:db8::1", UNSIGNED, False),
        ("transfer", EXAMPLE, "2001:db8::1", signed("ns2"), True),
        ("transfer", EXAMPLE, "2001:db9::1", signed("ns2"), False),
        ("query", EXAMPLE, "198.51.100.7", UNSIGNED, True),
        ("query", EXAMPLE, "198.51.100.8", UNSIGNED, False),
        ("query", OTHER, "198.51.100.8", UNSIGNED, True),
        ("notify", OTHER, "192.0.2.60", UNSIGNED, False),
        ("notify", encode_canonical("corp.example"), "192.0.2.60", UNSIGNED, True),
        ("notify", encode_canonical("corp.example"), "192.0.2.61", UNSIGNED, False),
        ("update", EXAMPLE, "203.0.113.1", signed("acme"), True),
        ("update", OTHER, "203.0.113.1", signed("acme"), False),
    ],
)
def test_rights(table: AccessTable, right: str, apex: bytes, address: str, judgement: Judgement, may: bool) -> None:
    assert table.judge(right, apex, packed(address), judgement) is may


@pytest.mark.parametrize(
    ("key", "name", "rtype", "may"),
    [
        ("acme", "_acme-challenge.example.com", "TXT", True),
        ("acme", "_acme-challenge.www.example.com", "TXT", True),
        ("acme", "_acme-challenge.www.example.com", "A", False),
        ("acme", "www.example.com", "TXT", False),
        ("dyn", "a.dyn.example.com", "A", True),
        ("dyn", "dyn.example.com", "A", False),
        ("dyn", "home.example.com", "AAAA", True),
        ("dyn", "home.example.com", "MX", False),
        ("ns2", "home.example.com", "A", False),
    ],
)
def test_updates_are_bound_to_names_and_types(table: AccessTable, key: str, name: str, rtype: str, may: bool) -> None:
    address, wire = packed("203.0.113.1"), encode_canonical(name)
    may_change = table.updating(EXAMPLE, address, signed(key).key)
    assert (may_change is not None and may_change(wire, parse_type(rtype))) is may
    from_here = table.updating(EXAMPLE, packed("127.0.0.1"), signed(key).key)
    assert from_here is not None
    assert from_here(wire, parse_type(rtype)), "by network: any"


def test_what_anybody_may(table: AccessTable) -> None:
    assert [table.anybody(right) for right in ("transfer", "notify", "update", "query")] == [True] * 4
    assert table.is_limited("query") and table.is_limited("update")
    nothing = AccessTable({})
    assert [nothing.anybody(right) for right in ("transfer", "notify", "update", "query")] == [False] * 3 + [True]
    assert not nothing.is_limited("query")
    assert not nothing.judge("transfer", EXAMPLE, packed("127.0.0.1"), signed("ns2"))
    assert nothing.judge("query", EXAMPLE, packed("127.0.0.1"), UNSIGNED)


def test_views_have_it_and_lists_are_kept_once(tree: Mapping[str, Any], tmp_path: Path) -> None:
    own = {"access": {"transfer": [{"key": "ns2"}]}, "transfer": {"steered": "flatten"}}
    zones = {**dict.fromkeys((f"z{number}.example" for number in range(50)), own)}
    text = "$TTL 60\n@ SOA ns admin 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n"
    settings = {**tree["settings"], "keys": SETTINGS["keys"], "zones": zones}
    whole = {**tree, "settings": settings, "zones": {**tree["zones"], **dict.fromkeys(zones, text)}}
    view = compiled_view(parse(whole, tmp_path).configuration, tmp_path)
    assert len(view.snapshot.meta[ACCESS]["lists"]) == 2, "nobody, and that one"
    z1 = encode_canonical("z1.example")
    assert view.access.judge("transfer", z1, packed("192.0.2.9"), signed("ns2"))
    assert not view.access.judge("transfer", z1, packed("192.0.2.9"), UNSIGNED)
    assert not view.access.judge("transfer", EXAMPLE, packed("192.0.2.9"), signed("ns2"))
