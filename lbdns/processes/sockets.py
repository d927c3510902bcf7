"""Listening sockets: for each worker and address one UDP socket and one TCP listener, in a SO_REUSEPORT group.

The supervisor binds them all (binding.py) and keeps them open; workers inherit them. So a worker that died comes back
to the same socket with the datagrams that waited in it, and a worker that replaces another reads before the other
stops: no member of a group is ever left unread.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lbdns.base.errors import LbdnsError
from lbdns.base.passed_sockets import passed_sockets

DESCRIPTORS_MAX = 253  # of one worker (Linux takes so many): three for each address, one for each of TLS
GREETING_BYTES = 65536
DRAIN_WORD = b"drain\n"  # what a new supervisor says to a responder that it does not need any more
IP_PKTINFO = 8  # Linux's number; Python's socket module has no name for it


@dataclass(frozen=True, slots=True)
class Listener:
    """The two sockets of one worker at one address, `IP:PORT`."""

    address: str
    udp: socket.socket
    tcp: socket.socket

    def retire(self) -> None:
        """Have no new datagrams come to the UDP socket, so that whoever reads it can empty it.

        A connected socket hears its peer alone; its peer here is itself, and the rest of its group gets the others. One
        that was passed to this process is left: others read it, now or after the next start.
        """
        if passed_sockets().holds(self.udp):
            return
        with contextlib.suppress(OSError):
            self.udp.connect(self.udp.getsockname())

    def close(self) -> None:
        """Close this process's hold on both."""
        self.udp.close()
        self.tcp.close()


@dataclass(frozen=True, slots=True)
class TlsListener:
    """The TCP socket of one worker at one address, `IP:PORT`, where TLS is spoken."""

    address: str
    tcp: socket.socket

    def retire(self) -> None:
        """Nothing waits here that only one process could answer."""

    def close(self) -> None:
        """Close this process's hold on it."""
        self.tcp.close()


@dataclass(frozen=True, slots=True)
class ListenerSet:
    """All listeners of one worker."""

    listeners: tuple[Listener, ...]
    tls: tuple[TlsListener, ...] = ()
    queues: tuple[int, ...] = ()
    """The queues of a network card that the worker reads beside them (xdp_port.py)."""

    @property
    def thread_count(self) -> int:
        """How many threads of the fast path read them."""
        return len(self.listeners) + len(self.queues)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses, in order."""
        return tuple(listener.address for listener in self.listeners)

    @property
    def tls_addresses(self) -> tuple[str, ...]:
        """The addresses where TLS is spoken, in order."""
        return tuple(listener.address for listener in self.tls)

    @property
    def every(self) -> tuple[Listener | TlsListener, ...]:
        """All of both kinds."""
        return (*self.listeners, *self.tls)

    def filenos(self) -> tuple[int, ...]:
        """Every descriptor, UDP and TCP in turn, in the order of `addresses`, then those of `tls_addresses`."""
        plain = tuple(fd for listener in self.listeners for fd in (listener.udp.fileno(), listener.tcp.fileno()))
        return (*plain, *(listener.tcp.fileno() for listener in self.tls))

    def close(self) -> None:
        """Close this process's hold on all of them."""
        for listener in self.every:
            listener.close()


def listener_set(
    addresses: Sequence[str], descriptors: Iterable[int], tls: Sequence[str] = (), queues: Sequence[int] = ()
) -> ListenerSet:
    """Rebuild a set from descriptors in the order of `ListenerSet.filenos`; the set owns them.

    Whether they block is left as it is: that belongs to the open socket, which another process may be reading.
    """
    sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    plain, rest = sockets[: 2 * len(addresses)], sockets[2 * len(addresses) :]
    pairs = zip(addresses, plain[::2], plain[1::2], strict=True)
    over_tls = tuple(TlsListener(*pair) for pair in zip(tls, rest, strict=True))
    return ListenerSet(tuple(Listener(*pair) for pair in pairs), over_tls, tuple(queues))


def send_listeners(channel: socket.socket, held: ListenerSet) -> None:
    """Hand listening sockets over a UNIX stream socket: a JSON line of the addresses, the descriptors beside it."""
    line = json.dumps({"addresses": held.addresses, "tls": held.tls_addresses}).encode() + b"\n"
    socket.send_fds(channel, [line], held.filenos())


@dataclass(frozen=True, slots=True)
class ResponderDuty:
    """Which responder of how many a process is, its sockets, and for each thread of the fast path a descriptor of
    memory for queries in hand (mapped/query_room.py), or none at all. One that does not stay answers what is in hand,
    and ends."""

    index: int
    count: int
    held: ListenerSet
    rooms: tuple[int, ...] = ()
    stays: bool = True


def send_duty(channel: socket.socket, duty: ResponderDuty) -> None:
    """Make a spare process a responder; see `receive_duty`."""
    said: dict[str, Any] = {
        "index": duty.index,
        "count": duty.count,
        "addresses": duty.held.addresses,
        "stays": duty.stays,
    }
    said["tls"], said["queues"] = duty.held.tls_addresses, duty.held.queues
    line = json.dumps(said).encode() + b"\n"
    socket.send_fds(channel, [line], [*duty.held.filenos(), *duty.rooms])


def receive_duty(channel: socket.socket) -> ResponderDuty | None:
    """Return what `send_duty` sent; None where the supervisor closed the channel."""
    message, descriptors, _, _ = socket.recv_fds(channel, GREETING_BYTES, DESCRIPTORS_MAX)
    if not message:
        return None
    said = json.loads(message)
    sockets = 2 * len(said["addresses"]) + len(said["tls"])
    held = listener_set(said["addresses"], descriptors[:sockets], said["tls"], said["queues"])
    return ResponderDuty(said["index"], said["count"], held, tuple(descriptors[sockets:]), said["stays"])


def receive_listeners(channel: socket.socket) -> ListenerSet:
    """Return the listeners that `send_listeners` sent; raises LbdnsError where the message is not one of ours."""
    message, descriptors, _, _ = socket.recv_fds(channel, GREETING_BYTES, DESCRIPTORS_MAX)
    try:
        said = json.loads(message)
        addresses, tls = [str(text) for text in said["addresses"]], [str(text) for text in said.get("tls", ())]
        if len(descriptors) != 2 * len(addresses) + len(tls):
            raise ValueError
        return listener_set(addresses, descriptors, tls)
    except (ValueError, KeyError, TypeError):
        for descriptor in descriptors:
            os.close(descriptor)
        raise LbdnsError("the run directory has a responder of another release, which hands nothing over") from None
