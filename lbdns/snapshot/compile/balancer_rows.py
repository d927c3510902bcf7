"""Load balancers as rows: what follows from one, this server's place and the geolocation database; made once."""

from __future__ import annotations

from typing import NamedTuple

from lbdns.dns.name import encode_canonical
from lbdns.model.balancer import LoadBalancer
from lbdns.snapshot.compile.place_classes import Cut, cut_places
from lbdns.steering.kernel.numbers import LB_ECS_PREFERRED, LB_RESOLVER_LOCATES, LB_STICKY
from lbdns.steering.policies.context import Context, Reads
from lbdns.steering.policies.plan import Candidates
from lbdns.steering.policies.policy_table import POLICIES, plan, prefers_ecs
from lbdns.steering.rules.variants import SETS_FOUND_AS, has_sets, plan_sets

LIST_BYTES = 200  # a list of a few candidates, in this process
READ_BYTES = 400  # what a plan read of one pool


class BalancerRow(NamedTuple):
    """A load balancer as its policy planned it. `reads`: what the plan looked at beside the load balancer."""

    owner: bytes
    select: int
    lists: tuple[Candidates, ...]
    pop_list: int
    cut: Cut | None
    flags: int
    is_sticky: bool
    policy: int
    reads: Reads

    @property
    def size(self) -> int:
        """Bytes in this process, near enough."""
        return LIST_BYTES * len(self.lists) + READ_BYTES * len(self.reads.pools) + (self.cut.size if self.cut else 0)


def balancer_row(load_balancer: LoadBalancer, context: Context) -> BalancerRow:
    """Return the row of a load balancer or a variant; where pool sets may match, it is the one that finds them."""
    policy = load_balancer.effective_policy
    if has_sets(load_balancer):
        made, reads, found_by = plan_sets(load_balancer, context), context.take_reads(), SETS_FOUND_AS
    else:
        (made, reads), found_by = plan(load_balancer, context), policy
    is_sticky = load_balancer.session_affinity == "ip_cookie"
    flags = LB_ECS_PREFERRED if prefers_ecs(load_balancer, found_by) else 0
    flags |= LB_RESOLVER_LOCATES if load_balancer.location_strategy.mode == "resolver_ip" else 0
    flags |= LB_STICKY if is_sticky else 0
    return BalancerRow(
        owner=encode_canonical(load_balancer.name),
        select=made.select,
        lists=made.lists,
        pop_list=made.pop_list,
        cut=cut_places(made),
        flags=flags,
        is_sticky=is_sticky,
        policy=POLICIES.index(policy),
        reads=reads,
    )
