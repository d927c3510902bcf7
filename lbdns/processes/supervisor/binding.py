"""Binding: every listening socket is opened here, and every address that cannot be had is named with its reason."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from lbdns.base.errors import LbdnsError
from lbdns.base.passed_sockets import passed_sockets
from lbdns.model.socket_address import format_socket_address, parse_socket_address
from lbdns.processes.sockets import IP_PKTINFO, Listener, ListenerSet, TlsListener

RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
TCP_BACKLOG = 256
FIRST_OPEN_PORT = 1024
FREE_PORT_ATTEMPTS = 50

# Linux's numbers; Python's socket module has no names for them.
SO_RCVBUFFORCE = 33
IP_MTU_DISCOVER = 10
IP_PMTUDISC_OMIT = 5

AnyListener = TypeVar("AnyListener", Listener, TlsListener)
_Claim: TypeAlias = "tuple[Callable[..., Any], socket.SocketKind, str]"
"""What opens a socket, its kind, and what people call that."""


class BindError(LbdnsError):
    """Addresses that could not be bound; the text has one line for each, with the reason and what would help."""


def choose_ports(listen: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses with each port 0 replaced by one that is free for UDP and TCP; raises BindError."""
    chosen: list[str] = []
    for text in listen:
        host, port = parse_socket_address(text)
        chosen.append(text if port else format_socket_address(host, _free_port(host)))
    return tuple(chosen)


def choose_port(hosts: Sequence[str]) -> int:
    """Return a port that is free at all hosts, for TCP, and at the first for UDP too; raises BindError."""
    for _ in range(FREE_PORT_ATTEMPTS):
        port = _free_port(hosts[0])
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for host in hosts[1:]:
                stack.enter_context(_tcp_socket(host, port, shared=False))
            return port
    raise BindError(f"no port is free at all of {', '.join(hosts)}")


def _free_port(host: str) -> int:
    for _ in range(FREE_PORT_ATTEMPTS):
        try:
            with _tcp_socket(host, 0, shared=False) as tcp:
                port: int = tcp.getsockname()[1]
                with contextlib.suppress(OSError), _udp_socket(host, port, shared=False):
                    return port
        except OSError as error:
            raise BindError(_explain(host, 0, error)) from error
    raise BindError(f"cannot listen on {format_socket_address(host, 0)}: no port is free for UDP and TCP")


def bind(
    listen: Sequence[str], held: Sequence[ListenerSet], worker_count: int, tls: Sequence[str] = ()
) -> list[ListenerSet]:
    """Return a ListenerSet per worker for the addresses `listen`, and `tls` for TLS, from what `held` has of them and
    new sockets.

    What `held` has beyond the result stays open. Raises BindError naming every address that failed; whatever was
    opened on the way is closed then.
    """
    known = {one.address for each in held for one in each.every}
    ports_held = {parse_socket_address(address)[1] for address in known}
    wanted = (*((address, _BOTH) for address in listen), *((address, _BOTH[1:]) for address in tls))
    failures = list(_claim_all([one for one in wanted if one[0] not in known], ports_held))
    if failures:
        raise BindError("\n".join(failures))
    fresh: list[Listener | TlsListener] = []
    sets: list[ListenerSet] = []
    for worker in range(worker_count):
        before = held[worker] if worker < len(held) else ListenerSet(())
        plain = _at_all(listen, before.listeners, _listener, fresh, failures)
        over_tls = _at_all(tls, before.tls, _tls_listener, fresh, failures)
        sets.append(ListenerSet(plain, over_tls))
    if failures:
        for one in fresh:
            one.close()
        raise BindError("\n".join(dict.fromkeys(failures)))
    return sets


def _at_all(
    addresses: Sequence[str],
    held: Sequence[AnyListener],
    make: Callable[[str], AnyListener],
    fresh: list[Listener | TlsListener],
    failures: list[str],
) -> tuple[AnyListener, ...]:
    """Return the listeners of a worker at some addresses, those that are `held` or `fresh` ones; why one cannot be had
    goes to `failures`."""
    have = {one.address: one for one in held}
    found = []
    for address in addresses:
        if address not in have:
            try:
                have[address] = make(address)
            except OSError as error:
                failures.append(_explain(*parse_socket_address(address), error))
                continue
            fresh.append(have[address])
        found.append(have[address])
    return tuple(found)


def _claim_all(addresses: Iterable[tuple[str, Sequence[_Claim]]], ports_held: set[int]) -> Iterator[str]:
    """Yield why each address cannot be ours alone, in what is to be claimed of it.

    SO_REUSEPORT would let us join another server of the same user unseen and take half of its queries, so each address
    is bound without it first. Ports where we listen already, at other addresses, are exempt: there we may be in our
    own way.
    """
    for address, claims in addresses:
        host, port = parse_socket_address(address)
        if port in ports_held:
            continue
        for open_one, kind, transport in claims:
            if passed_sockets().has(kind, (host, port)):
                continue
            try:
                open_one(host, port, shared=False).close()
            except OSError as error:
                yield _explain(host, port, error, transport)
                break


def _listener(address: str) -> Listener:
    host, port = parse_socket_address(address)
    udp = _udp_socket(host, port)
    try:
        return Listener(address, udp, _tcp_socket(host, port))
    except OSError:
        udp.close()
        raise


def _tls_listener(address: str) -> TlsListener:
    return TlsListener(address, _tcp_socket(*parse_socket_address(address)))


def _udp_socket(host: str, port: int, shared: bool = True) -> socket.socket:
    def prepare(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < RECEIVE_BUFFER_BYTES:
                sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
        if sock.family == socket.AF_INET:
            # A forged ICMP message must not talk us into fragments (RFC 9715 section 3.1).
            sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT)
        if ipaddress.ip_address(host).is_unspecified:
            ask_destination(sock)

    return _open(host, port, socket.SOCK_DGRAM, shared, prepare)


def ask_destination(sock: socket.socket) -> None:
    """Have each datagram come with the address that it was sent to: its reply must leave from there."""
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)


def _tcp_socket(host: str, port: int, shared: bool = True) -> socket.socket:
    def prepare(sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    sock = _open(host, port, socket.SOCK_STREAM, shared, prepare)
    try:
        sock.listen(TCP_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _open(
    host: str, port: int, kind: socket.SocketKind, shared: bool, prepare: Callable[[socket.socket], None]
) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    passed = passed_sockets().take(kind, (host, port)) if shared else None
    if passed is not None:
        return _prepared(passed, prepare)
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        prepare(sock)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def _prepared(passed: socket.socket, prepare: Callable[[socket.socket], None]) -> socket.socket:
    """Return a socket that was passed to this process, with all that can still be set; raises OSError."""
    try:
        if passed.family == socket.AF_INET6 and not passed.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
            raise OSError(errno.EPROTOTYPE, "it was passed for IPv4 as well (systemd: BindIPv6Only=ipv6-only)")
        prepare(passed)
    except OSError:
        passed.close()
        raise
    return passed


def _explain(host: str, port: int, error: OSError, transport: str = "") -> str:
    where = f"cannot listen on {format_socket_address(host, port)}" + (f" ({transport})" if transport else "")
    if error.errno == errno.EADDRINUSE:
        return f"{where}: another program listens there; `ss -lnptu sport = :{port}` shows which"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where}: {host} is not an address of this machine; `ip address` lists those that are"
    if error.errno in (errno.EACCES, errno.EPERM) and port < FIRST_OPEN_PORT:
        return (
            f"{where}: no permission for ports below {FIRST_OPEN_PORT}; give it the capability CAP_NET_BIND_SERVICE "
            "(systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE) or start it as root"
        )
    if error.errno == errno.EAFNOSUPPORT:
        return f"{where}: this machine has no {'IPv6' if ':' in host else 'IPv4'}"
    return f"{where}: {error.strerror or os.strerror(error.errno or 0)}"


_BOTH: Final[tuple[_Claim, ...]] = (
    (_udp_socket, socket.SOCK_DGRAM, "UDP"),
    (_tcp_socket, socket.SOCK_STREAM, "TCP"),
)
"""What is opened at an address for plain DNS."""
