"""What signing costs: signatures a second on one core, and a zone of 1,000,000 records signed on those that there are.

    dnssec_signing.py [--records N] [--denial nsec|nsec3]

The zone has as many names as records, so that it takes two signatures a record. It is signed as the supervisor does it,
by a signer with a process for each core; then one record changes, and all is signed again; then it becomes columns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lbdns.base.garbage import without_cyclic_collection
from lbdns.dns.codes import ECDSAP256SHA256, TYPE_A, TYPE_NS, TYPE_SOA
from lbdns.dns.name import encode_canonical
from lbdns.dns.zone import RRset, Zone
from lbdns.dnssec.bulk_signing import LOT
from lbdns.dnssec.key import PrivateKey, generate_key
from lbdns.dnssec.signer.bulk_hands import BulkHands
from lbdns.dnssec.signer.signer_frames import (
    FRAME_BYTES_MAX,
    FrameReader,
    decode_bulk,
    decode_signatures,
    encode_bulk,
    encode_signatures,
)
from lbdns.dnssec.zone_keys import ZoneKeys
from lbdns.dnssec.zone_signing import ZoneSigning
from lbdns.model.dnssec_settings import DnssecPolicy

if TYPE_CHECKING:
    from bench import Bench

RECORDS: Final = 1_000_000
COLD: Final = 100_000
COLD_BOUND: Final = 20_000
ZONE_BOUND_S: Final = 60.0
APEX: Final = encode_canonical("example.com")
NOW_S: Final = 1_800_000_000
READ_BYTES: Final = 1 << 20


def zone_of(records: int) -> Zone:
    """Return a zone of A records, each at a name of its own."""
    names = encode_canonical("ns1.example.com") + encode_canonical("hostmaster.example.com")
    rrsets = [
        RRset(APEX, TYPE_SOA, 300, (names + bytes(16) + (60).to_bytes(4, "big"),)),
        RRset(APEX, TYPE_NS, 300, (encode_canonical("ns1.example.com"),)),
    ]
    rrsets += [
        RRset(encode_canonical(f"h{number}.example.com"), TYPE_A, 300, ((10 << 24 | number).to_bytes(4, "big"),))
        for number in range(records - len(rrsets))
    ]
    return Zone(APEX, tuple(rrsets), "example.com.zone")


class SignerBeside:
    """A signer in a process of its own, by a pair of sockets, with a process for each core."""

    def __init__(self, key: PrivateKey) -> None:
        self._socket, theirs = socket.socketpair()
        self._reader = FrameReader(FRAME_BYTES_MAX)
        self._pid = os.fork()
        if self._pid == 0:
            self._socket.close()
            try:
                asyncio.run(_serve(theirs, key))
            finally:
                os._exit(0)
        theirs.close()

    def __call__(self, wanted: Sequence[tuple[int, bytes]]) -> Sequence[bytes]:
        """Sign."""
        self._socket.sendall(encode_bulk(1, wanted))
        while octets := self._socket.recv(READ_BYTES):
            for frame in self._reader.take(octets):
                return decode_signatures(frame.body)
        raise EOFError("the signer has ended")

    def end(self) -> None:
        """End it."""
        self._socket.close()
        os.waitpid(self._pid, 0)


async def _serve(sock: socket.socket, key: PrivateKey) -> None:
    hands = BulkHands(lambda key_id, data: key.sign(bytes(data)))
    loop, reader = asyncio.get_running_loop(), FrameReader(FRAME_BYTES_MAX)
    sock.setblocking(False)
    while octets := await loop.sock_recv(sock, READ_BYTES):
        for frame in reader.take(octets):
            await loop.sock_sendall(sock, encode_signatures(1, await hands.signatures([*decode_bulk(frame.body)])))
    hands.close()


def cold(key: PrivateKey) -> float:
    """Return the signatures that one core makes of lots, in a second."""
    lots = [[b"%120d" % number for number in range(start, start + LOT)] for start in range(0, COLD, LOT)]
    begun_s = time.process_time()
    for lot in lots:
        for data in lot:
            key.sign(data)
    return len(lots) * LOT / (time.process_time() - begun_s)


@without_cyclic_collection()
def measured(records: int, denial: str) -> dict[str, Any]:
    """Measure in this process."""
    key = generate_key(APEX, ECDSAP256SHA256, is_entry_point=True)
    found: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "signatures_a_second": round(cold(key))}
    signer = SignerBeside(key)
    zone = zone_of(records)
    found["memory_unsigned_mb"] = memory_mb()
    keys = ZoneKeys(APEX, (key.public.dnskey,), (key.public,), (key.public,))
    policy = DnssecPolicy.model_validate({"denial": denial})
    signing = ZoneSigning()
    wanted = [0]

    def bulk(lot: Sequence[tuple[int, bytes]]) -> Sequence[bytes]:
        wanted[0] += len(lot)
        return signer(lot)

    def sign(of: Zone, name: str) -> None:
        wanted[0] = 0
        begun_s, own_s = time.monotonic(), time.process_time()
        (signed,) = signing.sign([of], [()], {APEX: keys}, lambda apex: policy, bulk, NOW_S)
        found[name] = {
            "seconds": round(time.monotonic() - begun_s, 1),
            "supervisor_cpu_s": round(time.process_time() - own_s, 1),
            "signatures": wanted[0],
            "memory_mb": memory_mb(),
        }
        assert signed.signed is not None

    sign(zone, "zone")
    sign(replace(zone, rrsets=(*zone.rrsets[:-1], replace(zone.rrsets[-1], rdatas=(bytes(4),)))), "one_record")
    signer.end()
    found["signer_cpu_s"] = round(sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]), 1)
    return found


def memory_mb() -> int:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


def signing(bench: Bench) -> dict[str, Any]:
    """Print what signing costs."""
    found: dict[str, Any] = {}
    for denial in ("nsec", "nsec3"):
        command = [sys.executable, str(Path(__file__).resolve()), "--denial", denial]
        found[denial] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    bench.say(f"\n### DNSSEC: signing {RECORDS:,} records at as many names\n")
    bench.say(
        "| denial | signatures a second, one core | signatures | s | CPU s | MB | one record: signatures | CPU s |"
    )
    bench.say("|---|--:|--:|--:|--:|--:|--:|--:|")
    for denial, row in found.items():
        zone, one = row["zone"], row["one_record"]
        bench.say(
            f"| {denial} | {row['signatures_a_second']:,} | {zone['signatures']:,} | {zone['seconds']} "
            f"| {zone['supervisor_cpu_s'] + row['signer_cpu_s']:.1f} | {zone['memory_mb'] - row['memory_unsigned_mb']} "
            f"| {one['signatures']} | {one['supervisor_cpu_s']} |"
        )
    cores = found["nsec"]["cores"]
    bench.say(
        f"\nbounds: {COLD_BOUND:,} a second on one core; {ZONE_BOUND_S:.0f} s on two (here: {cores}); fewer than 10"
    )
    return found


def main() -> None:
    """Measure, and print what that came to as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--denial", choices=("nsec", "nsec3"), default="nsec")
    said = parser.parse_args()
    print(json.dumps(measured(said.records, said.denial)))


if __name__ == "__main__":
    main()
