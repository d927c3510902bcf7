"""NSD, Knot, BIND and PowerDNS as secondaries: a small share of scripts/transfer-soak, and what they alone tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.answer.unbound import program
from tests.peers.following import KINDS, SIGNED, ZONES, Following
from tests.peers.run import soak
from tests.peers.secondaries import COMMANDS, serial_at
from tests.validators.test_zone_tools import checked

CHANGES = 12
BINARIES = {"nsd": "nsd", "knot": "knotd", "bind": "named", "powerdns": "pdns_server"}


@pytest.fixture(scope="module")
def following(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Following]:
    """A server that changes, and all secondaries."""
    assert set(BINARIES) == set(KINDS) == set(COMMANDS)
    for binary in BINARIES.values():
        program(binary)
    with Following(tmp_path_factory.mktemp("peers"), KINDS, seed=14).running() as running:
        yield running


def test_they_have_the_same_records_whatever_happens(following: Following) -> None:
    soak(following, CHANGES)
    following.restart_server()
    following.restart_secondary()
    soak(following, 3)


def test_changes_travel_as_changes(following: Following) -> None:
    """Knot says what it was sent: IXFR, of few octets."""
    following.settle()
    [knot] = [one for one in following.secondaries if one.kind == "knot"]
    before = knot.log.count("IXFR, incoming, remote")
    following.change()
    following.settle()
    assert knot.log.count("IXFR, incoming, remote") > before


def test_an_older_file_takes_no_serial_back(following: Following) -> None:
    served = {zone: serial_at(following.port, zone) for zone in ZONES}
    following.server.reload(
        {f"{zone}.zone": text.replace("SOA ns1", "SOA ns2") for zone, text in following.zones.texts(0).items()}
    )
    for zone, before in served.items():
        after = serial_at(following.port, zone)
        assert before is not None and after == before + 1, zone
    following.settle()


def test_a_secondary_of_a_signed_zone_has_one_that_verifies(following: Following, tmp_path: Path) -> None:
    following.settle()
    path = tmp_path / "zone"
    path.write_text(following.secondaries[0].text(SIGNED))
    assert "Zone is verified" in checked(program("ldns-verify-zone"), str(path))
