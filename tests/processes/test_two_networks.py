"""Two endpoints of one address in two networks, in one pool: who shows them shows both, each with its own health."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lbdns.base.errors import ConfigError
from lbdns.base.kinds import Kind
from lbdns.cli.commands.health_command import render
from lbdns.config.loading import parse
from lbdns.health.events import HealthChange
from lbdns.health.verdict import HEALTHY, UNHEALTHY
from lbdns.manage.api.frame.live_health import LiveHealth
from lbdns.manage.api.frame.object_shapes import shown
from lbdns.manage.api.v4.health_events import event_body, events_of
from lbdns.manage.api.v4.pool_health import health_by_place
from lbdns.manage.store.revisions.from_files import state_of
from lbdns.manage.store.state import State
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.model.targets_document import EndpointSpec
from lbdns.monitor.targets import PoolSpec
from lbdns.monitor.toggles import toggles
from lbdns.monitor.unserved_names import UnservedNames
from lbdns.publish.explaining import Addresses, explain_configuration, explain_running
from lbdns.publish.publisher import Published, Publisher
from lbdns.telemetry.metrics import ServerCollector
from lbdns.telemetry.report import health_report
from lbdns.telemetry.server_facts import ServerFacts
from lbdns.telemetry.tally import Tally
from tests.processes.load import configuration

ORIGINS: list[dict[str, Any]] = [
    {"name": "one", "address": "10.0.0.1", "virtual_network": "a"},
    {"name": "one", "address": "10.0.0.1", "virtual_network": "b", "enabled": True},
    {"name": "two", "address": "10.1.0.1"},
]
SECTIONS: dict[str, Any] = {
    "virtual_networks": {"a": {}, "b": {}},
    "routes": [{"network": "10.1.0.0/16", "virtual_network": "b"}],
    "monitors": {"web": {"type": "tcp", "port": 80}},
}


class Running:
    """What LiveHealth asks of a running server."""

    def __init__(self, published: Published) -> None:
        self._published = published

    def in_force(self) -> Published:
        """Return what is served."""
        return self._published


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDirectory]:
    made = RunDirectory(tmp_path / "state")
    yield made
    made.remove()


@pytest.fixture
def published(run: RunDirectory) -> Published:
    """A pool with both, of which the one in the network `b` is down."""
    publisher = Publisher(Control.create(run.control), run)
    tree = {**configuration(), **SECTIONS, "pools": {"main": {"monitor": "web", "origins": ORIGINS}}}
    publisher.publish(publisher.prepare(parse(tree, Path()).configuration))
    assert publisher.current is not None
    table, slots = publisher.current.table.columns, publisher.current.slots.endpoint
    table["pool_state"][publisher.current.slots.pool["main"]] = HEALTHY
    for key, slot in slots.items():
        table["endpoint_state"][slot] = table["endpoint_measured"][slot] = UNHEALTHY if key[3:] == ("b",) else HEALTHY
        table["endpoint_checks"][slot], table["endpoint_passed"][slot] = 2, 1
    return publisher.current


def test_the_api_shows_each(published: Published) -> None:
    """In a pool's origins, and in its health, where both have the same key."""
    state = state_of(published.configuration, 1)
    pool = state.named(Kind.POOL, "main")
    assert pool is not None
    body = LiveHealth(Running(published)).add(pool, shown(pool, state))  # type: ignore[arg-type]
    assert [one["healthy"] for one in body["origins"]] == [True, False, True]
    ids = {name: one.uuid for name, one in published.configuration.virtual_networks.items()}
    assert [one["virtual_network_id"] for one in body["origins"]] == [ids["a"], ids["b"], None]
    (place,) = health_by_place(published.configuration.pools["main"], published).values()
    found = [
        (address, one["healthy"], one["virtual_network"]) for each in place["origins"] for address, one in each.items()
    ]
    assert found == [("10.0.0.1", True, "a"), ("10.0.0.1", False, "b"), ("10.1.0.1", True, "b")]


def test_an_address_is_answered_once(tmp_path: Path) -> None:
    """As long as it is up in either network: an RRset holds a record once (RFC 2181 section 5)."""
    for origins, wanted in (
        (ORIGINS, ["10.0.0.1", "10.1.0.1"]),
        ([{**one, "address": "fd00::1"} for one in ORIGINS[:2]], ["fd00::1"]),
        ([{**one, "weight": weight} for one, weight in zip(ORIGINS[:2], (1, 0.5), strict=True)], ["10.0.0.1"]),
    ):
        tree = {**configuration(), **SECTIONS, "pools": {"main": {"origins": origins}}}
        qtype = "AAAA" if ":" in wanted[0] else "A"
        told = explain_configuration(parse(tree, tmp_path).configuration, {"name": "www.example.com", "type": qtype})
        assert sorted(text.split()[-1] for text in told["answer"]) == wanted


@pytest.mark.parametrize("kind", ["MX", "SRV"])
def test_a_host_is_named_once(kind: str, tmp_path: Path) -> None:
    origins = [{"name": one, "address": "mail.example.org", "port": 25, "virtual_network": one} for one in ("a", "b")]
    tree = {**configuration(), **SECTIONS, "pools": {"main": {"origins": origins}}}
    tree["load_balancers"] = [
        {"name": "m.example.com", "type": kind, "default_pools": ["main"], "fallback_pool": "main"}
    ]
    with pytest.raises(ConfigError) as refused:
        parse(tree, tmp_path)
    (problem,) = refused.value.problems
    assert f"in another virtual network; {kind} records name it once" in problem.message


def test_explain_says_which_network(published: Published, tmp_path: Path) -> None:
    told = explain_running(published, tmp_path, {"name": "www.example.com"})
    steps = [step["text"] for step in told["steps"] if step["stage"] == "endpoint"]
    assert [text.partition(" (")[0] for text in steps] == [
        "one 10.0.0.1 in a",
        "one 10.0.0.1 in b",
        "two 10.1.0.1 in b",
    ]
    assert ["down" in text or "unhealthy" in text for text in steps] == [False, True, False]


def test_metrics_have_a_row_for_each(published: Published, run: RunDirectory) -> None:
    """The label of the network is there for endpoints that name one, and no two rows are alike."""
    tally = Tally(run)
    tally.follow(tally.plan(published.slots))
    facts = ServerFacts(published, 0.0, 0.0, True, (), 0, 0, "", 0.0, None, "", 0, "")
    families = {family.name: family for family in ServerCollector(tally, lambda: facts).collect()}
    healthy = {tuple(sorted(one.labels.items())): one.value for one in families["lbdns_endpoint_healthy"].samples}
    of_one = [("address", "10.0.0.1"), ("endpoint", "one"), ("pool", "main")]
    of_two = [("address", "10.1.0.1"), ("endpoint", "two"), ("pool", "main")]
    assert healthy == {
        (*of_one, ("virtual_network", "a")): 1,
        (*of_one, ("virtual_network", "b")): 0,
        tuple(of_two): 1,
    }
    for name in ("lbdns_endpoint_checks", "lbdns_endpoint_answers"):
        rows = [tuple(sorted(one.labels.items())) for one in families[name].samples]
        assert len(rows) == len({*rows}) > 0


def test_files_are_explained_with_names_in_networks() -> None:
    """A hostname that stands in a network gets the addresses that it was looked up to have."""
    origins = [{"name": "one", "address": "app.example.org", "virtual_network": "a"}]
    tree = {**configuration(), **SECTIONS, "pools": {"main": {"origins": origins}}}
    addresses: dict[str, Addresses] = {"app.example.org": ([bytes((192, 0, 2, 7))], [], 1 << 40)}
    told = explain_configuration(parse(tree, Path()).configuration, {"name": "www.example.com"}, addresses)
    assert told["answer"] == ["www.example.com. 30 IN A 192.0.2.7"]


def test_names_in_networks_are_known_before_anybody_serves_them() -> None:
    """What `lbdns check` and the API look up of hostnames goes to whoever has the name, in whatever network."""
    origins = [{"name": name, "address": "app.example.org", "virtual_network": name} for name in ("a", "b")]
    tree = {**configuration(), **SECTIONS, "pools": {"main": {"origins": origins}}}
    with UnservedNames(parse(tree, Path()).configuration) as served:
        assert served.names.lacks_answers("main")
        served.put("app.example.org", ["192.0.2.7"], [], 1 << 40)
        assert not served.names.lacks_answers("main")


def test_health_says_which_network(published: Published) -> None:
    report = health_report(published)
    (pool,) = report["pools"]
    found = [(one["virtual_network"], one["state"]) for one in pool["origins"]]
    assert found == [("a", "healthy"), ("b", "unhealthy"), ("b", "healthy")]
    shown = io.StringIO()
    Console(width=140, file=shown).print(render(report, 100.0))
    for text in ("10.0.0.1 in a", "10.0.0.1 in b", "10.1.0.1 in b"):
        assert text in shown.getvalue()


def test_changes_say_which_network() -> None:
    """In the line for people, and in the v4 API's events."""
    change = HealthChange(1.0, "endpoint", "p/one", "healthy", "unhealthy", "p", "one", "10.0.0.1", network="b")
    assert change.text.startswith("pool p endpoint one (10.0.0.1 in b) is unhealthy")
    (event,) = events_of([change])
    assert event_body(event, State())["origins"][0]["virtual_network"] == "b"
    former = [PoolSpec("p", 0, True, 1, False, (), (), (endpoint("a", True), endpoint("b", True)))]
    now = [PoolSpec("p", 0, True, 1, False, (), (), (endpoint("a", True), endpoint("b", False)))]
    (told,) = toggles(former, now, 1.0)
    assert (told.network, told.after) == ("b", "disabled")


def endpoint(network: str, enabled: bool) -> EndpointSpec:
    """One of two endpoints of one name and address."""
    return EndpointSpec("p", "one", 0, "10.0.0.1", False, enabled, 0, "", 1, network=network)
