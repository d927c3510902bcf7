"""Heads of responses as real servers send them: the status counts where clients of the web see one, in linear time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import pytest

from lbdns.health.reasons import Reason
from lbdns.monitor.probes.http1 import HEAD_BYTES_MAX, BadResponse, Response
from tests.monitor.probing import against
from tests.work import grows_in_proportion


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-Long: one\r\n two\r\n\tthree\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded into nothing\r\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n   \r\nContent-Length:\r\n 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nServer : x\r\nContent-Length\t : 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=\x01\x1b\x7f\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: nameless\r\n : nameless\r\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\nServer: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nServer: x\n\r\n",
        b"HTTP/1.1 200 OK\r\nServer: x\n\n",
        b"HTTP/1.1 200 OK\nServer: x\n\n",
        b"HTTP/1.1 200 OK\r\nServer: a\rb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX Space: b\r\nX-\xc3\xa4: b\r\n(x): y\r\n\r\n",
        b"HTTP/1.1 200 all\x01 \x7f right\r\n\r\n",
        b"HTTP/1.1 200\r\nContent-Length: 0, 0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("by_octet", [False, True])
def test_a_head_is_taken_as_clients_of_the_web_take_it(head: bytes, by_octet: bool) -> None:
    response = Response("GET")
    for part in (head[at : at + 1] for at in range(len(head))) if by_octet else (head,):
        response.feed(part)
    assert response.status == 200
    result = against(head)
    assert result.healthy and result.code == 200
    bad = against(head.replace(b" 200", b" 503", 1))
    assert (bad.reason, bad.code) == (Reason.CODE_MISMATCH, 503)


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (b"Content-Length:\r\n 5\r\nX: y", b"good!goods"),
        (b"Content-Length : 5\nX: y", b"good!goods"),
        (b"Content-Length: 5,5\r\nContent-Type: x\r\n y", b"good!goods"),
        (b"Transfer-Encoding :\r\n\tchunked", b"5\r\ngood!\r\n0\r\n\r\n"),
    ],
)
def test_what_is_taken_leniently_is_understood(fields: bytes, body: bytes) -> None:
    response = Response("GET")
    response.feed(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n\r\n" + body)
    response.want_body()
    assert response.done and response.body == b"good!"


@pytest.mark.parametrize(
    "unit",
    [b"a", b" ", b"\t", b"\r", b"\n", b"\r\n", b":", b": ", b"\r\n ", b"a:\n", b"\0", b" \t\r", b"\n\r", b"200 "],
)
@pytest.mark.parametrize(
    "begin", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 ", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\nA: b\r\n"]
)
def test_no_head_takes_long(begin: bytes, unit: bytes) -> None:
    head = (begin + unit * HEAD_BYTES_MAX)[: HEAD_BYTES_MAX - 4] + b"\r\n\r\n"

    def read(parts: Iterable[bytes]) -> None:
        response = Response("GET")
        with contextlib.suppress(BadResponse):
            for part in parts:
                response.feed(part)

    octets = [head[at : at + 1] for at in range(len(head))]
    assert grows_in_proportion(lambda size: read([head[: size - 4] + head[-4:]]), len(head))
    assert grows_in_proportion(lambda size: read(octets[:size]), len(octets))
