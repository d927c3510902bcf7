"""Samples of a running server: each query of both roads by name, over reloads and restarts of responders."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lbdns.mapped.run_directory import RunDirectory
from lbdns.telemetry.samples import SampleReader, TrafficSample
from lbdns.testing import LbdnsServer
from tests.processes.test_metrics import MAIL, WWW, paths, scrape, tree
from tests.processes.test_reload import eventually

Start = Callable[..., LbdnsServer]
ReaderOf = Callable[[LbdnsServer], SampleReader]


@pytest.fixture
def reader_of() -> Iterator[Callable[[LbdnsServer], SampleReader]]:
    """Readers of servers' samples, closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda server: stack.enter_context(contextlib.closing(SampleReader(RunDirectory(server.state_dir))))


def told(sample: TrafficSample) -> tuple[str, str, str, str]:
    """Return transport, name, type and pool of a sample."""
    return sample.transport, sample.name, sample.type, sample.decision.pool if sample.decision else ""


@pytest.mark.parametrize("is_fast", [True, False])
def test_each_reply_is_there_by_name(
    lbdns_server: Start, reader_of: ReaderOf, monkeypatch: pytest.MonkeyPatch, is_fast: bool
) -> None:
    with paths(monkeypatch, is_fast):
        server = lbdns_server(tree())
    reader = reader_of(server)
    server.query(WWW, ecs="203.0.113.77/32")
    server.query(WWW, "AAAA", tcp=True)
    server.query(MAIL)
    server.query("nowhere.example.com")
    found = reader.read()
    samples = sorted(found.samples, key=told)  # the clocks of both roads are some ms apart
    assert [told(sample) for sample in samples] == [
        ("tcp", f"{WWW}.", "AAAA", "near"),
        ("udp", f"{MAIL}.", "A", "far"),
        ("udp", "nowhere.example.com.", "A", ""),
        ("udp", f"{WWW}.", "A", "near"),
    ]
    _, mail, last, first = samples
    assert (first.interval, first.rcode, first.kind, str(first.ecs)) == (1, 0, "steered", "203.0.113.0/24")
    assert first.decision is not None and mail.decision is not None
    assert first.decision.load_balancer is not None
    assert first.decision.load_balancer._asdict() == {"name": WWW, "type": "A", "view": ""}
    assert {key[1] for key in first.decision.endpoints} == {"n1", "n2"}
    assert (mail.decision.pool_position, mail.decision.passed) == (1, (("off", "disabled"),))
    assert (last.rcode, last.kind, str(last.resolver)) == (3, "nxdomain", "127.0.0.0/24")
    assert reader.read() == ([], 0)
    assert scrape(server)("samples_total") == 4
    shown = server.ask("samples", limit=4)
    assert {row["name"] for row in shown["samples"]} == {"nowhere.example.com.", f"{MAIL}.", f"{WWW}."}
    assert server.ask("samples", limit=2)["samples"] == shown["samples"][:2]
    json.dumps(shown)


def test_they_go_on_over_reloads_and_deaths(lbdns_server: Start, reader_of: ReaderOf) -> None:
    files: dict[str, Any] = tree()
    server = lbdns_server(files)
    reader = reader_of(server)
    server.query(WWW)
    # A pool takes the place of another one, in a later generation: the sample before names who was there then.
    files["pools"]["nearer"] = files["pools"].pop("near")
    files["load_balancers"][0]["default_pools"] = files["load_balancers"][1]["default_pools"] = ["nearer"]
    files["load_balancers"][1]["fallback_pool"] = "nearer"
    server.reload({"objects.yaml": json.dumps({key: files[key] for key in ("pools", "load_balancers")})})
    server.query(WWW)
    pid = server.status()["responders"][0]["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: server.status()["responders"][0]["pid"] not in (0, pid))
    server.query(WWW)
    found = reader.read()
    assert [told(sample)[3] for sample in found.samples] == ["near", "nearer", "nearer"]
    assert all(sample.is_named for sample in found.samples)
    assert (found.lost, reader.unnamed) == (0, 0)


def test_privacy_and_how_many_follow_the_settings(lbdns_server: Start, reader_of: ReaderOf) -> None:
    server = lbdns_server(tree(samples={"privacy": "none"}))
    reader = reader_of(server)
    server.query(WWW, ecs="203.0.113.77/32")
    [sample] = reader.read().samples
    assert (sample.resolver, sample.ecs, sample.ecs_bits) == (None, None, 32)
    server.reload({"lbdns.yaml": json.dumps(tree(samples={"per_second": 0})["settings"])})

    def is_off() -> bool:
        server.query(WWW)
        return not reader.read().samples

    eventually(is_off)
    server.query(WWW)
    assert not reader.read().samples


def test_they_go_on_over_a_take_over(lbdns_server: Start, reader_of: ReaderOf) -> None:
    server = lbdns_server(tree())
    reader = reader_of(server)
    server.query(WWW)
    os.kill(server.pid, signal.SIGKILL)
    assert server.process is not None
    server.process.wait()
    server.query(MAIL)  # its responders serve on
    before = reader.read()
    assert sorted(told(sample)[3] for sample in before.samples) == ["far", "near"]
    server.start()

    def is_sampled() -> bool:
        server.query(WWW)  # while one responder replaces another a sample may be left out
        found = reader.read()
        assert found.lost == 0
        return [told(sample)[3] for sample in found.samples] == ["near"]

    eventually(is_sampled)
    assert (before.lost, reader.unnamed) == (0, 0)
