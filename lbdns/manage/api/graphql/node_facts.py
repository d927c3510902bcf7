"""What is configured of what rows name, and how it stood then: ids, policies, pools and their endpoints.

Names of rows are those of when they were written; of what is gone since, or called otherwise, nothing is known ("").
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final, Protocol

from lbdns.base.kinds import Kind
from lbdns.base.words import PLACE_MAPS
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import State
from lbdns.model.view_names import labelled

NO_AFFINITY: Final = "none"


class HealthThen(Protocol):
    """How pools and endpoints stood at a time (unix seconds); None where nobody looks after them."""

    def pool_is_up(self, pool: str, at_s: float) -> bool | None:
        """Tell whether a pool took traffic by its health."""

    def endpoint_is_up(self, pool: str, endpoint: str, at_s: float) -> bool | None:
        """Tell whether an endpoint did."""

    def rtt_ms(self, pool: str, at_s: float) -> float | None:
        """Return a pool's round-trip time from here as steering had it."""


class NodeFacts:
    """The objects of one revision, by the names that rows have, and their health then."""

    def __init__(self, state: State, then: HealthThen) -> None:
        self._state = state
        self._then = then
        self._zones: dict[tuple[str, str], str] = {}

    def balancer(self, name: str, view: str) -> Item | None:
        """Return a load balancer, or None."""
        return self._state.named(Kind.LOAD_BALANCER, labelled(name, view)) if name else None

    def balancer_zone(self, name: str, view: str) -> str:
        """Return the id of the zone that a load balancer is, or was, in; "" where it is the account's."""
        item = self.balancer(name, view)
        if item is not None:
            return item.zone_id
        return self.name_zone(name, view)

    def name_zone(self, name: str, view: str) -> str:
        """Return the id of the zone that a name is within, as a view sees it; "" where there is none."""
        if not name:
            return ""
        known = self._zones.get((name, view))
        if known is None:
            zone = self._state.zone_of(name.removesuffix("."), view)
            known = self._zones[name, view] = zone.id if zone is not None else ""
        return known

    def steering_policy(self, name: str, view: str) -> str:
        """Return how a load balancer chooses among pools."""
        return self._of_balancer(name, view, "steering_policy", "off")

    def session_affinity(self, name: str, view: str) -> str:
        """Return what is configured of session affinity."""
        return self._of_balancer(name, view, "session_affinity", NO_AFFINITY)

    def _of_balancer(self, name: str, view: str, field: str, otherwise: str) -> str:
        item = self.balancer(name, view)
        return str(item.body.get(field) or otherwise) if item is not None else ""

    def _pool(self, name: str) -> Item | None:
        return self._state.named(Kind.POOL, name) if name else None

    def pool_id(self, name: str) -> str:
        """Return a pool's id."""
        item = self._pool(name)
        return item.id if item is not None else ""

    def pool_is_checked(self, name: str) -> int:
        """Tell whether a pool has a monitor, 0 or 1."""
        item = self._pool(name)
        return int(item is not None and any(item.body.get(key) for key in ("monitor", "monitor_group")))

    def pool_was_up(self, name: str, at_s: float) -> int:
        """Tell whether a pool was healthy, 0 or 1; one that nobody looks after is."""
        return int(self._then.pool_is_up(name, at_s) is not False)

    def endpoint_index(self, pool: str, endpoints: tuple[str, ...]) -> int:
        """Return the place of an answer's first endpoint in its pool."""
        names = [origin["name"] for origin in self._origins(pool)]
        return names.index(endpoints[0]) if endpoints and endpoints[0] in names else 0

    def expected_codes(self, monitor: str) -> str:
        """Return what a monitor expects of a reply."""
        item = self._state.named(Kind.MONITOR, monitor) if monitor else None
        return str(item.body.get("expected_codes", "")) if item is not None else ""

    def pool_owner(self, name: str) -> tuple[str, str] | None:
        """Return the name and view of the load balancer that alone has a pool; None where none or several have."""
        return self._owners.get(name)

    @cached_property
    def _owners(self) -> Mapping[str, tuple[str, str] | None]:
        found: dict[str, tuple[str, str] | None] = {}
        for balancer in self._state.all(Kind.LOAD_BALANCER).values():
            for id in balancer.references():
                pool = self._state.get(Kind.POOL, id)
                if pool is not None:
                    own = balancer.name, balancer.view
                    found[pool.name] = own if found.get(pool.name, own) == own else None
        return found

    def rules(self, name: str, view: str) -> set[str]:
        """Return the names of a load balancer's rules."""
        item = self.balancer(name, view)
        return {str(rule["name"]) for rule in item.body.get("rules") or ()} if item is not None else set()

    def pools(self, name: str, view: str, at_s: float) -> Iterable[Mapping[str, Any]]:
        """Return a load balancer's pools, those of places behind the others, the fallback last."""
        item = self.balancer(name, view)
        for pool in self._pools_of(item) if item is not None else ():
            yield {
                "id": pool.id,
                "poolName": pool.name,
                "healthy": self.pool_was_up(pool.name, at_s),
                "healthCheckEnabled": self.pool_is_checked(pool.name),
                "avgRttMs": round(self._then.rtt_ms(pool.name, at_s) or 0),
            }

    def _pools_of(self, balancer: Item) -> Iterable[Item]:
        body = balancer.body
        ids = [*body.get("default_pools", ())]
        ids += [id for field in PLACE_MAPS for ids_ in (body.get(field) or {}).values() for id in ids_]
        ids.append(body.get("fallback_pool", ""))
        found = (self._state.get(Kind.POOL, id) for id in dict.fromkeys(ids))
        return [pool for pool in found if pool is not None]

    def _origins(self, pool: str) -> Iterable[Mapping[str, Any]]:
        item = self._pool(pool)
        return item.body.get("origins", ()) if item is not None else ()

    def origins(self, pool: str, endpoints: tuple[str, ...], at_s: float) -> Iterable[Mapping[str, Any]]:
        """Return a pool's endpoints; `endpoints` are those of the answer."""
        for origin in self._origins(pool):
            name, address = origin["name"], origin["address"]
            version = _version(address)
            up = int(self._then.endpoint_is_up(pool, name, at_s) is not False)
            yield {
                "originName": name,
                "originAddress": address,
                "ipv4": address if version == 4 else "",
                "ipv6": address if version == 6 else "",
                "fqdn": address if version == 0 else "",
                "health": up,
                "healthy": up,
                "weight": origin.get("weight", 1.0),
                "selected": int(name in endpoints),
            }


def _version(address: str) -> int:
    """Return whether an address is of IPv4, of IPv6, or a name (0)."""
    try:
        return ipaddress.ip_address(address).version
    except ValueError:
        return 0
