"""What the unsigned zone decides: `respond` on the same configuration in this process, with any health one wishes."""

from __future__ import annotations

import functools
import random
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import dns.edns
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
from dns.rdatatype import RdataType

from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.health import pool_state, verdict
from lbdns.mapped.health_table import HealthTable
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots

CLIENT = Client(bytes((127, 0, 0, 1)), 40_000)
FEW, MANY = 1, 300
"""Draws: at first, and before a reply is called impossible; the least likely of the world's answers has one in 25."""

Down = frozenset[str]
"""Endpoints that are down, as POOL/NAME."""


class Outcome(NamedTuple):
    """What one name gives for a type: an RCODE, and the data of each RRset at that name."""

    rcode: str
    data: frozenset[tuple[str, frozenset[str]]]  # (type, rdatas)

    @property
    def is_alias(self) -> bool:
        """Whether the name is given as another's."""
        return any(rtype == "CNAME" for rtype, _ in self.data)


class Decisions:
    """The unsigned zones of a configuration, asked in this process."""

    def __init__(self, tree: Mapping[str, Any], folder: Path) -> None:
        """Compile `tree`; `folder` holds the health table."""
        configuration = parse(tree, folder).configuration
        self._pools = configuration.pools
        self._slots = Slots().assign(configuration)
        geodata = Geodata.open(configuration.settings.geodata.city, configuration.settings.geodata.asn)
        self._table = HealthTable.create(
            folder / "health.bin", self._slots.endpoint_count, self._slots.pool_count, layout_id=1
        )
        snapshot = compile_snapshot(configuration, geodata, self._slots, 1, self._table.layout_id)
        self._view = ServingView(snapshot, self._table)
        self._down: Down | None = None
        self.endpoints = [f"{pool.name}/{one.name}" for pool in self._pools.values() for one in pool.origins]
        self.outcomes = functools.lru_cache(maxsize=200_000)(self._outcomes)

    def _set_health(self, down: Down) -> None:
        columns = self._table.columns
        for pool in self._pools.values():
            states = []
            for one in pool.origins:
                is_down = f"{pool.name}/{one.name}" in down
                state = verdict.UNHEALTHY | verdict.COUNTS if is_down else verdict.UNKNOWN
                columns["endpoint_state"][self._slots.endpoint[pool.name, one.name, one.address]] = state
                states.append(state)
            byte = pool_state.effective_byte(states, pool.minimum_origins, monitored=False, order=None)
            columns["pool_state"][self._slots.pool[pool.name]] = byte
        self._down = down

    def _outcomes(
        self, name: dns.name.Name, rtype: RdataType, network: str, down: Down, draws: int
    ) -> Collection[Outcome]:
        """Return what a name may give a client's network ("" for none told) with these endpoints down."""
        if down != self._down:
            self._set_health(down)
        options = [dns.edns.ECSOption.from_text(network)] if network else []
        wire = dns.message.make_query(name, rtype, use_edns=0, options=options).to_wire()
        chance = random.Random(wire[2:])
        replies = {
            respond(self._view, wire, CLIENT, Transport.TCP, now_s=1000, draw=chance.getrandbits(64))
            for _ in range(draws)
        }
        return {_outcome(name, reply) for reply in replies if reply is not None}


def _outcome(name: dns.name.Name, wire: bytes) -> Outcome:
    reply = dns.message.from_wire(wire)
    data = {
        (dns.rdatatype.to_text(rrset.rdtype), frozenset(str(rdata).lower() for rdata in rrset))
        for rrset in reply.answer
        if rrset.name == name
    }
    return Outcome(dns.rcode.to_text(reply.rcode()), frozenset(data))
