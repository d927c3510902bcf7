"""Zones: what a client gives, SOA and serials, the way from master files and back, what the checks are told."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbdns.base.errors import Problem
from lbdns.base.kinds import Kind
from lbdns.base.wording import printable
from lbdns.config.loading import parse
from lbdns.dns import record_bounds
from lbdns.dns.master.draft import ZoneDraft
from lbdns.dns.master.reader import read_master
from lbdns.dns.master.zone_checks import ZoneIndex, check_zone
from lbdns.dns.name import encode_canonical
from lbdns.manage.store.item import Item
from lbdns.manage.store.records.record_reading import canonical_record
from lbdns.manage.store.zones.zone_bodies import (
    canonical_zone,
    export_zone,
    import_zone,
    new_zone_records,
    problem_at,
    raised_serial,
    zone_bodies,
    zone_draft,
)
from lbdns.manage.store.zones.zone_new import server_addresses
from lbdns.model.settings import Settings
from tests.work import calls_of

NOW_S = 1_795_219_200  # 2026-11-21
AT = ("zones", "example.com")


def zone_of(body: dict[str, Any]) -> Item:
    """Return a stored zone made of a body without mistakes."""
    problems: list[Problem] = []
    made = canonical_zone(body, problems, AT)
    assert not problems, problems
    assert canonical_zone(made, problems, AT) == made and not problems
    return Item(Kind.ZONE, "z", made)


def records_of(bodies: list[dict[str, Any]], zone: str = "example.com") -> list[Item]:
    """Return stored records made of bodies without mistakes."""
    problems: list[Problem] = []
    items = [
        Item(Kind.RECORD, str(index), canonical_record(body, zone, problems, ("records", str(index))), "z")
        for index, body in enumerate(bodies)
    ]
    assert not problems, problems
    return items


def rrsets(draft: ZoneDraft) -> set[tuple[bytes, int, int, frozenset[bytes]]]:
    """Return what a draft holds, whatever its order."""
    return {(owner, one.type, one.ttl, frozenset(one.rdatas)) for owner, found in draft.nodes.items() for one in found}


def test_names() -> None:
    for name in ("Example.COM.", "2.0.192.in-addr.arpa", "0/25.2.0.192.in-addr.arpa", "com"):
        assert zone_of({"name": name}).name == name.lower().removesuffix(".")
    assert zone_of({"name": "bücher.example"}).name == "xn--bcher-kva.example"


def test_soa_fields_and_their_defaults() -> None:
    soa = zone_of(
        {"name": "example.com", "soa": {"mname": "ns.example.net.", "rname": "a.b@example.net", "ttl": 60}}
    ).body["soa"]
    assert soa == {
        "mname": "ns.example.net",
        "rname": r"a\.b.example.net",
        "refresh": 7200,
        "retry": 900,
        "expire": 1_209_600,
        "minimum": 300,
        "ttl": 60,
    }
    assert (
        zone_of({"name": "example.com", "soa": {"mname": "@", "rname": "dns"}}).body["soa"]["rname"]
        == "dns.example.com"
    )


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("dns@example.net", "dns.example.net"),
        ("a.b@example.net", r"a\.b.example.net"),
        (r"a\.b@example.net", r"a\.b.example.net"),
        (r"a\.b.example.net", r"a\.b.example.net"),
        (r"a\@b.c@example.net", r"a\@b\.c.example.net"),
        (r"a.\@.example.net", r"a.\@.example.net"),
        ("@", "example.com"),
    ],
)
def test_the_mailbox_of_a_zone(given_name: str, name: str) -> None:
    """As a mail address or as a name; an escaped @ makes no address of what is a name already."""
    assert zone_of({"name": "example.com", "soa": {"rname": given_name}}).body["soa"]["rname"] == name


@pytest.mark.parametrize("text", ["@example.net", "dns@", "a@b@c.example"])
def test_what_is_no_mailbox(text: str) -> None:
    problems: list[Problem] = []
    canonical_zone({"name": "example.com", "soa": {"rname": text}}, problems, AT)
    assert [problem.message for problem in problems] == [
        f'"{text}" is no mailbox; expected one such as hostmaster@example.com'
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (1, 2),
        (0, 1),
        (2**32 - 1, 1),
        (2020010105, 2026112101),
        (2026112101, 2026112102),
        (2026112199, 2026112200),
        (2099010101, 2099010102),
        (2026992101, 2026992102),
        (1_795_219_200, 1_795_219_201),
    ],
)
def test_serials(old: int, new: int) -> None:
    assert raised_serial(old, NOW_S) == new
    assert 0 < (new - old) % 2**32 < 2**31, "newer by RFC 1982"


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_every_serial_is_followed_by_a_newer_one(old: int, now_s: int) -> None:
    new = raised_serial(old, now_s)
    assert 0 <= new < 2**32 and 0 < (new - old) % 2**32 < 2**31


@pytest.mark.parametrize(
    ("listen", "addresses"),
    [
        (["192.0.2.7:53", "[2001:db8::7]:53", "127.0.0.1:53"], ["192.0.2.7", "2001:db8::7"]),
        (["127.0.0.1:5353", "[::1]:5353"], ["127.0.0.1", "::1"]),
        (["[2001:db8::7]:53", "192.0.2.7:53", "192.0.2.7:54"], ["192.0.2.7", "2001:db8::7"]),
    ],
)
def test_a_name_server_has_the_addresses_that_are_listened_on(listen: list[str], addresses: list[str]) -> None:
    assert [str(address) for address in server_addresses(Settings.model_validate({"listen": listen}))] == addresses


def test_a_wildcard_stands_for_an_address_of_this_host() -> None:
    for address in server_addresses(Settings.model_validate({"listen": ["0.0.0.0:53", "[::]:53"]})):
        assert not address.is_unspecified
        assert isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address)


@pytest.mark.parametrize(
    "name", ["example.com", "com", "xn--bcher-kva.example", r"a\.b.example", "0/25.2.0.192.in-addr.arpa"]
)
def test_a_new_zone_passes_the_checks(name: str) -> None:
    soa, bodies = new_zone_records(name, Settings())
    zone, records = zone_of({"name": name, "soa": soa}), records_of(bodies, name)
    draft = zone_draft(zone, records)
    assert not draft.problems and not list(check_zone(ZoneIndex(draft)))
    loaded = parse({"zones": {name: export_zone(zone, records)}}, base=None)  # type: ignore[arg-type]
    assert not loaded.warnings and rrsets_of(loaded.configuration.zones[0]) == rrsets(draft)


def rrsets_of(zone: Any) -> set[tuple[bytes, int, int, frozenset[bytes]]]:
    """Return what a zone holds, whatever its order."""
    return {(one.owner, one.type, one.ttl, frozenset(one.rdatas)) for one in zone.rrsets}


def www(content: str, **fields: Any) -> dict[str, Any]:
    """Return an address record."""
    return {"name": "www", "type": "A", "content": content, **fields}


def test_an_rrset_has_the_lowest_ttl_and_problems_lead_back_to_records() -> None:
    zone = zone_of({"name": "example.com"})
    records = records_of(
        [
            {"name": "@", "type": "NS", "content": "ns1"},
            www("192.0.2.1", ttl=90),
            www("192.0.2.2", ttl=60),
            {"name": "al", "type": "A", "content": "192.0.2.3"},
            {"name": "al", "type": "CNAME", "content": "www.example.net"},
            {"name": "mx", "type": "MX", "content": "a.net", "priority": 1},
            {"name": "mx", "type": "MX", "content": "A.NET", "priority": 1},
        ]
    )
    draft = zone_draft(zone, records)
    rrset = draft.rrset(b"\3www" + encode_canonical("example.com"), 1)
    assert rrset is not None and (rrset.ttl, len(rrset.rdatas), rrset.line) == (60, 2, 2)
    by_id = {item.id: item for item in records}
    found = [*draft.problems, *check_zone(ZoneIndex(draft))]
    ids = [None, *by_id]  # lines count records
    assert {(problem_at(one, by_id, ids[one.line]), one.severity) for one in found} == {
        (("records", "2", "ttl"), "warning"),
        (("records", "4", "name"), "error"),
        (("records", "6", "content"), "error"),
        (("records", "0", "content"), "error"),
    }
    bare = zone_draft(zone, [])
    assert [problem_at(one, {}, None) for one in check_zone(ZoneIndex(bare))] == [AT]


def test_bounds_of_a_name() -> None:
    zone = zone_of({"name": "example.com"})
    many = [www(f"10.0.0.{number}") for number in range(record_bounds.MAX_RECORDS_PER_RRSET + 1)]
    types = [
        {"name": "t", "type": f"TYPE{65000 + number}", "content": r"\# 0"}
        for number in range(record_bounds.MAX_TYPES_PER_NAME + 1)
    ]
    problems = zone_draft(zone, records_of([*many, *types])).problems
    assert [(problem.line, problem.at) for problem in problems] == [(101, ("content",)), (202, ("name",))]


def test_records_with_mistakes_are_noted_as_lost() -> None:
    zone = zone_of({"name": "example.com"})
    problems: list[Problem] = []
    bad = canonical_record({"name": "@", "type": "NS", "content": "a b"}, "example.com", problems, ())
    draft = zone_draft(zone, [Item(Kind.RECORD, "1", bad)])
    assert problems and not list(check_zone(ZoneIndex(draft))), "the missing NS is the one that was refused"


def test_an_export_reads_well() -> None:
    zone = zone_of({"name": "example.com", "serial": 7})
    records = records_of([www("192.0.2.1", comment="the\nweb"), {"name": "@", "type": "NS", "content": "ns1"}])
    assert export_zone(zone, records).splitlines() == [
        "$ORIGIN example.com.",
        "$TTL 300",
        "",
        "@      3600 IN SOA ns1.example.com. hostmaster.example.com. (",
        "                   7          ; serial",
        "                   7200       ; refresh",
        "                   900        ; retry",
        "                   1209600    ; expire",
        "                   300        ; minimum",
        "                   )",
        "@       300 IN NS  ns1.example.com.",
        "www     300 IN A   192.0.2.1 ; " + printable("the\nweb"),
    ]


def test_import_tells_every_mistake_by_line() -> None:
    problems: list[Problem] = []
    text = "\ufeffa A 192.0.2.1\nc A x\nd.example.org. A 192.0.2.3\n"
    text += "$INCLUDE f\n$GENERATE 1-2 h$ A 192.0.2.$\nb 1 A 192.0.2.2"
    soa, bodies, _ = import_zone(text, "example.com", problems)
    assert soa is None
    assert [(problem.line, problem.severity) for problem in problems] == [
        (2, "error"),
        (3, "error"),
        (4, "error"),
        (6, "warning"),
    ]
    assert [(body["name"].partition(".")[0], body["ttl"]) for body in bodies] == [
        ("a", 300),
        ("h1", 300),
        ("h2", 300),
        ("b", 2),
    ]


def test_generated_records_have_a_bound_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lbdns.dns.master.reader.MAX_GENERATED_IN_ALL", 5)
    problems: list[Problem] = []
    _, bodies, _ = import_zone(
        "$GENERATE 1-3 a$ A 192.0.2.$\n" + "$GENERATE 1-3 b$ A 192.0.2.$\n", "example.com", problems
    )
    assert len(bodies) == 3
    assert [problem.line for problem in problems] == [2] and "in all" in problems[0].message


LABELS = st.text('abc-*_0 @$;"\\().é', min_size=1, max_size=6)
NAMES = st.lists(st.sampled_from(["a", "b", "*", "_tcp", "0"]), min_size=1, max_size=3).map(".".join)
HOSTS = st.sampled_from(["ns1", "a.example.net", "@", "localhost.", "x.y.example.com", r"a\.b.c"])
NUMBERS = st.integers(0, 65_535)
HEXES = st.binary(min_size=1, max_size=40).map(bytes.hex)
CONTENTS = st.one_of(
    st.tuples(st.just("A"), st.ip_addresses(v=4).map(str)),
    st.tuples(st.just("AAAA"), st.ip_addresses(v=6).map(str)),
    st.tuples(st.sampled_from(["CNAME", "NS", "PTR", "DNAME"]), HOSTS),
    st.tuples(st.just("MX"), st.builds("{} {}".format, NUMBERS, HOSTS)),
    st.tuples(st.just("SRV"), st.builds("{} {} {} {}".format, NUMBERS, NUMBERS, NUMBERS, HOSTS)),
    st.tuples(
        st.just("TXT"), st.text(min_size=1, max_size=400).filter(str.strip).filter(lambda text: text.lstrip()[0] != '"')
    ),
    st.tuples(
        st.just("CAA"), st.builds('{} issue "{}"'.format, st.integers(0, 255), st.sampled_from(["", "a; b=c", 'x\\"y']))
    ),
    st.tuples(st.just("HTTPS"), st.sampled_from(['1 . alpn="h2,h3"', "0 a.example.net", '16 foo key667="a b;"'])),
    st.tuples(st.just("TLSA"), st.builds("3 1 0 {}".format, HEXES)),
    st.tuples(st.just("SSHFP"), st.binary(min_size=32, max_size=32).map(lambda hash: f"4 2 {hash.hex()}")),
    st.tuples(st.just("TYPE65280"), st.binary(max_size=40).map(lambda data: f"\\# {len(data)} {data.hex()}")),
)
RECORDS = st.lists(
    st.builds(
        lambda name, content, ttl, comment: {
            "name": name,
            "type": content[0],
            "content": content[1],
            "ttl": ttl,
            "comment": comment,
        },
        NAMES,
        CONTENTS,
        st.sampled_from([0, 1, 60, 2**31 - 1]),
        st.text(max_size=20),
    ),
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=100)
@given(RECORDS, st.integers(0, 2**32 - 1))
def test_an_export_is_read_back_as_the_same_zone(bodies: list[dict[str, Any]], serial: int) -> None:
    zone = zone_of({"name": "example.com", "serial": serial})
    records = records_of(bodies)
    draft = zone_draft(zone, records)
    text = export_zone(zone, records)
    read = read_master(text, draft.apex, "f", None, lambda path: "")
    assert not [problem for problem in read.problems if "stands above already" not in problem.message]
    assert rrsets(read) == rrsets(draft)
    body, again = zone_bodies(read.finish())
    assert body == zone.body
    assert rrsets(zone_draft(zone, records_of(again))) == rrsets(draft)
    assert export_zone(Item(Kind.ZONE, "z", body), records_of(again)).count("\n") <= text.count("\n")
    problems: list[Problem] = []
    fields, imported, _ = import_zone(text, "example.com", problems)
    assert fields == {"soa": body["soa"], "serial": body["serial"]} and imported == again


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=80)
    | st.sampled_from(["example.com", "a@b.c", "@", ".", "a.b.", "full", "x" * 70])
)
ZONES = st.fixed_dictionaries(
    {},
    optional={
        **{key: VALUES for key in ("name", "type", "paused", "serial", "account", "vanity_name_servers", "x")},
        "soa": VALUES | st.dictionaries(st.sampled_from(["mname", "rname", "refresh", "ttl", "x"]), VALUES),
    },
)


@pytest.mark.slow
@settings(max_examples=200)
@given(ZONES)
def test_no_body_of_a_zone_is_too_strange(body: dict[str, Any]) -> None:
    problems: list[Problem] = []
    made = canonical_zone(body, problems, AT)
    assert isinstance(made["name"], str)
    for problem in problems:
        f"{problem}".encode()
    if not problems:
        zone = zone_of(made)
        assert zone.body == made
        text = export_zone(zone, [])
        fields, _, _ = import_zone(text, zone.name, problems)
        assert fields == {"soa": made["soa"], "serial": made["serial"]} and not problems


def test_what_is_drafted_again_is_not_encoded_again() -> None:
    zone = zone_of({"name": "example.com"})
    records = records_of([{"name": f"h{number}", "type": "TXT", "content": str(number)} for number in range(10_000)])
    assert calls_of(lambda: zone_draft(zone, records))["encode_content"] == 10_000
    again = calls_of(lambda: zone_draft(zone, records))
    assert "encode_content" not in again
    assert again.total() < 6 * 10_000
    assert len(zone_draft(zone, records).nodes) == 10_001
