"""What a machine's monitor worker keeps of its fleet, and finds when it begins anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdns.fleet.observing.agreed import Agreed, AgreedWhen, endpoint_key
from lbdns.fleet.observing.hearing import Acquaintance, HearingCount
from lbdns.fleet.observing.observer import KeptFleet
from lbdns.health.verdict import HEALTHY
from lbdns.monitor.joined.fleet_keeping import WHEN_FILE, FleetKeeping

KEY = endpoint_key("p", "e", "192.0.2.1 80", "")
KNOWN = KeptFleet((Acquaintance("B", 1000.0, (("B", "WEU"),)),))


def kept(path: Path) -> FleetKeeping:
    """Return the files of a fleet that agreed at second 1000, by 2 of 3."""
    keeping = FleetKeeping(path, "f1", "A")
    agreed = Agreed()
    agreed.note(KEY, HEALTHY)
    agreed.when = AgreedWhen(1000.0, HearingCount(2, 3))
    keeping.save_known(KNOWN)
    keeping.save_agreed(agreed)
    return keeping


def test_what_was_agreed_when_and_by_how_many_is_there_again(tmp_path: Path) -> None:
    kept(tmp_path)
    known, agreed = FleetKeeping(tmp_path, "f1", "A").load()
    assert known == KNOWN
    assert agreed.of(KEY) == HEALTHY
    assert agreed.when == (1000.0, (2, 3))


def test_when_it_was_goes_on_while_no_verdict_changes(tmp_path: Path) -> None:
    kept(tmp_path).save_when(AgreedWhen(5000.0, HearingCount(3, 3)))
    _, agreed = FleetKeeping(tmp_path, "f1", "A").load()
    assert agreed.when == (5000.0, (3, 3))
    assert agreed.of(KEY) == HEALTHY


@pytest.mark.parametrize("said", [b"{", b"[]", b'{"of": ["f1", "A"], "at": "soon"}', b'{"of": ["f2", "A"]}'])
def test_a_file_that_says_nothing_leaves_what_was_kept_with_the_verdicts(tmp_path: Path, said: bytes) -> None:
    kept(tmp_path)
    (tmp_path / "fleet" / WHEN_FILE).write_bytes(said)
    _, agreed = FleetKeeping(tmp_path, "f1", "A").load()
    assert agreed.when == (1000.0, (2, 3))


def test_another_fleet_is_begun_anew(tmp_path: Path) -> None:
    kept(tmp_path)
    known, agreed = FleetKeeping(tmp_path, "f2", "A").load()
    assert known == KeptFleet()
    assert agreed.of(KEY) == agreed.when.at_s == 0
