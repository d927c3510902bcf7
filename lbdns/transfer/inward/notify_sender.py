"""Tells others that a zone has changed (NOTIFY, RFC 1996): those that its settings name, and its name servers.

    serial served ---> each target: UDP, again after 2, 4, 8, 16 s until it answers ---> acknowledged | problem
       another serial meanwhile: what is under way is given up, and that one is told

The SOA's MNAME and addresses of this machine are not told (section 2.2: the primary itself). Bounded: so many messages
at a time, so many targets of a zone; whoever never answers finds out at his next refresh.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from struct import Struct
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import CLASS_IN, FLAG_AA, HEADER_BYTES, NOERROR, TYPE_SOA
from lbdns.dns.name import show_name
from lbdns.dns.transfer_reply import read_reply
from lbdns.dns.tsig_client import TsigSession
from lbdns.transfer.inward.incoming import TransferError, serial_of
from lbdns.transfer.inward.primary_client import AskedPrimary, rcode_text
from lbdns.transfer.inward.worker_terms import NotifiedZone
from lbdns.transfer.zone_transfer_status import TransferPeer, TransferRole, TransferState, ZoneTransferStatus

OPCODE_NOTIFY: Final = 4
WAITS_S: Final = (2.0, 4.0, 8.0, 16.0, 32.0)
"""How long an answer may take, try by try."""
SENDING_MAX: Final = 256
"""How many targets are told at a time, of all zones."""
TARGETS_MAX: Final = 64
"""How many of one zone are told."""
RESOLVE_S: Final = 5.0
PORT: Final = 53
_HEADER: Final = Struct("!6H")
_RECORD: Final = Struct("!HHIH")
_PAIR: Final = Struct("!HH")
_MESSAGE_MAX: Final = 65_535


def encode_notify(message_id: int, apex: bytes, soa: bytes) -> bytes:
    """Return a NOTIFY with the SOA that is served (RFC 1996 section 3.7)."""
    head = _HEADER.pack(message_id, OPCODE_NOTIFY << 11 | FLAG_AA, 1, 1, 0, 0)
    record = _PAIR.pack(0xC000 | HEADER_BYTES, TYPE_SOA)[:2] + _RECORD.pack(TYPE_SOA, CLASS_IN, 0, len(soa)) + soa
    return head + apex + _PAIR.pack(TYPE_SOA, CLASS_IN) + record


def is_own_address(address: str) -> bool:
    """Tell whether an address is one of this machine: then a socket can be bound to it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.bind((address, 0))
        return True
    return False


class ZoneNotify:
    """Tells of one zone."""

    def __init__(self, zone: NotifiedZone, room: asyncio.Semaphore, changed: Callable[[], None]) -> None:
        """Describe it; `notify` begins to tell. `room`: how many targets may be told at a time."""
        self.zone = zone
        self.counts = Counter[str]()
        self._room = room
        self._changed = changed
        self._peers: dict[str, TransferPeer] = {}
        self._task: asyncio.Task[None] | None = None
        self._since_s = time.time()
        self._state = TransferState.PENDING
        self._error, self._error_s = "", 0.0

    @property
    def serial(self) -> int:
        """The serial that is served."""
        return serial_of(self.zone.soa)

    def notify(self, zone: NotifiedZone) -> None:
        """Tell of a zone as it is served now, and of nothing before."""
        self.stop()
        self.zone = zone
        self._task = asyncio.create_task(self._tell_all())

    async def wait(self, wait_s: float) -> None:
        """Wait until all have answered, or none will, so long at most."""
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=wait_s)

    def stop(self) -> None:
        """Tell nobody any more."""
        if self._task is not None:
            self._task.cancel()

    async def _tell_all(self) -> None:
        self._error = ""
        targets = await self._targets()
        self._set_state(TransferState.PENDING if targets else TransferState.CURRENT)
        self._peers = {one.shown: self._peers.get(one.shown) or _peer(one) for one in targets}
        self._changed()
        await asyncio.gather(*map(self._tell, targets))
        is_wrong = any(one.problem for one in self._peers.values())
        self._set_state(TransferState.FAILING if is_wrong else TransferState.CURRENT)

    def _note(self, target: AskedPrimary, problem: str) -> None:
        """Note what is wrong with a target, "" for nothing."""
        peer = replace(self._peers[target.shown], problem=problem)
        self._peers[target.shown] = peer if problem else replace(peer, serial=self.serial, heard_s=time.time())
        problems = [f"{one.address}: {one.problem}" for one in self._peers.values() if one.problem]
        if problems:
            self._error, self._error_s = "NOTIFY: " + "; ".join(problems), time.time()
        self._changed()

    def _set_state(self, state: TransferState) -> None:
        if state is not self._state:
            self._state, self._since_s = state, time.time()
        self._changed()

    async def _targets(self) -> list[AskedPrimary]:
        """Return who is to be told: by the settings, then name servers that are not this machine."""
        found = {(one.address, one.port): one for one in self.zone.targets}
        for name, addresses in self.zone.servers:
            for address in addresses or await _resolved(name):
                if len(found) < TARGETS_MAX and not is_own_address(address):
                    found.setdefault((address, PORT), AskedPrimary(address, PORT))
        return list(found.values())

    async def _tell(self, target: AskedPrimary) -> None:
        problem = "no answer"
        for wait_s in WAITS_S:
            async with self._room:
                self.counts["notifies_sent"] += 1
                try:
                    async with asyncio.timeout(wait_s):
                        await self._ask(target)
                    problem = ""
                    break
                except TimeoutError:
                    self._note(target, problem)
                    continue
                except OSError as error:
                    problem = f"cannot be reached: {error.strerror or error}"
                except LbdnsError as error:
                    problem = str(error)
                    break
            await asyncio.sleep(wait_s)
        if problem:
            self.counts["notifies_failed"] += 1
        self._note(target, problem)

    async def _ask(self, target: AskedPrimary) -> None:
        """Send one NOTIFY and wait for its answer; raises LbdnsError where that is no good one, OSError."""
        loop = asyncio.get_running_loop()
        message_id = secrets.randbelow(1 << 16)
        message = encode_notify(message_id, self.zone.apex, self.zone.soa)
        session = None if target.key is None else TsigSession(*target.key)
        if session is not None:
            message = session.sign(message, int(time.time()))
        family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            await loop.sock_connect(sock, (target.address, target.port))
            await loop.sock_sendall(sock, message)
            while True:
                answer = await loop.sock_recv(sock, _MESSAGE_MAX)
                if answer[:2] != message[:2]:
                    continue  # to another one, or a forger's
                reply = read_reply(answer, message_id, OPCODE_NOTIFY)
                if reply.rcode != NOERROR:
                    raise TransferError(f"it answers with {rcode_text(reply.rcode)}")
                if session is not None:
                    session.take(answer, reply.signature, int(time.time()))
                    session.finish()
                return

    def status(self) -> ZoneTransferStatus:
        """Return how those stand who are told."""
        return ZoneTransferStatus(
            show_name(self.zone.apex),
            TransferRole.PRIMARY,
            self._state,
            self._since_s,
            serial=self.serial,
            notified=tuple(self._peers.values()),
            last_error=self._error,
            last_error_s=self._error_s if self._error else None,
            counts=dict(self.counts),
        )


class NotifySender:
    """Tells of all zones of a worker."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """Begin with none; `changed` is called when a status is another."""
        self._changed = changed
        self._room = asyncio.Semaphore(SENDING_MAX)
        self.zones: dict[bytes, ZoneNotify] = {}

    def take(self, zones: dict[bytes, NotifiedZone]) -> None:
        """Tell of these from now on: each whose serial or targets are others is told of."""
        for apex in self.zones.keys() - zones.keys():
            self.zones.pop(apex).stop()
        for apex, zone in zones.items():
            there = self.zones.get(apex)
            if there is None:
                there = self.zones[apex] = ZoneNotify(zone, self._room, self._changed)
            elif there.zone == zone:
                continue
            there.notify(zone)

    async def again(self, apex: bytes, wait_s: float) -> None:
        """Tell of a zone once more, and wait so long at most until all have answered."""
        there = self.zones[apex]
        there.notify(there.zone)
        await there.wait(wait_s)


async def _resolved(name: str) -> list[str]:
    """Return the addresses of a name server outside the zone; none where they cannot be had."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await loop.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except (OSError, TimeoutError, UnicodeError):
        return []
    return list(dict.fromkeys(str(one[4][0]) for one in found if "%" not in str(one[4][0])))


def _peer(target: AskedPrimary) -> TransferPeer:
    return TransferPeer(target.shown, target.key.name if target.key else "")
