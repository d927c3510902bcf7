"""How forms lay out what the API's schemas do not say: groups of fields, labels, which texts are long.

Keys are (title of the schema, property). A field that no row names is in its form all the same, in the last group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from lbdns.base.words import PLACE_MAPS
from lbdns.model import bounds

AREA_CHARS: Final = 5_000
"""A text that may have as many characters has more than one line."""


class Group(NamedTuple):
    """Fields that stand together under a heading; `is_folded`: one opens them first. "" is no heading."""

    heading: str
    keys: tuple[str, ...]
    is_folded: bool = False


_WITHOUT_EFFECT: Final = "Kept for the v4 API, without effect in DNS"
GROUPS: Final = {
    "LoadBalancer": (
        Group("", ("name", "type", "description", "enabled", "ttl")),
        Group("Pools", ("default_pools", "fallback_pool")),
        Group("Steering", ("steering_policy", "random_steering", "location_strategy", "session_affinity")),
        Group("Pools by place", PLACE_MAPS),
        Group("Rules", ("rules",)),
        Group("Pool sets", ("pool_sets",)),
        Group("Who sees it", ("view", "on_ramps"), True),
        Group(
            _WITHOUT_EFFECT,
            ("proxied", "session_affinity_ttl", "session_affinity_attributes", "adaptive_routing", "networks"),
            True,
        ),
    ),
    "Rule": (Group("", ("name", "condition", "priority", "disabled", "terminates", "overrides", "fixed_response")),),
    "Overrides": (
        Group(
            "",
            (
                "steering_policy",
                "fallback_pool",
                "ttl",
                "pools",
                "pool_weights",
                "pool_default_weight",
                "default_pools",
                *PLACE_MAPS,
                "random_steering",
                "location_strategy",
                "session_affinity",
            ),
        ),
        Group(_WITHOUT_EFFECT, ("session_affinity_ttl", "session_affinity_attributes", "adaptive_routing"), True),
    ),
    "Pool": (
        Group("", ("name", "description", "enabled")),
        Group("Endpoints", ("origins", "minimum_origins", "max_answers", "origin_steering")),
        Group("Health", ("monitor", "monitor_group", "check_regions", "notification_filter")),
        Group("Place", ("latitude", "longitude")),
        Group("Load shedding", ("load_shedding",), True),
        Group("Kept for the v4 API, without effect", ("networks", "health_sources"), True),
    ),
    "Endpoint": (
        Group("", ("name", "address", "enabled", "weight", "port")),
        Group("More of this endpoint", ("header", "virtual_network_id", "flatten_cname", "priority"), True),
    ),
    "Monitor": (
        Group("", ("name", "type", "description")),
        Group("Rhythm", ("interval", "timeout", "retries", "consecutive_up", "consecutive_down")),
        Group("Request", ("port", "method", "path", "header", "follow_redirects", "allow_insecure")),
        Group("What passes", ("expected_codes", "expected_body")),
        Group("Client certificate, and what does not act", ("client_certificate", "client_key", "probe_zone"), True),
    ),
    "Record": (
        Group("", ("name", "type", "content", "data", "priority", "ttl")),
        Group("Notes", ("comment", "tags")),
        Group("Who sees it, and settings", ("view", "settings"), True),
    ),
    "Zone": (
        Group("", ("name",)),
        Group("SOA and serial", ("soa", "serial"), True),
        Group("Who sees it, and what has no effect", ("view", "paused"), True),
    ),
}
LABELS: Final = {
    ("LoadBalancer", "ttl"): "TTL in seconds",
    ("Overrides", "ttl"): "TTL in seconds",
    ("Record", "ttl"): "TTL in seconds",
    ("LoadBalancer", "type"): "answers",
    ("Monitor", "interval"): "interval in seconds",
    ("Monitor", "timeout"): "timeout in seconds",
    ("Pool", "origins"): "endpoints",
    ("Pool", "origin_steering"): "how one endpoint is picked",
    ("Pool", "minimum_origins"): "endpoints that must be up",
    ("NotificationFilter", "origin"): "endpoints",
    ("Endpoint", "virtual_network_id"): "virtual network",
    ("NetworkRoute", "virtual_network_id"): "virtual network",
    ("GroupMember", "monitor_id"): "monitor",
    ("VirtualNetwork", "is_default_network"): "default network",
    ("LoadBalancer", "pop_pools"): "PoP pools",
    ("Overrides", "pop_pools"): "PoP pools",
    ("LocationStrategy", "prefer_ecs"): "prefer ECS",
    ("Topology", "pops"): "PoPs",
    ("Zone", "soa"): "SOA",
    ("Overrides", "pools"): "pools",
}
ENTRY_LABELS: Final = {
    "region_pools": ("Region", "Pools, in order"),
    "country_pools": ("Country", "Pools, in order"),
    "pop_pools": ("PoP", "Pools, in order"),
    "pool_weights": ("Pool", "Weight"),
    "header": ("Header", "Values, one a line"),
}
"""What keys and values of entries are called, by the property."""
AREAS: Final = {("Rule", "condition"), ("Monitor", "expected_body")}
"""Texts that are edited in several lines."""
LINES: Final = {("Record", "tags"), ("SessionAffinityAttributes", "headers")}
"""Lists of texts in which commas may stand: one a line. The others have commas between."""
EMPTY_IS_SOMETHING: Final = ("on_ramps",)
"""Lists of texts that say something else where they are empty than where they lack."""
SUGGESTED: Final = {
    "region_pools": bounds.REGION_CODES,
    "regions": bounds.REGION_CODES,
    "check_regions": bounds.CHECK_REGIONS,
}
"""What may stand in a field, or be the key of its entries, where its schema leaves that to the model."""
CODE: Final = {("Rule", "condition")}
"""Texts in a language, whose errors name a column."""


def groups_of(title: str, keys: Sequence[str]) -> tuple[Group, ...]:
    """Return the groups of a schema's fields, of those that there are; what no group names comes last."""
    groups = [
        Group(one.heading, tuple(key for key in one.keys if key in keys), one.is_folded)
        for one in GROUPS.get(title, ())
    ]
    named = {key for one in groups for key in one.keys}
    rest = tuple(key for key in keys if key not in named)
    if rest:
        groups.append(Group("More" if named else "", rest))
    return tuple(one for one in groups if one.keys)
