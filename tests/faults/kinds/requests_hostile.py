"""Rows 1, 13, 14 and 16: previews of hostile heads and of what only this machine may reach, a user that is none, and
requests that a parser of HTTP may take for two."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, ClassVar

import httpx

from lbdns.base.errors import LbdnsError
from lbdns.base.words import SETTINGS_FILE
from lbdns.testing import ServerError
from tests.faults.fault import Fault, Seen, took
from tests.faults.rig import FILES, STORE

PREVIEW_S = 8.0
ANSWERED_S = 1.0
ACCOUNTS = "/client/v4/accounts"

HEADS: tuple[Callable[[Random], bytes], ...] = (
    lambda random: b"HTTP/1.1 200 OK\r\nX:" + b" \t" * random.randrange(1000, 7000) + b"x\r\n\r\nok",
    lambda random: b"HTTP/1.1 200" + b" " * random.randrange(1000, 15_000) + b"OK\r\n\r\nok",
    lambda random: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * random.randrange(100, 3000) + b"\r\nok",
    lambda random: b"HTTP/1.1 200 OK\r\n" + b" folded\r\n" * random.randrange(100, 1500) + b"\r\nok",
    lambda random: b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * random.randrange(20, 10_000) + b"\r\n\r\nok",
    lambda random: random.randbytes(random.randrange(1, 16_000)),
)
"""Heads of replies that a reader may take too long over."""


class _Player:
    """Answers whoever connects with the same octets, on every address of this machine, and counts them."""

    def __init__(self, reply: bytes) -> None:
        self.met = 0
        self._reply = reply
        self._sock = socket.create_server(("0.0.0.0", 0))
        self.port: int = self._sock.getsockname()[1]
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        while True:
            try:
                connection, _ = self._sock.accept()
            except OSError:
                return
            self.met += 1
            with connection, contextlib.suppress(OSError):
                connection.sendall(self._reply)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(2.0)
                while connection.recv(65536):
                    pass

    def close(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


class _Previews(Fault):
    """Somebody previews a monitor at a port of this machine; the API answers others meanwhile."""

    kinds = (STORE,)
    hold_s = 0.5
    by_token: ClassVar[bool]

    def inject(self) -> None:
        self._found: Any = "nothing"
        self._waited_s = 0.0
        player = _Player(self.random.choice(HEADS)(self.random))
        with contextlib.closing(player), self._client() as client:
            asking = threading.Thread(target=self._preview, args=(client, player.port), daemon=True)
            began_s = time.monotonic()
            asking.start()
            while asking.is_alive() and time.monotonic() - began_s < 3 * PREVIEW_S:
                asked_s = time.monotonic()
                with self.rig.store.local as other:
                    other.get(ACCOUNTS, timeout=20.0)
                self._waited_s = max(self._waited_s, time.monotonic() - asked_s)
            self._took_s = time.monotonic() - began_s
        self._met = player.met

    @contextlib.contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        if not self.by_token:
            with self.rig.store.local as client:
                yield client
            return
        token = self.rig.store.token(name=f"faults {self.random.randrange(1 << 40)}")
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=self.rig.store.api, headers=headers, timeout=20.0) as client:
            yield client

    def _preview(self, client: httpx.Client, port: int) -> None:
        account = client.get(ACCOUNTS).json()["result"][0]["id"]
        load_balancers = f"{ACCOUNTS}/{account}/load_balancers"
        pool = self.random.choice(client.get(f"{load_balancers}/pools").json()["result"])["id"]
        monitor = {"type": "http", "port": port, "path": "/", "expected_codes": "200", "timeout": 2, "retries": 0}
        began = client.post(f"{load_balancers}/pools/{pool}/preview", json=monitor)
        if began.is_success:
            began = client.get(f"{load_balancers}/preview/{began.json()['result']['preview_id']}")
        self._found = began.text

    def while_held(self) -> list[Seen]:
        return [
            Seen("it is judged", '"success":true' in self._found.replace(" ", ""), self._found[:100]),
            took("it took", self._took_s, PREVIEW_S),
            took("the API answered others", self._waited_s, ANSWERED_S),
        ]


class PreviewOfHostileHead(_Previews):
    """An operator previews an endpoint whose head takes long to read."""

    row = 1
    what = "preview of a hostile head"
    by_token = False


class TokenPreviewsThisMachine(_Previews):
    """Who holds a token previews what listens on this machine: nothing is asked, and nothing told of it."""

    row = 14
    what = "preview of this machine by a token"
    by_token = True

    def while_held(self) -> list[Seen]:
        told = '"response_code":200' in self._found.replace(" ", "")
        return [
            *super().while_held(),
            Seen("nobody is asked", self._met == 0, f"{self._met} connections"),
            Seen("nothing is told", not told, "its code" if told else "no code"),
        ]


class UserThatIsNone(Fault):
    """lbdns.yaml names a user that cannot be: it is refused with a sentence, and what was served is served on."""

    row = 13
    what = "settings with a user that is none"
    kinds = (FILES,)
    hold_s = 0.5

    def inject(self) -> None:
        self._path = self.rig.server.directory / SETTINGS_FILE
        self._before = self._path.read_text() if self._path.exists() else None
        user = self.random.choice(["no-such-user", "root:nogroup", "47110", "47110:no-such-group", '"a b"', "[]"])
        self._path.write_text(f"{self._before or ''}\nuser: {user}\n")
        self._refused = "it was served"
        try:
            self.rig.server.ask("reload")
        except (LbdnsError, ServerError) as error:
            self._refused = str(error)

    def while_held(self) -> list[Seen]:
        is_told = "user" in self._refused and "Traceback" not in self._refused
        return [Seen("it is refused with a sentence", is_told, self._refused[:100])]

    def heal(self) -> None:
        if self._before is None:
            self._path.unlink()
        else:
            self._path.write_text(self._before)


class MalformedChunks(Fault):
    """A request whose chunks do not end as they must: one refusal, and no second request is seen in it."""

    row = 16
    what = "chunks that hide a request"
    kinds = (STORE,)
    hold_s = 0.2

    def inject(self) -> None:
        host, _, port = self.rig.store.api.removeprefix("http://").rpartition(":")
        size = self.random.randrange(1, 60)
        end = self.random.choice([b"XX", b"\n\n", b"\r\r", b"  "])
        hidden = b"GET /client/v4/zones HTTP/1.1\r\nHost: a\r\n\r\n"
        head = b"POST /client/v4/zones HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        self._said = b""
        with socket.create_connection((host, int(port)), timeout=10.0) as sock, contextlib.suppress(OSError):
            sock.sendall(head + b"%x\r\n" % size + b"A" * size + end + b"0\r\n\r\n" + hidden)
            while data := sock.recv(65536):
                self._said += data

    def while_held(self) -> list[Seen]:
        count = self._said.count(b"HTTP/1.1 ")
        first = self._said.partition(b"\r\n")[0].decode(errors="replace")
        return [Seen("one refusal", count == 1 and b" 400 " in self._said[:20], f"{count} replies, {first}")]
