"""`healthy` of pools and their endpoints beside what is configured: what the running server knows right now."""

from __future__ import annotations

from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.base.words import BALANCER_TYPES, Health
from lbdns.health.verdict import COUNTS, HEALTHY, STATE_MASK, TAKES_TRAFFIC, UNKNOWN, UNRESOLVED, load_balancer_word
from lbdns.manage.store.item import Item
from lbdns.manage.store.managing import Running
from lbdns.model.pool import Endpoint, Pool
from lbdns.publish.of_generation import OfGeneration
from lbdns.publish.publisher import Published


class LiveHealth:
    """The health of one moment's generation, for objects that are shown."""

    def __init__(self, server: Running | None) -> None:
        """Take what is in force; where no server runs, or nothing is served yet, nothing is known."""
        self._published: Published | None = None
        if server is not None:
            try:
                self._published = server.in_force()
            except LbdnsError:
                return

    def add(self, item: Item, body: dict[str, Any]) -> dict[str, Any]:
        """Return an object as the API says it, a pool with `healthy`: None where nobody knows."""
        if item.kind is not Kind.POOL or self._published is None:
            return body
        pool = self._published.configuration.pools.get(item.name)
        body["healthy"] = None if pool is None else pool_is_up(pool, self._published)
        up: dict[tuple[str, str | None], bool | None] = {}
        if pool is not None:
            networks = self._published.configuration.virtual_networks
            for one in pool.origins:
                network = networks.get(one.virtual_network or "")
                id = one.virtual_network if network is None else network.uuid
                up[one.address, id] = endpoint_is_up(pool, one, self._published)
        for origin in body["origins"]:
            origin["healthy"] = up.get((origin["address"], origin["virtual_network_id"]))
        return body

    def balancer_state(self, item: Item) -> str | None:
        """Return the word for a load balancer, one of `Health`; None where nobody knows."""
        if self._published is None:
            return None
        key = item.name, str(item.body.get("type", BALANCER_TYPES[0])), item.view
        at = _balancers.of(self._published).get(key)
        if at is None:
            return None
        found = self._published.configuration.load_balancers[at]
        if not found.enabled:
            return Health.DISABLED
        pools = self._published.configuration.pools
        enabled = (pools[name] for name in found.candidate_names() if pools[name].enabled)
        return load_balancer_word(_byte(pool, self._published) for pool in enabled)


def _by_key(published: Published) -> dict[tuple[str, str, str], int]:
    """Return where each load balancer stands in the configuration, by name, type and view."""
    balancers = published.configuration.load_balancers
    return {(one.name, one.type, one.view): at for at, one in enumerate(balancers)}


_balancers: Final = OfGeneration(_by_key)


def has_health(pool: Pool, published: Published) -> bool:
    """Tell whether anything says how a pool is: a monitor, an operator who forced it, or that no hostname of its own
    resolves."""
    return pool.is_monitored or bool(_byte(pool, published) & (COUNTS | UNRESOLVED))


def pool_is_up(pool: Pool, published: Published) -> bool | None:
    """Tell whether an enabled pool takes traffic by its health; None where nobody knows."""
    byte = _byte(pool, published)
    if not pool.enabled or not has_health(pool, published) or byte & STATE_MASK == UNKNOWN:
        return None
    return bool(byte & TAKES_TRAFFIC)


def endpoint_is_up(pool: Pool, endpoint: Endpoint, published: Published) -> bool | None:
    """Tell whether an enabled endpoint of an enabled pool is up; None where nobody knows."""
    slot = published.slots.endpoint[pool.endpoint_key(endpoint)]
    byte: int = published.table.columns["endpoint_state"][slot]
    is_watched = pool.is_monitored or bool(byte & COUNTS)
    if pool.enabled and endpoint.is_used and byte & UNRESOLVED:
        return False
    if not (pool.enabled and endpoint.is_used and is_watched) or byte & STATE_MASK == UNKNOWN:
        return None
    return byte & STATE_MASK == HEALTHY


def _byte(pool: Pool, published: Published) -> int:
    byte: int = published.table.columns["pool_state"][published.slots.pool[pool.name]]
    return byte
