"""Where the API is served: addresses, TLS, the UNIX socket, and an end that comes."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from fastapi.dependencies.utils import get_dependant

from lbdns.base.errors import LbdnsError
from lbdns.manage.api.frame import tls
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.api.hosting import ApiServer
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.sqlite import Store
from lbdns.model.settings import Settings
from tests.api.conftest import Api
from tests.loop_thread import LoopThread

pytestmark = pytest.mark.slow


def server_of(settings: Settings) -> tuple[ApiServer, Store]:
    store = Store(settings.state_dir())
    return ApiServer(ApiSite(StoreManager(store, settings), store, settings)), store


def settings_with(tmp_path: Path, **api: str) -> Settings:
    return Settings.model_validate({"state": tmp_path / "state", "api": {"listen": "127.0.0.1:0", **api}})


def test_an_address_in_use_is_named(loop: LoopThread, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server, store = server_of(settings_with(tmp_path, listen=address))
        with pytest.raises(LbdnsError, match=f"api: cannot listen on {address}"):
            loop.run(server.start())
        assert not server.socket_path.exists(), "nothing is left bound"
        store.close()


def test_without_an_address_the_unix_socket_alone_is_open(loop: LoopThread, tmp_path: Path) -> None:
    server, store = server_of(Settings.model_validate({"state": tmp_path / "state", "api": None}))
    loop.run(server.start())
    assert server.address is None
    transport = httpx.HTTPTransport(uds=str(server.socket_path))
    with httpx.Client(transport=transport) as client:
        assert client.get("http://localhost/client/v4/accounts").status_code == 200
    loop.run(server.close())
    assert not server.socket_path.exists()
    store.close()


def test_a_socket_that_a_killed_server_left_is_replaced(loop: LoopThread, tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    server, store = server_of(settings)
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(server.socket_path))
    left.close()
    loop.run(server.start())
    loop.run(server.close())
    store.close()


def test_a_state_directory_deeper_than_socket_paths_go(loop: LoopThread, tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-rather-long-name-of-a-directory"] * 6)
    server, store = server_of(Settings.model_validate({"state": deep}))
    loop.run(server.start())
    assert server.socket_path.is_socket()
    loop.run(server.close())
    store.close()


def test_over_tls(loop: LoopThread, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    server, store = server_of(settings_with(tmp_path, certificate=str(certificate), key=str(key)))
    loop.run(server.start())
    assert server.address is not None and server.address.startswith("https://127.0.0.1:")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with httpx.Client(verify=context, trust_env=False) as client:
        assert client.get(f"{server.address}/client/v4/accounts").status_code == 400
    loop.run(server.close())
    store.close()


def test_a_renewed_certificate_is_taken_over(
    loop: LoopThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tls, "LOOK_S", 0.05)
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    authority, other = trustme.CA(), trustme.CA()

    def write(by: trustme.CA) -> None:
        issued = by.issue_cert("127.0.0.1")
        certificate.write_bytes(issued.cert_chain_pems[0].bytes())
        key.write_bytes(issued.private_key_pem.bytes())

    def is_trusted(by: trustme.CA) -> bool:
        context = ssl.create_default_context()
        by.configure_trust(context)
        try:
            httpx.get(f"{server.address}/client/v4/accounts", verify=context, trust_env=False)
        except httpx.ConnectError:
            return False
        return True

    write(authority)
    server, store = server_of(settings_with(tmp_path, certificate=str(certificate), key=str(key)))
    loop.run(server.start())
    assert is_trusted(authority) and not is_trusted(other)
    certificate.write_bytes(b"half of a")
    until(lambda: "holds no PEM block" in caplog.text)
    assert is_trusted(authority), "what was read before stays in use"
    write(other)
    until(lambda: is_trusted(other))
    loop.run(server.close())
    store.close()


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; fail where it does not come."""
    ends_at = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < ends_at
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("certificate", "key", "named"),
    [
        (None, "key", "cert.pem: cannot be read: No such file or directory"),
        ("nonsense", "key", "cert.pem: holds no PEM block CERTIFICATE"),
        ("cert", "cert", "key.pem: holds no PEM block PRIVATE KEY"),
        ("cert", "other", "key values mismatch"),
        ("broken", "key", "no certificate and key for TLS"),
        ("cert", "encrypted", "the key is encrypted"),
    ],
)
def test_certificates_that_are_none(
    loop: LoopThread, tmp_path: Path, certificate: str | None, key: str, named: str
) -> None:
    authority = trustme.CA()
    issued, other = authority.issue_cert("127.0.0.1"), authority.issue_cert("127.0.0.1")
    texts = {
        "cert": issued.cert_chain_pems[0].bytes(),
        "key": issued.private_key_pem.bytes(),
        "other": other.private_key_pem.bytes(),
        "nonsense": b"\x00\xff",
        "broken": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "encrypted": _encrypted(issued.private_key_pem.bytes()),
    }
    if certificate is not None:
        (tmp_path / "cert.pem").write_bytes(texts[certificate])
    (tmp_path / "key.pem").write_bytes(texts[key])
    paths = {"certificate": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
    server, store = server_of(settings_with(tmp_path, **paths))
    with pytest.raises(LbdnsError, match=named):
        loop.run(server.start())
    store.close()


def _encrypted(key: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


def test_a_request_in_hand_is_answered_before_the_end(
    loop: LoopThread, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, store = server_of(settings)
    loop.run(server.start())
    text, _ = store.tokens.create("t", "read")
    url = f"{server.address}/client/v4/accounts"
    from lbdns.manage.api.v4 import accounts

    entered = threading.Event()
    real = accounts.account_of

    def slowly(site: ApiSite) -> accounts.Account:
        entered.set()
        time.sleep(0.3)
        return real(site)

    monkeypatch.setattr(accounts, "account_of", slowly)
    answers: list[int] = []
    headers = {"Authorization": f"Bearer {text}"}
    asking = threading.Thread(target=lambda: answers.append(httpx.get(url, headers=headers).status_code))
    asking.start()
    assert entered.wait(5)
    loop.run(server.close())
    asking.join()
    assert answers == [200]
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    store.close()


def test_who_waits_for_a_change_is_answered_at_the_end(
    loop: LoopThread, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    server, store = server_of(settings)
    loop.run(server.start())
    text, _ = store.tokens.create("t", "read")
    answers: list[int] = []
    url = f"{server.address}/lbdns/v1/changes?after=0&wait=20"
    headers = {"Authorization": f"Bearer {text}"}
    waiting = threading.Thread(target=lambda: answers.append(httpx.get(url, headers=headers, timeout=30).status_code))
    waiting.start()
    while not server.connection_count:
        time.sleep(0.01)
    time.sleep(0.2)
    loop.run(server.close())
    waiting.join()
    assert answers == [200]  # who is cut off after CLOSE_S gets no answer, and the log tells of it
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    store.close()


def test_the_first_request_finds_every_route_built(
    loop: LoopThread, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, store = server_of(settings)
    built: list[str] = []

    def noted(**given: Any) -> Any:
        built.append(given["path"])
        return get_dependant(**given)

    monkeypatch.setattr("fastapi.routing.get_dependant", noted)
    loop.run(server.start())
    text, _ = store.tokens.create("t", "read")
    answer = httpx.get(f"{server.address}/client/v4/user", headers={"Authorization": f"Bearer {text}"}, timeout=10)
    loop.run(server.close())
    store.close()
    assert answer.status_code == 200
    assert built == []


def test_headers_name_nothing_but_lbdns(api: Api, client: httpx.Client) -> None:
    response = client.get("/accounts")
    assert response.headers["server"] == "lbdns"
    assert "date" not in response.headers
    assert response.headers["cache-control"] == "no-store"


def test_nothing_is_logged_of_requests_that_are_no_good(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), api.client() as client:
        client.get("/nowhere")
        client.get("/accounts", headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert not [record for record in caplog.records if record.name.startswith(("uvicorn", "lbdns"))]
