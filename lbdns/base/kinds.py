"""The kinds of objects, a row each: how one is called, where it stands, what checks it, and which others it names.

Files, store, API and command line follow from these rows: the sections of the files and the order in which they are
read, the routes of the API and its schemas, references by name and by id, what may not be deleted, what a shell
completes. A kind is added by a row and its model, and a field of `lbdns.model.configuration` for whoever serves it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, NamedTuple

from lbdns.base.reference_paths import ITEMS, KEYS, VALUES, ReferenceField
from lbdns.base.words import PLACE_MAPS

LOAD_BALANCING: Final = "load_balancers"
NETWORKING: Final = "teamnet"
ALERTING: Final = "alerting/v3"
DESTINATIONS: Final = f"{ALERTING}/destinations"
SECONDARY_DNS: Final = "secondary_dns"
OWN: Final = ""


class _Row(NamedTuple):
    """A kind's row: the name of one, and the section of the files that holds them, which is its path in the API too.

    `model` is a module of lbdns.model and a class of it, "" where an object is a zone's text; `file` is what an export
    writes the section into. `is_keyed`: the section has the objects by name, else it is a list. `called_by`: the field
    that has what an object is called. `area`: where the API has the section, below an account or as lbdns's OWN.
    `short`: the field that is meant where a text stands in an object's place in a file. `is_of_zone`: an object has the
    name of the zone that it is of.
    """

    name: str
    section: str
    model: str = ""
    file: str = ""
    is_keyed: bool = True
    references: tuple[ReferenceField, ...] = ()
    called_by: str = "name"
    area: str = LOAD_BALANCING
    short: str = ""
    is_of_zone: bool = False


_FALLBACK: Final = ("fallback_pool",)
_STEERED: Final = (
    ("default_pools", ITEMS),
    *((field, VALUES, ITEMS) for field in PLACE_MAPS),
    _FALLBACK,
    ("random_steering", "pool_weights", KEYS),
)
"""Where a load balancer names pools, and the overrides of its rules."""
_FLAT: Final = (("pools", ITEMS), ("pool_weights", KEYS))
"""Where overrides do, beside."""


class Kind(StrEnum):
    """What there is. The order is that of reference: an object refers to those of kinds before its own."""

    section: str
    model: str
    file: str
    is_keyed: bool
    references: tuple[ReferenceField, ...]
    called_by: str
    area: str
    short: str
    is_of_zone: bool
    _value_: str

    VIRTUAL_NETWORK = _Row(
        "virtual_network",
        "virtual_networks",
        "virtual_network.VirtualNetwork",
        "virtual_networks.yaml",
        area=NETWORKING,
    )
    ROUTE = _Row(
        "route",
        "routes",
        "virtual_network.NetworkRoute",
        "virtual_networks.yaml",
        is_keyed=False,
        references=(ReferenceField(("virtual_network",), "virtual_network", "virtual_network_id"),),
        called_by="network",
        area=NETWORKING,
    )
    MONITOR = _Row("monitor", "monitors", "monitors.Monitor", "monitors.yaml")
    MONITOR_GROUP = _Row(
        "monitor_group",
        "monitor_groups",
        "monitors.MonitorGroup",
        "monitors.yaml",
        references=(ReferenceField(("members", ITEMS, "monitor"), "monitor", "monitor_id"),),
    )
    POOL = _Row(
        "pool",
        "pools",
        "pool.Pool",
        "pools.yaml",
        references=(
            ReferenceField(("monitor",), "monitor"),
            ReferenceField(("monitor_group",), "monitor_group"),
            ReferenceField(("origins", ITEMS, "virtual_network"), "virtual_network", "virtual_network_id"),
        ),
    )
    ZONE = _Row("zone", "zones")
    RECORD = _Row("record", "records")
    LOAD_BALANCER = _Row(
        "load_balancer",
        "load_balancers",
        "balancer.LoadBalancer",
        "load_balancers.yaml",
        is_keyed=False,
        references=(
            *(ReferenceField(path, "pool") for path in _STEERED),
            *(ReferenceField(("rules", ITEMS, "overrides", *path), "pool") for path in (*_STEERED, *_FLAT)),
            *(ReferenceField(("pool_sets", ITEMS, "overrides", *path), "pool") for path in (*_FLAT, _FALLBACK)),
        ),
    )
    OVERRIDE = _Row(
        "override",
        "overrides",
        "name_override.NameOverride",
        "load_balancers.yaml",
        references=(ReferenceField(("load_balancer",), "load_balancer"),),
        short="load_balancer",
        area=OWN,
    )
    WEBHOOK = _Row("webhook", "webhooks", "alerting.WebhookDestination", "alerting.yaml", area=DESTINATIONS)
    PAGERDUTY = _Row("pagerduty_service", "pagerduty", "alerting.PagerDutyService", "alerting.yaml", area=DESTINATIONS)
    POLICY = _Row(
        "notification_policy",
        "policies",
        "alerting.NotificationPolicy",
        "alerting.yaml",
        references=(
            ReferenceField(("filters", "pool_id", ITEMS), "pool"),
            ReferenceField(("mechanisms", "webhooks", ITEMS, "name"), "webhook", "id"),
            ReferenceField(("mechanisms", "pagerduty", ITEMS, "name"), "pagerduty_service", "id"),
        ),
        area=ALERTING,
    )
    SILENCE = _Row(
        "silence",
        "silences",
        "alerting.Silence",
        "alerting.yaml",
        references=(ReferenceField(("policy",), "notification_policy", "policy_id"),),
        area=ALERTING,
    )
    TSIG = _Row("tsig_key", "tsigs", "secondary_dns.StoredKey", "transfers.yaml", area=SECONDARY_DNS)
    PEER = _Row(
        "peer",
        "peers",
        "secondary_dns.Peer",
        "transfers.yaml",
        references=(ReferenceField(("tsig",), "tsig_key", "tsig_id"),),
        area=SECONDARY_DNS,
    )
    ACL = _Row("acl", "acls", "secondary_dns.Acl", "transfers.yaml", area=SECONDARY_DNS)
    INCOMING = _Row(
        "incoming_transfer",
        "incoming",
        "secondary_dns.IncomingTransfer",
        "transfers.yaml",
        references=(ReferenceField(("peers", ITEMS), "peer"),),
        area=SECONDARY_DNS,
        is_of_zone=True,
    )
    OUTGOING = _Row(
        "outgoing_transfer",
        "outgoing",
        "secondary_dns.OutgoingTransfer",
        "transfers.yaml",
        references=(ReferenceField(("peers", ITEMS), "peer"),),
        area=SECONDARY_DNS,
        is_of_zone=True,
    )

    def __new__(cls, name: str, *columns: Any) -> Kind:
        """Make a member of a row, whose columns become its attributes."""
        made = str.__new__(cls, name)
        made._value_ = name
        for column, value in zip(_Row._fields[1:], columns, strict=True):
            setattr(made, column, value)
        return made

    @property
    def words(self) -> str:
        """The kind in words: `load balancer`."""
        return self.value.replace("_", " ")

    @property
    def plural(self) -> str:
        """Several of the kind in words: `load balancers`."""
        return self.section.replace("_", " ")

    @property
    def referred(self) -> tuple[Kind, ...]:
        """The kinds that an object refers to."""
        return tuple(dict.fromkeys(Kind(field.kind) for field in self.references))

    @property
    def users(self) -> tuple[Kind, ...]:
        """The kinds whose objects refer to one of this kind."""
        return _USERS[self]


_USERS: Final = {kind: tuple(other for other in Kind if kind in other.referred) for kind in Kind}
BALANCING: Final = tuple(kind for kind in Kind if kind.model)
"""The kinds of objects that balance, in the order of reference; the others are zones and what is in them."""
KEYED: Final = tuple(kind for kind in BALANCING if kind.is_keyed)
"""Those that files keep by name."""
LISTED: Final = tuple(kind for kind in BALANCING if not kind.is_keyed)
"""Those that files keep in lists."""
IN_SETTINGS: Final = tuple(kind for kind in BALANCING if kind.area == NETWORKING)
"""Those whose sections the settings file takes as well: what they say is about this machine."""
REFERRED: Final = tuple(kind for kind in Kind if kind.users)
"""Those that others refer to."""
PROBING: Final = (Kind.POOL, *Kind.POOL.referred)
"""What says whom probes ask, and how."""
REACHING: Final = (*PROBING, *(kind for kind in BALANCING if kind.area == DESTINATIONS))
"""What says where this server connects to: who made it matters."""
SHOWN: Final = (*BALANCING, *(kind for kind in Kind if not kind.model))
"""All, in the order in which people are shown them: records come behind the zones."""
FILES: Final = {
    file: tuple(kind for kind in BALANCING if kind.file == file)
    for file in dict.fromkeys(kind.file for kind in BALANCING)
}
"""The files of an export, and the kinds that each holds."""
SECTIONS: Final = tuple(kind.section for kind in BALANCING)
"""The sections of the files."""
