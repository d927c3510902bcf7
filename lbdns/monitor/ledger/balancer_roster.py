"""A generation's load balancers, each beside the pools that its health follows from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from lbdns.model.targets_document import BalancerSpec
from lbdns.monitor.ledger.states import BalancerHealth, PoolHealth

FEW: Final = 16
"""Where at most one load balancer of so many is another, pools are told of those alone."""


class BalancerRoster(tuple[BalancerHealth, ...]):
    """The load balancers, in the generation's order."""

    specs: Sequence[BalancerSpec] = ()
    begun = 0
    """How many the generation before had otherwise, or not at all."""

    @staticmethod
    def of(balancers: Iterable[BalancerHealth], specs: Sequence[BalancerSpec], begun: int) -> BalancerRoster:
        """Return a roster, of which so many are new."""
        made = BalancerRoster(balancers)
        made.specs, made.begun = specs, begun
        return made

    def follow(
        self,
        specs: Sequence[BalancerSpec],
        former: Mapping[str, PoolHealth],
        pools: Mapping[str, PoolHealth],
        begun: Iterable[PoolHealth],
    ) -> BalancerRoster:
        """Return the next generation's, over `pools`, some of them `begun`; `former`: the pools of this one. A load
        balancer goes on whose specification is the very same, and the word goes on with the name."""
        replaced = [(former.get(pool.spec.name), pool) for pool in begun]
        are_others = len(pools) != len(former) or any(
            known is None or known.spec.enabled != pool.spec.enabled for known, pool in replaced
        )
        for known, pool in replaced if not are_others else ():
            if known is not None:
                _put_in_place(known, pool)
        if specs is self.specs and not are_others:
            return self.of(self, specs, 0)
        left = {id(one.spec): one for one in self}
        kept = [left.pop(id(spec), None) for spec in specs]
        words = {one.spec.name: one.word for one in left.values()}
        found, new = [], []
        for spec, one in zip(specs, kept, strict=True):
            if one is None:
                one = BalancerHealth(spec)
                one.word = words.get(spec.name, "")
                new.append(one)
            found.append(one)
        if are_others or FEW * (len(new) + len(left)) > len(found):
            for pool in pools.values():
                pool.balancers = []
            _join(found, pools)
        else:
            for gone in left.values():
                for pool in gone.pools:
                    pool.balancers.remove(gone)
            _join(new, pools)
        return self.of(found, specs, len(new))


def _put_in_place(known: PoolHealth, pool: PoolHealth) -> None:
    """Have a pool take another one's place in all load balancers."""
    pool.balancers = known.balancers
    for balancer in pool.balancers:
        balancer.pools[balancer.pools.index(known)] = pool


def _join(balancers: Iterable[BalancerHealth], pools: Mapping[str, PoolHealth]) -> None:
    """Have load balancers and the pools that they may choose among know of each other."""
    for balancer in balancers:
        balancer.pools = []
        for name in dict.fromkeys(balancer.spec.pools):
            pool = pools.get(name)
            if pool is not None and pool.spec.enabled:
                balancer.pools.append(pool)
                pool.balancers.append(balancer)
