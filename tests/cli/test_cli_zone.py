"""`lbdns zone` and `lbdns record`, over the store of a state directory with no server running."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.cli.main import main
from lbdns.config.loading import parse
from lbdns.dnssec.zone_status import SigningState, ZoneStatus

FILE = """\
$TTL 600
@   SOA ns1 admin 2020010105 7200 900 1209600 300
@   NS  ns1
ns1 A   203.0.113.53
www A   203.0.113.1 ; the web
"""


class Ran(NamedTuple):
    """What a command left."""

    status: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command over a state directory, in this process; its settings name the address it listens on."""
    settings = tmp_path / "lbdns.yaml"
    settings.write_text(f"listen: ['203.0.113.53:53']\nstate: {tmp_path / 'state'}\n")

    def run(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments), "--settings", str(settings)])
        out, err = capsys.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def zone(run: Run) -> str:
    assert run("zone", "create", "example.com", "serial=7").status == 0
    return "example.com"


def records(run: Run, *arguments: str) -> list[tuple[str, str, str]]:
    """Return name, type and content of listed records."""
    listed = json.loads(run("record", "list", "example.com", *arguments, "--json").out)
    return [(one["name"], one["type"], one["content"]) for one in listed]


def columns(text: str) -> list[list[str]]:
    """Return the words of a table's rows, what draws it left out."""
    return [line.split() for line in text.splitlines() if line.strip(" ─")]


@pytest.mark.slow
def test_a_zone_from_its_name(run: Run) -> None:
    tried = run("zone", "create", "Example.COM", "soa.minimum=60", "--dry-run")
    assert tried.out.startswith("+ zone example.com\n") and tried.out.endswith("nothing is changed: --dry-run\n")
    made = run("zone", "create", "Example.COM", "soa.minimum=60")
    assert (made.status, made.out) == (0, "zone example.com: created in revision 1\n")
    shown = json.loads(run("zone", "show", "example.com", "--json").out)
    assert shown["soa"]["minimum"] == 60 and shown["records"] == {"NS": 1, "A": 1}
    assert columns(run("zone", "list").out)[1][:2] == ["example.com", "ns1.example.com"]
    assert ["records", "1", "NS,", "1", "A"] in columns(run("zone", "show", "example.com.").out)
    again = run("zone", "create", "example.com")
    assert (again.status, again.out) == (1, "") and "already" in again.err
    bad = run("zone", "create", "example..com", "soa.refresh=-1")
    assert bad.status == 1
    assert "name: " in bad.err and "soa.refresh: " in bad.err, "a line for each mistake"


@pytest.mark.slow
def test_delegation_is_ready_to_paste(run: Run, zone: str) -> None:
    run("record", "add", zone, "@", "NS", "ns.example.net")
    told = run("zone", "delegation", zone)
    assert told == (
        0,
        "; example.com: for its parent zone, com\n"
        "example.com.       300 IN NS ns1.example.com.\n"
        "example.com.       300 IN NS ns.example.net.\n"
        "ns1.example.com.  3600 IN A  203.0.113.53\n",
        "",
    )
    parent = "@ 60 SOA ns admin 1 7200 900 1209600 300\n@ 60 NS ns\nns 60 A 192.0.2.1\n" + told.out
    assert not parse({"zones": {"com": parent}}, Path()).warnings, "the parent zone takes it as it is"
    glue = json.loads(run("zone", "delegation", zone, "--json").out)["glue"]
    assert [(one["name"], one["content"]) for one in glue] == [("ns1.example.com", "203.0.113.53")]
    run("record", "set", zone, "ns1", "A", "10.0.0.1")
    assert (
        "ns1.example.com has 10.0.0.1, which is reached from its own network alone"
        in run("zone", "delegation", zone).err
    )


@pytest.mark.slow
def test_delegation_has_the_ds_of_a_signed_zone(run: Run, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ds = f"12345 13 2 {'AB' * 32}"

    async def signed(site: object, zone_id: str) -> ZoneStatus:
        return ZoneStatus(zone, SigningState.PENDING, 1.0, ds=(ds,))

    monkeypatch.setattr("lbdns.manage.api.own.signing_routes.status_of", signed)
    told = run("zone", "delegation", zone)
    assert told.out.splitlines()[-1] == f"example.com.      3600 IN DS {ds}" and told.err == ""
    parent = "@ 60 SOA ns admin 1 7200 900 1209600 300\n@ 60 NS ns\nns 60 A 192.0.2.1\n" + told.out
    assert not parse({"zones": {"com": parent}}, Path()).warnings, "the parent zone takes it as it is"
    assert json.loads(run("zone", "delegation", zone, "--json").out)["ds"] == [ds]

    async def unknown(site: object, zone_id: str) -> ZoneStatus:
        raise LbdnsError("no server runs")

    monkeypatch.setattr("lbdns.manage.api.own.signing_routes.status_of", unknown)
    told = run("zone", "delegation", zone)
    assert "DS" not in told.out and "whether example.com is to have a DS is not known" in told.err


@pytest.mark.slow
def test_records_are_added_changed_and_deleted(run: Run, zone: str) -> None:
    added = run("record", "add", zone, "www", "A", "192.0.2.1", "--ttl", "1h", "--comment", "web", "--tag", "a:b")
    assert (added.status, added.out) == (0, "www.example.com A 192.0.2.1: added in revision 2\n")
    run("record", "add", zone, "@", "MX", "10", "mail.example.net.")
    run("record", "add", zone, "@", "TXT", "v=spf1 -all")
    assert records(run, "@") == [
        ("example.com", "NS", "ns1.example.com"),
        ("example.com", "MX", "mail.example.net"),
        ("example.com", "TXT", "v=spf1 -all"),
    ]
    table = columns(run("record", "list", zone).out)
    assert ["www", "A", "3600", "192.0.2.1", "web"] in table
    assert ["@", "MX", "auto", "10", "mail.example.net"] in table
    assert records(run, "--type", "mx") == records(run, "--search", "mail")

    assert run("record", "set", zone, "www", "A", "192.0.2.2").out.endswith("changed in revision 5\n")
    changed = json.loads(run("record", "list", zone, "www", "--json").out)[0]
    assert (changed["content"], changed["ttl"], changed["comment"]) == ("192.0.2.2", 3600, "web"), "the rest stays"
    assert run("record", "set", zone, "www", "A", "192.0.2.2").out.endswith(": nothing changed\n")
    assert run("record", "set", zone, "@", "MX", "20", "mail.example.net").status == 0
    assert run("record", "set", zone, "www", "A", "--ttl", "auto").status == 0
    assert run("record", "set", zone, "new", "AAAA", "2001:db8::1").out.endswith("added in revision 8\n")

    assert run("record", "delete", zone, "@", "TXT", "v=spf1 -all", "--yes").out == "example.com: 1 record deleted\n"
    assert run("record", "delete", zone, "new", "--yes").status == 0
    assert {name for name, _, _ in records(run)} == {"example.com", "ns1.example.com", "www.example.com"}


@pytest.mark.slow
def test_one_of_several_is_named_by_what_it_was(run: Run, zone: str) -> None:
    run("record", "add", zone, "www", "A", "192.0.2.1")
    run("record", "add", zone, "www", "A", "192.0.2.2")
    unclear = run("record", "set", zone, "www", "A", "192.0.2.3")
    assert unclear.status == 1 and "--was CONTENT" in unclear.err and "192.0.2.2" in unclear.err
    assert run("record", "set", zone, "www", "A", "192.0.2.3", "--was", "192.0.2.1").status == 0
    assert sorted(records(run, "www")) == [
        ("www.example.com", "A", "192.0.2.2"),
        ("www.example.com", "A", "192.0.2.3"),
    ]
    assert run("record", "delete", zone, "www", "A", "192.0.2.2", "--yes").status == 0
    assert records(run, "www") == [("www.example.com", "A", "192.0.2.3")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "status", "told"),
    [
        (("record", "add", "example.com", "www", "A", "x"), 1, 'content: "x" is not an IPv4 address'),
        (("record", "add", "example.com", "www", "AA", "x"), 1, 'type: unknown record type "AA"'),
        (("record", "add", "example.com", "www", "A", "192.0.2.1", "--ttl", "soon"), 2, '"soon" is no TTL'),
        (("record", "add", "example.co", "www", "A", "192.0.2.1"), 1, 'did you mean "example.com"?'),
        (("record", "add", "example.com", "@", "CNAME", "a.net"), 1, "name: a CNAME stands alone"),
        (("record", "add", "example.com", "www", "A"), 2, "Missing argument"),
        (("record", "set", "example.com", "www", "A"), 2, "nothing to set"),
        (("record", "set", "example.com", "www", "A", "--ttl", "60"), 1, "no A record at www.example.com"),
        (("record", "set", "example.com", "ns1", "A", "192.0.2.1", "--was", "x"), 1, 'with the content "x"'),
        (("record", "delete", "example.com", "www", "--yes"), 1, "no record at www.example.com"),
        (("record", "delete", "example.com", "ns1"), 1, "no terminal to ask at"),
        (("record", "delete", "example.com", "ns1", "--yes"), 1, "has no address"),
        (("zone", "delete", "example.com"), 1, "no terminal to ask at"),
        (("zone", "show", "nope"), 1, 'no zone "nope"'),
        (("zone", "import", "nope.zone"), 1, "No such file"),
        (("zone", "import", "-"), 1, "--name"),
    ],
)
def test_refusals(run: Run, zone: str, command: tuple[str, ...], status: int, told: str) -> None:
    refused = run(*command)
    assert (refused.status, refused.out) == (status, "")
    assert told in refused.err
    assert len(json.loads(run("revision", "list", "--json").out)) == 1


@pytest.mark.slow
def test_dry_runs_change_nothing(run: Run, zone: str, tmp_path: Path) -> None:
    file = tmp_path / "example.com.zone"
    file.write_text(FILE)
    for command in (
        ("record", "add", zone, "www", "A", "192.0.2.1"),
        ("record", "set", zone, "ns1", "A", "192.0.2.1"),
        ("record", "set", zone, "www", "A", "192.0.2.1"),
        ("zone", "import", file),
        ("zone", "import", file, "--add"),
        ("zone", "delete", zone),
        ("zone", "set", zone, "soa.retry=60"),
    ):
        shown = run(*command, "--dry-run")
        assert shown.status == 0 and shown.out.endswith("\nnothing is changed: --dry-run\n"), shown
        if command[1] != "delete":
            assert json.loads(run(*command, "--dry-run", "--json").out)["differences"]
    assert len(json.loads(run("revision", "list", "--json").out)) == 1


@pytest.mark.slow
def test_a_zone_with_a_slash_in_its_name_is_imported(run: Run, tmp_path: Path) -> None:
    """RFC 2317 section 4 names zones like this one."""
    file, name = tmp_path / "reverse.zone", "0/25.2.0.192.in-addr.arpa"
    file.write_text("$TTL 300\n@ SOA ns.example.net. admin 7 2 3 4 5\n@ NS ns.example.net.\n1 PTR www.example.com.\n")
    assert run("zone", "import", file, "--name", name).out == f"zone {name}: created, 2 records, serial 7\n"
    assert "no record changed" in run("zone", "import", file, "--name", f"{name}.").out
    file.write_text(f"1.{name}. PTR www.example.org.\n")
    assert run("zone", "import", file, "--name", name, "--add").out == f"zone {name}: 1 of 1 records added\n"
    assert "www.example.org." in run("zone", "export", name).out


def test_what_hides_a_wildcard_is_said(run: Run, zone: str, tmp_path: Path) -> None:
    assert run("record", "add", zone, "*.apps", "A", "192.0.2.1").err == ""
    added = run("record", "add", zone, "_acme-challenge.foo.apps", "TXT", "x")
    assert (added.status, added.err.count("\n")) == (0, 1)
    assert added.err.startswith(
        'warning: _acme-challenge.foo.apps.example.com TXT: makes "foo.apps.example.com" exist, so the A records of '
        '"*.apps.example.com" (in the store) do not reach it (RFC 4592)'
    )
    file = tmp_path / "example.com.zone"
    file.write_text(FILE + '*.apps A 203.0.113.2\n_acme-challenge.bar.apps TXT "x"\n')
    assert 'makes "bar.apps.example.com" exist' in run("zone", "import", file).err
    assert 'makes "bar.apps.example.com" exist' in run("apply", file.parent, "--dry-run").err


HIDDEN = '*.apps A 203.0.113.2\n_acme-challenge.foo.apps TXT "x"\n'


@pytest.mark.parametrize("more", [(), ("--dry-run",), ("--add",), ("--add", "--dry-run")])
def test_import_warns_of_its_own_zone_alone_and_once(run: Run, zone: str, tmp_path: Path, more: tuple[str]) -> None:
    for line in ("*.apps A 203.0.113.2", "_acme-challenge.foo.apps TXT x"):
        assert run("record", "add", zone, *line.split()).status == 0
    file = tmp_path / "example.org.zone"
    file.write_text(FILE)
    assert run("zone", "import", file).err == ""
    file.write_text(FILE + "www A 203.0.113.2\n")
    imported = run("zone", "import", file, "--yes", *more)
    assert imported.status == 0 and zone not in imported.err, imported.err
    file.write_text(FILE + HIDDEN)
    own = run("zone", "import", file, "--yes", *more)
    assert own.err.count('makes "foo.apps.example.org" exist') == 1
    assert zone not in own.err


def test_dry_runs_warn_of_what_they_would_write_alone(run: Run, zone: str) -> None:
    for line in ("*.apps A 203.0.113.2", "_acme-challenge.foo.apps TXT x"):
        assert run("record", "add", zone, *line.split()).status == 0
    for command in (
        ("record", "add", zone, "a", "A", "192.0.2.1"),
        ("zone", "create", "example.net"),
        ("pool", "create", "eu", "--origin", "eu-1=192.0.2.1"),
    ):
        tried = run(*command, "--dry-run")
        assert tried.status == 0 and "foo.apps" not in tried.err, tried.err


def test_import_and_export(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "example.com.zone"
    file.write_text(FILE)
    assert run("zone", "import", file).out == "zone example.com: created, 3 records, serial 2020010105\n"
    run("record", "set", "example.com", "www", "A", "--comment", "the web")
    exported = run("zone", "export", "example.com").out
    assert "203.0.113.1 ; the web" in exported
    out = tmp_path / "out.zone"
    assert run("zone", "export", "example.com", "--output", out).out == "" and out.read_text() == exported
    assert "no record changed" in run("zone", "import", out, "--name", "example.com").out
    file.write_text(FILE.replace("www", "web"))
    refused = run("zone", "import", file)
    assert refused.status == 1 and "no terminal" in refused.err, "what deletes is asked about"
    assert "- record www.example.com A 203.0.113.1" in refused.out
    done = run("zone", "import", file, "--yes")
    assert "zone example.com: 2 records changed; 3 records" in done.out
    file.write_text("more A 203.0.113.9\nweb A 203.0.113.1\n")
    added = run("zone", "import", file, "--add")
    assert added.out == "zone example.com: 1 of 2 records added\n"
    file.write_text("more A x\nmore B y\n")
    bad = run("zone", "import", file, "--add")
    assert bad.status == 1 and "line 1: more" in bad.err.splitlines()[0]
    assert "line 2: more" in bad.err.splitlines()[1]


@pytest.mark.slow
def test_a_zone_is_changed_and_deleted(run: Run, zone: str) -> None:
    assert run("zone", "set", zone, "soa.retry=60").out == "zone example.com: changed in revision 2\n"
    shown: dict[str, Any] = json.loads(run("zone", "show", zone, "--json").out)
    assert (shown["soa"]["retry"], shown["soa"]["refresh"], shown["serial"]) == (60, 7200, 8)
    assert run("zone", "set", zone, "soa.rtry=60").err.startswith('lbdns: soa.rtry: unknown field "rtry"; did you mean')
    assert run("zone", "delete", zone, "--yes").out == "zone example.com: deleted\n"
    assert columns(run("zone", "list").out)[1:] == []


def test_a_hundred_mistakes_of_one_kind_are_one_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "example.com.zone"
    file.write_text(FILE + "".join(f"a{number}.example.net. A 192.0.2.1\n" for number in range(100)) + "b B x\n")
    refused = run("zone", "import", file).err.splitlines()
    assert len(refused) == 2 and "(and 99 more like it, the last in line 105)" in refused[0]
    file.write_text(FILE + "".join(f"a{number} 1 A 192.0.2.1\n" for number in range(100)))
    told = run("zone", "import", file)
    assert told.status == 0 and told.err.count("2 is taken in its place") == 1 and "and 99 more like it" in told.err
    file.write_text("".join(f"{number}.example.net. A 192.0.2.1\n" for number in range(100)))
    assert len(run("zone", "import", file, "--add").err.splitlines()) == 1
