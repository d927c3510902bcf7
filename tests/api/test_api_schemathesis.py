"""Requests made of the OpenAPI document, right ones and wrong ones: answers are as the document says, and never a 5xx.

More of them by hand, with another seed each time: LBDNS_FUZZ_EXAMPLES=500 pytest tests/api/test_api_schemathesis.py
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from lbdns.manage.api.frame.openapi import OPENAPI_PATH
from tests.store.served import StoreServer

pytestmark = pytest.mark.process

EXAMPLES = int(os.environ.get("LBDNS_FUZZ_EXAMPLES", "0"))
SUITE_EXAMPLES = 2  # of each operation and mode
ACCEPTED_SHARE = 0.8  # of operations that accept a request at least
REQUESTS_OF_A_TOKEN = 1000
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
BROKEN = "/lbdns/v1/store/"  # what is there for a store that is broken, which this one is not
IN_A_FLEET = "/lbdns/v1/fleet/"  # what is there for a fleet, which this server is not in
GONE = "f" * 32  # the last in order: what is there is tried first
V4 = "/client/v4"
OWN_PATH = "/lbdns/v1"
GUARD_HEADER = "Lbdns-Guard"
ACCOUNT = f"{V4}/accounts/{{account_id}}/load_balancers"
TEAMNET = f"{V4}/accounts/{{account_id}}/teamnet"
TRANSFERRED = "{zone_id}/secondary_dns/"
"""Where transfers of a zone are: they take other servers (test_sdk_transfers.py)."""
TRANSFERS = ("tsigs", "peers", "acls")
NETWORKS = ("virtual_networks", "routes")
ALERTING = f"{V4}/accounts/{{account_id}}/alerting/v3"
TOLD = ("webhooks", "pagerduty", "policies", "silences")
SETTINGS = """
resolvers: ["127.0.0.1:9"]                                        # names of endpoints are looked up nowhere else
views: {office: {networks: [192.0.2.0/24], private: true}}        # who asks for the account's load balancers
"""
Schema = dict[str, Any]
AnyCase = Case[Any]
AnyOperation = APIOperation[Any, Any, Any, Any]
PLACES = {"region_pools": ["WEU", "ENAM", "weu"], "country_pools": ["DE", "us"], "pop_pools": ["AMS", "JFK"]}
NARROWED: dict[str, Schema] = {
    "LoadBalancer": {"name": {"type": "string", "pattern": r"\A[a-z]{1,5}\.example\.com\Z"}},
    "Pool": {
        "name": {"type": "string", "pattern": r"\A[-_a-zA-Z0-9]{1,99}\Z"},
        "monitor": {"enum": [None]},  # nothing is probed
        "monitor_group": {"enum": [None, ""]},
        "check_regions": {"enum": [None, [], ["WEU"], ["ALL_REGIONS", "ENAM"]]},
    },
    "Endpoint": {
        "address": {"enum": ["127.0.0.1", "127.0.0.2", "::1", "127.0.0.3"]},
        "virtual_network_id": {"enum": [None, ""]},
    },
    "VirtualNetwork": {
        "name": {"type": "string", "pattern": r"\A[a-z ]{2,5}\Z"},
        "via": {"enum": [None, {"device": "lo"}]},
        "id": {},
    },
    "NetworkRoute": {
        "network": {"enum": ["10.7.0.0/16", "fd00:7::/64", "10.8.0.1"]},
        "virtual_network_id": {"enum": ["a", "b"]},
    },
    "Monitor": {"expected_codes": {"enum": ["200", "2xx", "200-299,404", "2xx,302", None]}},
    "Record": {
        "name": {"enum": ["a", "@", "*.b", "c.example.com", "d.example.com."]},
        "type": {"enum": ["A", "AAAA", "TXT", "MX", "SRV", "CAA", "CNAME", "TYPE731", "URI", "LOC", "svcb"]},
        "data": {"enum": [None, {"flags": 0, "tag": "issue", "value": "ca.example.org"}]},
        "content": {"enum": ["127.0.0.1", "::1", '"text"', "text", "host.example.com", "10 host.example.org", None]},
    },
    "NameOverride": {"name": {"type": "string", "pattern": r"\A[a-z]{2,5}\.corp\Z"}},
    "Zone": {"name": {"type": "string", "pattern": r"\A[a-z]{1,9}\.[a-z]{1,9}\.?\Z"}},
    "WebhookDestination": {"url": {"enum": ["http://127.0.0.1:9/in", "https://localhost:9/", "nowhere"]}},
    "PagerDutyService": {"events_url": {"enum": ["http://127.0.0.1:9/in"]}},
    "NotificationPolicy": {
        "filters": {"enum": [None, {}, {"new_health": ["Unhealthy"]}, {"pool_id": [GONE]}]},
        "mechanisms": {"enum": [{"email": [{"id": "ops@example.com"}]}, {}]},
    },
    "Silence": {"start_time": {"enum": ["2026-01-01T00:00:00Z"]}, "end_time": {"enum": ["2099-01-01T00:00:00Z", ""]}},
}
"""Of what the document leaves to words: values of which many are accepted. Names of endpoints are on this machine."""
TRIED: dict[str, Any] = {
    "name": {"enum": ["a.example.com", "nothing.example.com"]},
    "type": {"enum": ["A", "AAAA"]},
    "load_balancer": {"enum": [None]},
    "rules": {"type": "array", "items": {"enum": [{}, {"condition": "dns.qry.qu", "fixed_response": {}}]}},
    "networks": {"type": "array", "items": {"enum": ["192.0.2.0/24", "2001:db8::/48", "::/0"]}, "minItems": 1},
}
"""The same of a change to a load balancer that is only tried."""
MASTERS = ["a IN A 127.0.0.1\n", "$TTL 60\n@ MX 10 mail\nb TXT one two\n", "( a", "$INCLUDE /etc/passwd\n", ""]


@dataclass
class Target:
    """A running server with an object or two of each kind, and the document of its API, narrowed to those."""

    server: StoreServer
    client: httpx.Client
    account: str = ""
    ids: dict[str, list[str]] = field(default_factory=dict)
    token: str = ""
    requests: int = 0
    revision: int = 0
    answers: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def send(self, case: AnyCase) -> schemathesis.Response:
        """Send a request; a token is good for so many of them."""
        if self.requests % REQUESTS_OF_A_TOKEN == 0:
            self.token = self.server.token(name=f"fuzz-{self.requests}")
        self.requests += 1
        headers = {"Authorization": f"Bearer {self.token}"}
        response = case.call(base_url=self.server.api, headers=headers, timeout=60)
        self.answers[case.operation.label].add(response.status_code)
        return response

    def make(self) -> None:
        """Make the objects: the last of each kind is there to be deleted."""
        self.account = self.post("", f"{V4}/accounts")["id"]
        for label in ("example.com", "example.org"):
            self.post("zone_id", f"{V4}/zones", {"name": label})
        zone = self.ids["zone_id"][0]
        for label in ("a", "b"):
            records = f"{V4}/zones/{zone}/dns_records"
            self.post("record", records, {"name": label, "type": "A", "content": "127.0.0.1"})
            monitor = self.post("monitors", f"{ACCOUNT}/monitors", {"description": label, "interval": 3600})
            members = [{"monitor_id": monitor["id"]}]
            self.post("monitor_groups", f"{ACCOUNT}/monitor_groups", {"description": label, "members": members})
            pool = {"name": label, "origins": [{"name": label, "address": "127.0.0.1"}]}
            id = self.post("pools", f"{ACCOUNT}/pools", pool)["id"]
            balancer = {"default_pools": [id], "fallback_pool": id}
            self.post("zones", f"{V4}/zones/{zone}/load_balancers", {"name": f"{label}.example.com", **balancer})
            self.post("accounts", ACCOUNT, {"name": f"{label}.example.net", **balancer})
            override = {"name": f"{label}.corp", "load_balancer": "a.example.net"}
            self.post("overrides", f"{OWN_PATH}/overrides", override)
        for number, label in enumerate(("a", "b", "c")):
            network = self.post(NETWORKS[0], f"{TEAMNET}/{NETWORKS[0]}", {"name": label, "is_default": label == "a"})
            if label != "c":
                route = {"network": f"10.{number}.0.0/16", "virtual_network_id": network["id"]}
                self.post(NETWORKS[1], f"{TEAMNET}/{NETWORKS[1]}", route)
        transfers = f"{V4}/accounts/{{account_id}}/secondary_dns"
        for number, label in enumerate(("a", "b")):
            self.post(TRANSFERS[0], f"{transfers}/tsigs", {"name": label, "secret": "c2VjcmV0LXNlY3JldC0wMQ=="})
            self.post(TRANSFERS[1], f"{transfers}/peers", {"name": label, "ip": f"192.0.2.{number}"})
            self.post(TRANSFERS[2], f"{transfers}/acls", {"name": label, "ip_range": f"10.{number}.0.0/16"})
        for label in ("a", "b"):
            policy = {"name": label, "alert_type": "load_balancing_health_alert", "enabled": True}
            policy |= {"mechanisms": {"email": [{"id": "ops@example.com"}]}}
            id = self.post("policies", f"{ALERTING}/policies", policy)["id"]
            self.post("webhooks", f"{ALERTING}/destinations/webhooks", {"name": label, "url": "http://127.0.0.1:9/"})
            service = {"name": label, "routing_key": "R0"}
            self.post("pagerduty", f"{ALERTING}/destinations/pagerduty/connect", service)
            silence = {"policy_id": id, "end_time": "2099-01-01T00:00:00Z"}
            self.post("silences", f"{ALERTING}/silences", silence)
        for label in ("c", "d"):  # not in use: these can be deleted
            self.post("monitors", f"{ACCOUNT}/monitors", {"description": label, "interval": 3600})
            self.post("pools", f"{ACCOUNT}/pools", {"name": label, "origins": [{"name": "o", "address": "127.0.0.2"}]})
        self.revision = self.client.get(f"{OWN_PATH}/revisions").json()["result"][0]["revision"]

    def post(self, kind: str, path: str, body: Schema | None = None) -> Schema:
        """Make an object; without a body, get the first of a list."""
        path = path.format(account_id=self.account)
        answer = self.client.get(path) if body is None else self.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        result = answer.json()["result"]
        made: Schema = result[0] if isinstance(result, list) else result
        self.ids.setdefault(kind, []).append(made["id"])
        return made

    def narrow(self, parameter: Schema, path: str, method: str) -> None:
        """Narrow a parameter of an operation to what there is."""
        match parameter["name"]:
            case "account_id":
                parameter["schema"] = {"enum": [self.account]}
            case "zone_id":
                is_deleted = method == "delete" and path.endswith("{zone_id}")
                parameter["schema"] = {"enum": [self.ids["zone_id"][-1 if is_deleted else 0]]}
            case "id":
                parameter["schema"] = self.ids_of(path, method)
            case "region_code":
                parameter["schema"] = {"enum": ["WEU", "ENAM", "nowhere"]}
            case "If-Match":
                parameter["schema"] = {"enum": ['"999999999"', '"0"']}  # after all changes, and before all
            case "ip":
                parameter["schema"] = {"enum": ["10.0.0.1", "192.0.2.1", "2001:db8::1", "nowhere at all"]}
            case "network":
                parameter["schema"] = {"enum": ["10.9.0.0/16" if method == "post" else "10.0.0.0/16", "nowhere at all"]}
            case "virtual_network_id":
                parameter["schema"] = {"enum": self.ids[NETWORKS[0]][:2]}
            case "number" if path.endswith("restore"):
                parameter["schema"] = {"enum": [self.revision, 10**9]}  # with all the objects
            case "since" | "before" if "alerting" in path:
                parameter["schema"] = {"enum": ["2026-01-01T00:00:00Z", "yesterday"]}
            case "wait":
                parameter["schema"]["maximum"] = 0.01  # seconds

    def ids_of(self, path: str, method: str) -> Schema:
        """Return the schema of the `id` in a path: objects that are there and one that is not."""
        parts = path.removeprefix(f"{V4}/").removeprefix(f"{OWN_PATH}/").split("/")
        kind = next(
            (kind for kind in ("monitor_groups", "monitors", "pools", *NETWORKS, *TOLD, *TRANSFERS) if kind in parts),
            parts[0],
        )
        known = self.ids.get("record" if "dns_records" in parts else kind, [])
        gone = str(UUID(GONE)) if kind in NETWORKS else GONE
        return {"enum": [*(known[-1:] if method == "delete" else known[:-1]), gone]}

    def narrowed(self) -> Schema:
        """Return the document with the ids that there are, and endpoints on this machine, so that much is accepted."""
        made: Schema = self.client.get(OPENAPI_PATH).json()
        for path, operations in made["paths"].items():
            for method, operation in operations.items():
                if "parameters" in operation and not path.endswith("/plan"):
                    # What is held to a guard takes a process, and half a second; one path for all is enough.
                    operation["parameters"] = [one for one in operation["parameters"] if one["name"] != GUARD_HEADER]
                for parameter in operation.get("parameters", ()):
                    self.narrow(parameter, path, method)
        for name, written in made["components"]["schemas"].items():
            for key, schema in NARROWED.get(name.removesuffix("Written").removesuffix("Changed"), {}).items():
                if name.endswith(("Written", "Changed")):
                    written["properties"][key] = schema
            if name.startswith("LoadBalancer") and name != "LoadBalancer":
                self.narrow_balancer(written["properties"])
        schemas = made["components"]["schemas"]
        schemas["GroupMemberWritten"]["properties"]["monitor_id"] = {"enum": self.ids["monitors"][:1]}
        for name in ("NameOverrideWritten", "NameOverrideChanged"):
            schemas[name]["properties"]["load_balancer"] = {"enum": self.ids["accounts"][:1]}
        zone_file = made["paths"][f"{V4}/zones/{{zone_id}}/dns_records/import"]["post"]["requestBody"]["content"]
        zone_file["multipart/form-data"]["schema"]["properties"]["file"] = {"enum": MASTERS}
        what_if = made["paths"][f"{OWN_PATH}/what_if"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        what_if["properties"] |= TRIED
        return made

    def narrow_balancer(self, properties: Schema) -> None:
        """Narrow the pools of a load balancer to those that there are."""
        pools = {"enum": self.ids["pools"][:2]}
        properties["default_pools"]["items"] = properties["fallback_pool"] = pools
        for key in ("region_pools", "country_pools", "pop_pools"):
            properties[key]["anyOf"][0]["additionalProperties"]["items"] = pools
            properties[key]["anyOf"][0]["propertyNames"] = {"enum": PLACES[key]}


@contextmanager
def running_target(work: Path) -> Iterator[Target]:
    server = StoreServer(work, SETTINGS)
    try:
        server.start()
        server.wait_for_api()
        with server.local as client:
            target = Target(server, client)
            target.make()
            yield target
    finally:
        server.close()


@pytest.mark.timeout(300 + EXAMPLES * 60)
def test_answers_are_as_the_document_says(tmp_path: Path) -> None:
    with running_target(tmp_path) as target:
        schema = schemathesis.openapi.from_dict(target.narrowed())
        found = []
        for result in schema.get_all_operations():
            assert isinstance(result, Ok), result
            for mode in GenerationMode:
                try:
                    try_out(target, result.ok(), mode)
                except (AssertionError, BaseExceptionGroup) as failure:
                    found.append(f"{result.ok().label}, {mode.value}: {failure}")
        traceback = target.server.log.partition("Traceback")[2][:4000]
        assert not found, "\n\n".join([*found, traceback])
        assert not traceback
        # Were everything refused, this would prove little.
        answered = {
            label: statuses
            for label, statuses in target.answers.items()
            if not any(one in label for one in (BROKEN, IN_A_FLEET, TRANSFERRED))
        }
        accepted = {label for label, statuses in answered.items() if 200 in statuses}
        assert len(accepted) > len(answered) * ACCEPTED_SHARE, sorted(answered.keys() - accepted)


def try_out(target: Target, operation: AnyOperation, mode: GenerationMode) -> None:
    """Send requests to one operation; raises what is wrong with an answer."""

    def send(case: AnyCase) -> None:
        case.validate_response(target.send(case), checks=CHECKS)

    cases = operation.as_strategy(generation_mode=mode)
    limits = settings(
        max_examples=EXAMPLES or SUITE_EXAMPLES,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    limits(given(case=cases)(send))()
