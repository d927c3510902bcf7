"""Floods that are kept out of a socket: the filter in the kernel, who is judged to flood, and what all others get."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lbdns.answer.rate_table import RateTable
from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.dns.codes import OPTION_COOKIE
from lbdns.fastpath.floods import Floods, note_limited
from lbdns.fastpath.templates import add_templates
from lbdns.mapped.counters import open_counters
from lbdns.mapped.rate_room import fresh_rates
from lbdns.mapped.unread_words import UNREAD_FLOOD, UNREAD_FULL
from lbdns.model.socket_address import format_socket_address
from lbdns.processes.responder import flood_watch
from lbdns.processes.responder.fast_port import FastPort, load_loop
from lbdns.processes.responder.flood_filter import attach, detach, flood_filter, queue_state
from lbdns.processes.responder.flood_watch import (
    BEGIN_PER_S,
    END_PER_S,
    LOOK_S,
    NETWORKS_MAX,
    ONE_IN_MAX,
    QUIET_S,
    THROUGH_PER_S,
    FloodWatch,
)
from lbdns.processes.responder.view_answerer import ViewAnswerer
from lbdns.steering.kernel.numbers import NO_TRIE
from tests.answer import world
from tests.answer.lanes import compiled_view
from tests.answer.packets import opt, option, query
from tests.answer.replies import Reply

PATIENCE_S = 20.0
BUFFER_BYTES = 131_072  # some 170 short datagrams
SENT = 1000
FLOOD_PER_S = 16 * THROUGH_PER_S
BAD, GOOD = "127.5.5.9", "127.5.6.9"
BAD_NETWORK = "127.5.5.0/24"
COOKIE = b"clientck" + b"\1\0\0\0" + b"time" + b"a hash__"
FULL_NETWORKS = {
    socket.AF_INET: [f"10.0.{number}.0/24" for number in range(NETWORKS_MAX - 1)],
    socket.AF_INET6: [f"2001:db8:{number}::/56" for number in range(NETWORKS_MAX - 1)],
}


def number_of(network: str) -> int:
    """Return a network as the filter has it: its first bits as a number."""
    found = ipaddress.ip_network(network)
    return int(found.network_address) >> (found.max_prefixlen - found.prefixlen)


def asked(name: str = "static.example.com.", cookie: bytes = b"") -> bytes:
    """Return a query; one with a cookie ends with it."""
    return query(name, edns=opt(option(OPTION_COOKIE, cookie)) if cookie else b"").wire


@contextlib.contextmanager
def udp(host: str, buffer_bytes: int = 0) -> Iterator[socket.socket]:
    """Yield a socket that waits for nothing."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if buffer_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes // 2)
        sock.bind((host, 0))
        sock.setblocking(False)
        yield sock


def kept(sock: socket.socket, source: str, data: bytes, count: int = 1) -> list[bytes]:
    """Send to a socket from an address; return what its queue had in the end, all that was there before too."""
    before = queue_state(sock).dropped
    with udp(source) as sender:
        for _ in range(count):
            sender.sendto(data, sock.getsockname())
    found: list[bytes] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(found) + queue_state(sock).dropped - before < count:
        assert time.monotonic() < deadline, "datagrams are neither kept nor dropped"
        with contextlib.suppress(BlockingIOError):
            found.append(sock.recv(4096))
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(sock.recv(4096))
    return found


class TestFilter:
    """The program, as the kernel runs it."""

    @pytest.mark.parametrize("place", [0, NETWORKS_MAX - 1])
    @pytest.mark.parametrize(("here", "bad", "network"), [("127.0.0.1", BAD, BAD_NETWORK), ("::1", "::1", "::/56")])
    def test_networks_lose_most(self, here: str, bad: str, network: str, place: int) -> None:
        with udp(here, 8 * BUFFER_BYTES) as sock:
            networks = [(number_of(one), 2 << index % 6) for index, one in enumerate(FULL_NETWORKS[sock.family])]
            attach(sock, flood_filter(sock.family, dict(networks), True))
            assert len(kept(sock, bad, asked(), 100)) == 100, "of another network"
            networks.insert(place, (number_of(network), 4))
            attach(sock, flood_filter(sock.family, dict(networks), True))
            assert 150 < len(kept(sock, bad, asked(), SENT)) < 350
            attach(sock, flood_filter(sock.family, {**dict(networks), number_of(network): 64}, True))
            assert 0 < len(kept(sock, bad, asked(), SENT)) < 60
            assert len(kept(sock, GOOD if sock.family == socket.AF_INET else bad, asked(cookie=COOKIE), 100)) == 100
            detach(sock)
            detach(sock)
            assert len(kept(sock, bad, asked(), 100)) == 100

    @pytest.mark.parametrize(
        ("data", "is_kept"),
        [
            (asked(cookie=COOKIE), True),
            (asked(cookie=COOKIE[:8]), False),
            (asked(cookie=COOKIE[:8] + b"\2" + COOKIE[9:]), False),
            (asked(cookie=COOKIE + b"12345678"), False),
            (query("a.example.", edns=opt(option(OPTION_COOKIE, COOKIE) + option(3, b""))).wire, False),
            (b"", False),
            (asked(cookie=COOKIE)[-28:], False),
        ],
        ids=["ours", "the client's part", "another version", "longer", "not the last", "empty", "nothing else"],
    )
    def test_cookies_at_the_end(self, data: bytes, is_kept: bool) -> None:
        with udp("127.0.0.1", 8 * BUFFER_BYTES) as sock:
            attach(sock, flood_filter(sock.family, {number_of(BAD_NETWORK): 16}, True))
            found = kept(sock, BAD, data, 200)
            assert found == [data] * 200 if is_kept else len(found) < 100
            attach(sock, flood_filter(sock.family, {number_of(BAD_NETWORK): 16}, False))
            assert len(kept(sock, BAD, data, 200)) < 100, "they exempt from nothing"


class Watched:
    """A socket that nobody reads, and who watches it; `now_s` is the time."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.address = format_socket_address(*sock.getsockname())
        self.floods = Floods()
        self.words = memoryview(array("Q", bytes(8 * 1024)))
        self.columns = {
            "rate_limit": memoryview(array("Q", [20_000, 0, 1, 1])),
            "cookie_secret": memoryview(array("Q", [1, 2])),
            "proxy_trie": memoryview(array("I", [NO_TRIE])),
        }
        self.now_s = 1000.0
        self.watch = FloodWatch(sock, self.floods, self.words)
        self.look()

    def note(self, network: str, per_s: float) -> None:
        """Have so many replies to a network be beyond the limit until the next look."""
        high = int(ipaddress.ip_network(network).network_address) << (32 if "." in network else 0)
        for _ in range(int(per_s * LOOK_S)):
            note_limited(self.floods, 4, high)

    def look(self) -> list[str]:
        """Have it look, a moment later; return who is kept out."""
        self.now_s += LOOK_S
        self.watch.look(self.columns, self.now_s)
        return self.watch.networks

    def flood(self) -> list[str]:
        """Have the bad network fill the socket and be far beyond the limit; look."""
        kept(self.sock, BAD, asked(), SENT)
        self.note(BAD_NETWORK, FLOOD_PER_S)
        return self.look()


@pytest.fixture
def watched() -> Iterator[Watched]:
    with udp("127.0.0.1", BUFFER_BYTES) as sock:
        yield Watched(sock)


def good_ones(watched: Watched, count: int = 20) -> int:
    """Return of so many datagrams of a good client how many are kept, where as many of the bad network as fill the
    socket come first."""
    with udp(BAD) as bad, udp(GOOD) as good:
        for _ in range(SENT):
            bad.sendto(b"bad", watched.sock.getsockname())
        for _ in range(count):
            good.sendto(b"good", watched.sock.getsockname())
    return kept(watched.sock, GOOD, b"last").count(b"good")


class TestJudging:
    """Who is kept out, from when on and until when; the time is passed in."""

    def test_others_lose_nothing(self, watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "lbdns.processes")
        assert good_ones(watched) == 0, "there is room without a filter"
        assert watched.look() == []
        lost = watched.words[UNREAD_FULL]
        assert lost > SENT / 2
        assert watched.flood() == [BAD_NETWORK]
        assert watched.words[UNREAD_FLOOD] == 0
        assert good_ones(watched) == 20
        watched.note(BAD_NETWORK, FLOOD_PER_S / 16)
        assert watched.look() == [BAD_NETWORK]
        assert watched.words[UNREAD_FLOOD] > SENT / 2
        full = watched.words[UNREAD_FULL]
        begun = f"{BAD_NETWORK} floods {watched.address}, which is full, with 80000 queries a second beyond the limit"
        assert [record.getMessage() for record in caplog.records] == [f"{begun}: most are read no more"]
        caplog.clear()
        for _ in range(int(QUIET_S / LOOK_S)):
            assert watched.look() == [BAD_NETWORK], "it is let in again too early"
        assert watched.look() == []
        assert [record.getMessage() for record in caplog.records] == [
            f"{BAD_NETWORK} floods {watched.address} no more, after 2 s: all that it sends is read again"
        ]
        assert len(kept(watched.sock, BAD, b"bad", 100)) == 100
        assert watched.words[UNREAD_FULL] == full

    def test_what_is_let_through_stands_for_the_rest(self, watched: Watched) -> None:
        assert watched.flood() == [BAD_NETWORK]
        one_in = 16
        for _ in range(3 * int(QUIET_S / LOOK_S)):
            watched.note(BAD_NETWORK, 2 * END_PER_S / one_in)
            assert watched.look() == [BAD_NETWORK]
            one_in = max(one_in // 2, 2)
        assert 25 < len(kept(watched.sock, BAD, b"bad", 100)) < 75
        for _ in range(3 * int(QUIET_S / LOOK_S)):
            watched.note(BAD_NETWORK, END_PER_S / 2 / one_in)
            watched.look()
        assert watched.watch.networks == []

    def test_more_is_dropped_of_more(self, watched: Watched) -> None:
        assert watched.flood() == [BAD_NETWORK]
        for _ in range(4):
            watched.note(BAD_NETWORK, 2 * THROUGH_PER_S)
            watched.look()
        assert 0 < len(kept(watched.sock, BAD, b"bad", SENT)) < 4 * SENT / ONE_IN_MAX

    def test_nobody_is_kept_out_of_a_socket_with_room(self, watched: Watched) -> None:
        watched.note(BAD_NETWORK, 10 * BEGIN_PER_S)
        assert watched.look() == []

    def test_nobody_is_kept_out_for_little(self, watched: Watched) -> None:
        kept(watched.sock, BAD, asked(), SENT)
        watched.note(BAD_NETWORK, BEGIN_PER_S / 2)
        assert watched.look() == []

    def test_the_worst_of_many(self, watched: Watched) -> None:
        kept(watched.sock, BAD, asked(), SENT)
        # Two of them that hash to one place take each other's votes away: so far more than the others.
        for number in range(NETWORKS_MAX + 4):
            watched.note(f"10.0.{number}.0/24", BEGIN_PER_S if number < 4 else 3 * BEGIN_PER_S)
        found = watched.look()
        assert 0 < len(found) <= NETWORKS_MAX
        assert len(set(found)) == len(found)

    @pytest.mark.parametrize("column", ["rate_limit", "proxy_trie"])
    def test_settings_end_it(self, watched: Watched, column: str) -> None:
        """No limit any more, or clients of proxies: what is limited then is no network that sends to the socket."""
        assert watched.flood() == [BAD_NETWORK]
        watched.columns[column] = memoryview(array("Q", [] if column == "rate_limit" else [0]))
        assert watched.look() == []
        assert len(kept(watched.sock, BAD, b"bad", 100)) == 100
        assert watched.flood() == []

    def test_cookies_that_exempt_from_nothing(self, watched: Watched) -> None:
        assert watched.flood() == [BAD_NETWORK]
        assert len(kept(watched.sock, BAD, asked(cookie=COOKIE), 100)) == 100
        watched.columns["rate_limit"] = memoryview(array("Q", [20_000, 0, 1, 0]))
        watched.note(BAD_NETWORK, BEGIN_PER_S)
        watched.look()
        assert len(kept(watched.sock, BAD, asked(cookie=COOKIE), 100)) < 50

    def test_a_socket_that_takes_no_filter(self, watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
        watched.sock.setsockopt(socket.SOL_SOCKET, 44, 1)  # SO_LOCK_FILTER
        assert watched.flood() == []
        assert watched.flood() == []
        assert [one.getMessage() for one in caplog.records if "no flood" in one.getMessage()] == [
            f"no flood is kept out of {watched.address}: [Errno 1] Operation not permitted"
        ]


class TestTakeover:
    """A socket goes from process to process, with the filter that it has."""

    def test_the_next_takes_everything(self, watched: Watched) -> None:
        assert watched.flood() == [BAD_NETWORK]
        assert len(kept(watched.sock, BAD, b"bad", 100)) < 50
        with watched.sock.dup() as taken:  # the one before died
            FloodWatch(taken, Floods(), watched.words)
            assert len(kept(taken, BAD, b"bad", 100)) == 100

    def test_the_next_keeps_out_whom_it_finds(self, watched: Watched) -> None:
        """Both read for a moment, and the one before stops while the next keeps a flood out."""
        with watched.sock.dup() as taken:
            following = Watched(taken)
            assert watched.flood() == [BAD_NETWORK]
            assert following.look() == []
            assert len(kept(taken, BAD, b"bad", 100)) == 100
            assert following.flood() == [BAD_NETWORK]
            watched.watch.close()
            following.note(BAD_NETWORK, BEGIN_PER_S)
            assert following.look() == [BAD_NETWORK]
            assert len(kept(taken, BAD, b"bad", 100)) < 50


@pytest.fixture
def limited_view(tmp_path: Path) -> ServingView:
    """The wire tests' configuration with a limit."""
    tree = dict(world.configuration(world.write_geodata(tmp_path / "places.mmdb")))
    limit = {"per_second": 1, "instant": 1}
    tree["settings"] = {**tree.get("settings", {}), "rate_limit": limit, "cookies": {"secrets": ["00" * 16]}}
    made = compiled_view(parse(tree, tmp_path).configuration, tmp_path)
    return ServingView(add_templates(made.snapshot, made), made.table)


def test_a_flood_comes_and_goes(limited_view: ServingView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole port: its own thread limits and notes. Who brings a cookie from the network that floods is answered, the
    others of it are not all silent, and when it is over everybody is read."""
    loop_class = load_loop()
    if loop_class is None:
        pytest.skip("the compiled loop is not installed")
    monkeypatch.setattr(flood_watch, "BEGIN_PER_S", 100)
    monkeypatch.setattr(flood_watch, "END_PER_S", 50)
    monkeypatch.setattr(flood_watch, "QUIET_S", 0.5)
    views: Any = SimpleNamespace(current=lambda: limited_view)
    answerer = ViewAnswerer(views, open_counters(tmp_path / "slow", True))
    answerer.is_behind_fast_path = True
    words = open_counters(tmp_path / "fast", True)
    with udp("127.0.0.1", 4096) as sock, udp(BAD) as flooder, udp(BAD) as client:
        address = sock.getsockname()

        def flood() -> None:
            for _ in range(200):
                flooder.sendto(asked(), address)

        async def reply_to(message: bytes) -> bytes:
            loop = asyncio.get_running_loop()
            await loop.sock_sendto(client, message, address)
            return await asyncio.wait_for(loop.sock_recv(client, 4096), PATIENCE_S)

        async def until(condition: Callable[[], bool], each: Callable[[], None] = lambda: None) -> None:
            deadline = time.monotonic() + PATIENCE_S
            while not condition():
                assert time.monotonic() < deadline
                each()
                await asyncio.sleep(0.01)

        async def main() -> None:
            port = FastPort(
                loop_class, sock, views, answerer, words, rates=RateTable(fresh_rates()), listener="127.0.0.1:53"
            )
            port.start()
            given = Reply(await reply_to(asked(cookie=COOKIE[:8]))).options()[OPTION_COOKIE]
            await until(lambda: port.kept_out == [BAD_NETWORK], flood)
            assert words[UNREAD_FULL] > 0
            for number in range(100):
                whole = Reply(await reply_to(asked(cookie=given)))
                assert not whole.tc, number
            await until(lambda: words[UNREAD_FLOOD] > 0, flood)
            await until(lambda: port.kept_out == [])
            for _ in range(20):
                await reply_to(asked())
            await port.stop()

        asyncio.run(main())
