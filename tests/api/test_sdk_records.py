"""Records by the official client: every common type, by content and by data, many at once, as a master file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from cloudflare import BadRequestError, NotFoundError

from tests.api.sdk import Sdk, codes, plain, some, told, within

pytestmark = pytest.mark.process

ZONE = "rr.example"
HEX = "ab" * 32
BASE64 = "AQIDBAUGBwgJ"


@dataclass(frozen=True)
class Case:
    """One record: what is sent, as content and as data, and what the server answers."""

    type: str
    content: str
    answer: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.type.lower()}.of"


CASES = (
    Case("A", "192.0.2.7"),
    Case("AAAA", "2001:db8::7"),
    Case("CNAME", "www.example.org", "www.example.org."),
    Case("DNAME", "other.example.org", "other.example.org."),
    Case("MX", "mx.example.org", "10 mx.example.org.", more={"priority": 10}),
    Case("NS", "ns.example.org"),
    Case("PTR", "host.example.org", "host.example.org."),
    Case("TXT", '"v=spf1 -all"', '"v=spf1 -all"'),
    Case("OPENPGPKEY", BASE64, BASE64),
    Case(
        "SRV",
        "10 20 5060 sip.example.org",
        "10 20 5060 sip.example.org.",
        {"priority": 10, "weight": 20, "port": 5060, "target": "sip.example.org"},
    ),
    Case(
        "CAA",
        '0 issue "ca.example.org"',
        '0 issue "ca.example.org"',
        {"flags": 0, "tag": "issue", "value": "ca.example.org"},
    ),
    Case(
        "HTTPS",
        '1 . alpn="h2,h3"',
        '1 . alpn="h2,h3"',
        {"priority": 1, "target": ".", "value": 'alpn="h2,h3"'},
    ),
    Case(
        "SVCB",
        '2 svc.example.org port="8443"',
        '2 svc.example.org. port="8443"',
        {"priority": 2, "target": "svc.example.org", "value": 'port="8443"'},
    ),
    Case(
        "TLSA",
        f"3 1 1 {HEX}",
        f"3 1 1 {HEX}",
        {"usage": 3, "selector": 1, "matching_type": 1, "certificate": HEX},
    ),
    Case(
        "SMIMEA",
        f"3 0 1 {HEX}",
        f"3 0 1 {HEX}",
        {"usage": 3, "selector": 0, "matching_type": 1, "certificate": HEX},
    ),
    Case("SSHFP", f"4 2 {HEX}", f"4 2 {HEX}", {"algorithm": 4, "type": 2, "fingerprint": HEX}),
    Case("DS", f"60485 13 2 {HEX}", "", {"key_tag": 60485, "algorithm": 13, "digest_type": 2, "digest": HEX}),
    Case(
        "DNSKEY",
        f"257 3 13 {BASE64}",
        f"257 3 13 {BASE64}",
        {"flags": 257, "protocol": 3, "algorithm": 13, "public_key": BASE64},
    ),
    Case("CERT", f"1 2 3 {BASE64}", "", {"type": 1, "key_tag": 2, "algorithm": 3, "certificate": BASE64}),
    Case(
        "NAPTR",
        '100 10 "S" "SIP+D2U" "" sip.example.org',
        '100 10 "S" "SIP+D2U" "" sip.example.org.',
        {
            "order": 100,
            "preference": 10,
            "flags": "S",
            "service": "SIP+D2U",
            "regex": "",
            "replacement": "sip.example.org",
        },
    ),
    Case(
        "URI",
        '10 20 "https://example.org/"',
        '10 20 "https://example.org/"',
        {"weight": 20, "target": "https://example.org/"},
        {"priority": 10},
    ),
    Case(
        "LOC",
        "52 22 23 N 4 53 32 E -2m 1m 10000m 10m",
        "",
        {
            "lat_degrees": 52,
            "lat_minutes": 22,
            "lat_seconds": 23,
            "lat_direction": "N",
            "long_degrees": 4,
            "long_minutes": 53,
            "long_seconds": 32,
            "long_direction": "E",
            "altitude": -2,
            "size": 1,
            "precision_horz": 10000,
            "precision_vert": 10,
        },
    ),
)


@pytest.fixture(scope="module")
def zone(sdk: Sdk) -> str:
    return sdk.zone(ZONE)


def create(sdk: Sdk, zone: str, name: str, type: str, **fields: Any) -> dict[str, Any]:
    records: Any = sdk.client.dns.records
    return plain(records.create(zone_id=zone, name=name, type=type, **{"ttl": 1, **fields}))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type)
def test_record_by_content(sdk: Sdk, zone: str, case: Case) -> None:
    records: Any = sdk.client.dns.records
    name = f"{case.label}-content.{ZONE}"
    made = records.create(zone_id=zone, name=name, type=case.type, content=case.content, ttl=1, **case.more)
    if case.type not in ("DNAME", "OPENPGPKEY"):  # the client has no type for the one, and the other's needs a comment
        assert type(made).__name__.upper() == f"{case.type}RECORD"
    shown = plain(made)
    expected = {"name": name, "type": case.type, "content": case.content, "ttl": 1, **case.more}
    assert within(shown, expected) == expected
    assert (shown["proxied"], shown["proxiable"], shown["tags"], shown["comment"]) == (False, False, [], None)
    assert within(shown.get("data", {}), case.data) == case.data
    assert made.created_on == made.modified_on
    assert records.get(made.id, zone_id=zone) == made
    assert case.answer in ("", *sdk.server.addresses(name, case.type))
    reply = sdk.server.query(name, case.type)
    assert {rrset.ttl for rrset in (*reply.answer, *reply.authority)} == {300}


@pytest.mark.parametrize("case", [case for case in CASES if case.data], ids=lambda case: case.type)
def test_record_by_data(sdk: Sdk, zone: str, case: Case) -> None:
    name = f"{case.label}-data.{ZONE}"
    made = create(sdk, zone, name, case.type, data=case.data, ttl=120, **case.more)
    assert (made["content"], made["ttl"]) == (case.content, 120)
    assert within(made["data"], case.data) == case.data
    assert case.answer in ("", *sdk.server.addresses(name, case.type))


def test_record_of_an_unknown_type(sdk: Sdk, zone: str) -> None:
    made = create(sdk, zone, f"unknown.{ZONE}", "TYPE65400", content=r"\# 3 010203")
    assert made["content"] == r"\# 3 010203"
    assert sdk.server.addresses(f"unknown.{ZONE}", "TYPE65400") == [r"\# 3 010203"]


def test_record_lives_its_life(sdk: Sdk, zone: str) -> None:
    records: Any = sdk.client.dns.records
    name = f"life.{ZONE}"
    made = create(sdk, zone, name, "A", content="192.0.2.1", ttl=120, comment="first", tags=["team:web"])
    assert (made["comment"], made["tags"]) == ("first", ["team:web"])
    id = made["id"]

    changed = plain(records.edit(id, zone_id=zone, name=name, type="A", ttl=120, content="192.0.2.2"))
    assert within(changed, made) == made | {"content": "192.0.2.2", "modified_on": changed["modified_on"]}
    assert sdk.server.addresses(name) == ["192.0.2.2"]

    reset = plain(
        records.edit(id, zone_id=zone, name=name, type="A", ttl=120, extra_body={"comment": None, "tags": None})
    )
    assert (reset["comment"], reset["tags"], reset["content"]) == (None, [], "192.0.2.2")

    replaced = plain(records.update(id, zone_id=zone, name=name, type="AAAA", ttl=1, content="2001:DB8::3"))
    assert (replaced["id"], replaced["type"], replaced["content"]) == (id, "AAAA", "2001:db8::3")
    assert (replaced["ttl"], replaced["created_on"]) == (1, made["created_on"])
    assert (sdk.server.addresses(name), sdk.server.addresses(name, "AAAA")) == ([], ["2001:db8::3"])

    assert some(records.delete(id, zone_id=zone)).id == id
    with pytest.raises(NotFoundError):
        records.get(id, zone_id=zone)
    assert sdk.server.query(name, "AAAA").rcode() == 3  # NXDOMAIN


def test_names_are_completed(sdk: Sdk, zone: str) -> None:
    assert create(sdk, zone, "short", "A", content="192.0.2.1")["name"] == f"short.{ZONE}"
    assert create(sdk, zone, "@", "TXT", content='"apex"')["name"] == ZONE
    assert create(sdk, zone, f"*.Wild.{ZONE}.", "A", content="192.0.2.2")["name"] == f"*.wild.{ZONE}"
    assert sdk.server.addresses(f"any.wild.{ZONE}") == ["192.0.2.2"]


def test_records_are_found(sdk: Sdk) -> None:
    zone = sdk.zone("found.example")
    records = sdk.client.dns.records
    for name, kind, content, comment in (
        ("a1.found.example", "A", "192.0.2.1", "blue"),
        ("a2.found.example", "A", "192.0.2.2", "green"),
        ("a1.found.example", "TXT", '"192.0.2.1"', "blue"),
    ):
        create(sdk, zone, name, kind, content=content, comment=comment)

    def found(**filters: Any) -> list[tuple[str, str]]:
        return [(one.name, one.type) for one in records.list(zone_id=zone, **filters)]

    assert found(name={"exact": "a1.found.example"}) == [("a1.found.example", "A"), ("a1.found.example", "TXT")]
    assert found(name={"startswith": "a"}, type="A") == [("a1.found.example", "A"), ("a2.found.example", "A")]
    assert found(content={"exact": "192.0.2.2"}) == [("a2.found.example", "A")]
    assert found(content={"contains": "0.2.1"}, type="TXT") == [("a1.found.example", "TXT")]
    assert found(comment={"exact": "green"}) == [("a2.found.example", "A")]
    assert found(search="green") == [("a2.found.example", "A")]
    assert found(match="any", type="TXT", comment={"exact": "green"}) == [
        ("a2.found.example", "A"),
        ("a1.found.example", "TXT"),
    ]
    assert found(type="A", order="name", direction="desc") == [("a2.found.example", "A"), ("a1.found.example", "A")]
    assert found(extra_query={"name": "a2.found.example", "type": "A"}) == [("a2.found.example", "A")]
    assert found(type="MX") == []


def test_batch_is_done_whole(sdk: Sdk) -> None:
    zone = sdk.zone("batch.example")
    gone, changed, replaced = (
        create(sdk, zone, f"{label}.batch.example", "A", content="192.0.2.1", comment="old")["id"]
        for label in ("gone", "changed", "replaced")
    )
    before = sdk.revision()
    patch: Any = {"id": changed, "content": "192.0.2.2"}
    put: Any = {"id": replaced, "name": "replaced.batch.example", "type": "A", "ttl": 60, "content": "192.0.2.3"}
    post: Any = {"name": "new.batch.example", "type": "A", "ttl": 60, "content": "192.0.2.4"}
    done = plain(
        sdk.client.dns.records.batch(zone_id=zone, deletes=[{"id": gone}], patches=[patch], puts=[put], posts=[post])
    )
    assert [[one["content"] for one in done[step]] for step in ("deletes", "patches", "puts", "posts")] == [
        ["192.0.2.1"],
        ["192.0.2.2"],
        ["192.0.2.3"],
        ["192.0.2.4"],
    ]
    assert (done["patches"][0]["comment"], done["puts"][0]["comment"]) == ("old", None)
    assert sdk.revision() == before + 1
    assert [sdk.server.addresses(f"{label}.batch.example") for label in ("gone", "changed", "replaced", "new")] == [
        [],
        ["192.0.2.2"],
        ["192.0.2.3"],
        ["192.0.2.4"],
    ]


def test_batch_with_a_mistake_does_nothing(sdk: Sdk) -> None:
    zone = sdk.zone("undone.example")
    kept = create(sdk, zone, "kept.undone.example", "A", content="192.0.2.1")["id"]
    before = sdk.revision()
    posts: Any = [
        {"name": "fine.undone.example", "type": "A", "ttl": 1, "content": "192.0.2.4"},
        {"name": "wrong.undone.example", "type": "A", "ttl": 1, "content": "192.0.2.400"},
    ]
    with pytest.raises(BadRequestError) as refused:
        sdk.client.dns.records.batch(zone_id=zone, deletes=[{"id": kept}], posts=posts)
    assert [(code, at) for code, _, at in told(refused.value)] == [(1002, "/posts/1/content")]
    assert sdk.revision() == before
    assert sdk.server.addresses("kept.undone.example") == ["192.0.2.1"]
    assert sdk.server.addresses("fine.undone.example") == []


MASTER = """$TTL 600
@       IN MX  10 mail
mail    IN A   192.0.2.25
        IN AAAA 2001:db8::25
text    IN TXT "two" "strings"
"""


def test_master_file_in_and_out(sdk: Sdk) -> None:
    records = sdk.client.dns.records
    zone = sdk.zone("file.example")
    done = some(records.import_(zone_id=zone, file=MASTER))
    assert (done.recs_added, done.total_records_parsed) == (4, 4)
    again = some(records.import_(zone_id=zone, file=MASTER, proxied="false"))
    assert (again.recs_added, again.total_records_parsed) == (0, 4)
    assert sdk.server.addresses("file.example", "MX") == ["10 mail.file.example."]
    assert sdk.server.addresses("text.file.example", "TXT") == ['"two" "strings"']

    exported = records.export(zone_id=zone)
    assert isinstance(exported, str) and "mail.file.example." in exported
    copy = sdk.zone("copy.example")
    some(records.import_(zone_id=copy, file=exported.replace("file.example", "copy.example")))

    def told_of(zone: str, name: str) -> set[tuple[str, str, str]]:
        listed = [plain(one) for one in records.list(zone_id=zone)]
        return {(one["name"], one["type"], one["content"].replace(name, "ZONE")) for one in listed}

    renamed = {
        (owner.replace("file.example", "copy.example"), kind, text)
        for owner, kind, text in told_of(zone, "file.example")
    }
    assert told_of(copy, "copy.example") == renamed


def test_master_file_sent_as_a_file(sdk: Sdk) -> None:
    zone = sdk.zone("upload.example")
    answer: Any = sdk.client.post(
        f"/zones/{zone}/dns_records/import",
        cast_to=httpx.Response,
        files={"file": ("zone.txt", MASTER.encode())},
        options={"headers": {"Content-Type": "multipart/form-data"}},
    )
    assert answer.json()["result"] == {"recs_added": 4, "total_records_parsed": 4}


def test_master_file_with_a_mistake_adds_nothing(sdk: Sdk) -> None:
    zone = sdk.zone("badfile.example")
    before = sdk.revision()
    with pytest.raises(BadRequestError) as refused:
        sdk.client.dns.records.import_(zone_id=zone, file=f"{MASTER}bad IN A 192.0.2.256\nworse IN MX mail\n")
    assert codes(refused.value) == [1002, 1002]
    assert ["line 6" in str(told(refused.value)[0][1]), "line 7" in str(told(refused.value)[1][1])] == [True, True]
    assert sdk.revision() == before


def test_record_that_there_is_already(sdk: Sdk, zone: str) -> None:
    create(sdk, zone, f"same.{ZONE}", "A", content="192.0.2.1")
    with pytest.raises(BadRequestError) as refused:
        create(sdk, zone, f"same.{ZONE}", "A", content="192.0.2.1", comment="another")
    assert codes(refused.value) == [81058]
    create(sdk, zone, f"same.{ZONE}", "A", content="192.0.2.2")
    assert sdk.server.addresses(f"same.{ZONE}") == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize(
    ("type", "fields", "at"),
    [
        ("A", {"content": "2001:db8::1"}, "/content"),
        ("AAAA", {"content": "192.0.2.1"}, "/content"),
        ("A", {}, "/content"),
        ("MX", {"content": "mx.example.org"}, "/priority"),
        ("A", {"content": "192.0.2.1", "ttl": -1}, "/ttl"),
        ("A", {"content": "192.0.2.1", "proxied": True}, "/proxied"),
        ("SRV", {"data": {"priority": 1, "weight": 1, "port": 70000, "target": "a.example.org"}}, "/data/port"),
        ("CAA", {"data": {"flags": 0, "tag": "issue"}}, "/data/value"),
        ("TLSA", {"content": "3 1 1 xyz"}, "/content"),
        ("NOSUCH", {"content": "x"}, "/type"),
        ("SOA", {"content": "ns1 h 1 2 3 4 5"}, "/type"),
    ],
)
def test_mistake_is_pointed_to(sdk: Sdk, zone: str, type: str, fields: dict[str, Any], at: str) -> None:
    before = sdk.revision()
    with pytest.raises(BadRequestError) as refused:
        create(sdk, zone, f"wrong.{ZONE}", type, **fields)
    assert [(code, pointer) for code, _, pointer in told(refused.value)] == [(1002, at)]
    assert sdk.revision() == before


def test_cname_stands_alone(sdk: Sdk, zone: str) -> None:
    create(sdk, zone, f"alone.{ZONE}", "CNAME", content="www.example.org")
    with pytest.raises(BadRequestError):
        create(sdk, zone, f"alone.{ZONE}", "TXT", content='"beside"')
    with pytest.raises(BadRequestError):
        create(sdk, zone, f"alone.{ZONE}", "CNAME", content="other.example.org")
