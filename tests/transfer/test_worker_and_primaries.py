"""The transfer worker with NSD, Knot DNS and BIND: differences and whole zones, signed, over restarts and kills."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from pathlib import Path

import dns.name
import dns.rdatatype
import dns.zone
import pytest

from lbdns.dns.name import encode_canonical
from lbdns.dns.rdata.master_form import rdata_text
from lbdns.dns.rdata.record_types import type_text
from lbdns.dns.zone import RRset
from tests.transfer.played_supervisor import asked, played_supervisor
from tests.transfer.real_primaries import APEX, PRIMARIES, RealPrimary, running_primary, zone_text

pytestmark = pytest.mark.process

WIRE = encode_canonical(APEX)
CHANGES = 12


def random_lines(rng: random.Random) -> list[str]:
    """Return records of a zone, more than change at a time."""
    lines = [f"h{number} A 192.0.2.{rng.randrange(1, 250)}" for number in range(40)]
    lines += [f't{number} {rng.randrange(1, 9)}0 TXT "{number}" "{"x" * rng.randrange(200)}"' for number in range(9)]
    lines += ["w CNAME h1", "sub NS ns.sub", "ns.sub AAAA 2001:db8::53", "@ MX 10 h2", "_s._tcp SRV 1 2 443 h3"]
    return [*lines, "u TYPE65280 \\# 4 01020304", 'n NAPTR 1 2 "S" "SIP" "" h4', '@ CAA 0 issue "ca.example.net"']


def changed_lines(rng: random.Random, lines: list[str]) -> list[str]:
    """Return other records: some gone, some new, some other."""
    left = [line for line in lines if rng.random() > 0.05]
    left += [f"h{rng.randrange(40, 80)} A 192.0.2.{rng.randrange(1, 250)}" for _ in range(3)]
    return list(dict.fromkeys(left))


def records_of(text: str) -> set[tuple[str, str, int, str]]:
    """Return the records of a master file, as dnspython reads it."""
    zone = dns.zone.from_text(text, APEX, relativize=False)
    return {
        (str(name).lower(), dns.rdatatype.to_text(rdata.rdtype), ttl, rdata.to_text())
        for name, ttl, rdata in zone.iterate_rdatas()
    }


def records_held(rrsets: tuple[RRset, ...]) -> set[tuple[str, str, int, str]]:
    """Return the records of a copy in the same form."""
    return {
        (str(dns.name.from_wire(one.owner, 0)[0]), type_text(one.type), one.ttl, rdata_text(one.type, rdata))
        for one in rrsets
        for rdata in one.rdatas
    }


@pytest.fixture(params=sorted(PRIMARIES))
def primary(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealPrimary]:
    """Run one of them."""
    with running_primary(request.param, tmp_path / "primary", zone_text(1)) as running:
        yield running


def test_random_changes_arrive_with_restarts_and_kills_between(primary: RealPrimary, tmp_path: Path) -> None:
    rng = random.Random(primary.program)
    lines = random_lines(rng)
    serials = [1]
    kinds: dict[str, int] = {}
    state = tmp_path / "state"
    with played_supervisor(state) as supervisor:
        supervisor.terms({WIRE: (asked(primary.port),)})
        supervisor.wait(lambda status: status.serial == 1)
        for change in range(CHANGES):
            serial = serials[-1] + rng.choice([1, 7, 1000])
            lines = changed_lines(rng, lines)
            text = zone_text(serial, "\n".join(lines))
            if change == CHANGES // 2:  # what changes while it is away comes all the same
                primary.stop(signal.SIGKILL)
                primary.start(text)
            else:
                primary.change(text)
                while primary.serial() != serial:
                    pass
            if change == CHANGES // 3:
                supervisor.restart(signal.SIGKILL)
                supervisor.terms({WIRE: (asked(primary.port),)})
                assert supervisor.copy(WIRE).serial == serials[-1]
            supervisor.notice(WIRE, serial)
            kind = supervisor.wait_for_serial(serial).last_transfer
            kinds[kind] = kinds.get(kind, 0) + 1
            assert records_held(supervisor.copy(WIRE).rrsets) == records_of(text)
            serials.append(serial)
    assert kinds.get("ixfr", 0) >= CHANGES // 2, kinds


def test_a_wrong_key_is_told_and_changes_nothing(primary: RealPrimary, tmp_path: Path) -> None:
    with played_supervisor(tmp_path / "state") as supervisor:
        key = asked(0).key
        assert key is not None
        for wrong in (key._replace(secret=b"another"), key._replace(name="other.example"), None):
            supervisor.terms({WIRE: (asked(primary.port, wrong),)})
            status = supervisor.wait(lambda status: bool(status.last_error))
            assert status.serial is None and status.is_wrong
            assert any(word in status.last_error for word in ("NOTAUTH", "REFUSED", "signature", "SERVFAIL")), status
            supervisor.terms({})
        supervisor.terms({WIRE: (asked(primary.port),)})
        supervisor.wait(lambda status: status.serial == 1)
