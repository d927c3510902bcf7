"""A way: how the probes of one virtual network leave this machine, and what the kernel says of it.

| via        | a socket                                                     | what is looked at                    |
|------------|--------------------------------------------------------------|--------------------------------------|
| nothing    | any                                                          | routes                               |
| source     | bound to that address                                        | the address, routes                  |
| device     | bound to the interface or VRF (SO_BINDTODEVICE in socket(7)) | the interface, routes                |
| namespace  | opened there by the opener (opener.py)                       | the namespace, routes in it          |
| proxy      | connected to the proxy, which connects on (proxy_way.py)     | the proxy's answers                  |

A route is looked for by connecting a datagram socket, which sends nothing. An address to which there is none is the
endpoint's trouble, unless there is none to any endpoint of the network. Where an interface is bound to, the kernel
takes IPv4 addresses without a route to be on its link: then its being up is all that can be known.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from lbdns.health.reasons import Reason
from lbdns.health.way_faults import WayFault, down_text, fault_text
from lbdns.model.targets_document import NetworkTarget
from lbdns.monitor.probes.result import ProbeFailure, failure_of
from lbdns.monitor.ways.opener import AT_SOCKET
from lbdns.monitor.ways.opener_client import NoOpener, OpenFailed, Opening
from lbdns.monitor.ways.steadiness import Steadiness

if TYPE_CHECKING:
    from lbdns.monitor.probes.result import Target
    from lbdns.monitor.probes.stream import Stream

End = tuple[str, int]
"""An address and a port behind a network."""

ENDS_MAX: Final = 1024  # that are looked at for a route, of one network
ANY_PORT: Final = 9  # discard (RFC 863): a route is looked up for any
_SIOCGIFFLAGS: Final = 0x8913
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_INTERFACE: Final = struct.Struct("16sH22x")
ROUTELESS: Final = frozenset(
    {errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.EAFNOSUPPORT}
)
"""What connect says where there is no route, or one that leads nowhere ("unreachable", "prohibit", "blackhole")."""


class WayDown(ProbeFailure):
    """A probe ends where its way does."""

    def __init__(self, fault: WayFault, detail: str) -> None:
        super().__init__(Reason.NETWORK_DOWN, detail)
        self.fault = fault


class Way:
    """The way into one network, `target`.

    `fault`: what is wrong with it, as far as is known; whoever watches it (ways.py) writes that, and `is_known` once
    anything is, and is the `watcher` that is asked to look; `steadiness` judges what it finds. `ends`: what is probed
    behind it, and by how many checks.
    """

    def __init__(self, target: NetworkTarget, opening: Opening) -> None:
        """Describe it; nothing is opened yet."""
        self.target = target
        self.fault = WayFault.NONE
        self.is_known = False
        self.namespace: tuple[int, int] | None = None
        self.steadiness = Steadiness()
        self.ends: Counter[End] = Counter()
        self.watcher: Callable[[Way], Awaitable[WayFault]] = Way.look
        self._opening = opening

    def __repr__(self) -> str:
        return f"Way({self.target.name!r})"

    @property
    def name(self) -> str:
        """The network's."""
        return self.target.name

    @property
    def is_given(self) -> bool:
        """Whether it is another one than the machine's own routing."""
        return bool(self.target.source or self.target.device or self.target.namespace or self.target.proxy)

    @property
    def resolves(self) -> bool:
        """Whether hostnames go through it as they are, for whoever is at its end to resolve."""
        return False

    def down_text(self, fault: WayFault) -> str:
        """Return what is said of an endpoint behind it while it is at fault."""
        return down_text(self.name, self.told(fault))

    def told(self, fault: WayFault) -> str:
        """Return a fault of this way in words."""
        target = self.target
        return fault_text(fault, target.device, target.namespace, target.source)

    def down(self, fault: WayFault) -> WayDown:
        """Return what ends a probe on which a fault of the way was met."""
        return WayDown(fault, self.down_text(fault))

    async def open(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Return a socket that does not block and leaves by this way; raises WayDown, and OSError for what the kernel
        has against the socket itself."""
        sock = await self._open(family, kind, protocol)
        try:
            self._bind(sock)
        except BaseException:
            sock.close()
            raise
        return sock

    async def _open(self, family: int, kind: int, protocol: int) -> socket.socket:
        if not self.target.namespace:
            return socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
        try:
            sock, self.namespace = await self._opening.open(self.target.namespace, family, kind, protocol)
        except NoOpener:
            raise self.down(WayFault.NO_OPENER) from None
        except OpenFailed as failed:
            if failed.step == AT_SOCKET:
                raise OSError(failed.number, "") from None
            closed = failed.number in (errno.EPERM, errno.EACCES)
            raise self.down(WayFault.NAMESPACE_CLOSED if closed else WayFault.NAMESPACE_GONE) from None
        return sock

    def _bind(self, sock: socket.socket) -> None:
        target = self.target
        if sock.family == socket.AF_NETLINK:
            return
        if target.device:
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, target.device.encode())
            except OSError as error:
                fault = WayFault.BIND_DENIED if error.errno == errno.EPERM else WayFault.DEVICE_GONE
                raise self.down(fault) from None
        if target.source and (sock.family == socket.AF_INET6) == (":" in target.source):
            try:
                sock.bind((target.source, 0))
            except OSError:
                raise self.down(WayFault.SOURCE_GONE) from None

    async def suspected(self) -> WayFault:
        """Return what is wrong with it, after a probe failed as it would by the way's fault."""
        return self.fault or await self.watcher(self)

    async def look(self) -> WayFault:
        """Return what is wrong with it now."""
        try:
            return await self._look()
        except WayDown as down:
            return down.fault

    async def _look(self) -> WayFault:
        families: dict[int, list[End]] = {}
        for end in itertools.islice(self.ends, ENDS_MAX):
            families.setdefault(socket.AF_INET6 if ":" in end[0] else socket.AF_INET, []).append(end)
        has_route = not families
        for family, ends in (families or {socket.AF_INET: []}).items():
            try:
                with await self.open(family, socket.SOCK_DGRAM) as sock:
                    if self.target.device:
                        self._look_at_device(sock)
                    has_route = has_route or any(_reaches(sock, end) for end in ends)
            except OSError as error:  # no IPv6 here, say
                if error.errno not in ROUTELESS:
                    raise
        return WayFault.NONE if has_route else WayFault.NO_ROUTE

    def _look_at_device(self, sock: socket.socket) -> None:
        asked = _INTERFACE.pack(self.target.device.encode(), 0)
        try:
            _, flags = _INTERFACE.unpack(fcntl.ioctl(sock, _SIOCGIFFLAGS, asked))
        except OSError:
            raise self.down(WayFault.DEVICE_GONE) from None
        if not flags & _IFF_UP:
            raise self.down(WayFault.DEVICE_DOWN)
        if not flags & _IFF_RUNNING:
            raise self.down(WayFault.NO_CARRIER)

    def join(self, address: str, port: int) -> None:
        """Take it that one more check probes an end of it."""
        self.ends[address, port] += 1

    def leave(self, address: str, port: int) -> None:
        """Take it that one less does."""
        self.ends[address, port] -= 1
        if self.ends[address, port] <= 0:
            del self.ends[address, port]

    async def begins_at(self, address: str, port: int) -> End:
        """Return where a connection to an address begins: there, or at who carries it on."""
        return address, port

    async def carry_on(self, stream: Stream, target: Target) -> None:
        """Go on from where a connection begins to its target."""

    def failed(self, error: OSError) -> ProbeFailure:
        """Return what a failure to connect means: the endpoint's, until the way is looked at."""
        return failure_of(error)


def _reaches(sock: socket.socket, end: End) -> bool:
    address, port = end
    try:
        sock.connect((address, port or ANY_PORT))
    except OSError as error:
        return error.errno not in ROUTELESS
    return True
