"""The ledger: what is known of every endpoint and pool, and the only code that writes states into the health table.

    result -> series (thresholds) -> endpoint (vantage points, monitor group, addresses) -> pool -> load balancers

A *series* is one monitor's row of results on one address from one vantage point. No clock and no I/O: time comes in
through `wall` and `clock`, changes go out through `report`.

    roster            a new generation: who is in it, and what is known of each
    endpoint_results  results, to the endpoint's state; `agreement` puts its series together
    pool_changes      pools and load balancers
    overlay           forced states
    pool_rtt          round-trip times
    vantage_views     what each vantage point sees, where there are several
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from lbdns.health.events import HealthChange
from lbdns.health.forced import Forced
from lbdns.mapped.health_table import HealthTable
from lbdns.model.targets_document import BalancerSpec, Vantage
from lbdns.monitor.ledger.endpoint_results import EndpointResults
from lbdns.monitor.ledger.fellows import Fellows
from lbdns.monitor.ledger.overlay import Overlay
from lbdns.monitor.ledger.pool_changes import PoolChanges
from lbdns.monitor.ledger.pool_rtt import PoolRtt
from lbdns.monitor.ledger.roster import Roster, adopt_roster
from lbdns.monitor.ledger.states import BalancerHealth, EndpointHealth, PoolHealth, Series
from lbdns.monitor.ledger.table_rows import TableRows
from lbdns.monitor.ledger.vantage_views import VantageViews
from lbdns.monitor.probes.result import Result
from lbdns.monitor.targets import Member, PoolSpec


def _nobody(pool: str) -> bool:
    """Whether a pool lacks answers, where nothing is known of names."""
    return False


class Ledger:
    """States of all endpoints and pools, written through to the health table."""

    def __init__(
        self,
        table: HealthTable,
        wall: Callable[[], float],
        report: Callable[[HealthChange], None],
        on_address: Callable[[EndpointHealth], None] = lambda endpoint: None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Keep `table`; `wall` gives unix seconds, for records, and `clock` those of a clock that does not jump, for
        all that lasts (None: `wall`). `report` is told every change, `on_address` that one of the addresses of an
        endpoint's name flipped."""
        clock = clock or wall
        self._clock = clock
        self._rows = TableRows(table)
        self._roster = Roster()
        self._gone = 0
        self._lacks_answers: Callable[[str], bool] | None = None
        self._pool_changes = PoolChanges(self._rows, wall, report)
        self._overlay = Overlay(self._rows, wall, report, clock, self._pool_changes.put_endpoint)
        self._pool_rtt = PoolRtt(self._rows)
        self._views = VantageViews()
        self._results = EndpointResults(
            self._rows, wall, clock, report, self._pool_changes, self._pool_rtt, on_address, self._views
        )

    @property
    def table(self) -> HealthTable:
        """The health table of the generation in force."""
        return self._rows.table

    @property
    def pools(self) -> Mapping[str, PoolHealth]:
        """The generation's pools by name."""
        return self._roster.pools

    @property
    def endpoints(self) -> Mapping[int, EndpointHealth]:
        """The generation's endpoints by identity."""
        return self._roster.endpoints

    @property
    def balancers(self) -> Sequence[BalancerHealth]:
        """The generation's load balancers."""
        return self._roster.balancers

    @property
    def begun(self) -> Sequence[PoolHealth]:
        """The generation's pools that are not, with their endpoints, the very ones of the generation before."""
        return self._roster.begun

    @property
    def gone(self) -> int:
        """How many pools of the generation before are not, with their endpoints, among the very ones of this."""
        return self._gone

    @property
    def begun_balancers(self) -> int:
        """How many of its load balancers are not the very ones of the generation before."""
        return self._roster.balancers.begun

    def join(self, fellows: Fellows | None) -> None:
        """Judge together with the other machines of a fleet from now on; None: alone."""
        self._results.fellows = fellows

    def hear(self, series: Series, state: int, streak: int, result: Result, at_s: float) -> None:
        """Take what another machine says of one of its series (EndpointResults.hear)."""
        self._results.hear(series, state, streak, result, at_s)

    def judge_anew(self, endpoint: EndpointHealth) -> None:
        """Judge an endpoint by what its series say now, though none of them says anything new."""
        self._results.judge_anew(endpoint)

    def show_vantages(self, names: Sequence[str]) -> None:
        """Show what each of these vantage points sees, by their names."""
        self._views.adopt(self.table, names, self.endpoints.values(), self._clock())

    def note_times(self, pool: PoolHealth, region: str) -> None:
        """Have a pool's round-trip times go into the table with the next sample."""
        self._pool_rtt.note(pool, region, self._clock())

    def adopt(
        self,
        pools: Iterable[PoolSpec],
        balancers: Sequence[BalancerSpec],
        table: HealthTable,
        vantages: Sequence[Vantage] = (),
        lacks_answers: Callable[[str], bool] | None = None,
    ) -> None:
        """Take a generation's pools: known endpoints keep their state and series, others begin as the table says.

        `lacks_answers` tells, by its name, whether a pool is passed over for want of hostnames that resolve; None: no
        pool is, as far as is known. Nothing is done for what is the very same in the generation before.
        """
        former_table = self.table
        may_differ = lacks_answers or self._lacks_answers
        self._lacks_answers = lacks_answers
        self._pool_changes.lacks_answers = lacks_answers or _nobody
        if table is not former_table:
            self._rows.bind(table)
            for name in ("heartbeat_ns", "frozen_since"):
                table.columns[name][0] = former_table.columns[name][0]
        had = len(self.pools)
        self._roster = adopt_roster(self._roster, former_table, self._rows, pools, balancers)
        self._gone = had - (len(self.pools) - len(self.begun))
        self._pool_rtt.keep_only(self.pools)
        self._views.adopt(table, [one.name for one in vantages], self.endpoints.values(), self._clock())
        for pool in self.pools.values() if may_differ is not None else self.begun:
            self._overlay.lay(pool)
            self._pool_changes.recount(pool, "configuration")

    def begin_series(self, endpoint: EndpointHealth, member: Member, address: str, vantage: Vantage) -> Series:
        """Add a series to an endpoint; it begins in the endpoint's state, and with its streak where it is alone."""
        return self._results.begin_series(endpoint, member, address, vantage)

    def end_series(self, endpoint: EndpointHealth, series: Series) -> None:
        """Take a series away; its endpoint is judged by those that are left."""
        self._results.end_series(endpoint, series)

    def unresolved(self, endpoint: EndpointHealth, problem: str, is_probed_by_name: bool = False) -> None:
        """Take it that an endpoint's name leads nowhere: it is down, and no series decides that.

        `is_probed_by_name`: somebody else resolves it for its probes, and only answers lack its addresses.
        """
        self._results.unresolved(endpoint, problem, is_probed_by_name)

    def unreached(self, endpoint: EndpointHealth, result: Result) -> None:
        """Take it that the network in which an endpoint's name would resolve is down."""
        self._results.unreached(endpoint, result)

    def resolved(self, endpoint: EndpointHealth) -> None:
        """Take it that an endpoint's name has addresses, which are in the table."""
        self._results.resolved(endpoint)

    def force(self, orders: tuple[Forced, ...]) -> None:
        """Put the operators' orders, which end by the ledger's clock, over what is measured; also to be called when
        one expires."""
        self._overlay.orders = orders
        for pool in self.pools.values():
            if self._overlay.lay(pool):
                self._pool_changes.recount(pool, "forced")

    def together(self) -> contextlib.AbstractContextManager[None]:
        """Take what is told meanwhile as happening at once: a pool changes once."""
        return self._pool_changes.together()

    def sample(self) -> None:
        """Put the pools' round-trip times into the table, of those that had a good result since the last call."""
        self._pool_rtt.sample(self._clock())
