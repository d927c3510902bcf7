"""Random updates of a server whose supervisor is killed again and again: nothing acknowledged is lost, nothing refused
is half-applied. `scripts/update-soak` runs it at length, a test a share of it.

Each client has names of its own and a naive model of them (naive_update.py). What it is answered must be what the model
says. What it is not answered it sends again, octet by octet, as resolvers and nsupdate do: that is one update, however
often the supervisor was killed between, and answered as one. At the end the zone is the models', record by record, in
the store and in answers.
"""

from __future__ import annotations

import argparse
import random
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import dns.message
import dns.query
import dns.rdatatype

from lbdns.dns.name import show_name
from lbdns.manage.store.records.record_bodies import record_rrset
from lbdns.manage.store.sqlite import Store
from tests.transfer import naive_update
from tests.transfer.naive_update import Record
from tests.transfer.random_updates import APEX_LABELS, DATA, Labels, encoded, random_update, whole_message
from tests.transfer.updated_server import UpdatedServer, updated_server

SOURCE: Final = "127.0.0.5"
ANSWER_S: Final = 15.0
PATIENCE_S: Final = 60.0
SERVFAIL: Final = 2


class Client:
    """One client, which sends so many updates one after the other."""

    def __init__(self, server: UpdatedServer, number: int, seed: int) -> None:
        self._server = server
        self._chance = random.Random(f"{seed} {number}")
        own = f"c{number}"
        self.names: Sequence[Labels] = [(own,), ("a", own), ("b", own), ("x", "a", own)]
        self.records: list[Record] = []
        self.wrong: list[str] = []
        self.made = self.again = 0

    def send(self, count: int) -> None:
        """Send them; what is wrong ends it."""
        for number in range(count):
            needed, wanted = random_update(self._chance, self.names, DATA)
            rcode, after = naive_update.update(self.records, APEX_LABELS, needed, wanted)
            said = self._ask(whole_message(needed, wanted, number % 65_536))
            if said != rcode:
                self.wrong.append(f"RCODE {said}, not {rcode}: {needed} {wanted} on {self.records}")
                return
            self.records = after
            self.made += rcode == 0
            if rcode == 0 and wanted[0].type == 1 and wanted[0].name[-2:] == APEX_LABELS:
                self._check(wanted[0].name)

    def _ask(self, datagram: bytes) -> int:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                with (
                    socket.create_connection((self._server.host, self._server.port), ANSWER_S, (SOURCE, 0)) as sock,
                    sock.makefile("rb") as replies,
                ):
                    sock.sendall(len(datagram).to_bytes(2) + datagram)
                    reply = replies.read(int.from_bytes(replies.read(2)))
                if len(reply) >= 12 and reply[3] & 0xF != SERVFAIL:
                    return reply[3] & 0xF
            except OSError:
                pass
            self.again += 1
            time.sleep(0.1)
        raise TimeoutError("no answer")

    def _check(self, name: Labels) -> None:
        """See that what was acknowledged is served."""
        held = {one.data for one in self.records if (one.name, one.type) == (name, 1)}
        query = dns.message.make_query(show_name(encoded(name)), "A")
        reply = dns.query.tcp(query, self._server.host, port=self._server.port, timeout=ANSWER_S)
        rrset = reply.get_rrset(reply.answer, query.question[0].name, query.question[0].rdclass, dns.rdatatype.A)
        found = {rdata.to_wire() for rdata in rrset} if rrset is not None else set()
        if found != held:
            self.wrong.append(f"{name}: {found} is served, {held} was acknowledged")


def run_killed(
    work: Path, updates: int, clients: int, seed: int, pause_s: tuple[float, float], kills_max: int = 1_000_000
) -> dict[str, int]:
    """Send so many updates in all; between two kills and starts, `pause_s` passes at least and at most. Returns what
    was counted; raises AssertionError for what is wrong."""
    chance = random.Random(seed)
    with updated_server(work) as server:
        senders = [Client(server, number, seed) for number in range(clients)]
        threads = [threading.Thread(target=one.send, args=(updates // clients,)) for one in senders]
        for thread in threads:
            thread.start()
        kills = 0
        while kills < kills_max and any(thread.is_alive() for thread in threads):
            time.sleep(chance.uniform(*pause_s))
            if server.process is None or not any(thread.is_alive() for thread in threads):
                break
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
            kills += 1
            server.start()
            server.wait_for_api()
        for thread in threads:
            thread.join(PATIENCE_S)
        wrong = [text for one in senders for text in one.wrong]
        assert not wrong, wrong
        assert server.stop() == 0, server.log
        _compare(server, senders)
        counted = {"updates": updates, "kills": kills, "made": sum(one.made for one in senders)}
        return counted | {"sent again": sum(one.again for one in senders)}


def _compare(server: UpdatedServer, senders: Sequence[Client]) -> None:
    store = Store(server.state_dir)
    try:
        state = store.load()
        items = state.records(server.zone_id).values()
        stored = {record_rrset(item) for item in items if "name_server" not in item.body}
        assert not state.unreadable
        assert store.damage() == []
    finally:
        store.close()
    wanted = {(encoded(one.name), one.type, one.ttl, one.data) for sender in senders for one in sender.records}
    assert stored == wanted, (stored - wanted, wanted - stored)


def main() -> None:
    """Run it at length."""
    parser = argparse.ArgumentParser(description="Random dynamic updates while the supervisor is killed.")
    parser.add_argument("--updates", type=int, default=5000)
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--seed", type=int, default=14)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="update-soak-") as work:
        counted = run_killed(Path(work), said.updates, said.clients, said.seed, (0.5, 3.0))
    print(", ".join(f"{what}: {count}" for what, count in counted.items()))


if __name__ == "__main__":
    main()
