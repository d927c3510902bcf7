"""A whole configuration: what one directory, or one revision of the store, says."""

from __future__ import annotations

from dataclasses import dataclass, field

from .balancer import LoadBalancer
from .monitor import Monitor, MonitorGroup
from .pool import Pool
from .settings import Settings
from .zone import Zone


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings, zones and balancing objects that passed every check. Load balancers keep the order of their files."""

    settings: Settings = field(default_factory=Settings)
    zones: tuple[Zone, ...] = ()
    monitors: dict[str, Monitor] = field(default_factory=dict)
    monitor_groups: dict[str, MonitorGroup] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    load_balancers: tuple[LoadBalancer, ...] = ()
