"""What signed answers cost: queries with DO beside echo, Knot, PowerDNS and NSD, each with the same zone signed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dnssec_flip
import dnssec_signing
from dnssec_peers import DENIES_BY_NODATA, SIGNED_PEERS
from measure import Running, free_port, trouble, wait_ready
from peers import Scene
from questions import NAMES, NOERROR, NXDOMAIN, TYPE_AAAA, ZONE, Question

if TYPE_CHECKING:
    from bench import Bench

START_S = 60.0
WARM_S = 60.0
BOUND = 1.15
STEERED, DENIED, STATIC, OTHER = "steered A", "NXDOMAIN", "static A", "AAAA where there is A alone"


def _questions(load: str, denies_by_nodata: bool) -> Iterator[Question]:
    for number in range(NAMES):
        if load == STEERED:
            yield Question(f"lb{number}.{ZONE}", has_edns=True, wants_signatures=True)
        elif load == DENIED:
            rcode = NOERROR if denies_by_nodata else NXDOMAIN
            yield Question(f"no{number}.{ZONE}", rcode, has_answer=False, has_edns=True, wants_signatures=True)
        elif load == STATIC:
            yield Question(f"st{number}.{ZONE}", has_edns=True, wants_signatures=True)
        else:
            name = f"lb{number}.{ZONE}"
            yield Question(name, has_answer=False, rtype=TYPE_AAAA, has_edns=True, wants_signatures=True)


def _records(bench: Bench, load: str, name: str) -> Path:
    """Return the file of a load's queries with what a server has to answer."""
    compact = load == DENIED and name in DENIES_BY_NODATA
    path = bench.work / f"dnssec-{load.replace(' ', '-')}{'-compact' if compact else ''}.queries"
    if not path.exists():
        path.write_bytes(b"".join(question.record() for question in _questions(load, compact)))
    return path


def _start(bench: Bench, name: str) -> Running | None:
    folder = Path(tempfile.mkdtemp(prefix=f"dnssec-{name}-", dir=bench.work))
    port = free_port()
    server = Running(name, SIGNED_PEERS[name].write(Scene(folder, port, "main")), port, folder)
    bench.servers.append(server)
    why = wait_ready(server, bench.generator, _records(bench, STATIC, name), START_S)
    if not why and name == "lbdns":
        why = _enable(folder)
    if not why and name != "echo":
        why = _wait_signed(server)
    if not why:
        why = _warm(bench, server)
    if why:
        bench.say(f"{name} is left out: {why}")
        server.stop()
        return None
    return server


def _enable(folder: Path) -> str:
    """Have a running lbdns sign the zone; return "" where it does, else what it says."""
    command = [sys.executable, "-P", "-m", "lbdns", "dnssec", "enable", ZONE, "--state", str(folder / "state")]
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    return f"lbdns dnssec enable: {said.stdout}{said.stderr}" if said.returncode else ""


def _wait_signed(server: Running) -> str:
    """Wait until each kind of answer comes with a signature; return "" then, else what does not."""
    deadline = time.monotonic() + START_S
    lacking = "nothing was asked"
    while lacking and time.monotonic() < deadline and not server.has_ended():
        lacking = _lacking(server.port)
        time.sleep(0.2)
    return lacking


def _lacking(port: int) -> str:
    for name, rtype in (("lb1", "A"), ("no1", "A"), ("st1", "A"), ("lb1", "AAAA")):
        query = dns.message.make_query(f"{name}.{ZONE}", rtype, want_dnssec=True, payload=1232)
        try:
            reply = dns.query.udp(query, "127.0.0.1", 2.0, port)
        except (dns.exception.DNSException, OSError) as error:
            return f"{name} {rtype}: {type(error).__name__}"
        if not any(rrset.rdtype == dns.rdatatype.RRSIG for rrset in (*reply.answer, *reply.authority)):
            return f"{name} {rtype} is not signed"
        if reply.flags & dns.flags.TC:
            return f"{name} {rtype} does not fit"
    return ""


def _warm(bench: Bench, server: Running) -> str:
    """Ask until every load is answered rightly for a moment: what is signed on demand is there then."""
    deadline = time.monotonic() + WARM_S
    for load in (STEERED, DENIED, STATIC, OTHER):
        while why := trouble(server, bench.generator, _records(bench, load, server.name)):
            if time.monotonic() > deadline:
                return f"{load}: {why}"
    return ""


def answers(bench: Bench) -> dict[str, Any]:
    """Print what an answer to a query with DO costs, beside the others."""
    wanted = bench.arguments.peers
    names = [
        name
        for name, peer in SIGNED_PEERS.items()
        if peer.is_installed() and (name in wanted or name.partition("-")[0] in wanted)
    ]
    servers = [server for name in names if (server := _start(bench, name)) is not None]
    kept: dict[str, Any] = {}
    for load in (STEERED, DENIED, STATIC, OTHER):
        rows = bench.rounds(servers, [_records(bench, load, server.name) for server in servers])
        bench.report(f"DNSSEC: {load}, DO", rows, "echo")
        echo = next((row for row in rows if row.name == "echo"), None)
        kept[load] = {row.name: row.ratio_to(echo) for row in rows} if echo else {}
    bench.stop_all()
    _summary(bench, kept)
    return kept


def _summary(bench: Bench, kept: dict[str, Any]) -> None:
    loads = list(kept)
    bench.say("\n### CPU time a query with DO, against echo\n")
    bench.say("| server | " + " | ".join(loads) + " |")
    bench.say("|---|" + "--:|" * len(loads))
    for name, peer in SIGNED_PEERS.items():
        cells = [f"{kept[load][name]:.2f}" if name in kept[load] else "-" for load in loads]
        version = peer.version_text()
        bench.say(f"| {name}{' ' + version if version else ''} | " + " | ".join(cells) + " |")
    bench.say(f"\nlbdns's bound for {STEERED} and {DENIED}: {BOUND}, and no more than Knot")
    for name, peer in SIGNED_PEERS.items():
        if peer.note:
            bench.say(f"{name}: {peer.note}")


PARTS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "answers": answers,
    "signing": dnssec_signing.signing,
    "flip": dnssec_flip.flip,
}
"""What `scripts/bench dnssec` measures, in this order."""


def dnssec(bench: Bench) -> dict[str, Any]:
    """Measure every part."""
    return {name: part(bench) for name, part in PARTS.items()}
