"""Row 9 and what the issue begins with: floods of what is slow to answer, and of what is no query at all."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from random import Random

import dns.message
import dns.name

from lbdns.fastpath.layout import TC_BIT
from tests.faults.fault import Fault, Seen

RATE = 20_000
BURST = 200
GOOD = "127.90.1.1"
GOOD_QUERIES = 40
GOOD_S = 2.0


class Flood(Fault):
    """A bounded flood of datagrams from some addresses."""

    row = 9
    sources: tuple[str, ...] = ("127.0.240.1",)
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
        with contextlib.ExitStack() as opened:
            sockets = [
                opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(len(self.sources))
            ]
            for sock, source in zip(sockets, self.sources, strict=True):
                sock.setblocking(False)
                sock.bind((source, 0))
                sock.connect((self.rig.server.host, self.rig.server.port))
            began_s = time.monotonic()
            while not self._stopping.is_set():
                for number in range(self._sent, self._sent + BURST):
                    with contextlib.suppress(OSError):
                        sockets[number % len(sockets)].send(made[number % len(made)])
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


class ForgedFlood(SlowFlood):
    """The same in the name of more networks than there are queues: who has come over TCP is answered over UDP still."""

    what = "flood of signed queries from 400 networks"
    sources = tuple(f"127.{20 + number // 200}.{number % 200}.1" for number in range(400))

    def while_held(self) -> list[Seen]:
        server = self.rig.server.host, self.rig.server.port
        over_udp = over_tcp = 0
        for _ in range(GOOD_QUERIES):
            asked = self.datagram(self.random)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
                sock.settimeout(GOOD_S)
                sock.bind((GOOD, 0))
                sock.sendto(asked, server)
                if not sock.recv(4096)[2] & TC_BIT:
                    over_udp += 1
                    continue
                with socket.create_connection(server, GOOD_S, (GOOD, 0)) as stream:
                    stream.sendall(len(asked).to_bytes(2) + asked)
                    over_tcp += len(stream.recv(4096)) > 12
        figure = f"{over_udp} over UDP and {over_tcp} over TCP of {GOOD_QUERIES}"
        return [
            Seen(
                "a client that comes over TCP when it is told to is answered",
                over_udp + over_tcp == GOOD_QUERIES,
                figure,
            ),
            Seen("and over UDP from then on", over_udp >= 2 * over_tcp, figure),
        ]


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
