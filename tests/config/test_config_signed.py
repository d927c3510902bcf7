"""Zones signed elsewhere are taken where their keys are here, else refused with what to do; doubled quotes are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lbdns.config.files_read import FilesRead
from lbdns.config.loading import examine, load
from lbdns.dns.codes import TYPE_DNSKEY, TYPE_DS, TYPE_NSEC, TYPE_RRSIG
from lbdns.dns.name import show_name

HEAD = "$TTL 300\n@ SOA a b 1 2 3 4 5\n@ NS ns.example.net.\nwww A 192.0.2.1\n"
SIGNATURE = "8 2 300 20300101000000 20200101000000 1 example.com. AAAA"
ADVICE = (
    "and lbdns makes the signatures of its answers itself; take its keys over first "
    "(`lbdns dnssec import example.com DIRECTORY`), and these records are left out, or give the zone without them, "
    "once its DS records are out of the zone above"
)
CNAME_TOLD = (
    'in a signed zone, origin "far" of pool "us" is answered with a CNAME (flatten_cname false): resolvers that keep '
    "it give it for every type, so that what pools without a hostname have is not seen meanwhile"
)
FAMILIES_TOLD = (
    'in a signed zone, where the pools differ in address families ("eu" has IPv4 only, "us" has IPv6 only), each '
    "answer without an address is proven by a record of its own, signed when it is asked for, and resolvers keep it "
    "for the load balancer's TTL, 45 s"
)


def messages(tmp_path: Path, text: str) -> list[str]:
    """Return the errors and warnings about a zone of HEAD and more."""
    (tmp_path / "example.com.zone").write_text(HEAD + text)
    examined = examine(tmp_path)
    return [
        *(f"{one.line} {one.path}: {one.message}" for one in examined.errors),
        *(f"warning {one.line} {one.path}: {one.message}" for one in examined.warnings),
    ]


@pytest.mark.parametrize(
    ("text", "where", "counts"),
    [
        ("@ DNSKEY 257 3 13 AAAA", "example.com DNSKEY", "1 DNSKEY"),
        (f"@ RRSIG SOA {SIGNATURE}", "example.com RRSIG", "1 RRSIG"),
        (f"www RRSIG A {SIGNATURE}\nwww RRSIG NSEC {SIGNATURE}", "www.example.com RRSIG", "2 RRSIG"),
        ("www NSEC example.com. A NSEC", "www.example.com NSEC", "1 NSEC"),
        ("@ NSEC3PARAM 1 0 0 -", "example.com NSEC3PARAM", "1 NSEC3PARAM"),
        (
            "2vptu5timamqttgl4luu9kg21e0aor3s NSEC3 1 0 0 - 2vptu5timamqttgl4luu9kg21e0aor3s A",
            "2vptu5timamqttgl4luu9kg21e0aor3s.example.com NSEC3",
            "1 NSEC3",
        ),
        (
            f"@ DNSKEY 256 3 13 AAAA\n@ DNSKEY 257 3 13 AAAA\n@ RRSIG SOA {SIGNATURE}\n@ NSEC www A",
            "example.com DNSKEY",
            "2 DNSKEY, 1 RRSIG, 1 NSEC",
        ),
    ],
)
def test_a_signed_zone_is_refused_once(text: str, where: str, counts: str, tmp_path: Path) -> None:
    assert messages(tmp_path, text + "\n") == [f"5 {where}: the zone is signed elsewhere ({counts}), {ADVICE}"]


@pytest.mark.parametrize(
    "text",
    [
        "sub NS ns.example.net.\nsub DS 1 8 2 " + "00" * 32,
        "key DNSKEY 257 3 13 AAAA",
        f"gone RRSIG A {SIGNATURE}",
        "@ CDS 0 0 0 00",
    ],
)
def test_records_of_dnssec_that_sign_nothing_here_are_data(text: str, tmp_path: Path) -> None:
    assert messages(tmp_path, text + "\n") == []


def signed_here(tmp_path: Path) -> Path:
    """Let example.com have keys; returns the directory of the configuration."""
    state = tmp_path / "state"
    (state / "dnssec").mkdir(parents=True)
    (state / "dnssec" / "example.com.json").write_text("{}")
    (state / "dnssec" / "no..name.json").write_text("{}")
    made = tmp_path / "conf"
    made.mkdir()
    (made / "lbdns.yaml").write_text(f"state: {state}\n")
    return made


def test_a_zone_with_keys_here_is_taken_without_the_other_signers_records(tmp_path: Path) -> None:
    directory = signed_here(tmp_path)
    text = (
        f"@ DNSKEY 257 3 13 AAAA\n@ RRSIG SOA {SIGNATURE}\n@ NSEC www A\nwww NSEC @ A\n@ CDS 0 0 0 00\n"
        f"www RRSIG A {SIGNATURE}\nkey DNSKEY 257 3 13 AAAA\ngone RRSIG A {SIGNATURE}\nsub NS ns.example.net.\n"
        f"sub DS 1 8 2 {'00' * 32}\nonly NSEC @ A\n"
    )
    for name in ("example.com", "example.net"):
        own = text if name == "example.com" else "@ DNSKEY 257 3 13 AAAA\n"
        (directory / f"{name}.zone").write_text(HEAD.replace("net.", "org.") + own)
    examined = examine(directory)
    told = [f"{one.line} {one.path}: {one.message}" for one in examined.warnings]
    left = "1 DNSKEY, 2 RRSIG, 3 NSEC, 1 CDS"
    assert told == [
        f"5 example.com DNSKEY: the zone is signed here, by keys of its own: {left} of the file are left out"
    ]
    assert [one.path for one in examined.errors] == ["example.net DNSKEY"], "it has no keys here"
    (directory / "example.net.zone").unlink()
    configuration = load(directory).configuration
    (zone,) = configuration.zones
    kept = {(show_name(rrset.owner), rrset.type) for rrset in zone.rrsets}
    assert {owner for owner, rdtype in kept if rdtype == TYPE_NSEC} == set()
    assert {owner for owner, rdtype in kept if rdtype == TYPE_DNSKEY} == {"key.example.com"}
    assert {owner for owner, rdtype in kept if rdtype == TYPE_RRSIG} == {"gone.example.com"}
    assert ("sub.example.com", TYPE_DS) in kept and "only.example.com" not in {owner for owner, _ in kept}


def test_a_refused_zone_is_read_again_once_its_keys_are_here(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (tmp_path / "lbdns.yaml").write_text(f"state: {state}\n")
    (tmp_path / "example.com.zone").write_text(HEAD + "@ DNSKEY 257 3 13 AAAA\n")
    read = FilesRead()
    assert len(examine(tmp_path, read).errors) == 1
    (state / "dnssec").mkdir(parents=True)
    (state / "dnssec" / "example.com.json").write_text("{}")
    assert read.as_now() != read.as_read()
    again = FilesRead()
    assert examine(tmp_path, again).errors == ()
    assert state / "dnssec" / "example.com.json" not in again.paths, "each step of the keys would be a reload"


@pytest.mark.parametrize(
    ("origins", "told"),
    [
        ({"name": "far", "address": "far.example.net", "flatten_cname": False}, CNAME_TOLD),
        ({"name": "far", "address": "far.example.net"}, None),
        ({"name": "far", "address": "2001:db8::1"}, FAMILIES_TOLD),
        ({"name": "far", "address": "192.0.2.2"}, None),
    ],
    ids=["cname", "flattened", "families", "alike"],
)
@pytest.mark.parametrize("is_signed", [True, False])
def test_what_a_load_balancer_costs_in_a_signed_zone_is_told(
    origins: dict[str, object], told: str | None, is_signed: bool, tmp_path: Path
) -> None:
    directory = signed_here(tmp_path)
    name = "example.com" if is_signed else "example.net"
    (directory / f"{name}.zone").write_text(HEAD.replace("ns.example.net", "ns.example.org"))
    balancer = {"name": f"lb.{name}", "default_pools": ["eu", "us"], "fallback_pool": "eu", "ttl": 45}
    pools = {"eu": {"origins": [{"name": "near", "address": "192.0.2.1"}]}, "us": {"origins": [origins]}}
    (directory / "pools.yaml").write_text(json.dumps({"pools": pools, "load_balancers": [balancer]}))
    examined = examine(directory)
    assert examined.errors == ()
    found = [one.message for one in examined.warnings if "signed zone" in one.message]
    assert found == ([told] if told is not None and is_signed else [])


@pytest.mark.parametrize("rdtype", ["TXT", "SPF"])
def test_texts_in_doubled_quotes_are_told(rdtype: str, tmp_path: Path) -> None:
    what = 'an empty text stands before and behind the others, as doubled quotes ""..."" make them'
    assert messages(tmp_path, f'x {rdtype} ""v=spf1 -all""\n') == [
        f'warning 5 x.example.com {rdtype}: {what}; if it is meant as one, write "v=spf1 -all"'
    ]


@pytest.mark.parametrize("text", ['""', '"" ""', '"" "a"', '"a" ""', '"a" "" "b"', '"" "" ""'])
def test_other_empty_texts_are_data(text: str, tmp_path: Path) -> None:
    assert messages(tmp_path, f"x TXT {text}\n") == []


@pytest.mark.parametrize(
    ("zones", "told"),
    [
        (("example.com",), ['there is no zone "exmaple.com" here; did you mean "example.com"?']),
        (("exmaple.com", "example.com@branch"), []),
        ((), []),  # they are in a store
    ],
)
def test_a_policy_of_no_zone_is_told(zones: tuple[str, ...], told: list[str], tmp_path: Path) -> None:
    """A zone's policy under a name with a slip would leave the zone with the general one, and nobody would see."""
    (tmp_path / "lbdns.yaml").write_text(
        "views: {branch: {clients: [10.0.0.0/8]}}\ndnssec: {zones: {Exmaple.com.: {denial: nsec3}}}\n"
    )
    for name in zones:
        (tmp_path / f"{name}.zone").write_text(HEAD)
    examined = examine(tmp_path)
    problems = [*examined.errors, *examined.warnings]
    assert [one.message for one in problems if one.path.startswith("dnssec")] == told
