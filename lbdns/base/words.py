"""The words that several packages say: policies, types, files, the API's paths, codes and sentinels. Imports nothing.

Whoever needs one takes it from here. A constant whose home is slow to import would be copied, and the copy would go
stale: `lbdns --help` and the shell's completion read these words, and must not wait for pydantic.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what a type checker takes for true; `typing` itself takes longer to import than this module
if TYPE_CHECKING:
    from typing import Final

# --- load balancers ---

COORDINATES: Final = "coordinates"
ROUND_TRIP_TIMES: Final = "round-trip times"
STEERING_POLICIES: Final = {
    "off": ("off", ""),
    "geo": ("geo", ""),
    "random": ("random_weighted", ""),
    "proximity": ("proximity", COORDINATES),
    "dynamic_latency": ("dynamic_latency", ROUND_TRIP_TIMES),
    "least_outstanding_requests": ("random_weighted", ""),
    "least_connections": ("random_weighted", ""),
}
"""Every steering policy: the module of lbdns.steering.policies that plans it, and what it compares of pools, so that
those without are warned of. Here is where a policy is added.

The two of least load are random draws, since a DNS server counts neither requests nor connections.
"""
WEIGHTED_POLICIES: Final = tuple(name for name, row in STEERING_POLICIES.items() if row[0] == "random_weighted")
"""Those that draw a pool by its weight."""
PLACE_POLICIES: Final = ("geo", "proximity")
"""Those that look at where a client is."""
ENDPOINT_POLICIES: Final = ("random", "hash", "least_outstanding_requests", "least_connections")
"""How one endpoint of a pool is picked: `origin_steering.policy`."""
BALANCER_TYPES: Final = ("A", "MX", "SRV")
"""What a load balancer answers; "A" stands for both kinds of addresses. The order is that of columns in snapshots."""
PLACE_MAPS: Final = ("region_pools", "country_pools", "pop_pools")
"""Fields of a load balancer that list pools by place."""


def effective_policy(policy: str, has_places: bool) -> str:
    """Return the steering policy with "" resolved: `geo` where any of PLACE_MAPS is set, else `off`."""
    return policy or ("geo" if has_places else "off")


# --- access ---

RIGHTS: Final = ("transfer", "notify", "update", "query")
"""What the lists of `access` are about."""
EVERYBODY: Final = -1
"""As the number of a list of `access`, in a snapshot: no list, everybody may."""

# --- files ---

SETTINGS_FILE: Final = "lbdns.yaml"
"""The server's settings, in a directory of files or by itself."""
SETTINGS_VARIABLE: Final = "LBDNS_SETTINGS"
"""The environment's word for where they are."""

STATE_FILES: list[str] = []
"""What lbdns makes in a state directory: its files, sockets and directories there."""


def _in_state(name: str) -> str:
    """Note a name as one of STATE_FILES; returns it."""
    STATE_FILES.append(name)
    return name


STORE_FILE: Final = _in_state("store.sqlite")
LOCK_FILE: Final = _in_state("lock")
API_SOCKET: Final = _in_state("api.sock")
CONTROL_SOCKET: Final = _in_state("control.sock")
FORCED_FILE: Final = _in_state("forced.json")
FORCED_LOCK: Final = _in_state("forced.lock")
ALERTS_FILE: Final = _in_state("alerts.json")
"""Where earlier releases kept the alerts that are open."""
NOTIFICATIONS_FILE: Final = _in_state("notifications.sqlite")
LATENCY_FILE: Final = _in_state("latency.json")
EVENTS_FILE: Final = _in_state("events.jsonl")
OLDER_EVENTS_FILE: Final = _in_state("events.1.jsonl")
DNSSEC_STEPS_FILE: Final = _in_state("dnssec-steps.jsonl")
OLDER_DNSSEC_STEPS_FILE: Final = _in_state("dnssec-steps.1.jsonl")
TRANSFER_STEPS_FILE: Final = _in_state("transfer-steps.jsonl")
OLDER_TRANSFER_STEPS_FILE: Final = _in_state("transfer-steps.1.jsonl")
HISTORY_FILE: Final = _in_state("history.db")
HISTORY_LOCK: Final = _in_state("history.lock")
SIGNED_ZONES_FILE: Final = _in_state("signed-zones.json")
DNSSEC_DIRECTORY: Final = _in_state("dnssec")
"""The directory of the keys that zones are signed with, and of what is known of each."""
FLEET_DIRECTORY: Final = _in_state("fleet")
"""The directory of what a machine keeps of its fleet."""
FLEET_REPLACE_FILE: Final = "replace"
"""In it: an operator said that the fleet's objects may take the place of those that the machine's store has."""
SECONDARIES: Final = _in_state("secondaries")
"""The directory of the zones that other servers sent, as they sent them."""
CATALOGS_FILE: Final = _in_state("catalogs.json")
"""What each catalog of zones listed that came last and was sound."""
COOKIE_SECRETS_FILE: Final = _in_state("cookie-secrets")
"""What DNS cookies are made with, where the settings name no secrets."""
RUN_DIRECTORY: Final = _in_state("run")
"""What the processes share, where the machine has no shared memory."""
BESIDE: Final = ".beside"
"""Among the texts of what was served last: the files that settings name and that do not lie in the directory."""
LAST_SERVED: Final = _in_state("served")
"""The directory of the configuration that was served last."""

RESPONDER_MODULE: Final = "lbdns.processes.responder.responder"
"""What a responder's process runs, by which it is known among others."""
SIGNER_MODULE: Final = "lbdns.dnssec.signer.signer_worker"
"""The same of the signer's."""

TRANSFER_MODULE: Final = "lbdns.transfer.inward.transfer_worker"
"""The same of the transfer worker's."""

STORE_PLACE: Final = "the store in "
"""What the words for where a store is begin with; its state directory follows."""
STORED: Final = "store"
"""What stands for the file's name in problems of stored objects."""

# --- the management API ---

V4_PATH: Final = "/client/v4"
"""What the paths in the shapes of the v4 API begin with."""
OWN_PATH: Final = "/lbdns/v1"
"""What the paths of lbdns's own begin with."""
SET_BY_SERVER: Final = ("id", "created_on", "modified_on", "disabled_at", "healthy", "zone_name")
"""Fields of balancing objects that the API shows and ignores in requests."""
NETWORKS_SET_BY_SERVER: Final = (
    "id",
    "created_at",
    "deleted_at",
    "tun_type",
    "tunnel_name",
    "virtual_network_name",
)
"""The same of virtual networks and routes."""
INNER_SET_BY_SERVER: Final = {"origins": ("disabled_at", "healthy"), "members": ("created_at", "updated_at")}
"""The same of the objects in their lists."""
WARNING_CODE: Final = 1000
"""The code of a message that warns."""
NOTE_CODE: Final = 1011
"""The code of a message that says what followed from what was sent; the command line knows it already."""
NOT_RUNNING_CODE: Final = 1010
"""The code of the error that there is no server to ask."""
GUARDED_CODE: Final = 1012
"""The code of the error that a change moves more clients than its guard allows."""
UNKNOWN_TOKEN: Final = "Authentication error"
"""The message of the error that a token is nobody's, as the v4 API words it."""
GUARD_HEADER: Final = "Lbdns-Guard"
"""The header of a write that says how much it may move: `5%`."""
ZONES_PER_PAGE_MAX: Final = 1000
RECORDS_PER_PAGE_MAX: Final = 5000
OBJECTS_PER_PAGE_MAX: Final = 1000
REVISIONS_MAX: Final = 1000
"""Revisions in one answer."""
AUTOMATIC_TTL: Final = 1
"""The `ttl` of a record that stands for AUTOMATIC_TTL_S, as in the v4 API."""
AUTOMATIC_TTL_S: Final = 300


# --- health ---


class Health:
    """The words for the state of an endpoint, a pool or a load balancer, in reports, events and alerts."""

    UNKNOWN: Final = "unknown"
    HEALTHY: Final = "healthy"
    UNHEALTHY: Final = "unhealthy"  # endpoints
    CRITICAL: Final = "critical"  # pools and load balancers
    DEGRADED: Final = "degraded"
    UNRESOLVED: Final = "unresolved"  # hostnames have no address, and pools nothing to answer with for that reason
    RESOLVED: Final = "resolved"  # in events: hostnames that nobody probes
    NO_MONITOR: Final = "no monitor"
    NO_HEALTH: Final = "no health"  # the label of a pool that is a fallback pool and nothing else
    ENABLED: Final = "enabled"
    DISABLED: Final = "disabled"
    UP: Final = "up"  # the way into a virtual network
    DOWN: Final = "down"
