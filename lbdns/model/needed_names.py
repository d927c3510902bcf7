"""Hostnames whose addresses somebody needs: to probe them, or to answer with them. MX and SRV give the names back."""

from __future__ import annotations

from collections.abc import Iterator

from lbdns.dns.name import encode_canonical
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.pool import Endpoint, Pool


def answered_pools(load_balancer: LoadBalancer) -> frozenset[str]:
    """Return the pools that a load balancer answers addresses of."""
    is_answered = load_balancer.enabled and load_balancer.type == "A"
    return load_balancer.pool_names() if is_answered else frozenset()


def needed_hostnames(configuration: Configuration) -> Iterator[tuple[Pool, Endpoint]]:
    """Yield the hostnames whose addresses somebody needs, to answer or to probe them, each with its pool."""
    pools = [pool for pool in configuration.pools.values() if pool.enabled and pool.hostnames]
    if not pools:
        return
    apexes = {zone.apex for zone in configuration.zones}
    balancers = [(answered_pools(one), encode_canonical(one.name) in apexes) for one in configuration.load_balancers]
    flattened = frozenset().union(*(names for names, _ in balancers))
    at_apex = frozenset().union(*(names for names, is_apex in balancers if is_apex))
    for pool in pools:
        for endpoint in pool.hostnames:
            if must_resolve(pool, endpoint, pool.name in flattened, pool.name in at_apex):
                yield pool, endpoint


def must_resolve(pool: Pool, endpoint: Endpoint, is_answered: bool, is_at_apex: bool) -> bool:
    """Return whether somebody needs the addresses of a hostname, in a pool whose addresses are answered, or at an apex
    too, where an endpoint that is not to be flattened is answered with addresses as well."""
    return pool.is_monitored or (is_answered if endpoint.flatten_cname else is_at_apex)
