"""Views of a running server: by listener, key, network and ECS, over both transports and both roads; what clients make
up about themselves chooses nothing."""

from __future__ import annotations

import os
import signal
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.edns
import dns.message
import dns.query
import dns.rcode
import dns.tsig
import pytest
import yaml

from lbdns.processes.supervisor.binding import choose_ports
from lbdns.testing import LbdnsServer, write_files
from tests.processes.test_reload import eventually

pytestmark = pytest.mark.process

ZONE = "$TTL 300\n@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53\nwww IN A {}\n"
SECRET = bytes(range(32))
KEY, KEY_OF_NO_VIEW = (dns.tsig.Key(name, SECRET, "hmac-sha256") for name in ("lab-key.", "plain-key."))
ADDRESSES = {"public": "192.0.2.1", "office": "10.0.0.1", "lab": "10.0.0.2", "site": "10.0.0.3"}
OUTSIDE, TRUSTED, IN_SITE = "127.0.0.1", "127.0.0.53", "127.0.9.1"
Ask = Callable[..., str]


def tree(plain: str, listener: str, **views: Any) -> dict[str, Any]:
    """Return a configuration with a view by listener, one by key, one by network."""
    settings = {
        "listen": [plain, listener],
        "keys": [{"name": name, "secret": b64encode(SECRET).decode()} for name in ("lab-key", "plain-key")],
        "views": {
            "office": {"listeners": [listener]},
            "lab": {"keys": ["lab-key"]},
            "site": {"networks": ["127.0.9.0/24", "10.9.0.0/16"]},
            **views,
        },
        "trusted_resolvers": [TRUSTED],
    }
    zones = {f"example.com@{view}": ZONE.format(address) for view, address in ADDRESSES.items() if view != "public"}
    return {"settings": settings, "zones": {"example.com": ZONE.format(ADDRESSES["public"]), **zones}}


class Served:
    """A server with two listeners."""

    def __init__(self, folder: Path) -> None:
        plain, listener = choose_ports(("127.0.0.1:0", "127.0.0.1:0"))
        self.plain, self.listener = (int(text.rpartition(":")[2]) for text in (plain, listener))
        self.tree = tree(plain, listener)
        self.folder = folder
        write_files(self.tree, folder / "config")
        self.server = LbdnsServer(folder / "config", folder, override=False)

    def view(
        self,
        source: str = OUTSIDE,
        ecs: str | None = None,
        key: dns.tsig.Key | None = None,
        port: int | None = None,
        tcp: bool = False,
    ) -> tuple[str, int | None]:
        """Return the view that a query is answered in, by what it gets, and the scope."""
        options: list[dns.edns.Option] = [] if ecs is None else [dns.edns.ECSOption(*_ecs(ecs))]
        asked = dns.message.make_query("www.example.com.", "A", use_edns=0, options=options)
        if key is not None:
            asked.use_tsig(key)
        ask = dns.query.tcp if tcp else dns.query.udp
        reply = ask(asked, "127.0.0.1", timeout=10, port=port or self.plain, source=source)
        (address,) = [rdata.address for rdata in reply.answer[0]]
        scopes = [one.scopelen for one in reply.options if isinstance(one, dns.edns.ECSOption)]
        return next(view for view, one in ADDRESSES.items() if one == address), scopes[0] if scopes else None


def _ecs(text: str) -> tuple[str, int]:
    address, _, bits = text.partition("/")
    return address, int(bits)


@pytest.fixture(scope="module")
def served(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("views"))
    made.server.start()
    yield made
    made.server.close()


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_who_asks_where_and_with_what_key_is_in_which_view(served: Served, tcp: bool) -> None:
    assert served.view(tcp=tcp) == ("public", None)
    assert served.view(IN_SITE, tcp=tcp) == ("site", None)
    assert served.view(port=served.listener, tcp=tcp) == ("office", None)
    assert served.view(IN_SITE, port=served.listener, tcp=tcp) == ("office", None)
    assert served.view(key=KEY, tcp=tcp) == ("lab", None)
    assert served.view(IN_SITE, key=KEY, port=served.listener, tcp=tcp) == ("lab", None)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_ecs_chooses_a_view_for_trusted_resolvers_alone(served: Served, tcp: bool) -> None:
    assert served.view(TRUSTED, "10.9.1.0/24", tcp=tcp) == ("site", 16)
    assert served.view(TRUSTED, "203.0.113.0/24", tcp=tcp)[0] == "public"
    assert served.view(TRUSTED, "0.0.0.0/0", tcp=tcp) == ("public", 0)
    for spoofed in ("10.9.1.0/24", "127.0.9.0/24", "127.0.0.53/32", "10.9.0.1/32", "::ffff:10.9.0.1/128"):
        assert served.view(OUTSIDE, spoofed, tcp=tcp) == ("public", 0)
        assert served.view(IN_SITE, spoofed, tcp=tcp) == ("site", 0)
        assert served.view(port=served.listener, ecs=spoofed, tcp=tcp) == ("office", 0)
        assert served.view(key=KEY, ecs=spoofed, tcp=tcp) == ("lab", 0)
    assert served.view(TRUSTED, "::ffff:10.9.0.1/128", tcp=tcp)[0] == "public"
    assert served.view(TRUSTED, "10.9.1.0/24", port=served.listener, tcp=tcp) == ("office", 0)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_the_slow_path_knows_who_asked_where(served: Served, tcp: bool) -> None:
    """A signed query is left to it: by a key that is of no view it is in the view that it would be in without."""
    key = KEY_OF_NO_VIEW
    assert served.view(key=key, tcp=tcp) == ("public", None)
    assert served.view(IN_SITE, key=key, tcp=tcp) == ("site", None)
    assert served.view(IN_SITE, key=key, port=served.listener, tcp=tcp) == ("office", None)
    assert served.view(TRUSTED, "10.9.1.0/24", key=key, tcp=tcp) == ("site", 16)
    assert served.view(OUTSIDE, "10.9.1.0/24", key=key, tcp=tcp) == ("public", 0)


def changed(served: Served, views: dict[str, Any]) -> str:
    settings = {**served.tree["settings"], "views": {**served.tree["settings"]["views"], **views}}
    return yaml.safe_dump(settings)


def test_a_reload_gives_a_listener_another_view_without_binding_anew(tmp_path: Path) -> None:
    served = Served(tmp_path)
    try:
        served.server.start()
        before = served.server.status()
        listener = f"127.0.0.1:{served.listener}"
        views = {"office": {"networks": ["192.0.2.0/24"]}, "site": {"listeners": [listener]}}
        served.server.reload({"lbdns.yaml": changed(served, views)})
        for tcp in (False, True):
            assert served.view(port=served.listener, tcp=tcp) == ("site", None)
            assert served.view(port=served.plain, tcp=tcp) == ("public", None)
        assert served.server.status()["listen"] == before["listen"]
    finally:
        served.server.close()


def test_sockets_that_are_taken_over_keep_their_views(tmp_path: Path) -> None:
    served = Served(tmp_path)
    try:
        served.server.start()
        os.kill(served.server.pid, signal.SIGKILL)
        assert served.server.process is not None
        served.server.process.wait()
        assert served.view(port=served.listener) == ("office", None)
        served.server.start()
        eventually(lambda: served.server.status()["ready"])
        for tcp in (False, True):
            assert served.view(port=served.listener, tcp=tcp) == ("office", None)
            assert served.view(port=served.plain, tcp=tcp) == ("public", None)
    finally:
        served.server.close()


def test_a_listener_whose_port_is_chosen_has_its_view(tmp_path: Path) -> None:
    made = tree("127.0.0.1:0", "127.0.0.2:0")
    write_files(made, tmp_path / "config")
    server = LbdnsServer(tmp_path / "config", tmp_path, override=False)
    try:
        server.start()
        for text, address in zip(server.status()["listen"], ("192.0.2.1", "10.0.0.1"), strict=True):
            host, _, port = text.rpartition(":")
            asked = dns.message.make_query("www.example.com.", "A")
            reply = dns.query.udp(asked, host, timeout=10, port=int(port))
            assert [rdata.address for rdata in reply.answer[0]] == [address]
    finally:
        server.close()
