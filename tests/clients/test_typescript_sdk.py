"""The v4 API's official client for TypeScript, as typescript_sdk.mjs drives it.

Pointed here by the environment variable CLOUDFLARE_BASE_URL, and NODE_EXTRA_CA_CERTS.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.clients.client_site import NODE_PACKAGE, ClientSite, program

pytestmark = pytest.mark.process

EXPECTED = [
    ["zones by name", [True]],
    ["monitor", ["https", {"Host": ["example.com"], "X-App-ID": ["abc123"]}, "example.com"]],
    ["monitors", [[True, "/alive"]]],
    ["pools", [["first", "192.0.2.1"], ["second", "192.0.2.2"]]],
    ["pool", "edited"],
    ["health", True],
    ["group", 1],
    ["balancer", ["www.ts.example", ["192.0.2.1"]]],
    ["balancer edited", ["192.0.2.2"]],
    ["balancers", ["www.ts.example"]],
    ["references", ["load_balancer"]],
    ["in use", [412, 1005]],
    ["record", ["192.0.2.7", ["192.0.2.7"]]],
    ["record edited", ["192.0.2.8"]],
    ["record of parts", ["10 5 5060 sip.ts.example."]],
    ["text", ["v=spf1 -all"]],
    ["batch", [2, [], ["192.0.2.20"], ['"hello"']]],
    ["identical", [400, 81058]],
    ["imported", ["192.0.2.33"]],
    ["exported", True],
    ["left", [0, 0]],
]


def test_everything_from_beginning_to_end(site: ClientSite) -> None:
    if not NODE_PACKAGE.exists():
        pytest.skip("the npm package cloudflare is not installed (scripts/install-clients)")
    told = site.run(program("node"), Path(__file__).with_name("typescript_sdk.mjs"), NODE_PACKAGE / "index.mjs")
    assert [json.loads(line) for line in told.splitlines()] == EXPECTED
