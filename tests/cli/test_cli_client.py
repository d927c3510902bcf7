"""The command line's client: which API it finds, what it says where there is none, and the store without a server."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trustme

from lbdns.base.errors import LbdnsError
from lbdns.cli.frame import api_place as place
from lbdns.cli.frame.api_place import Local, Remote, find_place
from lbdns.cli.frame.client import ApiClient, ApiRefusal, dotted
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.api.hosting import ApiServer
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.sqlite import Store
from lbdns.model.settings import Settings
from tests.cli.commands import done, refused, run
from tests.loop_thread import LoopThread
from tests.store.served import free_port


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Be in an empty directory, with nothing said by the environment."""
    for name in ("LBDNS_API", "LBDNS_TOKEN", "LBDNS_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@contextlib.contextmanager
def served(state: Path, **api: str) -> Iterator[tuple[ApiServer, str]]:
    """Serve the API of a store; yields the server and a token."""
    settings = Settings.model_validate({"state": state, "api": {"listen": "127.0.0.1:0", **api}})
    loop = LoopThread()
    try:
        with contextlib.closing(Store(state)) as store:
            server = ApiServer(ApiSite(StoreManager(store, settings), store, settings))
            loop.run(server.start())
            try:
                yield server, store.tokens.create("test", "write")[0]
            finally:
                loop.run(server.close())
    finally:
        loop.stop()


def test_without_a_server_there_is_no_dashboard(tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    done("token", "create", "ci", "--state", state)
    assert "no server runs on the store in" in run("dashboard", "--state", state).err


@pytest.mark.slow
def test_without_a_server_the_store_is_changed_under_its_lock(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (told,) = refused("pool", "list", "--state", str(state))
    assert "no server answers at" in told and not state.exists()
    Path("lbdns.yaml").write_text(f"state: {state}\n")
    done("pool", "create", "eu", "--origin", "eu-1=192.0.2.1")
    assert (state / "store.sqlite").exists() and not (state / "lock").exists()
    assert "eu-1 192.0.2.1" in done("pool", "list")
    assert run("pool", "show", "eu", "--json").json["health"] is None
    elsewhere = tmp_path / "other.yaml"
    elsewhere.write_text(f"state: {tmp_path / 'nowhere'}\n")
    assert "no server answers" in refused("pool", "list", "--settings", str(elsewhere))[0]
    assert "eu" in done("pool", "list", "--config", ".")
    handle = os.open(state / "lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.write(handle, b"4711\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(place, "STARTING_S", 0.2)
            (told,) = refused("pool", "list")
    finally:
        os.close(handle)
    assert "the lbdns process 4711 has" in told and "nothing answers at" in told


def test_a_server_that_is_starting_is_waited_for(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with contextlib.closing(Store(state)):
        pass
    handle = os.open(state / "lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    names: list[str] = []
    asking = threading.Thread(target=lambda: names.append(done("pool", "list", "--json", "--state", str(state))))
    try:
        asking.start()
        with served(state):
            asking.join(20)
    finally:
        os.close(handle)
    assert names == ["[]\n"]


def test_the_socket_is_found_however_deep_it_lies(tmp_path: Path) -> None:
    state = tmp_path / ("deep-" * 40) / "state"
    with served(state), ApiClient(Local(state=state)) as client:
        assert client.get("/client/v4/accounts")[0]["id"] == client.account


@pytest.mark.slow
def test_an_api_elsewhere_is_asked_with_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tmp_path / "state") as (server, token):
        url = str(server.address)
        monkeypatch.setenv("LBDNS_API", f"{url}/client/v4/")
        monkeypatch.setenv("LBDNS_TOKEN", token)
        done("pool", "create", "eu", "--origin", "eu-1=192.0.2.1")
        assert "eu" in done("pool", "list")
        # What the command line says of this machine wins over the environment.
        assert "no server answers" in refused("pool", "list", "--state", str(tmp_path / "nowhere"))[0]
        assert run("pool", "list", "--state", "x", "--api", url).status == 2
        assert run("pool", "list", "--settings", "lbdns.yaml").status == 2
        assert "the token is not known there" in refused("pool", "list", "--token", "x" * 43)[0]
        assert "has characters that no token has" in refused("pool", "list", "--token", "é")[0]
        assert "cannot read the token" in refused("pool", "list", "--token-file", str(tmp_path / "none"))[0]
        (tmp_path / "token").write_text(f"{token}\n")
        monkeypatch.delenv("LBDNS_TOKEN")
        assert "eu" in done("pool", "list", "--token-file", str(tmp_path / "token"))
        assert "needs a token" in refused("pool", "list")[0]
        (told,) = refused("pool", "list", "--token", token, "--api", url.replace("http", "https"))
        assert "no TLS is spoken there; try http://" in told
    assert "no server answers: " in refused("pool", "list", "--token", token)[0]
    assert "is no address of an API" in refused("pool", "list", "--api", "ns1.example.com", "--token", "x")[0]


@pytest.mark.slow
def test_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    paths = {"certificate": str(tmp_path / "certificate.pem"), "key": str(tmp_path / "key.pem")}
    with served(tmp_path / "state", **paths) as (server, token):
        where = ("--api", str(server.address), "--token", token)
        (told,) = refused("pool", "list", *where)
        assert "the certificate is not trusted" in told and "SSL_CERT_FILE" in told
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        assert done("pool", "list", "--json", *where) == "[]\n"
        wrong_name = str(server.address).replace("127.0.0.1", "localhost")
        assert "the certificate is not trusted" in refused("pool", "list", "--api", wrong_name, "--token", token)[0]


class Page(BaseHTTPRequestHandler):
    """Some other web server."""

    def do_GET(self) -> None:
        """Answer with a page."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.mark.slow
def test_what_is_no_api_is_told_so(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            (told,) = refused("pool", "list", "--api", f"http://127.0.0.1:{server.server_port}", "--token", "x")
        finally:
            server.shutdown()
            thread.join()
    assert "no answer of a management API came, but 200 OK" in told
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        silent.close()
    assert "no server answers" in refused("pool", "list", "--api", f"http://127.0.0.1:{port}", "--token", "x")[0]


def test_every_refusal_of_an_answer_is_told(tmp_path: Path) -> None:
    with served(tmp_path / "state"), ApiClient(Local(state=tmp_path / "state")) as client:
        body = {"name": "eu", "origins": [{"name": "a", "address": "x y", "weight": 2}], "nmae": 1}
        with pytest.raises(ApiRefusal) as caught:
            client.post(client.balancing("pools"), body)
        assert caught.value.status == 400
        assert {(one.code, one.at) for one in caught.value.refusals} == {
            (1002, "nmae"),
            (1002, "origins[0].address"),
            (1002, "origins[0].weight"),
        }
        lines = str(caught.value).splitlines()
        assert len(lines) == 3 and not any("validation failed" in line for line in lines)
        made = client.request(
            "POST", client.balancing("pools"), {"name": "eu", "origins": [{"name": "a", "address": "192.0.2.1"}]}
        )
        path = client.balancing("pools", made.result["id"])
        assert client.fetch(path).revision == made.revision == 1
        assert client.patch(path, {"description": "new"}, revision=1)["description"] == "new"
        with pytest.raises(ApiRefusal, match="changed in revision 2") as outdated:
            client.patch(path, {"description": "newer"}, revision=1)
        assert outdated.value.status == 412
        for index in range(4):
            client.post(client.balancing("pools"), made.result | {"name": f"p{index}"})
        assert [one["name"] for one in client.pages(client.balancing("pools"), page_items=2)] == [
            "eu",
            "p0",
            "p1",
            "p2",
            "p3",
        ]


def test_pointers_as_people_write_them() -> None:
    assert dotted("") == ""
    assert dotted("/origins/0/weight") == "origins[0].weight"
    assert dotted("/region_pools/ENAM/1") == "region_pools.ENAM[1]"
    assert dotted("/header/X~1a~0b c") == "header[X/a~b c]"


def test_places_name_themselves(tmp_path: Path) -> None:
    assert str(Local(state=tmp_path)) == f"the server of {tmp_path}"
    assert find_place("https://a:1/", "t", None, None, None) == Remote("https://a:1", "t")
    assert find_place(None, None, None, None, None) == Local(None, None)
    with pytest.raises(LbdnsError, match="needs a token"):
        find_place(f"http://127.0.0.1:{free_port()}", None, None, None, None)
