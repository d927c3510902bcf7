"""Binding: all addresses or none, and for each that fails its reason and what would help."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from lbdns.processes.sockets import ListenerSet, listener_set, receive_listeners, send_listeners
from lbdns.processes.supervisor import binding
from lbdns.processes.supervisor.binding import BindError, bind, choose_ports

LOOPBACK = ("127.0.0.1:0", "[::1]:0")


def close(sets: list[ListenerSet]) -> None:
    for one in sets:
        one.close()


def test_each_worker_gets_udp_and_tcp_at_each_address() -> None:
    listen = choose_ports(LOOPBACK)
    sets = bind(listen, [], 2)
    assert [one.addresses for one in sets] == [listen, listen]
    for one in sets:
        for listener, family in zip(one.listeners, (socket.AF_INET, socket.AF_INET6), strict=True):
            assert listener.udp.family == listener.tcp.family == family
            assert listener.udp.type == socket.SOCK_DGRAM
            assert listener.tcp.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            assert listener.udp.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
            assert not listener.udp.getblocking()
    assert sets[0].listeners[1].udp.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    close(sets)


def test_receive_buffers_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "RECEIVE_BUFFER_BYTES", 100_000)
    (one,) = bind(choose_ports(LOOPBACK[:1]), [], 1)
    assert one.listeners[0].udp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 100_000
    one.close()


def test_every_address_in_use_is_named_even_where_the_other_shares_its_port() -> None:
    listen = choose_ports(("127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    udp.bind(("127.0.0.1", int(listen[0].rpartition(":")[2])))
    tcp = socket.create_server(("127.0.0.3", int(listen[2].rpartition(":")[2])), reuse_port=True)
    with udp, tcp, pytest.raises(BindError) as refused:
        bind(listen, [], 1)
    lines = str(refused.value).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"cannot listen on {listen[0]} (UDP): another program listens there")
    assert lines[1].startswith(f"cannot listen on {listen[2]} (TCP): another program listens there")


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(BindError, match=r"192\.0\.2\.1 is not an address of this machine"):
        bind(("192.0.2.1:5300",), [], 1)


@pytest.mark.parametrize(
    ("code", "port", "words"),
    [
        (errno.EACCES, 53, "CAP_NET_BIND_SERVICE"),
        (errno.EPERM, 53, "CAP_NET_BIND_SERVICE"),
        (errno.EAFNOSUPPORT, 5353, "this machine has no IPv4"),
        (errno.EMFILE, 5353, os.strerror(errno.EMFILE)),
    ],
)
def test_other_reasons(monkeypatch: pytest.MonkeyPatch, code: int, port: int, words: str) -> None:
    def refuse(*_: object, **__: object) -> socket.socket:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(binding, "_open", refuse)
    with pytest.raises(BindError, match=words):
        bind((f"127.0.0.1:{port}",), [], 1)


def test_what_is_held_is_kept_and_the_rest_bound() -> None:
    listen = choose_ports(LOOPBACK)
    before = bind(listen[:1], [], 1)
    after = bind(listen, before, 2)
    assert after[0].listeners[0] is before[0].listeners[0]
    assert [one.addresses for one in after] == [listen, listen]
    close(after)


def test_a_failure_closes_what_was_bound_on_the_way_and_leaves_what_is_held() -> None:
    listen = choose_ports(("127.0.0.1:0", "127.0.0.2:0"))
    held = bind(listen[:1], [], 1)
    with pytest.raises(BindError):
        bind((*listen, "192.0.2.1:5300"), held, 1)
    assert held[0].listeners[0].udp.fileno() >= 0
    close(bind(listen[1:], [], 1))
    close(held)


def test_listeners_travel_over_a_unix_socket() -> None:
    ours, theirs = socket.socketpair()
    sets = bind(choose_ports(LOOPBACK), [], 1)
    with ours, theirs:
        send_listeners(ours, sets[0])
        received = receive_listeners(theirs)
    assert received.addresses == sets[0].addresses
    for one, other in zip(received.listeners, sets[0].listeners, strict=True):
        assert one.udp.getsockname() == other.udp.getsockname()
        assert one.udp.fileno() != other.udp.fileno()
    received.close()
    close(sets)


def test_a_retired_socket_hears_nothing_new_and_keeps_what_it_has() -> None:
    listen = choose_ports(LOOPBACK[:1])
    first, second = bind(listen, [], 2)
    address = first.listeners[0].udp.getsockname()
    first.listeners[0].retire()
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(32)]
    for client in clients:
        client.sendto(b"query", address)
    arrived = 0
    while True:
        try:
            second.listeners[0].udp.recv(100)
        except BlockingIOError:
            break
        arrived += 1
    assert arrived == len(clients)
    for client in clients:
        client.close()
    close([first, second])


def test_listener_set_round_trip() -> None:
    sets = bind(choose_ports(LOOPBACK), [], 1)
    copies = [os.dup(number) for number in sets[0].filenos()]
    again = listener_set(sets[0].addresses, copies)
    assert again.filenos() == tuple(copies)
    close([*sets, again])
