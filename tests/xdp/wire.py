"""Two network namespaces with a cable between them: a server behind XDP, and who asks it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lbdns.processes.responder.xdp_port import load_frame_loop
from lbdns.testing import LbdnsServer
from tests.namespaces import inside

HOST4, HOST6, CLIENT4, CLIENT6 = "10.9.0.1", "fd00:9::1", "10.9.0.2", "fd00:9::2"
OTHER4 = "10.9.1.2"  # the client's too, of another network
REPLY_S = 30.0  # a responder may have to be started first, on a busy machine


def run(*command: str) -> str:
    """Run a command; raises with what it said where it fails."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@dataclass
class Wire:
    """Both namespaces, the names of the two ends of the cable, and how many queues each has."""

    queues: int = 1
    server: str = field(default_factory=lambda: f"lbdns-s{os.getpid()}")
    client: str = field(default_factory=lambda: f"lbdns-c{os.getpid()}")
    server_end = "wire0"
    client_end = "wire1"

    def make(self) -> None:
        """Lay the cable."""
        run("ip", "netns", "add", self.server)
        run("ip", "netns", "add", self.client)
        queues = ("numrxqueues", str(self.queues), "numtxqueues", str(self.queues))
        ends = ("type", "veth", "peer", "name", self.client_end, *queues, "netns", self.client)
        run("ip", "link", "add", self.server_end, *queues, "netns", self.server, *ends)
        for space, end, four, six in (
            (self.server, self.server_end, HOST4, HOST6),
            (self.client, self.client_end, CLIENT4, CLIENT6),
        ):
            run("ip", "-n", space, "addr", "add", f"{four}/24", "dev", end)
            run("ip", "-n", space, "addr", "add", f"{six}/64", "dev", end, "nodad")
            run("ip", "-n", space, "link", "set", "lo", "up")
            run("ip", "-n", space, "link", "set", end, "up")
        run("ip", "-n", self.client, "addr", "add", f"{OTHER4}/24", "dev", self.client_end)
        run("ip", "-n", self.server, "route", "add", "10.9.1.0/24", "dev", self.server_end)

    def remove(self) -> None:
        """Take all of it away."""
        for space in (self.server, self.client):
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)

    def filter_shown(self) -> str:
        """Return what `ip link` says of the server's end."""
        return run("ip", "-n", self.server, "link", "show", self.server_end)


@contextlib.contextmanager
def laid(queues: int = 1) -> Iterator[Wire]:
    """Yield a wire, or skip where this machine lets nobody have one, or XDP is not compiled."""
    if load_frame_loop() is None:
        pytest.skip("XDP is not compiled here")
    wire = Wire(queues)
    try:
        wire.make()
    except (OSError, subprocess.CalledProcessError) as error:
        wire.remove()
        pytest.skip(f"no network namespaces here: {getattr(error, 'stderr', error)}")
    try:
        yield wire
    finally:
        wire.remove()


def asking(
    space: str, host: str, kind: socket.SocketKind = socket.SOCK_DGRAM, is_past: bool = True, source: str = ""
) -> socket.socket:
    """Return a socket in a namespace that asks the server at a host, from an address; where `is_past` is False, by
    packets with options that say nothing, which are not for the filter: the server's sockets get them."""

    def make() -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
        sock.settimeout(REPLY_S)
        if not is_past and ":" in host:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, bytes([0, 0, 1, 4, 0, 0, 0, 0]))
        elif not is_past:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes([1, 1, 1, 0]))
        if source:
            sock.bind((source, 0))
        sock.connect((host, 53))
        return sock

    return inside(space, make)


class WiredServer(LbdnsServer):
    """A server in the namespace of a wire."""

    def __init__(self, wire: Wire, directory: Path, work: Path, before: tuple[str, ...] = ()) -> None:
        """`before`: a command that starts it there."""
        super().__init__(directory, work, override=False)
        self._wire = wire
        self._before = before

    def command(self) -> list[str]:
        """Return the command that becomes the server's supervisor."""
        return ["ip", "netns", "exec", self._wire.server, *self._before, *super().command()]

    def wait_for(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Wait until something is so."""
        self._wait_until(condition, self.start_s, otherwise)
