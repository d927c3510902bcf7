"""What steers as rows: what follows from it, this server's place and the geolocation database."""

from __future__ import annotations

from typing import NamedTuple

from lbdns.dns.name import encode_canonical
from lbdns.model.balancer import LoadBalancer
from lbdns.steering.kernel.numbers import LB_ECS_PREFERRED, LB_RESOLVER_LOCATES, LB_STICKY
from lbdns.steering.policies.context import Context, Reads
from lbdns.steering.policies.cut import Cut
from lbdns.steering.policies.plan import Candidates
from lbdns.steering.policies.policy_table import PLANNERS, POLICIES, prefers_ecs
from lbdns.steering.policies.what_steers import Steered, steered_of
from lbdns.steering.rules.variants import SETS_FOUND_AS, has_sets, plan_sets

LIST_BYTES = 200  # a list of a few candidates, in this process
READ_BYTES = 400  # what a plan read of one pool


class PlannedRow(NamedTuple):
    """What steers, as its policy planned it; where pool sets may match, it is the row that finds them."""

    select: int
    lists: tuple[Candidates, ...]
    cut: Cut | None
    flags: int
    is_sticky: bool
    policy: int
    ttl: int
    fallback_pool: str


class BalancerRow(NamedTuple):
    """A load balancer's row. `reads`: what its plan looked at beside the load balancer."""

    owner: bytes
    planned: PlannedRow
    reads: Reads

    @property
    def size(self) -> int:
        """Bytes in this process, near enough, without what plans share."""
        return LIST_BYTES * len(self.planned.lists) + READ_BYTES * len(self.reads.pools)


def balancer_row(load_balancer: LoadBalancer, context: Context) -> BalancerRow:
    """Return the row of a load balancer where no rule matches."""
    planned = planned_row(steered_of(load_balancer), context)
    return BalancerRow(encode_canonical(load_balancer.name), planned, context.take_reads())


def planned_row(steered: Steered, context: Context) -> PlannedRow:
    """Return the row of a load balancer or a variant."""
    policy = steered.effective_policy
    if has_sets(steered):
        made, found_by = plan_sets(steered, context), SETS_FOUND_AS
    else:
        made, found_by = PLANNERS[policy](steered, context), policy
    strategy = steered.location_strategy
    is_sticky = steered.session_affinity == "ip_cookie"
    flags = LB_ECS_PREFERRED if prefers_ecs(strategy, found_by) else 0
    flags |= LB_RESOLVER_LOCATES if strategy.mode == "resolver_ip" else 0
    flags |= LB_STICKY if is_sticky else 0
    return PlannedRow(
        made.select,
        made.lists,
        made.cut,
        flags,
        is_sticky,
        _NUMBERS[policy],
        steered.ttl,
        steered.fallback_pool,
    )


_NUMBERS = {policy: number for number, policy in enumerate(POLICIES)}
