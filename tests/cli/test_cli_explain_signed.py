"""`lbdns explain --config` has no keys, and says so of a zone that is signed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lbdns.base.words import SIGNED_ZONES_FILE
from lbdns.testing import write_files
from tests.cli.commands import done

ZONE = "$TTL 300\n@ SOA ns1 h 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"


@pytest.mark.parametrize(
    ("dnssec", "signed", "zone"),
    [
        (None, [], ""),
        (None, ["example.net"], ""),
        (None, ["example.net", "example.com"], "example.com"),
        ({"denial": "nsec3"}, [], "example.com"),
    ],
)
def test_a_signed_zone_is_said_to_be_explained_as_unsigned(
    dnssec: dict[str, str] | None, signed: list[str], zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed is what a server here signs, or of what the settings say how."""
    write_files({"settings": {"dnssec": dnssec} if dnssec else {}, "zones": {"example.com": ZONE}}, tmp_path / "config")
    state = tmp_path / "lbdns"
    state.mkdir()
    (state / SIGNED_ZONES_FILE).write_text(json.dumps(signed))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    asked = ("explain", "ns1.example.com", "--config", str(tmp_path / "config"))
    steps = json.loads(done(*asked, "--json"))["steps"]
    assert [step["zone"] for step in steps if step["stage"] == "signature"] == ([zone] if zone else [])
    assert ("files have no keys: example.com is explained as unsigned" in done(*asked)) is bool(zone)
