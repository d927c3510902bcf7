"""scripts/prepare-country-database: special networks are emptied, everything else stays."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import maxminddb
import pytest

from lbdns.places.geodata import Geodata
from tests.places.databases import write_database

pytestmark = pytest.mark.process

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "prepare-country-database"

ENTRIES = [
    ("192.168.0.0/16", {"country_code": "AU"}),
    ("192.169.0.0/16", {"country_code": "AU"}),
    ("10.1.0.0/16", {"country_code": "DE"}),
    ("2001:db8::/32", {"country_code": "JP"}),
    ("2001:db9::/32", {"country_code": "JP"}),
]


def run(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(source), str(target)], capture_output=True, text=True, check=False
    )


def test_special_networks_are_emptied(tmp_path: Path) -> None:
    source, target = write_database(tmp_path / "source.mmdb", ENTRIES), tmp_path / "target.mmdb"
    done = run(source, target)
    assert done.returncode == 0, done.stderr
    assert "192.168.0.0/16: emptied\n" in done.stdout
    assert "fe80::/10: empty already\n" in done.stdout
    geodata = Geodata.open(target)
    for text, country in (
        ("192.168.1.1", ""),
        ("192.169.1.1", "AU"),
        ("10.1.1.1", ""),
        ("2001:db8::1", ""),
        ("2001:db9::1", "JP"),
    ):
        assert geodata.locate(ip_address(text)).place.country == country
    assert target.stat().st_size == source.stat().st_size
    with maxminddb.open_database(str(target)) as reader:
        assert reader.get_with_prefix_len("192.168.1.1") == (None, 16)


def test_what_it_cannot_do_is_said(tmp_path: Path) -> None:
    larger = write_database(tmp_path / "larger.mmdb", [("192.0.0.0/8", {"country_code": "AU"})])
    done = run(larger, tmp_path / "target.mmdb")
    assert done.returncode == 1
    assert "192.0.2.0/24 is part of a larger network with a record" in done.stderr
    wide = write_database(tmp_path / "wide.mmdb", ENTRIES, record_bits=28)
    assert "expected records of 24 bits" in run(wide, tmp_path / "target.mmdb").stderr
    assert not (tmp_path / "target.mmdb").exists()
