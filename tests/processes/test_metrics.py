"""Counters and metrics of a running server: they add up to what was asked, whoever answered it, and never go back."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import ref

import dns.message
import dns.query
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from lbdns.mapped.counter_words import LOAD_BALANCERS_FIRST, OVERFLOWS, SLOTS_MAX
from lbdns.mapped.counters import open_counters
from lbdns.mapped.run_directory import RunDirectory
from lbdns.model.settings import Settings
from lbdns.snapshot.slots import SlotChanges, Slots
from lbdns.telemetry import metrics_server
from lbdns.telemetry.tally import Tally
from lbdns.testing import LbdnsServer
from tests.processes.load import ZONE
from tests.processes.test_command_line import lbdns
from tests.processes.test_reload import eventually

Start = Callable[..., LbdnsServer]
Labels = tuple[tuple[str, str], ...]

WWW, MAIL = "www.example.com", "mail.example.com"
DISABLED_POOL = {"enabled": False, "origins": [{"name": "x", "address": "192.0.2.9"}]}


def tree(**settings: Any) -> dict[str, Any]:
    """Return a configuration with two load balancers, one of them of two pools, and metrics on a free port."""
    return {
        "settings": {"metrics": "127.0.0.1:0", **settings},
        "zones": {"example.com": ZONE},
        "pools": {
            "near": {"origins": [{"name": "n1", "address": "192.0.2.1"}, {"name": "n2", "address": "192.0.2.2"}]},
            "far": {"origins": [{"name": "f1", "address": "198.51.100.1"}]},
            "off": DISABLED_POOL,
        },
        "load_balancers": [
            {"name": WWW, "default_pools": ["near"], "fallback_pool": "far"},
            {"name": MAIL, "default_pools": ["off", "far"], "fallback_pool": "near"},
        ],
    }


class Metrics:
    """One scrape: sample name and labels -> value."""

    def __init__(self, text: str) -> None:
        """Parse the exposition format."""
        self.families = list(text_string_to_metric_families(text))
        self.values: dict[tuple[str, Labels], float] = {}
        for family in self.families:
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                assert key not in self.values, f"{key} is there twice"
                self.values[key] = sample.value

    def __call__(self, name: str, **labels: str) -> float:
        """Return one sample's value; 0 where it is absent, as a query in Prometheus would see it."""
        return self.values.get((f"lbdns_{name}", tuple(sorted(labels.items()))), 0.0)

    def total(self, name: str) -> float:
        """Return the sum over all labels."""
        return sum(value for (sample, _), value in self.values.items() if sample == f"lbdns_{name}")


def scrape(server: LbdnsServer) -> Metrics:
    """Fetch the metrics where the server says that they are."""
    with urllib.request.urlopen(f"http://{server.status()['metrics']}/metrics", timeout=5) as reply:
        assert reply.headers["Content-Type"].startswith("text/plain")
        return Metrics(reply.read().decode())


@contextlib.contextmanager
def paths(monkeypatch: pytest.MonkeyPatch, is_fast: bool) -> Iterator[None]:
    """Start servers with the fast path where it is compiled, or without it."""
    with monkeypatch.context() as patch:
        if not is_fast:
            patch.setenv("LBDNS_FAST_PATH", "0")
        yield


@pytest.mark.process
@pytest.mark.parametrize("is_fast", [True, False])
def test_rules_that_matched_are_counted_by_name(
    lbdns_server: Start, monkeypatch: pytest.MonkeyPatch, is_fast: bool
) -> None:
    files = tree()
    files["load_balancers"][0] |= {
        "rules": [
            {"name": "here", "condition": "ip.src in {127.0.0.0/8}", "overrides": {"ttl": 7}},
            {"name": "office", "condition": "ip.src in {192.0.2.0/24}", "fixed_response": {}},
            {"condition": "dns.qry.type eq 28", "overrides": {"default_pools": ["far"]}},
        ],
        "pool_sets": [{"name": "all", "overrides": {"pools": ["far"]}}],
    }
    with paths(monkeypatch, is_fast):
        server = lbdns_server(files)
    for _ in range(3):
        assert [rrset.ttl for rrset in server.query(WWW).answer] == [7]
    assert server.query(WWW, ecs="192.0.2.0/24").answer == []
    server.query(WWW, "AAAA")
    server.query(MAIL)

    def hits() -> dict[str, float]:
        return {rule: scrape(server)("rule_hits_total", load_balancer=WWW, type="A", rule=rule) for rule in RULES}

    assert hits() == {"here": 4, "office": 1, "rules[2]": 1, "all": 4}
    assert scrape(server).total("rule_hits_total") == 10
    report = server.ask("counters", interval_s=0, limit=3)
    assert [(row["load_balancer"], row["rule"], row["total"]) for row in report["rules"]] == [
        (WWW, "here", 4),
        (WWW, "all", 4),
        (WWW, "office", 1),
    ]
    text = lbdns("top", "--once", "--interval", "0.1", "--control", server.control).stdout
    assert "rule of load balancer" in text and "office" in text
    # They go on over a reload, wherever a rule stands by then.
    rules = files["load_balancers"][0]["rules"]
    rules.reverse()
    rules[0]["name"] = "six"
    server.reload({"objects.yaml": json.dumps({key: files[key] for key in ("pools", "load_balancers")})})
    server.query(WWW)
    assert hits() == {"here": 5, "office": 1, "rules[2]": 0, "all": 5}


RULES = ("here", "office", "rules[2]", "all")


@pytest.mark.process
@pytest.mark.parametrize("is_fast", [True, False])
def test_counts_add_up_to_what_was_asked(lbdns_server: Start, monkeypatch: pytest.MonkeyPatch, is_fast: bool) -> None:
    with paths(monkeypatch, is_fast):
        server = lbdns_server(tree(workers=2))
    assert scrape(server).total("queries_total") == 0
    for number in range(6):
        server.query(WWW, tcp=number == 0)
    for _ in range(3):
        server.query(MAIL, ecs="192.0.2.0/24")
    server.query(WWW, "TXT")
    server.query("nowhere.example.com", "AAAA")
    server.query("example.org", "MX")
    server.query("example.com", "HTTPS", tcp=True)
    # An AXFR is never the fast path's; what is no query gets no reply.
    dns.query.udp(dns.message.make_query("example.com", "AXFR"), server.host, port=server.port, timeout=5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"\0" * 5, (server.host, server.port))
    eventually(lambda: scrape(server)("dropped_total") == 1)

    seen = scrape(server)
    replies = 14
    assert seen("queries_total", transport="udp") == replies - 2 + 1
    assert seen("queries_total", transport="tcp") == 2
    assert seen.total("responses_total") == seen.total("responses_by_path_total") == replies
    assert seen.total("queries_by_type_total") == replies
    assert seen("responses_total", rcode="NXDOMAIN") == 1
    assert seen("responses_total", rcode="REFUSED") + seen("responses_total", rcode="NOTIMP") == 2
    assert [seen("queries_by_type_total", type=name) for name in ("A", "TXT", "AAAA", "MX", "HTTPS")] == [9, 1, 1, 1, 1]
    assert seen("decisions_total", load_balancer=WWW, type="A") == 6
    assert seen("decisions_total", load_balancer=MAIL, type="A") == 3
    assert seen("pool_answers_total", pool="near") == 6
    assert seen("pool_answers_total", pool="far") == 3
    assert seen("endpoint_answers_total", pool="far", endpoint="f1", address="198.51.100.1") == 3
    near = [
        seen("endpoint_answers_total", pool="near", endpoint=name, address=address)
        for name, address in (("n1", "192.0.2.1"), ("n2", "192.0.2.2"))
    ]
    assert sum(near) >= 6
    assert seen.total("location_source_total") == 9
    assert seen("send_errors_total") == seen("overflows_total") == 0
    batches = seen("batch_seconds_count")
    assert batches == seen("batch_seconds_bucket", le="+Inf") >= seen("batch_seconds_bucket", le="0.0001")
    assert (batches > 0) == (seen("batch_seconds_sum") > 0) == bool(seen("fast_path_enabled"))
    slow = seen("responses_by_path_total", path="slow")
    if seen("fast_path_enabled"):
        assert slow == seen("deferred_total") + 2  # what came over TCP
        assert seen("responses_by_path_total", path="fast") >= 9
    else:
        assert (slow, seen("deferred_total")) == (replies, 0)


@pytest.mark.process
def test_the_server_shows_its_own_state(lbdns_server: Start) -> None:
    server = lbdns_server(tree())
    seen = scrape(server)
    assert {family.name for family in seen.families} >= {"lbdns_queries", "lbdns_responses", "lbdns_build_info"}
    assert all(family.name.startswith("lbdns_") and family.documentation for family in seen.families)
    assert {family.type for family in seen.families} == {"counter", "gauge", "histogram"}
    assert seen("snapshot_generation") == 1
    assert time.time() - 60 < seen("snapshot_loaded_timestamp_seconds") <= time.time()
    assert seen("workers") == 1
    assert ("lbdns_responses_total", (("rcode", "SERVFAIL"),)) in seen.values
    with pytest.raises(Exception, match="wieght"):
        server.reload({"lbdns.yaml": "wieght: 1\n"})
    server.reload({"lbdns.yaml": "metrics: 127.0.0.1:0\n"})
    seen = scrape(server)
    # Changed files are seen by the watcher, too: it may have come first.
    assert seen("reload_failures_total") in (1, 2)
    assert seen("reloads_total") == seen("snapshot_generation") - 1 >= 1
    eventually(lambda: ("lbdns_monitor_heartbeat_age_seconds", ()) in scrape(server).values)


@pytest.mark.process
def test_health_is_a_number_where_it_is_known(lbdns_server: Start) -> None:
    files = tree()
    files["monitors"] = {"web": {"type": "http", "interval": 5, "timeout": 1, "retries": 0}}
    files["pools"]["near"] = {
        "monitor": "web",
        "origins": [{"name": "up", "address": "127.0.0.11"}, {"name": "down", "address": "127.0.0.12"}],
    }
    server = lbdns_server(files)
    assert scrape(server)("pool_healthy", pool="near") == 1
    server.set_endpoint("near/down", up=False)
    seen = scrape(server)
    assert seen("endpoint_healthy", pool="near", endpoint="up", address="127.0.0.11") == 1
    key = ("lbdns_endpoint_healthy", (("address", "127.0.0.12"), ("endpoint", "down"), ("pool", "near")))
    assert seen.values[key] == 0
    assert seen.values["lbdns_pool_healthy", (("pool", "near"),)] == 0.5
    assert ("lbdns_pool_healthy", (("pool", "far"),)) not in seen.values
    where = {"pool": "near", "endpoint": "down", "address": "127.0.0.12"}
    for result in ("failed", "passed"):  # written after the state
        eventually(lambda result=result: scrape(server)("endpoint_checks_total", result=result, **where) >= 1)  # type: ignore[misc]


@pytest.mark.process
def test_counts_survive_a_killed_responder_and_reloads(lbdns_server: Start) -> None:
    server = lbdns_server(tree(workers=2))

    def ask(times: int) -> None:
        for _ in range(times):
            server.query(WWW)
            server.query(WWW, tcp=True)

    def counts() -> tuple[float, float, float]:
        seen = scrape(server)
        return (
            seen.total("queries_total"),
            seen("decisions_total", load_balancer=WWW, type="A"),
            seen("pool_answers_total", pool="near"),
        )

    ask(8)
    assert counts() == (16, 16, 16)
    for responder in server.status()["responders"]:
        os.kill(responder["pid"], signal.SIGKILL)
    eventually(lambda: sum(one["restarts"] for one in server.status()["responders"]) == 2)
    ask(4)
    assert counts() == (24, 24, 24)
    assert scrape(server)("worker_restarts_total", worker="responder") == 2
    # Fewer responders: the files of those that are gone still count, and so do their restarts.
    server.reload({"lbdns.yaml": "{metrics: '127.0.0.1:0', workers: 1}\n"})
    assert counts() == (24, 24, 24)
    ask(4)
    assert counts() == (32, 32, 32)
    assert scrape(server)("worker_restarts_total", worker="responder") == 2


@pytest.mark.process
def test_metrics_come_go_and_move_with_the_settings(lbdns_server: Start) -> None:
    server = lbdns_server(tree())
    address = server.status()["metrics"]
    server.reload({"lbdns.yaml": "{}\n"})
    assert server.status()["metrics"] is None
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://{address}/metrics", timeout=5)
    server.reload({"lbdns.yaml": "metrics: '[::1]:0'\n"})
    assert server.status()["metrics"].startswith("[::1]:")
    assert scrape(server)("snapshot_generation") >= 3


@pytest.mark.process
def test_an_address_in_use_is_named_and_dns_is_served(
    lbdns_server: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = lbdns_server(tree(metrics=address))
        assert server.addresses(WWW)
        assert server.status()["metrics"] is None
        problem = re.escape(f"metrics: cannot listen on {address}: Address already in use; DNS is served without them")
        assert re.search(problem, server.log)
    # It is had as soon as it is asked for again.
    server.reload({"lbdns.yaml": "{}\n"})
    server.reload({"lbdns.yaml": f"metrics: '{address}'\n"})
    assert scrape(server)("snapshot_generation") >= 3


class Nothing(Collector):
    """A collector without metrics."""

    def collect(self) -> Iterator[Metric]:
        """Yield none."""
        return iter(())


@pytest.mark.slow
def test_an_address_that_becomes_free_is_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "RETRY_S", 0.0)
    server = metrics_server.MetricsServer(Nothing())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server.follow(Settings(metrics=address))
        server.retry()
        assert server.address is None
    server.retry()
    assert server.address == address
    server.close()
    assert server.address is None


@pytest.mark.slow
def test_clients_who_say_nothing_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "CLIENTS_MAX", 2)
    server = metrics_server.MetricsServer(Nothing())
    server.follow(Settings(metrics="127.0.0.1:0"))
    assert server.address is not None
    host, _, port = server.address.rpartition(":")
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(socket.create_connection((host, int(port)), 5)) for _ in range(50)]
        assert clients[0].recv(1) == b"", "closed without a word"
        for one in clients[1::2]:
            with contextlib.suppress(OSError):
                one.sendall(b"GET /metrics HT")
        for _ in range(35):
            with socket.create_connection((host, int(port)), 5) as good:
                good.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                assert good.recv(12) == b"HTTP/1.0 200"
    server.close()


@pytest.mark.slow
def test_who_sends_a_request_by_the_octet_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "SCRAPE_S", 0.2)
    server = metrics_server.MetricsServer(Nothing())
    server.follow(Settings(metrics="127.0.0.1:0"))
    assert server.address is not None
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port)), 5) as slow, pytest.raises(OSError):
        for _ in range(600):  # octets, each of which is in time by itself; half a minute's
            slow.sendall(b"G")
            time.sleep(0.05)
    server.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDirectory]:
    """A run directory of nobody."""
    directory = RunDirectory(tmp_path)
    yield directory
    directory.remove()


def test_a_used_slot_starts_from_nothing_and_no_count_goes_back(run: RunDirectory) -> None:
    first, second = (open_counters(run.counters(index, 1), writable=True) for index in range(2))
    first[LOAD_BALANCERS_FIRST] = 10
    second[LOAD_BALANCERS_FIRST] = 5
    tally = Tally(run)
    tally.follow(tally.plan(Slots(load_balancer={("old", "A"): 0})))
    before = tally.read()
    assert before.load_balancers.counts.tolist() == [15]
    tally.follow(tally.plan(Slots(load_balancer={("other", "A"): 1, ("new", "A"): 0})))
    first[LOAD_BALANCERS_FIRST] += 2
    first[LOAD_BALANCERS_FIRST + 1] += 3
    after = tally.read()
    assert dict(zip(after.load_balancers.names.keys, after.load_balancers.counts.tolist(), strict=True)) == {
        ("other", "A"): 3,
        ("new", "A"): 2,
    }
    assert after.load_balancers.since(before.load_balancers).tolist() == [3, 2]
    first[LOAD_BALANCERS_FIRST + 1] = 1
    assert tally.read().load_balancers.counts.tolist() == [3, 2]


def test_a_change_of_slots_is_followed_without_going_through_all_of_them(run: RunDirectory) -> None:
    class Watched(dict[Any, int]):
        """A mapping that says how often it was gone through."""

        walks = 0

        def __iter__(self) -> Any:
            self.walks += 1
            return super().__iter__()

        def items(self) -> Any:
            self.walks += 1
            return super().items()

    counted = open_counters(run.counters(0, 1), writable=True)
    tally = Tally(run)
    first = Slots(load_balancer={("www", "A"): 0, ("old", "A"): 1}, pool={"eu": 0})
    tally.follow(tally.plan(first))
    counted[LOAD_BALANCERS_FIRST] = 4
    counted[LOAD_BALANCERS_FIRST + 1] = 5
    balancers = Watched({("www", "A"): 0, ("new", "A"): 1, ("moved", "A"): 2})
    pools = Watched({"eu": 0})
    changes = SlotChanges(ref(first), [], [], [("old", "A"), ("new", "A"), ("moved", "A")], [])
    second = Slots(load_balancer=balancers, pool=pools, changes=changes)
    tally.follow(tally.plan(second))
    tally.follow(tally.plan(second))
    assert (balancers.walks, pools.walks) == (0, 0)
    counted[LOAD_BALANCERS_FIRST + 1] += 1
    sample = tally.read()
    assert sample.load_balancers.names.keys == (("www", "A"), ("new", "A"), ("moved", "A"))
    assert sample.load_balancers.counts.tolist() == [4, 1, 0]
    assert sample.pools.names.keys == (("eu",),)


def test_what_is_taken_over_counts_on_and_what_has_no_counter_is_left_out(run: RunDirectory) -> None:
    words = open_counters(run.counters(0, 0), writable=True)
    words[LOAD_BALANCERS_FIRST] = 7
    words[OVERFLOWS] = 4
    tally = Tally(run)
    tally.follow(tally.plan(Slots(load_balancer={("old", "A"): 0, ("beyond", "A"): SLOTS_MAX})))
    sample = tally.read()
    assert sample.load_balancers.names.keys == (("old", "A"),)
    assert sample.load_balancers.counts.tolist() == [7]
    assert sample.word(OVERFLOWS) == 4
    # A file that appears later, as of one responder more, counts with its first word.
    open_counters(run.counters(1, 1), writable=True)[LOAD_BALANCERS_FIRST] = 1
    assert tally.read().load_balancers.counts.tolist() == [8]
