"""Differences that a primary sends while a server is asked: no query may be lost, and load balancers always answer.

`python -m tests.transfer.under_load [TRANSFERS]` (scripts/transfer-load) says what came of it: dnsperf asks for names
of the zone and of a load balancer over it, and beside it each answer of the load balancer is looked at.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import dns.message
import dns.query
import dns.rcode

from lbdns.testing import LbdnsServer, running_server
from lbdns.transfer.zone_transfer_status import ZoneTransferStatus
from tests.answer.unbound import program
from tests.transfer.played_primary import PlayedPrimary, played_primary, whole
from tests.transfer.transfer_records import address, encode_message, soa

TRANSFERS: Final = 100
STEERED: Final = "192.0.2.77"
QUERIES_PER_S: Final = 2_000
ASKED_FOR: Final = "www.example.com A\nlb.example.com A\nnone.example.com A\nexample.com SOA\n"
WAIT_S: Final = 30.0
TAIL_S: Final = 2.0
_SENT: Final = re.compile(r"Queries sent: +([0-9]+)")
_LOST: Final = re.compile(r"Queries lost: +([0-9]+)")
_CODES: Final = re.compile(r"Response codes: +(.*)")


class Outcome(NamedTuple):
    """What came of it: transfers by what came, queries of dnsperf and those of them that were lost, its line of
    response codes, answers of the load balancer that were looked at and those of them that were wrong."""

    transfers: dict[str, int]
    sent: int
    lost: int
    codes: str
    looked_at: int
    wrong: int


@contextmanager
def stage(folder: Path) -> Iterator[tuple[PlayedPrimary, LbdnsServer]]:
    """Have a primary, and a server with its zone."""
    pools = {"eu": {"origins": [{"name": "one", "address": STEERED}]}}
    balancer = {"name": "lb.example.com", "default_pools": ["eu"], "fallback_pool": "eu"}
    with played_primary() as primary:
        primary.messages = lambda message_id, rtype: whole(message_id, rtype, 1, address("www", 1))
        zones = {"example.com": {"primaries": [f"127.0.0.1:{primary.port}"]}}
        tree: dict[str, Any] = {"settings": {"zones": zones}, "pools": pools, "load_balancers": [balancer]}
        with running_server(tree, folder) as server:
            wait_for(server, 1)
            yield primary, server


def send(primary: PlayedPrimary, serial: int) -> None:
    """Have the primary have the next zone, and send what differs from the one before."""
    before = [soa(serial), soa(serial - 1), address("www", serial - 1)]
    records = [*before, soa(serial), address("www", serial), soa(serial)]
    primary.messages = lambda message_id, rtype: [encode_message(message_id, rtype, records)]
    primary.serial = serial


def asked(server: LbdnsServer, name: str, rdtype: str) -> dns.message.Message:
    """Return the answer to a question."""
    return dns.query.udp(dns.message.make_query(name, rdtype), server.host, timeout=5, port=server.port)


def wait_for(server: LbdnsServer, serial: int) -> None:
    """Wait until a serial is served."""
    end_s = time.monotonic() + WAIT_S
    while True:
        reply = asked(server, "example.com", "SOA")
        if reply.rcode() == dns.rcode.NOERROR and reply.answer[0][0].serial == serial:
            return
        assert time.monotonic() < end_s, server.log
        time.sleep(0.01)


def run(folder: Path, transfers: int) -> Outcome:
    """Send so many differences while the server is asked; return what came of it."""
    with stage(folder) as (primary, server):
        (folder / "queries").write_text(ASKED_FOR)
        command = [program("dnsperf"), "-s", server.host, "-p", str(server.port), "-d", str(folder / "queries")]
        command += ["-c", "4", "-T", "1", "-Q", str(QUERIES_PER_S), "-l", str(WAIT_S * 20), "-t", "5"]
        looked_at, wrong = 0, 0
        is_over = threading.Event()

        def look() -> None:
            nonlocal looked_at, wrong
            while not is_over.wait(0.005):
                looked_at += 1
                answer = asked(server, "lb.example.com", "A").answer
                wrong += [str(one) for rrset in answer for one in rrset] != [STEERED]

        looking = threading.Thread(target=look)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as load:
            looking.start()
            try:
                for serial in range(2, transfers + 2):
                    send(primary, serial)
                    server.ask("zone_refresh", zone="example.com")
                    wait_for(server, serial)
                time.sleep(TAIL_S)
            finally:
                is_over.set()
                looking.join()
                load.send_signal(2)
                said = load.communicate(timeout=WAIT_S)[0]
        [status] = server.ask("zone_transfers", zone="example.com")
        counts = ZoneTransferStatus.from_json(status).counts  # type: ignore[arg-type]
    kinds = {kind: counts.get(kind, 0) for kind in ("ixfr", "axfr", "transfers_failed")}
    return Outcome(kinds, _number(_SENT, said), _number(_LOST, said), _text(_CODES, said), looked_at, wrong)


def _text(pattern: re.Pattern[str], said: str) -> str:
    found = pattern.search(said)
    assert found is not None, said
    return found[1]


def _number(pattern: re.Pattern[str], said: str) -> int:
    return int(_text(pattern, said))


def main() -> int:
    """Say what came of it; the exit status is 0 where nothing was lost or wrong."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else TRANSFERS)
    print(f"transfers: {outcome.transfers}")
    print(f"dnsperf: {outcome.sent} queries, {outcome.lost} lost; {outcome.codes}")
    print(f"load balancer: {outcome.looked_at} answers looked at, {outcome.wrong} wrong")
    return int(bool(outcome.lost or outcome.wrong or "SERVFAIL" in outcome.codes))


if __name__ == "__main__":
    sys.exit(main())
