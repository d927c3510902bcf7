"""A whole configuration: what one directory, or one revision of the store, says."""

from __future__ import annotations

from dataclasses import dataclass, field

from lbdns.base.kinds import Kind
from lbdns.base.lasting_ids import lasting_id
from lbdns.dns.zone import Zone
from lbdns.model.alerting import NotificationPolicy, PagerDutyService, Silence, WebhookDestination
from lbdns.model.balancer import LoadBalancer
from lbdns.model.catalog_settings import CatalogMember
from lbdns.model.monitors import Monitor, MonitorGroup
from lbdns.model.name_override import NameOverride
from lbdns.model.pool import Pool
from lbdns.model.secondary_dns import Acl, IncomingTransfer, OutgoingTransfer, Peer, StoredKey
from lbdns.model.settings import Settings
from lbdns.model.transfer_policy import SecondaryDns, TransferPolicies, known_keys, transfer_policies
from lbdns.model.tsig_key import TsigKey
from lbdns.model.virtual_network import NetworkRoute, VirtualNetwork


@dataclass(frozen=True, slots=True)
class UnreadyZone:
    """A zone that is served with SERVFAIL: `zone` has no RRsets; `problems` says why, a line each."""

    zone: Zone
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings, zones and balancing objects that passed every check. Load balancers keep the order of their files.

    `unready`: zones that did not pass, where the rest is served; neither they nor what stands in them is in `zones` and
    `load_balancers`. `pool_ids`: the ids of pools by name, where they come from a store; files know none. `account_id`:
    the API's, where somebody is told it. `pools_by_tokens`: names of the pools that who holds a token of the API had a
    hand in, or in what probes them. `store_revision`: the store's, None where there is none. `overlays`: RRsets of one
    view each, without an SOA, that take the place of what the zone of their apex has for everybody.
    `catalog_members`: zones that are here because a catalog that came lists them.
    """

    settings: Settings = field(default_factory=Settings)
    zones: tuple[Zone, ...] = ()
    monitors: dict[str, Monitor] = field(default_factory=dict)
    monitor_groups: dict[str, MonitorGroup] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    load_balancers: tuple[LoadBalancer, ...] = ()
    virtual_networks: dict[str, VirtualNetwork] = field(default_factory=dict)
    routes: tuple[NetworkRoute, ...] = ()
    overrides: dict[str, NameOverride] = field(default_factory=dict)
    webhooks: dict[str, WebhookDestination] = field(default_factory=dict)
    pagerduty: dict[str, PagerDutyService] = field(default_factory=dict)
    policies: dict[str, NotificationPolicy] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    tsigs: dict[str, StoredKey] = field(default_factory=dict)
    peers: dict[str, Peer] = field(default_factory=dict)
    acls: dict[str, Acl] = field(default_factory=dict)
    incoming: dict[str, IncomingTransfer] = field(default_factory=dict)
    outgoing: dict[str, OutgoingTransfer] = field(default_factory=dict)
    catalog_members: tuple[CatalogMember, ...] = ()
    unready: tuple[UnreadyZone, ...] = ()
    pool_ids: dict[str, str] = field(default_factory=dict, compare=False)
    account_id: str = field(default="", compare=False)
    pools_by_tokens: frozenset[str] = frozenset()
    store_revision: int | None = field(default=None, compare=False)
    overlays: tuple[Zone, ...] = ()
    alerting_ids: dict[str, str] = field(default_factory=dict, compare=False)
    destinations_by_tokens: frozenset[str] = frozenset()

    @property
    def transfer_policies(self) -> TransferPolicies:
        """What may be done with each zone beyond asking."""
        beside = SecondaryDns(self.tsigs, self.peers, self.acls, self.incoming, self.outgoing)
        return transfer_policies(self.settings, beside, self.catalog_members)

    @property
    def tsig_keys(self) -> dict[str, TsigKey]:
        """The TSIG keys that are known here, by name, those without a secret left out."""
        return known_keys(self.settings, self.tsigs)

    def is_unready(self, apex: bytes, view: str) -> bool:
        """Return whether a zone, by apex and view, is one of those that did not pass."""
        return any((one.zone.apex, one.zone.view) == (apex, view) for one in self.unready)

    def alerting_id(self, kind: Kind, name: str) -> str:
        """Return the API's id of a policy or a destination of messages."""
        return self.alerting_ids.get(f"{kind} {name}") or lasting_id(kind, name, "")

    def of_views(self) -> dict[str, int]:
        """Return how many zones, records and load balancers there are that not everybody sees, by noun; none of what
        there is none of."""
        counts = {
            "zone": sum(bool(zone.view) for zone in self.zones),
            "record": sum(len(rrset.rdatas) for overlay in self.overlays for rrset in overlay.rrsets),
            "load balancer": sum(bool(one.view) for one in self.load_balancers),
        }
        return {noun: count for noun, count in counts.items() if count}
