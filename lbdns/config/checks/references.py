"""References: every pool, monitor and monitor group that an object names must be declared.

Where one is not, the nearest declared name is offered, as long as the search for it stays cheap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from lbdns.base.errors import Problem
from lbdns.base.wording import nearest
from lbdns.config.checks.check_memo import CheckMemo
from lbdns.config.yaml.objects import Objects
from lbdns.config.yaml.source import Placed, Source
from lbdns.model.balancer import LoadBalancer

MAX_COMPARED: Final = 300_000
"""Names compared with misspelt ones in one configuration. A thousand misspelt references to ten thousand pools would
otherwise take minutes to word."""


class _Known:
    """The declared names of one kind of object."""

    def __init__(self, kind: str, names: Mapping[str, Source]) -> None:
        self.kind = kind
        self.names = names
        self._hints: dict[str, str] = {}
        self._compared = 0

    def check(self, name: str, source: Source, location: Sequence[str | int]) -> Iterator[Problem]:
        """Yield the problem of a name that is not among them."""
        if name not in self.names:
            hint = self._hints.get(name)
            if hint is None:
                hint = self._hints[name] = self._hint(name)
            yield source.problem(location, f'unknown {self.kind} "{name}"; {hint}')

    def _hint(self, name: str) -> str:
        if not self.names:
            return f"no {self.kind} is declared"
        self._compared += len(self.names)
        near = nearest(name, self.names) if self._compared <= MAX_COMPARED else None
        if near is not None:
            return f'did you mean "{near}"?'
        return f"no {self.kind} of a similar name is declared"


def check_references(objects: Objects, memo: CheckMemo) -> Iterator[Problem]:
    """Yield every reference that leads nowhere. Names of objects that were refused count as declared."""
    monitors = _Known("monitor", objects.declared["monitors"])
    groups = _Known("monitor group", objects.declared["monitor_groups"])
    for group in objects.monitor_groups.values():
        for index, member in enumerate(group.item.members):
            if group.knows("members"):
                location = ("members", index, "monitor")
                yield from monitors.check(member.monitor, group.source, location)
    for pool in objects.pools.values():
        if pool.item.monitor is not None:
            yield from monitors.check(pool.item.monitor, pool.source, ("monitor",))
        if pool.item.monitor_group is not None:
            yield from groups.check(pool.item.monitor_group, pool.source, ("monitor_group",))
    pools = _Known("pool", objects.declared["pools"])
    declared = pools.names.keys()
    for balancer in objects.load_balancers:
        if not declared >= memo.of(balancer).names or not declared >= _weighted(balancer.item).keys():
            yield from _check_balancer(balancer, pools)


def _weighted(balancer: LoadBalancer) -> Mapping[str, float]:
    return balancer.random_steering.pool_weights


def _check_balancer(placed: Placed[LoadBalancer], pools: _Known) -> Iterator[Problem]:
    balancer, source = placed.item, placed.source
    for location, names in balancer.pool_lists():
        if placed.knows(str(location[0])):
            for index, name in enumerate(names):
                yield from pools.check(name, source, (*location, index))
    if placed.knows("fallback_pool"):
        yield from pools.check(balancer.fallback_pool, source, ("fallback_pool",))
    if placed.knows("random_steering"):
        for name in _weighted(balancer):
            yield from pools.check(name, source, ("random_steering", "pool_weights", name))
