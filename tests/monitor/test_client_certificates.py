"""Client certificates: a probe shows one to an endpoint that asks for it; the files are checked, and read again."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner
from pydantic import ValidationError

from lbdns.cli.main import cli
from lbdns.config.loading import examine_tree
from lbdns.health.reasons import Reason
from lbdns.model.monitors import Monitor
from lbdns.monitor.probes import http
from lbdns.monitor.probes.http import HttpProbe
from lbdns.monitor.probes.make import probe_of
from lbdns.monitor.probes.result import Result
from tests.loop_thread import LoopThread
from tests.monitor import peers
from tests.monitor.probing import probe


class Pair:
    """A client's certificate and key as files, issued by an authority."""

    def __init__(self, folder: Path, authority: trustme.CA, name: str = "lbdns") -> None:
        self.certificate, self.key = folder / "client.pem", folder / "client.key"
        self.issue(authority, name)

    def issue(self, authority: trustme.CA, name: str) -> None:
        made = authority.issue_cert(name)
        for path, blobs in ((self.certificate, made.cert_chain_pems), (self.key, [made.private_key_pem])):
            fresh = path.with_suffix(".new")
            fresh.write_bytes(b"".join(blob.bytes() for blob in blobs))
            os.replace(fresh, path)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def pair(tmp_path: Path, authority: trustme.CA) -> Iterator[Pair]:
    yield Pair(tmp_path, authority)
    http.certified_client.cache_clear()


def asking(authority: trustme.CA) -> ssl.SSLContext:
    """A server that talks to nobody without a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("app.example").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def monitor(pair: Pair | None = None, **more: object) -> Monitor:
    files = {"client_certificate": str(pair.certificate), "client_key": str(pair.key)} if pair else {}
    return Monitor.model_validate({"type": "https", "allow_insecure": True, **files, **more})


def run(authority: trustme.CA, *monitors: Monitor) -> list[Result]:
    async def main() -> list[Result]:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # refused handshakes are meant
        async with peers.saying(peers.answer(), asking(authority)) as peer:
            return [await probe(probe_of(one), peer.port) for one in monitors]

    return asyncio.run(main())


def test_an_endpoint_that_asks_for_a_certificate_is_healthy_with_one(authority: trustme.CA, pair: Pair) -> None:
    without, with_one = run(authority, monitor(), monitor(pair))
    assert not without.healthy and without.code == 0
    assert with_one.healthy and with_one.code == 200, with_one.text


def test_the_key_may_be_in_the_certificates_file(authority: trustme.CA, pair: Pair) -> None:
    both = pair.certificate.with_name("both.pem")
    both.write_bytes(pair.key.read_bytes() + pair.certificate.read_bytes())
    assert run(authority, monitor(client_certificate=str(both)))[0].healthy


def test_changed_files_are_taken_over_and_bad_ones_are_not(
    authority: trustme.CA, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    one, stranger = monitor(pair), trustme.CA()
    pair.issue(stranger, "nobody")
    assert not run(authority, one)[0].healthy
    pair.issue(authority, "renewed")
    assert run(authority, one)[0].healthy
    pair.key.write_text("no key")
    assert run(authority, one, one)[0].healthy
    assert caplog.text.count("the client certificate that was read before stays in use") == 1


def test_files_that_cannot_be_used_are_a_config_error_of_the_probe(authority: trustme.CA, pair: Pair) -> None:
    pair.key.unlink()
    (missing,) = run(authority, monitor(pair))
    assert (missing.reason, missing.healthy) == (Reason.CONFIG_ERROR, False)
    assert missing.detail == f"{pair.key}: cannot be read: No such file or directory"
    pair.issue(authority, "again")
    assert run(authority, monitor(pair))[0].healthy


def problems(pair: Pair, **more: object) -> list[str]:
    fields = {"type": "https", "client_certificate": str(pair.certificate), "client_key": str(pair.key), **more}
    examined = examine_tree({"monitors": {"m": fields}}, Path("/"))
    return [f"{one.path}: {one.message}" for one in (*examined.errors, *examined.warnings)]


def test_a_configuration_is_checked_for_files_that_exist_and_fit(authority: trustme.CA, pair: Pair) -> None:
    at = "monitors.m.client_certificate"
    assert problems(pair) == []
    assert problems(pair, type="tcp", port=25) == [
        f"monitors.m.{name}: {name} does not act with type tcp; it is for http and https"
        for name in ("client_certificate", "client_key")
    ]
    assert problems(pair, client_certificate="/none.pem") == [
        f"{at}: /none.pem: cannot be read: No such file or directory"
    ]
    assert problems(pair, client_key=str(pair.certificate)) == [
        f"{at}: {pair.certificate}: holds no PEM block PRIVATE KEY"
    ]
    other = Pair(pair.key.parent / "..", authority, "other")
    (unfit,) = problems(pair, client_key=str(other.key.resolve()))
    assert unfit.endswith("no certificate and key for TLS: key values mismatch")
    assert "BEGIN" not in unfit


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"client_key": "/key.pem"}, "client_key without client_certificate; TLS needs both"),
        ({"client_certificate": "pair.pem"}, '"pair.pem" is no absolute path; expected one such as'),
    ],
)
def test_what_no_monitor_may_say(fields: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Monitor.model_validate({"type": "https", **fields})


def test_the_command_line_probes_with_one(authority: trustme.CA, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pair.key.parent)
    thread, stop = LoopThread(), asyncio.Event()

    async def serve(ready: asyncio.Future[int]) -> None:
        async with peers.saying(peers.answer(), asking(authority)) as peer:
            ready.set_result(peer.port)
            await stop.wait()

    async def begin() -> tuple[int, asyncio.Task[None]]:
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(serve(ready))
        return await ready, task

    port, task = thread.run(begin())
    command = ["monitor", "probe", "https", "127.0.0.1", "--port", str(port), "--allow-insecure", "--json"]
    done = CliRunner().invoke(cli, [*command, "--client-certificate", "client.pem", "--client-key", "client.key"])

    async def end() -> None:
        stop.set()
        await task

    thread.run(end())
    thread.stop()
    assert done.exit_code == 0 and json.loads(done.output)[0]["code"] == 200, done.output


def test_a_probe_without_one_shares_its_context() -> None:
    assert HttpProbe(scheme="https")._tls() is HttpProbe(scheme="https")._tls()
