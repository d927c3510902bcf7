"""`lbdns monitor probe`: what a person sees, as JSON, and the exit status."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from lbdns.base.errors import LbdnsError
from lbdns.cli.main import cli
from lbdns.monitor import resolving as names
from tests.monitor import peers


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A peer in a thread of its own, since the command runs a loop of its own."""
    ready = threading.Event()
    done: list[asyncio.Event] = []
    ports: list[int] = []

    async def main() -> None:
        async with peers.saying(peers.answer(b"all good", 404)) as peer:
            done.append(asyncio.Event())
            ports.append(peer.port)
            ready.set()
            await done[0].wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    ready.wait(5)
    yield ports[0]
    loop.call_soon_threadsafe(done[0].set)
    thread.join()
    loop.close()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["monitor", "probe", *map(str, arguments)])


def test_a_healthy_endpoint(port: int) -> None:
    result = run("http", "127.0.0.1", "--port", port, "--expected-codes", "404", "--expected-body", "GOOD")
    lines = result.output.splitlines()
    assert result.exit_code == 0 and lines[0] == "http 127.0.0.1"
    assert [line.split()[0] for line in lines[1:]] == ["connect", "answer", "body", "in", "expected", "came", "healthy"]
    assert lines[5].endswith('code 404, "GOOD" in the body') and lines[-1].endswith("No failures")


def test_an_unhealthy_endpoint_says_what_came_and_fails(port: int) -> None:
    result = run("http", "127.0.0.1", "--port", port)
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].split(maxsplit=1) == [
        "unhealthy",
        "Response code mismatch error (got 404)",
    ]


def test_json(port: int) -> None:
    (row,) = json.loads(run("tcp", "127.0.0.1", "--port", port, "--json").output)
    assert row["healthy"] and row["reason"] == "No failures" and row["phases"][0]["name"] == "connect"
    (row,) = json.loads(run("tcp", "127.0.0.1", "--port", peers.refused_port(), "--json").output)
    assert not row["healthy"] and row["reason"] == "TCP connection failed"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tcp", "127.0.0.1"), "needs a port"),
        (("http", "127.0.0.1", "--header", "novalue"), "expected NAME:VALUE"),
        (("http", "127.0.0.1", "--expected-codes", "9xx"), "no response code"),
        (("http", "127.0.0.1", "--header", "User-Agent: x"), "probes name themselves"),
    ],
)
def test_what_cannot_be_probed_is_refused_in_words(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, LbdnsError) and message in str(result.exception)


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "QUERY_S", 0.2)
    silent = f"127.0.0.1:{peers.refused_port()}"
    result = run("tcp", "none.example", "--port", "1", "--resolver", silent)
    assert isinstance(result.exception, LbdnsError) and "none.example does not resolve" in str(result.exception)


@pytest.mark.parametrize("resolver", ["192.0.2.1:domain", "resolver.example", "192.0.2.1:0"])
def test_what_is_no_resolver_is_refused(resolver: str) -> None:
    result = run("tcp", "none.example", "--port", "1", "--resolver", resolver)
    assert isinstance(result.exception, LbdnsError) and resolver in str(result.exception)


def test_a_name_in_a_network_that_is_down_says_so() -> None:
    result = run("http", "app.corp.example", "--port", 80, "--device", "lbdns-none", "--resolver", "127.0.0.1:1")
    assert result.exit_code != 0
    told = "app.corp.example does not resolve: Virtual network --device is down: interface lbdns-none is not there"
    assert told in f"{result.output}{result.exception}"
