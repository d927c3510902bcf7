"""What each process loads: those that answer, probe and count have no use for what checks and serves management; the
supervisor loads what the first answer needs, and until others were begun what names their state."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdns.base.kinds import BALANCING
from lbdns.base.words import RESPONDER_MODULE
from tests.test_words import EXAMPLE, loaded_by, tops

pytestmark = pytest.mark.process

MANAGEMENT = {"pydantic", "pydantic_core", "fastapi", "starlette", "uvicorn", "yaml", "rich", "click", "jinja2"}
LIBRARIES = {"dns", "email", "httpx", "cryptography", "prometheus_client", "sqlite3"}
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
    | {"prometheus_client", "anyio", "httpx"},
    "lbdns.dnssec.signer.signer_worker": MANAGEMENT | LIBRARIES - {"cryptography"},
}


@pytest.mark.parametrize("module", LIGHT)
def test_a_process_loads_what_it_needs_alone(module: str) -> None:
    assert tops(loaded_by(f"import {module}")).isdisjoint(LIGHT[module])


def test_what_reads_settings_loads_no_model_of_an_object() -> None:
    """A start has two processes begun as soon as it knows its settings; those load while it loads all else."""
    modules = ("settings_loading", "readable_settings")
    loaded = loaded_by("\n".join(f"import lbdns.config.{one}" for one in modules))
    models = {f"lbdns.model.{kind.model.partition('.')[0]}" for kind in BALANCING}
    assert "lbdns.model.pool" in models
    assert loaded.isdisjoint({*models, "lbdns.model.configuration", "lbdns.expressions", "lbdns.config.loading"})


def test_nothing_that_is_published_loads_masked_arrays(tmp_path: Path) -> None:
    """numpy.unique loads them, 50 ms, where it gives neither an index nor an inverse."""
    steps = (
        "from pathlib import Path",
        "from lbdns.config.loading import load",
        "from lbdns.mapped.control import Control",
        "from lbdns.mapped.run_directory import RunDirectory",
        "from lbdns.publish.publisher import Publisher",
        f"run = RunDirectory(Path({str(tmp_path)!r}))",
        f"published = Publisher(Control.create(run.control), run).prepare(load(Path({str(EXAMPLE)!r})).configuration)",
        "run.remove()",
    )
    loaded = loaded_by("\n".join(steps))
    assert "numpy" in loaded and "numpy.ma" not in loaded


def test_a_monitor_worker_that_waits_loads_what_a_first_generation_needs(tmp_path: Path) -> None:
    steps = (
        "import asyncio",
        "from pathlib import Path",
        "from lbdns.mapped.control import Control",
        "from lbdns.monitor.waiting_worker import Options, WaitingWorker",
        f"path = Path({str(tmp_path / 'control')!r})",
        "control = Control.create(path)",
        "worker = WaitingWorker(Options(path.parent, path))",
        "assert 'lbdns.monitor.own_names' not in sys.modules",
        "async def wait(): asyncio.get_running_loop().call_later(0.1, worker.stop); return await worker.wait()",
        "assert asyncio.run(wait()) is None",
    )
    assert "lbdns.monitor.own_names" in loaded_by("\n".join(steps))
