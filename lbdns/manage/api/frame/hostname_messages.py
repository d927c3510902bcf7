"""What a reply tells of hostnames that lead nowhere: of a pool that was written, or of a load balancer's pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lbdns.base.kinds import Kind
from lbdns.manage.api.frame.reply_messages import tell
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.name_lookups import WHOLE_POOL, look_up_all, names_of, tell_of_pool
from lbdns.manage.store.bodies import placed_of
from lbdns.manage.store.item import Item
from lbdns.model.pool import Endpoint, Pool


async def tell_of_hostnames(site: ApiSite, item: Item, body: Mapping[str, Any]) -> None:
    """Look up the hostnames that an object which was just written brings, and tell which have no address; only where a
    server runs, which will look them up as well."""
    if item.kind is Kind.POOL and "origins" in body:
        await _tell_of_origins(site, item)
    elif item.kind is Kind.LOAD_BALANCER and item.body.get("type", "A") == "A":
        await _tell_of_pools(site, item)


async def _tell_of_origins(site: ApiSite, item: Item) -> None:
    pool: Pool = placed_of(item, site.state).item
    (problems,) = await _problems(site, [pool])
    for where, text in tell_of_pool(pool, problems):
        tell(text, where)


async def _tell_of_pools(site: ApiSite, item: Item) -> None:
    """Tell of a load balancer's pools that have nothing to answer with; which names they are was told with the pool."""
    if site.manager.running is None:
        return
    configuration = site.manager.running.in_force().configuration
    balancer = next((one for one in configuration.load_balancers if one.name == item.name and one.type == "A"), None)
    if balancer is None:
        return
    pools = [configuration.pools[name] for name in sorted(balancer.pool_names())]
    for pool, problems in zip(pools, await _problems(site, pools), strict=True):
        for where, text in tell_of_pool(pool, problems):
            if where == WHOLE_POOL:
                tell(f'pool "{pool.name}": {text}')


async def _problems(site: ApiSite, pools: Sequence[Pool]) -> list[dict[str, str]]:
    """Return, for each pool, its hostnames that lead nowhere, with why; those answered as a CNAME need no address."""
    wanted = [[one.address for one in pool.hostnames if _is_wanted(one, pool)] for pool in pools]
    if not any(wanted) or site.manager.running is None:
        return [{} for _ in pools]
    names = names_of(site.manager.running.in_force())
    found = await look_up_all(names, (name for each in wanted for name in each))
    lost = {name: outcome.problem for name, outcome in found.items() if outcome.resolved is None}
    return [{name: lost[name] for name in each if name in lost} for each in wanted]


def _is_wanted(endpoint: Endpoint, pool: Pool) -> bool:
    """Tell whether somebody needs an address of a hostname that is looked up here, and not in a virtual network."""
    return endpoint.virtual_network is None and (endpoint.flatten_cname or pool.is_monitored)
