"""Hostnames of endpoints that stand in zones served here: answered as a client would be, by the same code.

Nobody else is asked for them, so that they resolve before a zone is delegated. A load balancer's name is decided for
this server itself, as it stands now. What an alias leads to outside, and what is delegated to others, is theirs to say.

Addresses of a load balancer may be those of its endpoints' hostnames, and so on. Where that leads back to a hostname it
would keep itself alive, whatever the world says: such a hostname has no address here, and the way round is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from lbdns.answer.answer import Road, answer
from lbdns.answer.match import MatchKind
from lbdns.answer.reply import Client, Transport
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import make_query
from lbdns.dns.codes import NXDOMAIN, TYPE_A, TYPE_AAAA, TYPE_CNAME
from lbdns.dns.name import encode_canonical, show_name
from lbdns.snapshot.lookup.name_rows import DIRECTORY
from lbdns.steering.kernel.endpoints import is_unresolved
from lbdns.steering.kernel.view import Query

if TYPE_CHECKING:
    from lbdns.mapped.health_table import HealthTable
    from lbdns.mapped.snapshot_file import Snapshot
    from lbdns.model.configuration import Configuration
    from lbdns.monitor.targets import Targets

ZONES_MAX: Final = 16  # that one chain of aliases leads through
TTL_MAX_S: Final = 3600  # of what stands in a zone of others
SELF: Final = Client(bytes((127, 0, 0, 1)), 53)
"""Who asks: an address that is nowhere, so that this server's place counts."""


@dataclass(slots=True)
class OwnAnswer:
    """What the zones here say of a hostname in one family: `addresses` that are good for `ttl_s`, or the name `beyond`
    that others have to be asked for, or the `problem`.

    `balancers`: the load balancers on the way, by their rows; what they say may be another the next moment.
    """

    addresses: list[str] = field(default_factory=list)
    ttl_s: int = 0
    beyond: str = ""
    problem: str = ""
    balancers: list[int] = field(default_factory=list)


class OwnNames:
    """The zones and load balancers of one generation, asked for hostnames."""

    def __init__(
        self, view: ServingView, pools: Mapping[str, Iterable[str]], hostnames: Mapping[str, Sequence[str]]
    ) -> None:
        """`pools`: of each load balancer that answers addresses, by its label; `hostnames`: those of each pool."""
        self._view = view
        self._pools = pools
        self._hostnames = hostnames
        self._rows = {view.text("pool_text", row): row for row in range(len(view.columns["pool_text"]))}
        self._loops = self._find_loops()

    @classmethod
    def of_targets(cls, view: ServingView, targets: Targets) -> OwnNames:
        """Return those of what a monitor worker is told."""
        pools = {
            one.name: (*one.pools, one.fallback, *one.rule_fallbacks) for one in targets.balancers if one.type == "A"
        }
        endpoints = {pool.name: pool.endpoints for pool in targets.pools if pool.enabled}
        names = {name: [one.address for one in each if one.enabled and one.is_name] for name, each in endpoints.items()}
        return cls(view, pools, names)

    @classmethod
    def of_configuration(cls, snapshot: Snapshot, table: HealthTable, configuration: Configuration) -> OwnNames:
        """Return those of a configuration, with its snapshot and its health."""
        view = ServingView(snapshot, table)
        pools = {one.label: one.pool_names() for one in configuration.load_balancers if one.enabled and one.type == "A"}
        enabled = [pool for pool in configuration.pools.values() if pool.enabled]
        return cls(view, pools, {pool.name: [one.address for one in pool.hostnames] for pool in enabled})

    def lacks_answers(self, pool: str) -> bool:
        """Return whether a pool has nothing to answer with, for want of hostnames that resolve, where it need not be
        at an apex."""
        row = self._rows.get(pool)
        return row is not None and is_unresolved(self._view.steering, 0, row)

    def holds(self, name: str) -> bool:
        """Return whether a hostname stands in or below a zone here."""
        return bool(self._view.zones_above(DIRECTORY, encode_canonical(name)))

    def loop_of(self, name: str) -> tuple[str, ...]:
        """Return the hostnames by which a hostname's addresses would be its own, itself first and last; empty where
        they are not."""
        return self._loops.get(name, ())

    def ask(self, name: str, now_s: int, draw: int) -> tuple[OwnAnswer, OwnAnswer]:
        """Return what a hostname comes to for A and for AAAA, at a time (CLOCK_MONOTONIC), with 64 random bits."""
        wire = encode_canonical(name)
        query = make_query(SELF, None, now_s, draw)
        return self._follow(wire, TYPE_A, query), self._follow(wire, TYPE_AAAA, query)

    def _follow(self, name: bytes, qtype: int, query: Query | None) -> OwnAnswer:
        found = OwnAnswer()
        ttls: list[int] = []
        for _ in range(ZONES_MAX):
            road = Road()
            reply = answer(self._view, DIRECTORY, name, name, qtype, query, Transport.TCP, road)
            last = road.matches[-1]
            found.balancers += [one.load_balancer for one in road.matches if one.kind is MatchKind.STEERED]
            ttls += [records.ttl for records in reply.answer]
            packed = [rdata for records in reply.answer if records.type == qtype for rdata in records.rdatas]
            aliases = [records.rdatas[0].lower() for records in reply.answer if records.type == TYPE_CNAME]
            end = aliases[-1] if aliases else name
            if packed:
                found.addresses = [str(ip_address(one)) for one in packed]
            elif last.kind in (MatchKind.OUT_OF_ZONE, MatchKind.REFERRAL):
                found.beyond = show_name(end)
            elif reply.authority or end == name:
                found.problem = _denial(end, reply.rcode == NXDOMAIN, last.kind is MatchKind.STEERED)
            else:
                name = end
                continue
            found.ttl_s = min(ttls, default=TTL_MAX_S)
            return found
        found.problem = f"its aliases lead on, through more than {ZONES_MAX} zones here or round"
        return found

    def _find_loops(self) -> dict[str, tuple[str, ...]]:
        """Return the way round of each hostname that is on one. A way is broken up where it is found, so that of
        several which share a hostname those are told that are still closed then."""
        leads = {name: self._leads_to(name) for names in self._hostnames.values() for name in names}
        loops: dict[str, tuple[str, ...]] = {}
        while True:
            try:
                TopologicalSorter(leads).prepare()
                return loops
            except CycleError as error:
                # It comes as each one's follower, first and last the same.
                way: list[str] = error.args[1][::-1]
                for index, name in enumerate(way[:-1]):
                    loops[name] = (*way[index:-1], *way[:index], name)
                    leads[name] = ()

    def _leads_to(self, name: str) -> tuple[str, ...]:
        """Return the hostnames whose addresses a hostname's may be."""
        if not self.holds(name):
            return ()
        balancers = self._follow(encode_canonical(name), TYPE_A, None).balancers
        pools = (pool for row in balancers for pool in self._pools.get(self._view.text("lb_text", row), ()))
        return tuple(sorted({one for pool in pools for one in self._hostnames.get(pool, ())}))


def _denial(name: bytes, is_unknown: bool, is_steered: bool) -> str:
    shown = show_name(name)
    if is_steered:
        return f"the load balancer at {shown} here has no address for it"
    return f"the zones served here have {'no name' if is_unknown else 'no address of'} {shown}"
