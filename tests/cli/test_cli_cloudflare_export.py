"""`lbdns zone import` of a file that Cloudflare exported: taken as its owner means it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lbdns.base.errors import Problem
from lbdns.manage.store.zones.zone_bodies import import_zone
from tests.cli.test_cli_zone import Run, run

__all__ = ["run"]

HEAD = """\
;;
;; Domain:     moved.example.
;; Exported:   2025-03-25 02:20:34
;;
"""
SOA = "moved.example\t3600\tIN\tSOA\tns-a.ns.cloudflare.com. dns.cloudflare.com. 7 10000 2400 604800 3600\n"
SERVERS = (
    "moved.example.\t86400\tIN\tNS\tns-a.ns.cloudflare.com.\nmoved.example.\t86400\tIN\tNS\tNS-B.ns.cloudflare.com.\n"
)
RECORDS = """\
moved.example.\t1\tIN\tA\t198.51.100.177 ; cf_tags=cf-proxied:true
auth.moved.example.\t1\tIN\tA\t198.51.100.177 ; sign-on; old cf_tags=team:web,cf-proxied:true
direct.moved.example.\t300\tIN\tA\t198.51.100.178 ; plain
moved.example.\t1\tIN\tMX\t91 route3.mail.example.net.
t.moved.example.\t1\tIN\tTXT\t"a; cf_tags=none" "b"
sub.moved.example.\t1\tIN\tNS\tns-a.ns.cloudflare.com.
"""
EXPORT = HEAD + SOA + SERVERS + RECORDS


def read(text: str, servers: Any = ()) -> tuple[Any, dict[tuple[str, str], dict[str, Any]], list[str]]:
    """Return what an import gives: SOA and serial, bodies by name and type, and what is told."""
    problems: list[Problem] = []
    imported = import_zone(text, "moved.example", problems)
    fields, records = imported.fields, imported.with_servers(servers)
    return fields, {(one["name"], one["type"]): one for one in records}, [str(problem) for problem in problems]


def test_an_export_is_what_its_owner_means() -> None:
    fields, records, told = read(EXPORT)
    assert fields["serial"] == 7 and fields["soa"]["refresh"] == 10000
    assert {key: one["ttl"] for key, one in records.items()} == {
        ("moved.example", "A"): 1,
        ("auth.moved.example", "A"): 1,
        ("direct.moved.example", "A"): 300,
        ("moved.example", "MX"): 1,
        ("t.moved.example", "TXT"): 1,
        ("sub.moved.example", "NS"): 1,
    }
    said = {key[0]: (one.get("comment"), one.get("tags")) for key, one in records.items() if key[1] != "MX"}
    assert said == {
        "moved.example": (None, ["cf-proxied:true"]),
        "auth.moved.example": ("sign-on; old", ["team:web", "cf-proxied:true"]),
        "direct.moved.example": ("plain", None),
        "t.moved.example": (None, None),
        "sub.moved.example": (None, None),
    }
    assert told == [
        "import:6: moved.example NS: name servers of Cloudflare are left out, for the zone is to be served here: "
        "ns-a.ns.cloudflare.com, NS-B.ns.cloudflare.com",
        "import: moved.example: proxied there: 2 records; lbdns answers queries and carries no traffic, so records are "
        "answered as they stand",
    ]


@pytest.mark.parametrize(
    ("text", "ttl"),
    [
        (HEAD + "a 1 A 192.0.2.1\n", 1),
        ("a 1 A 192.0.2.1 ; cf_tags=x:y\n", 1),
        (SERVERS + "a 1 A 192.0.2.1\n", 1),
        ("a 1 A 192.0.2.1 ; a comment\n", 2),
        ('a 1 A 192.0.2.1\nt TXT "; cf_tags=x:y"\n', 2),
        ("@ NS ns.example.net.\n" + SERVERS + "a 1 A 192.0.2.1\n", 2),
    ],
)
def test_an_export_is_known_by_its_head_its_tags_or_its_servers(text: str, ttl: int) -> None:
    assert read(text)[1]["a.moved.example", "A"]["ttl"] == ttl


def test_servers_of_others_stay_and_none_stand_in() -> None:
    servers = [{"name": "moved.example", "type": "NS", "content": "ns1.moved.example", "ttl": 60}]
    assert read(EXPORT, servers)[1]["moved.example", "NS"] == servers[0]
    records = read(HEAD + SERVERS + "@ 86400 NS ns.example.net.\n", servers)[1]
    assert records["moved.example", "NS"]["content"] == "ns.example.net"


def test_an_soa_without_its_final_dot_is_taken_from_any_file() -> None:
    assert read(SOA + "@ NS ns.example.net.\n")[0]["serial"] == 7
    assert read("@ SOA a b 1 2 3 4 5\n" + SOA)[0]["serial"] == 1
    assert read(SOA.replace("moved.example\t", "www\t"))[0] is None


def test_an_export_is_imported_served_and_imported_again(run: Run, tmp_path: Any) -> None:
    file = tmp_path / "export.txt"
    file.write_text(EXPORT)
    done = run("zone", "import", file, "--name", "moved.example")
    assert done.out == "zone moved.example: created, 8 records, serial 7\n"
    assert done.err.count("name servers of Cloudflare are left out") == 1
    exported = run("zone", "export", "moved.example").out
    assert "ns1.moved.example." in exported and "ns1" in exported and "198.51.100.177 ; sign-on; old" in exported
    shown = json.loads(run("record", "list", "moved.example", "--json").out)
    assert {one["name"]: one["tags"] for one in shown if one["tags"]} == {
        "moved.example": ["cf-proxied:true"],
        "auth.moved.example": ["team:web", "cf-proxied:true"],
    }
    assert "no record changed" in run("zone", "import", file, "--name", "moved.example").out
    added = run("zone", "import", file, "--name", "moved.example", "--add").out
    assert added == "zone moved.example: 0 of 6 records added\n"
