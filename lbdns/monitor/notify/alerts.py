"""Which changes are alerts, which alert each belongs to, and who wants to hear of it. No I/O, no clock.

An *alert* is open from a pool's or endpoint's leaving its good state until it is back; all that is said of it in
between carries one correlation id, which survives restarts.

| change                                   | alert open | event | the alert afterwards        |
|------------------------------------------|------------|-------|-----------------------------|
| to healthy, enabled, or resolved again   | yes        | END   | closed                      |
| to healthy, enabled, or resolved again   | no         | none  |                             |
| to unhealthy, degraded, critical or unresolved | no   | START | open                        |
| to another of these (degraded, critical) | yes        | START | stays open                  |
| to the same as was told last             | yes        | none  | stays open (after a restart)|
| disabled                                 | no         | START | open                        |
| to unknown                               | any        | none  | as it was                   |
| gone from the configuration              | yes        | END   | closed                      |

For filters everything but healthy is unhealthy, a degraded pool too: part of it is down. A member of a group that only
watches has alerts of its own, as its endpoint's. A virtual network whose way is down has one, for all endpoints behind
it, which have none for that; whoever hears of a pool with endpoints in it hears of it.
"""

from __future__ import annotations

import fnmatch
import json
import uuid
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from lbdns.base.words import ALERTS_FILE, Health
from lbdns.health.events import HealthChange
from lbdns.model.filter_terms import FilterTerms
from lbdns.model.subscription import Subscription

OPEN_MAX: Final = 100_000
START: Final = "ALERT_STATE_EVENT_START"
END: Final = "ALERT_STATE_EVENT_END"
HEALTH: Final = "load_balancing_health_alert"
ENABLEMENT: Final = "load_balancing_pool_enablement_alert"
NETWORK: Final = "lbdns_virtual_network_alert"
"""The v4 API has no alert of a network."""
_BAD: Final = frozenset(
    {Health.UNHEALTHY, Health.DEGRADED, Health.CRITICAL, Health.UNRESOLVED, Health.DISABLED, Health.DOWN}
)
_GOOD: Final = frozenset({Health.HEALTHY, Health.NO_MONITOR, Health.RESOLVED, Health.ENABLED, Health.UP})
_ENABLED: Final[dict[str, str]] = {Health.ENABLED: "true", Health.DISABLED: "false"}
_KINDS: Final = frozenset({"pool", "endpoint", "monitor", "virtual_network"})
_GONE: Final = "no longer configured"

Source = Literal["pool", "origin", "virtual_network"]
Key = tuple[str, str, str, str]  # type, pool, endpoint ("": the pool itself), monitor ("": the endpoint itself)
"""That of a virtual network has its name in the place of the monitor's, and no pool."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell. `at_s` is unix seconds; `endpoint` is empty where it is about the pool itself.

    `monitor` names a member of a group that only watches: what it sees of the endpoint changed, not the endpoint.
    `pool_id` and `account_id` are the API's; empty where nobody has given the pool one.
    """

    type: str
    event: str
    correlation_id: str
    pool: str
    endpoint: str
    new_health: str
    reason: str
    at_s: float
    text: str
    monitor: str = ""
    pool_id: str = ""
    account_id: str = ""
    network: str = ""

    @property
    def source(self) -> Source:
        """Whether a pool or one of its endpoints changed, in the words of the v4 API, or a virtual network."""
        if self.network:
            return "virtual_network"
        return "origin" if self.endpoint else "pool"


class AlertBook:
    """The alerts that are open: correlation id and the last state told, by key."""

    def __init__(self) -> None:
        """Begin with none."""
        self._open: dict[Key, tuple[str, str]] = {}
        self._changed: dict[Key, None] = {}  # since `taken`

    def take(self, change: HealthChange) -> Alert | None:
        """Return what a change means, None where nobody need hear of it."""
        if change.kind not in _KINDS or change.hidden or change.after not in _BAD | _GOOD:
            return None
        kind = ENABLEMENT if change.after in (Health.ENABLED, Health.DISABLED) else HEALTH
        monitor = change.monitor if change.kind == "monitor" else ""
        if change.kind == "virtual_network":
            kind, monitor = NETWORK, change.network
        key = (kind, change.pool, change.endpoint, monitor)
        known = self._open.get(key)
        if change.after in _GOOD:
            return None if known is None else self._close(key, change.after, _why(change), change.at_s, change.text)
        if known is not None and known[1] == change.after:
            return None
        if known is None and len(self._open) >= OPEN_MAX:
            return None
        correlation_id = known[0] if known else uuid.uuid4().hex
        self._open[key] = (correlation_id, change.after)
        self._changed[key] = None
        told = (change.after, _why(change), change.at_s, change.text)
        return _alert(START, correlation_id, key, told)

    def adopt(
        self,
        enabled: Mapping[tuple[str, str], bool],
        now_s: float,
        watching: Container[tuple[str, str]] = (),
        networks: Container[str] = (),
    ) -> list[Alert]:
        """Close the alerts of what is gone, and of what was enabled while nobody watched.

        `enabled` says of every configured (pool, endpoint; "": the pool itself) whether it is; `watching` holds every
        (pool, monitor) of a group's member that only watches, `networks` the virtual networks.
        """
        closed = []
        for key in tuple(self._open):
            kind, pool, endpoint, monitor = key
            if kind == NETWORK:
                if monitor not in networks:
                    told = f"virtual network {monitor} is {_GONE}"
                    closed.append(self._close(key, Health.UNKNOWN, _GONE, now_s, told))
                continue
            named = f"pool {pool}" + (f" endpoint {endpoint}" if endpoint else "")
            named += f" monitor {monitor}" if monitor else ""
            is_enabled = enabled.get((pool, endpoint))
            if is_enabled is None or (monitor and (pool, monitor) not in watching):
                closed.append(self._close(key, Health.UNKNOWN, _GONE, now_s, f"{named} is {_GONE}"))
            elif kind == ENABLEMENT and is_enabled:
                closed.append(self._close(key, "enabled", "configuration", now_s, f"{named} is enabled"))
        return closed

    def _close(self, key: Key, new_health: str, reason: str, at_s: float, text: str) -> Alert:
        correlation_id, _ = self._open.pop(key)
        self._changed[key] = None
        return _alert(END, correlation_id, key, (new_health, reason, at_s, text))

    def taken(self) -> dict[Key, tuple[str, str] | None]:
        """Return what changed since this was called last: of each alert correlation id and the last state told, None of
        one that is not open any more."""
        changed, self._changed = self._changed, {}
        return {key: self._open.get(key) for key in changed}

    def restore(self, rows: Mapping[Key, tuple[str, str]]) -> None:
        """Open what was open before."""
        for key, value in rows.items():
            self._open.setdefault(key, value)


def _alert(event: str, correlation_id: str, key: Key, told: tuple[str, str, float, str]) -> Alert:
    """Return an alert; `told`: new health, reason, when, text."""
    kind, pool, endpoint, last = key
    monitor, network = ("", last) if kind == NETWORK else (last, "")
    return Alert(kind, event, correlation_id, pool, endpoint, *told, monitor, network=network)


def _why(change: HealthChange) -> str:
    """Return the reason in a few words."""
    if change.kind in ("endpoint", "monitor") and change.after == Health.HEALTHY and not change.detail:
        return "No failures"
    return change.reason or change.detail or change.cause


def wants(
    subscription: Subscription, pool_filter: FilterTerms | None, alert: Alert, behind: Iterable[str] = ()
) -> bool:
    """Whether a receiver wants an alert, by its own filters and by those of the alert's pool; `behind`: the pools with
    endpoints in the alert's virtual network, which whoever hears of pools or endpoints hears of."""
    # A network's alert is one of health, whatever its own type is called.
    kind = HEALTH if alert.type == NETWORK else alert.type
    if subscription.alert_types and kind not in subscription.alert_types:
        return False
    pools = behind if alert.network else (alert.pool,)
    if not any(fnmatch.fnmatchcase(pool, glob) for pool in pools for glob in subscription.pools):
        return False
    if subscription.event_source and alert.source not in subscription.event_source and not alert.network:
        return False
    health = None
    if kind == HEALTH and alert.new_health != Health.UNKNOWN:
        health = "Healthy" if alert.new_health in _GOOD else "Unhealthy"
    if subscription.new_health and health not in subscription.new_health:
        return False
    if subscription.enabled and _ENABLED.get(alert.new_health) not in subscription.enabled:
        return False
    scope = getattr(pool_filter, alert.source, None)
    if scope is None:
        return True
    return not scope.disable and (scope.healthy is None or health is None or scope.healthy == (health == "Healthy"))


def load_former(state_dir: Path) -> dict[Key, tuple[str, str]]:
    """Return the open alerts as an earlier release kept them; none where there is no file or none that can be read."""
    found: dict[Key, tuple[str, str]] = {}
    try:
        rows: Any = json.loads((state_dir / ALERTS_FILE).read_text(encoding="utf-8"))["open"]
        for kind, pool, endpoint, *rest in rows:
            # A release before that one had no alerts of monitors.
            monitor, correlation_id, told = rest if len(rest) == 3 else ("", *rest)
            found[str(kind), str(pool), str(endpoint), str(monitor)] = str(correlation_id), str(told)
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return found
