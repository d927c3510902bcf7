"""The filter at an interface, with its maps; whoever holds it may be killed: the kernel detaches it then.

attach: native, where the driver can --> else generic --> detached by `close`, or by the end of the process
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.xdp.bpf_calls import HASH, SOCKETS, create_map, drop_entry, link_program, load_program, set_entry
from lbdns.xdp.filter_program import FRAME_BYTES_MAX, KEY_BYTES, address_key, filter_program

AF_XDP: Final = 44
ADDRESSES_MAX: Final = 1024
MTU_MIN: Final = 1280
MTU_MAX: Final = FRAME_BYTES_MAX - 14
_GENERIC, _NATIVE = 2, 4  # XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE
_CANNOT: Final = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTSUP, errno.ERANGE, errno.ENOMEM)
_PLACE: Final = Path("/sys/class/net")
_HELP: Final = (
    "it takes the capabilities CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF at the start (systemd: AmbientCapabilities=), or "
    "a start as root"
)


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface as it is now."""

    name: str
    index: int
    mac: bytes
    mtu: int
    queues: int

    @staticmethod
    def find(name: str) -> Interface:
        """Return it; raises LbdnsError where there is none, or none that XDP can be had at."""
        try:
            index = socket.if_nametoindex(name)
            place = _PLACE / name
            mac = bytes.fromhex((place / "address").read_text().strip().replace(":", ""))
            mtu = int((place / "mtu").read_text())
            queues = len(list((place / "queues").glob("rx-*")))
        except (OSError, ValueError):
            names = ", ".join(sorted(one for _, one in socket.if_nameindex()))
            raise LbdnsError(f"xdp.interface: there is no network interface {name}; this machine has {names}") from None
        if len(mac) != 6 or not any(mac) or not queues:
            raise LbdnsError(f"xdp.interface: {name} is no Ethernet; expected one such as eth0")
        if not MTU_MIN <= mtu <= MTU_MAX:
            raise LbdnsError(
                f"xdp.interface: {name} has an MTU of {mtu}; XDP is for {MTU_MIN} to {MTU_MAX} "
                f"(`ip link set {name} mtu 1500`)"
            )
        return Interface(name, index, mac, mtu, queues)


class Attachment:
    """The filter at an interface, from its start until `close`. `is_native`: the driver runs it, not the kernel behind
    it."""

    def __init__(self, interface: Interface, addresses: Iterable[tuple[str, int]]) -> None:
        """Attach it for (address, port) each; raises LbdnsError with what would help."""
        self.interface = interface
        self._keys: set[bytes] = set()
        try:
            open_socket().close()  # a right of its own, which is needed only when a responder asks for one
            with contextlib.ExitStack() as undo:
                self._addresses = _owned(undo, create_map(HASH, KEY_BYTES, 4, ADDRESSES_MAX, "lbdns_addresses"))
                self.sockets = _owned(undo, create_map(SOCKETS, 4, 4, interface.queues, "lbdns_sockets"))
                self.follow(addresses)
                program = filter_program(interface.mac, self._addresses, self.sockets)
                loaded = load_program(program, "lbdns")
                undo.callback(os.close, loaded)
                self.is_native, self._link = _attach(loaded, interface)
                os.close(loaded)
                undo.pop_all()
        except OSError as error:
            raise LbdnsError(f"xdp: {interface.name}: {_explain(error)}") from error

    def follow(self, addresses: Iterable[tuple[str, int]]) -> None:
        """Have the filter be for these addresses from now on; raises OSError."""
        wanted = {address_key(host, port) for host, port in addresses}
        for key in wanted - self._keys:
            set_entry(self._addresses, key, struct.pack("=I", 1))
        for key in self._keys - wanted:
            drop_entry(self._addresses, key)
        self._keys = wanted

    def close(self) -> None:
        """Detach it."""
        for descriptor in (self._link, self._addresses, self.sockets):
            os.close(descriptor)


def _owned(undo: contextlib.ExitStack, descriptor: int) -> int:
    undo.callback(os.close, descriptor)
    return descriptor


def _attach(program: int, interface: Interface) -> tuple[bool, int]:
    try:
        return True, link_program(program, interface.index, _NATIVE)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
    return False, link_program(program, interface.index, _GENERIC)


def _explain(error: OSError) -> str:
    if error.errno in (errno.EPERM, errno.EACCES):
        return _HELP
    if error.errno in (errno.EBUSY, errno.EEXIST):
        return (
            "another program of XDP is attached there; `ip link show` names it, `ip link set dev NAME xdp off` ends it"
        )
    return error.strerror or str(error)


def open_socket() -> socket.socket:
    """Return an AF_XDP socket that nothing is set of; raises OSError."""
    return socket.socket(AF_XDP, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
