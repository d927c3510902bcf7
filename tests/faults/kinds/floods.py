"""Row 9 and what the issue begins with: floods of what is slow to answer, and of what is no query at all."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from random import Random

import dns.message
import dns.name

from tests.faults.fault import Fault, Seen

RATE = 20_000
BURST = 200


class Flood(Fault):
    """A bounded flood of datagrams from one address."""

    row = 9
    hold_s = 2.5
    late_s = 0.5

    def datagram(self, random: Random) -> bytes:
        """Return the next datagram."""
        raise LookupError(f"{type(self).__name__} has no datagrams")

    def inject(self) -> None:
        self._sent = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        made = [self.datagram(self.random) for _ in range(500)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.240.1", 0))
            sock.connect((self.rig.server.host, self.rig.server.port))
            began_s = time.monotonic()
            while not self._stopping.is_set():
                for number in range(BURST):
                    with contextlib.suppress(OSError):
                        sock.send(made[(self._sent + number) % len(made)])
                self._sent += BURST
                time.sleep(max(0.0, began_s + self._sent / RATE - time.monotonic()))

    def heal(self) -> None:
        self._stopping.set()
        self._thread.join()

    def afterwards(self) -> list[Seen]:
        return [Seen("it was a flood", self._sent > 1000, f"{self._sent:,} datagrams")]


class SlowFlood(Flood):
    """Signed queries, which only the slow path answers: those of other networks have their turns."""

    what = "flood of signed queries from one network"

    def datagram(self, random: Random) -> bytes:
        question = random.choice(self.rig.subject.served.questions)
        message = dns.message.make_query(question.name, question.rdtype, id=random.randrange(1 << 16))
        message.use_tsig({dns.name.from_text("nobody."): random.randbytes(32)})
        return message.to_wire()


class MalformedFlood(Flood):
    """Random octets, some of them behind the head of a query, some a query with one octet changed."""

    what = "flood of malformed datagrams"

    def datagram(self, random: Random) -> bytes:
        way = random.randrange(3)
        if way == 0:
            return random.randbytes(random.randrange(1, 1200))
        if way == 1:
            return random.randbytes(2) + b"\x01\0\0\1\0\0\0\0\0\1" + random.randbytes(random.randrange(400))
        octets = bytearray(random.choice(self.rig.subject.served.questions).asked[0].octets)
        octets[random.randrange(len(octets))] ^= 1 << random.randrange(8)
        return random.randbytes(2) + bytes(octets[: random.randrange(1, len(octets) + 1)])
