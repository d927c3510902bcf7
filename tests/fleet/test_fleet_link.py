"""How a machine says that it stands before its store is open, by another name, and for one that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.fleet.fleet_status import decode_status
from lbdns.fleet.observing.health_news import HealthNews, decode_news
from lbdns.model.fleet_report import MachineStatus, revision_text
from lbdns.model.fleet_terms import BusAccess
from lbdns.model.settings import Settings
from lbdns.processes.supervisor.fleet_keeper import FleetKeeper
from lbdns.processes.supervisor.fleet_link import FleetLink
from tests.fleet.nats_server import NatsServer, connected, until


@pytest.mark.parametrize("revision, told", [(24, "24"), (0, "0"), (None, "own files")])
def test_a_store_that_is_not_open_yet_is_not_taken_for_files(tmp_path: Path, revision: int | None, told: str) -> None:
    served = SimpleNamespace(configuration=SimpleNamespace(settings=Settings(), store_revision=revision))
    server = SimpleNamespace(
        state_dir=tmp_path,
        run=SimpleNamespace(path=tmp_path),
        in_force=lambda: served,
        signer=SimpleNamespace(statuses=(), counts=None),
    )
    link = FleetLink(cast(Any, server), BusAccess(machine="AMS-1", fleet_id="t", urls=()), 0.0)
    assert revision_text(link.status()) == told


@pytest.fixture
def nats(tmp_path: Path, starts_processes: None) -> Iterator[NatsServer]:
    """A nats-server that runs."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    yield server
    server.kill()


def _server(tmp_path: Path, settings: Settings) -> Any:
    """Return what a link needs of a server that serves files."""
    configuration = SimpleNamespace(settings=settings, store_revision=None)
    return SimpleNamespace(
        state_dir=tmp_path,
        run=SimpleNamespace(path=tmp_path),
        in_force=lambda: SimpleNamespace(configuration=configuration),
        signer=SimpleNamespace(statuses=(), counts=None),
        fleet=None,
    )


@pytest.mark.slow
def test_a_machine_that_is_called_otherwise_leaves_by_its_old_name_and_who_is_gone_is_said_to_leave(
    nats: NatsServer, tmp_path: Path
) -> None:
    def called(name: str) -> Settings:
        return Settings.model_validate({"fleet": {"name": name, "join": nats.url, "id": "t"}})

    async def scenario() -> None:
        others = await connected(nats.url)
        said: list[MachineStatus] = []
        observed: list[HealthNews] = []
        await others.subscribe("here.*", lambda subject, data, reply: said.append(decode_status(data)))
        await others.subscribe("obs.*", lambda subject, data, reply: observed.append(decode_news(data).news))
        server = _server(tmp_path, called("FRA-1"))
        keeper = FleetKeeper(server)
        keeper.follow(called("FRA-1"))
        await until(lambda: any(one.name == "FRA-1" for one in said))
        keeper.follow(called("FRA-2"))
        await until(lambda: any(one.name == "FRA-2" for one in said))
        assert [one.name for one in said if one.is_leaving] == ["FRA-1"]
        assert [row.status.name for row in server.fleet.report().machines] == ["FRA-2"], "nor does it miss itself"

        await until(lambda: server.fleet.report().own is not None and not server.fleet.report().own.bus)
        await server.fleet.forget("NYC-1")
        await until(lambda: bool(observed) and any(one.name == "NYC-1" for one in said))
        assert [one.is_leaving for one in said if one.name == "NYC-1"] == [True]
        assert [(one.machine, one.is_leaving) for one in observed] == [("NYC-1", True)]
        nats.kill()
        await until(lambda: bool(server.fleet.report().own.bus))
        with pytest.raises(LbdnsError, match="the bus is not reached, so that nobody would hear of it"):
            await server.fleet.forget("SIN-1")
        await keeper.close()
        await others.close()

    asyncio.run(scenario())
