"""Other people's tools that ask and validate, delv, drill and dnsviz, agree with a server's signed answers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest

from tests.answer.unbound import program
from tests.validators.signed_world import CHAINED, HASHED, SIGNED
from tests.validators.stage import prepare, signed_server

pytestmark = pytest.mark.process
TOOL_S = 60.0
POSITIVE, NEGATIVE = "; fully validated", "; negative response, fully validated"
ASKED = (
    ("www", "A", POSITIVE),
    ("www", "AAAA", NEGATIVE),
    ("x.apps", "A", POSITIVE),
    ("x.apps", "MX", NEGATIVE),
    ("*.apps", "A", NEGATIVE),
    ("x.wild", "A", POSITIVE),
    ("alias", "A", POSITIVE),
    ("one.old", "A", POSITIVE),
    ("none", "A", NEGATIVE),
    ("er.ent", "A", NEGATIVE),
    ("plain", "DS", NEGATIVE),
    ("safe", "DS", POSITIVE),
)


@dataclass(frozen=True)
class Asked:
    """A server of signed zones: its address, and a folder with APEX.key, the zone's key as a record, and APEX.anchor,
    the same for BIND's tools."""

    address: str
    folder: Path


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """The server."""
    folder = tmp_path_factory.mktemp("tools")
    with signed_server(folder, prepare()) as (server, _):
        for apex in SIGNED:
            reply = dns.query.tcp(dns.message.make_query(apex, "DNSKEY"), server.host, port=server.port)
            [keys] = [rrset for rrset in reply.answer if rrset.rdtype == dns.rdatatype.DNSKEY]
            (folder / f"{apex}.key").write_text(f"{keys}\n")
            *numbers, key = str(keys[0]).split(None, 3)
            anchor = f'"{apex}." static-key {" ".join(numbers)} "{key}";'
            (folder / f"{apex}.anchor").write_text(f"trust-anchors {{ {anchor} }};\n")
        yield Asked(server.host, folder)


def said(*command: str) -> str:
    """Return what a tool says; it must end well."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("apex", SIGNED)
def test_delv(apex: str, asked: Asked) -> None:
    for name, rtype, verdict in ASKED:
        anchor = str(asked.folder / f"{apex}.anchor")
        text = said(
            program("delv"), f"@{asked.address}", "-p", "53", "-a", anchor, f"+root={apex}", f"{name}.{apex}", rtype
        )

        assert text.startswith(verdict), (name, rtype, text)


def test_drill_chases_signatures(asked: Asked) -> None:
    for name, rtype, _ in ASKED:
        if name == "one.old":
            continue  # it looks for a signature of the CNAME that a DNAME makes
        key = str(asked.folder / f"{CHAINED}.key")
        text = said(program("drill"), "-D", "-S", "-k", key, f"@{asked.address}", f"{name}.{CHAINED}", rtype)
        assert "Chase successful" in text, (name, rtype, text)


@pytest.mark.parametrize("apex", [CHAINED, HASHED])
def test_dnsviz_has_nothing_to_say(apex: str, asked: Asked, tmp_path: Path) -> None:
    dnsviz, probe = program("dnsviz"), str(tmp_path / "probe.json")
    names = [f"{name}.{apex}" for name in ("www", "x.apps", "none", "alias")]
    said(dnsviz, "probe", "-A", "-a", apex, "-x", f"{apex}+:ns1.{apex}={asked.address}", "-o", probe, *names)
    assert said(dnsviz, "grok", "-r", probe, "-l", "warning").strip() in ("", "{}")
    seen = json.loads(said(dnsviz, "grok", "-r", probe, "-l", "info"))
    assert {f"{name}." for name in names} <= seen.keys()
    assert '"status": "VALID"' in json.dumps(seen) and "INVALID" not in json.dumps(seen)
