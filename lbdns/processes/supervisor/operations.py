"""What the control socket and the management API ask of the running server, an operation a method.

What a start does not need is loaded by the first who asks.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from lbdns.base.errors import LbdnsError
from lbdns.base.progress import JobProgress
from lbdns.health import forced
from lbdns.health.forced import Forced
from lbdns.mapped.run_directory import RunDirectory
from lbdns.processes.supervisor.control_socket import Operation
from lbdns.processes.supervisor.dnssec_operations import AskedSigner, SignerDesk
from lbdns.processes.supervisor.fleet_operations import AskedFleet, FleetDesk
from lbdns.processes.supervisor.transfer_operations import AskedTransfers, TransferDesk
from lbdns.publish.publisher import Published
from lbdns.telemetry.rates import answer_counters
from lbdns.telemetry.report import health_report
from lbdns.telemetry.server_facts import ServerFacts
from lbdns.telemetry.standing import in_force, standing
from lbdns.telemetry.tally import Tally

log = logging.getLogger("lbdns.processes")


class Operated(Protocol):
    """The server that is asked."""

    state_dir: Path
    run: RunDirectory
    tally: Tally
    progress: JobProgress

    @property
    def signer(self) -> AskedSigner:
        """Who has the keys."""

    @property
    def transfers(self) -> AskedTransfers:
        """Who transfers zones."""

    @property
    def fleet(self) -> AskedFleet | None:
        """The fleet that it is in."""

    async def dnskeys(self, apex: bytes) -> tuple[bytes, ...]:
        """Return the rdata of the DNSKEY records of a zone on disk that was signed elsewhere."""

    def in_force(self) -> Published:
        """Return what is served; raises LbdnsError before anything is."""

    def facts(self) -> ServerFacts:
        """Return what the supervisor knows of its run."""

    def orders(self) -> tuple[Forced, ...]:
        """Return what operators force."""

    def orders_changed(self) -> None:
        """Have the monitor worker look at what operators force."""

    def own_state(self) -> dict[str, Any]:
        """Return processes, addresses and where everything is."""

    async def reload(self, cause: str) -> str:
        """Load and serve what lies on disk now; returns why not, "" where it is served."""


class Operations:
    """The operations on one server, by name in `table`; each takes a request and raises LbdnsError."""

    def __init__(self, server: Operated) -> None:
        """Operate on `server`."""
        self._server = server
        transfers = TransferDesk(server.transfers)
        fleet = FleetDesk(lambda: server.fleet, lambda op, request: self.table[op](request))
        self.table: Mapping[str, Operation] = {
            "health": self._health,
            "force": self._force,
            "explain": self._explain,
            "countries": self._countries,
            "reload": self._reload,
            "status": self._status,
            "counters": self._counters,
            "samples": self._samples,
            "progress": self._progress,
            "dnssec": SignerDesk(server.signer, lambda: server.in_force().configuration, server.dnskeys).operate,
            "zone_transfers": transfers.show,
            "zone_refresh": transfers.refresh,
            "zone_notify": transfers.notify,
            "fleet": fleet.show,
            "fleet_ask": fleet.ask,
            "fleet_forget": fleet.forget,
        }

    async def _health(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Report on everything, or on the pools of some names."""
        server = self._server
        report = health_report(server.in_force(), await asyncio.to_thread(server.orders), request.get("pools"))
        return report | {"configuration": in_force(server.facts())}

    async def _force(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Put an operator's state over what is measured; the monitor worker applies it."""
        configuration = self._server.in_force().configuration
        names = await asyncio.to_thread(
            forced.order,
            self._server.state_dir,
            [
                (pool.name, name)
                for pool in configuration.pools.values()
                for name in ("", *(one.name for one in pool.origins))
            ],
            str(request.get("pattern", "")),
            str(request.get("state", "")),
            time.time(),
            request.get("for_s"),
            str(request.get("why", "")),
        )
        self._server.orders_changed()
        how = "as measured" if request.get("state") == "auto" else f"forced {request.get('state')}"
        log.info("%s: %s", how, ", ".join(names) or "nothing")
        return {"names": names}

    async def _explain(self, request: Mapping[str, Any]) -> dict[str, Any]:
        from lbdns.publish.explaining import explain_running

        return await asyncio.to_thread(explain_running, self._server.in_force(), self._server.state_dir, request)

    async def _countries(self, _: Mapping[str, Any]) -> list[dict[str, Any]]:
        from lbdns.publish.country_networks import country_networks

        return await asyncio.to_thread(country_networks, self._server.in_force().configuration)

    async def _reload(self, request: Mapping[str, Any]) -> dict[str, Any]:
        refusal = await self._server.reload("asked to reload")
        if refusal:
            raise LbdnsError(refusal)
        return await self._status(request)

    async def _counters(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return await answer_counters(self._server.tally, self._server.facts, request)

    async def _samples(self, request: Mapping[str, Any]) -> dict[str, Any]:
        from lbdns.telemetry.shown_samples import recent_samples

        server = self._server
        return await asyncio.to_thread(recent_samples, server.run, server.in_force().configuration, request)

    async def _progress(self, _: Mapping[str, Any]) -> tuple[str, int, int] | None:
        """Return how far a change has come that is being prepared."""
        return self._server.progress.told

    async def _status(self, _: Mapping[str, Any]) -> dict[str, Any]:
        def stand() -> dict[str, Any]:
            return standing(dataclasses.replace(self._server.facts(), counted=self._server.tally.read()))

        return self._server.own_state() | {"standing": await asyncio.to_thread(stand)}
