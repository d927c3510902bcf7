"""Rules in a store that is served: what they name is in use, renamed with its object, and restored with a revision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.processes.load import NAME
from tests.processes.test_reload import eventually
from tests.store.served import stopped_server

pytestmark = pytest.mark.process


def test_rules_over_renames_and_revisions(tmp_path: Path) -> None:
    with stopped_server(tmp_path, "pop: {code: AMS}") as server:
        server.start()
        server.wait_for_api()
        with server.local as client:

            def result(method: str, path: str, **sent: Any) -> Any:
                return client.request(method, path, **sent).raise_for_status().json()["result"]

            account = result("GET", "/client/v4/accounts")[0]["id"]
            pools = f"/client/v4/accounts/{account}/load_balancers/pools"
            spare = result("POST", pools, json={"name": "spare", "origins": [{"name": "e", "address": "192.0.2.77"}]})
            (balancer,) = result("GET", "/lbdns/v1/load_balancers")
            at = f"/client/v4/zones/{balancer['zone_id']}/load_balancers/{balancer['id']}"
            rule = {"name": "spare", "condition": "", "overrides": {"pools": [spare["id"]], "ttl": 9}}

            # A disabled rule uses its pool as any other.
            result("PATCH", at, json={"rules": [{**rule, "disabled": True}]})
            refused = client.delete(f"{pools}/{spare['id']}")
            assert refused.status_code == 412 and "www.example.com" in refused.json()["errors"][0]["message"]
            assert [one["resource_id"] for one in result("GET", f"{pools}/{spare['id']}/references")] == [
                balancer["id"]
            ]
            result("PATCH", f"{pools}/{spare['id']}", json={"name": "renamed"})
            assert result("GET", at)["rules"] == [{**rule, "disabled": True}]
            assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]

            # Only rules change: answers follow, and each rule has its own count.
            result("PATCH", at, json={"rules": [rule]})
            eventually(lambda: server.addresses(NAME) == ["192.0.2.77"])
            ruled = result("GET", "/lbdns/v1/revisions")[0]["revision"]
            many = [
                {"name": f"r{number}", "condition": f"ip.src in {{10.{number}.0.0/16}}", "terminates": True}
                for number in range(99)
            ]
            result("PATCH", at, json={"rules": [*many, {**rule, "condition": "ip.src in {127.0.0.0/8}"}]})
            eventually(lambda: server.addresses(NAME) == ["192.0.2.77"])
            refused = client.patch(at, json={"rules": [*many, rule, rule]})
            assert (
                refused.json()["errors"][0]["message"] == "rules: 101 entries; expected at most 100: validation failed"
            )

            result("PATCH", at, json={"rules": []})
            eventually(lambda: server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"])
            result("POST", f"/lbdns/v1/revisions/{ruled}/restore", json={})
            eventually(lambda: server.addresses(NAME) == ["192.0.2.77"])
            assert result("GET", at)["rules"] == [rule]
        assert "Traceback" not in server.log
