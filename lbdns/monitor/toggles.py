"""What a new generation enabled and disabled, as changes for the record and for those who are notified."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lbdns.base.words import Health
from lbdns.health.events import HealthChange
from lbdns.model.targets_document import EndpointSpec
from lbdns.monitor.targets import PoolSpec


def toggles(former: Iterable[PoolSpec], now: Iterable[PoolSpec], now_s: float) -> Iterator[HealthChange]:
    """Yield a change for every pool and endpoint that stands in both generations and is enabled in one of them."""
    pools = {pool.name: pool for pool in former}
    for pool in now:
        known = pools.get(pool.name)
        if known is None or known is pool:
            continue
        if known.enabled != pool.enabled:
            words = _words(pool.enabled)
            yield HealthChange(now_s, "pool", pool.name, *words, pool=pool.name, cause="configuration")
        endpoints = {(endpoint.name, endpoint.address, endpoint.network): endpoint for endpoint in known.endpoints}
        for endpoint in pool.endpoints:
            before = endpoints.get((endpoint.name, endpoint.address, endpoint.network))
            if before is not None and before.enabled != endpoint.enabled:
                yield _endpoint(endpoint, now_s)


def _endpoint(endpoint: EndpointSpec, now_s: float) -> HealthChange:
    return HealthChange(
        now_s,
        "endpoint",
        f"{endpoint.pool}/{endpoint.name}",
        *_words(endpoint.enabled),
        pool=endpoint.pool,
        endpoint=endpoint.name,
        address=endpoint.address,
        network=endpoint.network,
        cause="configuration",
    )


def _words(enabled: bool) -> tuple[str, str]:
    return (Health.DISABLED, Health.ENABLED) if enabled else (Health.ENABLED, Health.DISABLED)
