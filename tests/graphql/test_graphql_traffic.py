"""Real traffic to a real server, and what GraphQL says of it: counts that counters have are equal to what was sent,
what is drawn from samples lies where it should."""

from __future__ import annotations

import math
import socket
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import dns.edns
import dns.message
import dns.rdatatype
import httpx
import pytest

from lbdns.manage.api.graphql.scalars import time_shown
from tests.graphql import played_traffic, printed_queries
from tests.graphql.printed_by_collectors import COLLECTED
from tests.graphql.printed_queries import DOCUMENTED
from tests.graphql.test_graphql_printed import has_shape
from tests.store.served import StoreServer, wait_until

pytestmark = [pytest.mark.process, pytest.mark.slow]

PRINTED = DOCUMENTED | COLLECTED
LB, WWW, GONE = "lb.example.com", "www.example.com", "gone.example.com"
POOLS = {"192.0.2.1": "eu", "192.0.2.2": "us"}
COUNTRIES = {"DE": "85.214.0.0", "US": "66.249.64.0", "JP": "133.11.0.0"}
SENT = 4000
SENT_AT_ONCE = 200
PAUSE_S = 0.2
SAMPLED_PER_SECOND = 100
HISTORY_S = 60.0
"""How long the history may take to begin, and to have what was sent: some ten seconds, where nothing else is done."""


class Traffic:
    """A server with a load balancer of two pools, what was sent to it, and what it answered."""

    def __init__(self, server: StoreServer, client: httpx.Client) -> None:
        self.server = server
        self.client = client
        self.zone = self._made("/zones", name="example.com")
        account = client.get("/client/v4/accounts").json()["result"][0]["id"]
        self.account = account
        at = f"/accounts/{account}/load_balancers"
        pools = [
            self._made(f"{at}/pools", name=name, origins=[{"name": f"{name}-1", "address": address}])
            for address, name in POOLS.items()
        ]
        self._made(
            f"/zones/{self.zone}/load_balancers",
            name=LB,
            default_pools=pools,
            fallback_pool=pools[1],
            steering_policy="random",
        )
        self._made(f"/zones/{self.zone}/dns_records", name=WWW, type="A", content="192.0.2.80")
        self.pools: Counter[str] = Counter()
        self.countries: Counter[str] = Counter()

    def _made(self, path: str, **body: Any) -> str:
        response = self.client.post(f"/client/v4{path}", json=body)
        assert response.status_code == 200, response.text
        return str(response.json()["result"]["id"])

    def send(self, name: str, count: int) -> None:
        """Send queries one by one, each from the network of a country, and note what comes."""
        queries = {
            country: dns.message.make_query(
                name, "A", use_edns=True, options=[dns.edns.ECSOption(network, 24)]
            ).to_wire()
            for country, network in COUNTRIES.items()
        }
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            sock.connect((self.server.host, self.server.port))
            for number in range(count):
                if number % SENT_AT_ONCE == SENT_AT_ONCE - 1:
                    time.sleep(PAUSE_S)
                country = list(COUNTRIES)[number % 10 % 3]
                sock.send(queries[country])
                reply = sock.recv(4096)
                if name == LB:
                    self.countries[country] += 1
                    self.pools[POOLS[dns.message.from_wire(reply).answer[0][0].to_text()]] += 1

    def ask(self, text: str, **variables: Any) -> Any:
        """Return the data of a query."""
        response = self.client.post("/client/v4/graphql", json={"query": text, "variables": variables})
        assert response.status_code == 200, response.text
        reply = response.json()
        assert reply["errors"] is None, reply["errors"]
        return reply["data"]["viewer"]

    def groups(self, dimensions: str, node: str = "loadBalancingRequestsAdaptiveGroups") -> list[Any]:
        """Return a node's groups by some dimensions."""
        text = """{ viewer { zones(filter: {zoneTag: $zone}) {
          n: %s { count avg { sampleInterval } dimensions { %s } } } } }"""
        rows: list[Any] = self.ask(text % (node, dimensions), zone=self.zone)["zones"][0]["n"]
        return rows

    def codes(self) -> Counter[str]:
        """Return how many replies are counted by response code."""
        text = "{ viewer { accounts { n: dnsAnalyticsAdaptiveGroups { count dimensions { responseCode } } } } }"
        rows = self.ask(text)["accounts"][0]["n"]
        return Counter({row["dimensions"]["responseCode"]: row["count"] for row in rows})


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traffic]:
    settings = f"pop: {{code: FRA}}\nsamples: {{per_second: {SAMPLED_PER_SECOND}}}"
    server = StoreServer(tmp_path_factory.mktemp("traffic"), settings)
    try:
        server.start()
        server.wait_for_api()
        with server.local as client:
            made = Traffic(server, client)
            wait_until(
                lambda: client.get("/lbdns/v1/history/status").json()["result"]["exists"], lambda: server.log, HISTORY_S
            )
            made.send(LB, SENT)
            made.send(WWW, 200)
            made.send(GONE, 200)
            wait_until(lambda: made.codes()["NXDOMAIN"] == 200, lambda: f"{made.codes()}\n{server.log}", HISTORY_S)
            yield made
    finally:
        server.close()


def test_counts_of_load_balancers_and_pools_are_equal_to_what_was_sent(traffic: Traffic) -> None:
    (row,) = traffic.groups("lbName")
    assert (row["count"], row["dimensions"]["lbName"]) == (SENT, LB)
    assert {
        row["dimensions"]["selectedPoolName"]: row["count"] for row in traffic.groups("selectedPoolName")
    } == traffic.pools
    for dimensions in ("coloCode", "lbName region", "datetimeMinute selectedOriginName", "steeringPolicy errorType"):
        assert sum(row["count"] for row in traffic.groups(dimensions)) == SENT, dimensions


def test_what_is_drawn_from_samples_lies_within_three_standard_deviations(traffic: Traffic) -> None:
    rows = traffic.groups("region selectedOriginName")
    mean = max(row["avg"]["sampleInterval"] for row in rows)
    assert mean > 2, "a count of all would prove nothing"
    of_origin = Counter[str]()
    for row in rows:
        of_origin[row["dimensions"]["selectedOriginName"]] += row["count"]
    for pool, count in traffic.pools.items():
        error = 3 * math.sqrt(count * (SENT - count) / SENT * (mean - 1))
        assert abs(of_origin[f"{pool}-1"] - count) <= error + 1, (of_origin, traffic.pools, error)
    assert len({row["dimensions"]["region"] for row in rows} - {""}) > 1


def test_rows_are_queries_that_were_sent(traffic: Traffic) -> None:
    text = """{ viewer { zones(filter: {zoneTag: $zone}) { n: loadBalancingRequestsAdaptive(orderBy: [datetime_DESC]) {
      lbName coloCode selectedPoolName selectedOriginIndex numberOriginsSelected sampleInterval errorType steeringPolicy
      origins { originName ipv4 selected } } } } }"""
    rows = traffic.ask(text, zone=traffic.zone)["zones"][0]["n"]
    assert rows and {row["lbName"] for row in rows} == {LB} and {row["coloCode"] for row in rows} == {"FRA"}
    assert {row["selectedPoolName"] for row in rows} == set(POOLS.values())
    for row in rows:
        pool = row["selectedPoolName"]
        address = next(address for address, name in POOLS.items() if name == pool)
        assert row["origins"] == [{"originName": f"{pool}-1", "ipv4": address, "selected": 1}]
    estimate = sum(row["sampleInterval"] for row in rows)
    assert abs(estimate - SENT) < SENT / 2


def test_queries_without_a_load_balancer_are_told_by_name_and_code(traffic: Traffic) -> None:
    rows = traffic.groups("queryName responseCode", "dnsAnalyticsAdaptiveGroups")
    codes = {row["dimensions"]["queryName"]: row["dimensions"]["responseCode"] for row in rows}
    assert codes == {LB: "NOERROR", WWW: "NOERROR", GONE: "NXDOMAIN"}
    counts = {row["dimensions"]["queryName"]: row["count"] for row in rows}
    assert counts[LB] == SENT and sum(counts.values()) == SENT + 400
    found = traffic.codes()
    assert found["NXDOMAIN"] == 200 and found["NOERROR"] >= SENT + 200


@pytest.mark.parametrize("name", PRINTED)
def test_printed_queries_give_their_shape_of_real_traffic(traffic: Traffic, name: str) -> None:
    now = time.time()
    start, end = time_shown(now - 3600), time_shown(now + 60)
    exchanged = {
        played_traffic.ZONE: traffic.zone,
        played_traffic.ACCOUNT: traffic.account,
        printed_queries.START: start,
        printed_queries.END: end,
        "2027-01-15T04:00:00Z": start,
        "2027-01-16T06:00:00Z": end,
        "2027-01-14": time_shown(now - 86_400)[:10],
        printed_queries.DAY: end[:10],
        "AMS": "FRA",
    }

    def exchange(value: Any) -> Any:
        if isinstance(value, str):
            for before, after in exchanged.items():
                value = value.replace(before, after)
            return value
        if isinstance(value, dict):
            return {key: exchange(one) for key, one in value.items()}
        return [exchange(one) for one in value] if isinstance(value, list) else value

    printed = PRINTED[name]
    body = {
        "query": exchange(printed.text),
        "variables": exchange(dict(printed.variables)),
        "operationName": printed.operation_name,
    }
    reply = traffic.client.post("/client/v4/graphql", json=body).json()
    assert reply["errors"] is None, reply["errors"]
    (found,) = reply["data"]["viewer"][printed.scope]
    for key, shape in printed.rows.items():
        if "health" not in key.lower() and key not in ("last10Events", "total", "activity"):
            assert has_shape(found[key], [shape]), (key, found[key][:1])
