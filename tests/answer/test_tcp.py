"""DNS over TCP against a running server (RFC 7766, 9210); tests/server holds the port's own limits and time-outs."""

from __future__ import annotations

import contextlib
import socket
import time

from lbdns.processes.responder.tcp_port import CONNECTIONS_PER_ADDRESS_MAX
from tests.answer.lanes import GOOD_ANSWER, GOOD_NAME, OverTcp, check_good, frame, good_query, receive
from tests.answer.packets import RD, header, query
from tests.answer.replies import Reply, check_laws

PIPELINED = 300


def test_pipelined_queries_are_all_answered(over_tcp: OverTcp) -> None:
    """RFC 7766 section 6.2.1.1: many queries in one segment, each answered under its ID."""
    names = ["static.example.com.", "www.example.com.", "nothing.example.com.", "full.big.test.", "example.net."]
    asked = {number: query(names[number % len(names)], "A", edns=True).with_id(number) for number in range(PIPELINED)}
    with over_tcp.connect() as connection:
        connection.sendall(frame(*(one.wire for one in asked.values())))
        for _ in range(PIPELINED):
            wire = receive(connection)
            assert wire is not None
            check_laws(asked.pop(int.from_bytes(wire[:2], "big")), Reply(wire), True)
    assert not asked


def test_input_byte_by_byte(over_tcp: OverTcp) -> None:
    good = good_query()
    with over_tcp.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in frame(good.wire, good.wire):
            connection.send(bytes((byte,)))
            time.sleep(0.0005)
        check_good(good, receive(connection), True)
        check_good(good, receive(connection), True)


def test_a_half_closed_connection_is_answered(over_tcp: OverTcp) -> None:
    asked = [good_query() for _ in range(50)]
    with over_tcp.connect() as connection:
        connection.sendall(frame(*(one.wire for one in asked)))
        connection.shutdown(socket.SHUT_WR)
        for one in asked:
            check_good(one, receive(connection), True)
        assert receive(connection) is None


def test_length_and_body_come_in_one_segment(over_tcp: OverTcp) -> None:
    with over_tcp.connect() as connection:
        connection.sendall(frame(query(GOOD_NAME).wire))
        data = connection.recv(65535)
    assert len(data) == 2 + int.from_bytes(data[:2], "big")
    assert Reply(data[2:]).answer == GOOD_ANSWER


def test_an_error_does_not_close_the_connection(over_tcp: OverTcp) -> None:
    """RFC 7766 section 6.2.4 and the row of AXFR: whatever was refused, the next query is answered there."""
    errors = [
        header(RD, (0, 0, 0, 0)),
        header(0x2800),
        query("example.com.", "AXFR").wire,
        query("example.net.").wire,
        query(GOOD_NAME, 0).wire,
    ]
    good = good_query()
    with over_tcp.connect() as connection:
        for message in errors:
            connection.sendall(frame(message))
            assert Reply(receive(connection) or b"").rcode in ("FORMERR", "NOTIMP", "REFUSED")
            connection.sendall(frame(good.wire))
            check_good(good, receive(connection), True)


def test_an_address_has_its_share_of_connections(over_tcp: OverTcp) -> None:
    """25 for each address: the next is closed, those that are there live on, and a closed one makes room."""
    good = good_query()
    with contextlib.ExitStack() as opened:
        held = [opened.enter_context(over_tcp.connect()) for _ in range(CONNECTIONS_PER_ADDRESS_MAX)]
        for connection in held:
            connection.sendall(frame(good.wire))
            check_good(good, receive(connection), True)
        with over_tcp.connect() as refused, contextlib.suppress(ConnectionError):
            refused.sendall(frame(good.wire))
            assert receive(refused) is None
        held[0].sendall(frame(good.wire))
        check_good(good, receive(held[0]), True)
    assert over_tcp.send(good.wire) is not None


def test_a_message_of_65535_octets_is_read(over_tcp: OverTcp) -> None:
    """Trailing bytes are ignored up to what a length can say."""
    good = good_query()
    with over_tcp.connect() as connection:
        connection.sendall(frame(good.wire + bytes(65535 - len(good.wire))))
        check_good(good, receive(connection), True)
