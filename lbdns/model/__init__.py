"""The nouns of a configuration, frozen: what SEMANTICS lists under "Fields, defaults, bounds".

    Configuration
      |- Settings          the server (settings.py)
      |- Zone, RRset       static records, wire format (zone.py)
      |- Monitor, MonitorGroup -> GroupMember      (monitor.py)
      |- Pool -> Endpoint, LoadShedding, ...       (pool.py)
      `- LoadBalancer -> RandomSteering, LocationStrategy, ...  (balancer.py)

A model checks what it can see by itself: types, bounds (bounds.py), forms, fields that exclude one another. That a
reference leads somewhere is lbdns.config's to check. Refusals say what is wrong and what would be right (refusal.py);
`mistakes_of` (mistakes.py) puts pydantic's own errors into such words too.
"""

from .balancer import (
    AdaptiveRouting,
    LoadBalancer,
    LocationStrategy,
    RandomSteering,
    SessionAffinityAttributes,
    SteeringPolicy,
)
from .bounds import REGION_CODES
from .configuration import Configuration
from .fields import ObjectName
from .mistakes import mistakes_of
from .monitor import GroupMember, Monitor, MonitorGroup, MonitorType, parse_expected_codes
from .notification import Notification
from .pool import (
    Endpoint,
    LoadShedding,
    NotificationFilter,
    NotificationScope,
    OriginSteering,
    Pool,
)
from .refusal import Mistake, nearest
from .settings import (
    ApiSettings,
    GeodataSettings,
    PopSettings,
    Settings,
    VantagePoint,
    format_socket_address,
    parse_socket_address,
)
from .zone import RRset, Zone

__all__ = [
    "REGION_CODES",
    "AdaptiveRouting",
    "ApiSettings",
    "Configuration",
    "Endpoint",
    "GeodataSettings",
    "GroupMember",
    "LoadBalancer",
    "LoadShedding",
    "LocationStrategy",
    "Mistake",
    "Monitor",
    "MonitorGroup",
    "MonitorType",
    "Notification",
    "NotificationFilter",
    "NotificationScope",
    "ObjectName",
    "OriginSteering",
    "Pool",
    "PopSettings",
    "RRset",
    "RandomSteering",
    "SessionAffinityAttributes",
    "Settings",
    "SteeringPolicy",
    "VantagePoint",
    "Zone",
    "format_socket_address",
    "mistakes_of",
    "nearest",
    "parse_expected_codes",
    "parse_socket_address",
]
