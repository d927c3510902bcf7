"""What each process loads: those that answer, probe and count have no use for what checks and serves management; the
supervisor loads what the first answer needs, and until others were begun what names their state."""

from __future__ import annotations

import pytest

from lbdns.base.words import RESPONDER_MODULE
from tests.test_words import loaded_by, tops

pytestmark = pytest.mark.process

MANAGEMENT = {"pydantic", "pydantic_core", "fastapi", "starlette", "uvicorn", "yaml", "rich", "click", "jinja2"}
LIBRARIES = {"dns", "email", "httpx", "cryptography", "prometheus_client", "watchfiles", "sqlite3"}
LIGHT = {
    RESPONDER_MODULE: MANAGEMENT | LIBRARIES | {"numpy", "maxminddb"},
    "lbdns.telemetry.history.history_worker": MANAGEMENT | LIBRARIES - {"email", "sqlite3"} | {"asyncio"},
    "lbdns.telemetry.dnstap.dnstap_worker": MANAGEMENT | LIBRARIES | {"numpy", "asyncio"},
    "lbdns.transfer.inward.transfer_worker": MANAGEMENT | LIBRARIES | {"numpy"},
    "lbdns.monitor.waiting_worker": MANAGEMENT | LIBRARIES - {"email", "sqlite3"} | {"aiohttp", "numpy"},
    "lbdns.monitor.own_names": MANAGEMENT | LIBRARIES | {"numpy", "maxminddb", "asyncio"},
    "lbdns.processes.supervisor.server_life": MANAGEMENT - {"pydantic", "pydantic_core", "yaml", "click"}
    | LIBRARIES - {"email"}
    | {"numpy"},
    "lbdns.processes.supervisor.supervisor": MANAGEMENT - {"pydantic", "pydantic_core", "yaml"}
    | {"prometheus_client", "watchfiles", "anyio", "httpx"},
    "lbdns.dnssec.signer.signer_worker": MANAGEMENT | LIBRARIES - {"cryptography"},
}


@pytest.mark.parametrize("module", LIGHT)
def test_a_process_loads_what_it_needs_alone(module: str) -> None:
    assert tops(loaded_by(f"import {module}")).isdisjoint(LIGHT[module])
