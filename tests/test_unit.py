"""The units in contrib/: systemd takes them, and rates what they leave open."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CONTRIB = Path(__file__).resolve().parent.parent / "contrib"
SERVICE = CONTRIB / "lbdns.service"
EXPOSURE_MAX = 2.0

pytestmark = pytest.mark.process


def analyzed(*arguments: str) -> str:
    """Return what systemd-analyze says of units, on either stream."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze (Debian: systemd) is not installed")
    said = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
    return said.stdout + said.stderr


def test_the_service_leaves_little_open() -> None:
    said = analyzed("security", "--offline=true", str(SERVICE))
    found = re.search(r"Overall exposure level for lbdns.service: ([\d.]+)", said)
    assert found is not None, said
    assert float(found[1]) <= EXPOSURE_MAX
    told = re.search(
        r"Overall exposure level for lbdns.service: ([\d.]+)", (CONTRIB.parent / "docs/operations.md").read_text()
    )
    assert told is not None and told[1] == found[1]


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    for path in CONTRIB.glob("lbdns.*"):
        text = path.read_text().replace("/opt/lbdns/bin/lbdns", "/bin/true")
        (tmp_path / path.name).write_text(text)
    units = [str(path) for path in sorted(tmp_path.iterdir())]
    added = tmp_path / "lbdns.service.d"
    added.mkdir()
    for path in CONTRIB.glob("lbdns-*.conf"):
        (added / path.name).write_text(path.read_text())
    assert analyzed("verify", "--man=no", *units) == ""
