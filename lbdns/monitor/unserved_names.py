"""Hostnames that stand in zones of a configuration which nobody serves yet: compiled, and asked as those served are."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from lbdns.health.verdict import HEALTHY
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.resolved import write_addresses
from lbdns.model.configuration import Configuration
from lbdns.monitor.own_names import OwnNames
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots


class UnservedNames:
    """Those of a configuration that nobody serves yet, every monitored endpoint taken to be up; for a `with` statement,
    which has `names`."""

    def __init__(self, configuration: Configuration) -> None:
        """Compile the configuration."""
        geodata = configuration.settings.geodata
        self._slots = Slots().assign(configuration)
        self._folder = tempfile.TemporaryDirectory(prefix="lbdns-")
        path = Path(self._folder.name, "health")
        self._table = HealthTable.create(path, self._slots.endpoint_count, self._slots.pool_count, 0)
        for column in (self._table.columns["endpoint_state"], self._table.columns["pool_state"]):
            column[:] = memoryview(bytes((HEALTHY,)) * len(column))
        snapshot = compile_snapshot(configuration, Geodata.open(geodata.city, geodata.asn), self._slots, generation=1)
        self.names = OwnNames.of_configuration(snapshot, self._table, configuration)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def put(self, name: str, v4: Sequence[str], v6: Sequence[str], expiry_s: int) -> None:
        """Take it that a hostname has these addresses until then (unix seconds)."""
        packed4, packed6 = [ip_address(one).packed for one in v4], [ip_address(one).packed for one in v6]
        for (_, _, address, *_), slot in self._slots.endpoint.items():
            if address == name:
                write_addresses(self._table.columns, slot, packed4, packed6, expiry_s)
