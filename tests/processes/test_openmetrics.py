"""OpenMetrics: negotiated, valid to the letter, with exemplars that are samples; a real Prometheus stores them."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_plain
from prometheus_client.samples import Exemplar

from lbdns.telemetry import exemplars
from lbdns.telemetry.exemplars import CHARS_MAX, Exemplars, OpenMetricsCollector, counting_since
from lbdns.testing import LbdnsServer
from tests.processes.load import ZONE
from tests.processes.test_reload import eventually
from tests.store.served import free_port

Start = Callable[..., LbdnsServer]
OPEN = "application/openmetrics-text"
PROMETHEUS = (
    f"{OPEN};version=1.0.0,{OPEN};version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"  # as 2.42 asks
)
TREE: dict[str, Any] = {
    "settings": {"metrics": "127.0.0.1:0"},
    "zones": {"example.com": ZONE},
    "pools": {
        "near": {"origins": [{"name": "n1", "address": "192.0.2.1"}]},
        "far": {"origins": [{"name": "f1", "address": "198.51.100.1"}]},
    },
    "load_balancers": [
        {
            "name": "www.example.com",
            "default_pools": ["near"],
            "fallback_pool": "far",
            "rules": [{"name": "six", "condition": "dns.qry.type == 28", "overrides": {"ttl": 60}}],
        }
    ],
}


def get(address: str, accept: str) -> tuple[str, str]:
    """Return the content type and the text of a scrape."""
    asked = urllib.request.Request(f"http://{address}/metrics", headers={"Accept": accept} if accept else {})
    with urllib.request.urlopen(asked, timeout=10) as reply:
        return str(reply.headers["Content-Type"]), reply.read().decode()


def address_of(server: LbdnsServer) -> str:
    (found,) = set(re.findall(r"metrics on http://([^/]+)/metrics", server.log))
    return str(found)


@pytest.mark.process
@pytest.mark.parametrize("accept", ["", "*/*", "text/plain;version=0.0.4", "text/html"])
def test_who_does_not_ask_for_it_gets_the_text_format_alone(lbdns_server: Start, accept: str) -> None:
    server = lbdns_server(TREE)
    kind, text = get(address_of(server), accept)
    assert kind.startswith("text/plain") and "_created" not in text and " # {" not in text
    assert any(family.name == "lbdns_queries" for family in parse_plain(text))


@pytest.mark.process
def test_openmetrics_with_exemplars_of_what_was_answered(lbdns_server: Start) -> None:
    began_s = time.time()
    server = lbdns_server(TREE)

    def families() -> dict[str, Metric]:
        kind, text = get(address_of(server), PROMETHEUS)
        assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
        assert text.endswith("# EOF\n")
        return {family.name: family for family in parse_open(text)}  # type: ignore[no-untyped-call]

    def exemplar(name: str, **labels: str) -> Exemplar | None:
        rows = [one for one in families()[name].samples if one.name == f"{name}_total" and one.labels == labels]
        return rows[0].exemplar if rows else None

    server.query("www.example.com", "A")
    balancer = {"load_balancer": "www.example.com", "type": "A"}
    eventually(lambda: exemplar("lbdns_decisions", **balancer) is not None)
    found = exemplar("lbdns_decisions", **balancer)
    assert found is not None and found.value == 1.0
    assert re.fullmatch(r"\d+-\d+:\d+", found.labels["sample"])
    assert {**found.labels, "sample": ""} == {"sample": "", "client": "127.0.0.0/24", "pool": "near"}
    assert began_s - 2 <= float(found.timestamp) <= time.time() + 2  # type: ignore[arg-type]
    server.query("www.example.com", "AAAA")
    eventually(lambda: exemplar("lbdns_rule_hits", **balancer, rule="six") is not None)
    by_pool = exemplar("lbdns_pool_answers", pool="near")
    assert by_pool is not None and by_pool.labels["load_balancer"] == "www.example.com"
    assert exemplar("lbdns_pool_answers", pool="far") is None
    seen = families()
    for name in ("lbdns_queries", "lbdns_responses", "lbdns_reloads"):
        totals = {str(one.labels) for one in seen[name].samples if one.name == f"{name}_total"}
        created = {str(one.labels): one.value for one in seen[name].samples if one.name == f"{name}_created"}
        assert created.keys() == totals and all(began_s - 1 <= one <= time.time() for one in created.values())
    assert [one.value for one in seen["lbdns_batch_seconds"].samples if one.name.endswith("_created")]
    assert not [one for one in seen["lbdns_decisions"].samples if one.name.endswith("_created")]


class FewDecisions:
    """What a server's collector would show: decisions of many load balancers."""

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily("lbdns_decisions", "Decisions.", labels=("load_balancer", "type"))
        for number in range(50):
            family.add_metric((f"lb{number}", "A"), number)
        yield family


class Silent(Exemplars):
    """Exemplars that somebody else gives."""

    def __init__(self, last: dict[str, Any]) -> None:
        self._last = last
        self._lock = contextlib.nullcontext()  # type: ignore[assignment]

    def look(self) -> None:
        """See nothing new."""


def test_the_busiest_alone_have_exemplars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exemplars, "BUSIEST", 3)
    last = {"lbdns_decisions": {(f"lb{number}", "A"): Exemplar({}, 1.0, 1.0) for number in range(0, 50, 2)}}
    plain: Any = FewDecisions()
    (family,) = OpenMetricsCollector(plain, Silent(last), lambda: {}).collect()
    assert {one.labels["load_balancer"] for one in family.samples if one.exemplar} == {"lb48"}
    assert last["lbdns_decisions"].keys() == {("lb48", "A")}, "what is not among them is forgotten"


def test_an_exemplars_labels_fit() -> None:
    sample: Any = type("Sample", (), {"writer": "0-1", "number": 7, "ecs": None, "resolver": "192.0.2.0/24"})()
    about = {"load_balancer": "a" * 60, "rule": "b" * 60, "pool": "p"}
    labels = exemplars._labels(sample, about)
    assert labels == {"sample": "0-1:7", "client": "192.0.2.0/24", "load_balancer": "a" * 60}
    assert sum(len(key) + len(value) for key, value in labels.items()) <= CHARS_MAX


def test_what_is_not_known_is_not_said() -> None:
    assert counting_since(0.0, 5.0).keys() == exemplars.BY_SUPERVISOR
    assert counting_since(3.0, 5.0)["lbdns_queries"] == 3.0


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus (Debian: prometheus) is not installed")
def test_a_real_prometheus_stores_and_finds_exemplars(lbdns_server: Start, tmp_path: Path) -> None:
    server = lbdns_server(TREE)
    port = free_port()
    jobs = [{"job_name": "lbdns", "scrape_interval": "1s", "static_configs": [{"targets": [address_of(server)]}]}]
    (tmp_path / "prometheus.yml").write_text(json.dumps({"scrape_configs": jobs}))
    command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage"]

    def ask(path: str, **parameters: str) -> Any:
        url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as reply:
            return json.load(reply)["data"]
        return None

    def found() -> Any:
        server.query("www.example.com", "A")
        query = 'lbdns_decisions_total{load_balancer="www.example.com"}'
        return ask("query_exemplars", query=query, start=str(time.time() - 600), end=str(time.time() + 60))

    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as prometheus:
        try:
            eventually(found, 60)
            (series,) = found()
            assert series["exemplars"][0]["labels"]["pool"] == "near"
            (up,) = ask("query", query="up")["result"]
            assert up["value"][1] == "1"
            assert ask("targets")["activeTargets"][0]["lastError"] == ""
        finally:
            prometheus.terminate()
