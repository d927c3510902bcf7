"""A configuration as one document: every model and every zone as they passed the checks, with nothing left to parse.

It is read back without the readers of YAML and master files and without the checks, so that neither can refuse it. What
is written and what is read follows from the models; a document that they do not take any more is refused as a whole.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from lbdns.base.errors import LbdnsError
from lbdns.base.garbage import without_cyclic_collection
from lbdns.dns.zone import RRset, Zone
from lbdns.model.alerting import NotificationPolicy, PagerDutyService, Silence, WebhookDestination
from lbdns.model.balancer import LoadBalancer
from lbdns.model.catalog_settings import CatalogMember
from lbdns.model.configuration import Configuration, UnreadyZone
from lbdns.model.monitors import Monitor, MonitorGroup
from lbdns.model.name_override import NameOverride
from lbdns.model.pool import Pool
from lbdns.model.secondary_dns import Acl, IncomingTransfer, OutgoingTransfer, Peer, StoredKey
from lbdns.model.settings import Settings
from lbdns.model.view_names import VIEW_SIGN, labelled
from lbdns.model.virtual_network import NetworkRoute, VirtualNetwork

RRsetRow = tuple[str, int, int, int, tuple[str, ...]]
"""Owner, type, TTL, line and data of an RRset; wire format in base64."""
ZoneRow = tuple[str, str, tuple[RRsetRow, ...]]
"""Apex (and its view behind VIEW_SIGN where it is of one), file and RRsets of a zone."""
ROWS_AT_ONCE: Final = 1000
"""RRsets that are encoded together."""


@dataclass(frozen=True, slots=True)
class ConfigurationDocument:
    """The document: the fields of a Configuration, zones as rows."""

    settings: Settings
    zones: tuple[ZoneRow, ...]
    monitors: dict[str, Monitor]
    monitor_groups: dict[str, MonitorGroup]
    pools: dict[str, Pool]
    load_balancers: tuple[LoadBalancer, ...]
    unready: tuple[tuple[str, tuple[str, ...]], ...]  # apex as in a ZoneRow, problems
    pool_ids: dict[str, str]
    account_id: str
    pools_by_tokens: frozenset[str] = frozenset()
    store_revision: int | None = None
    virtual_networks: dict[str, VirtualNetwork] = field(default_factory=dict)
    routes: tuple[NetworkRoute, ...] = ()
    overrides: dict[str, NameOverride] = field(default_factory=dict)
    overlays: tuple[ZoneRow, ...] = ()
    webhooks: dict[str, WebhookDestination] = field(default_factory=dict)
    pagerduty: dict[str, PagerDutyService] = field(default_factory=dict)
    policies: dict[str, NotificationPolicy] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    alerting_ids: dict[str, str] = field(default_factory=dict)
    destinations_by_tokens: frozenset[str] = frozenset()
    tsigs: dict[str, StoredKey] = field(default_factory=dict)
    peers: dict[str, Peer] = field(default_factory=dict)
    acls: dict[str, Acl] = field(default_factory=dict)
    incoming: dict[str, IncomingTransfer] = field(default_factory=dict)
    outgoing: dict[str, OutgoingTransfer] = field(default_factory=dict)
    catalog_members: tuple[tuple[str, str, str, str], ...] = ()  # both names and the label in base64, and the group


@without_cyclic_collection()
def encode_configuration(configuration: Configuration) -> bytes:
    """Return a configuration as JSON. What its settings do not say stays unsaid."""
    document = ConfigurationDocument(
        settings=configuration.settings,
        zones=(),
        monitors=configuration.monitors,
        monitor_groups=configuration.monitor_groups,
        pools=configuration.pools,
        load_balancers=configuration.load_balancers,
        unready=tuple((_apex(one.zone), one.problems) for one in configuration.unready),
        pool_ids=configuration.pool_ids,
        account_id=configuration.account_id,
        pools_by_tokens=configuration.pools_by_tokens,
        store_revision=configuration.store_revision,
        virtual_networks=configuration.virtual_networks,
        routes=configuration.routes,
        overrides=configuration.overrides,
        webhooks=configuration.webhooks,
        pagerduty=configuration.pagerduty,
        policies=configuration.policies,
        silences=configuration.silences,
        alerting_ids=configuration.alerting_ids,
        destinations_by_tokens=configuration.destinations_by_tokens,
        tsigs=configuration.tsigs,
        peers=configuration.peers,
        acls=configuration.acls,
        incoming=configuration.incoming,
        outgoing=configuration.outgoing,
        catalog_members=tuple(_member_row(member) for member in configuration.catalog_members),
    )
    rest = _adapter().dump_json(document, exclude_unset=True, exclude={"zones", "overlays"})
    overlays = b'],"overlays":[', *_zone_pieces(configuration.overlays)
    return b"".join((memoryview(rest)[:-1], b',"zones":[', *_zone_pieces(configuration.zones), *overlays, b"]}"))


@without_cyclic_collection()
def decode_configuration(data: bytes) -> Configuration:
    """Return the configuration of a document; raises LbdnsError where this release does not take it."""
    try:
        document = _adapter().validate_json(data)
        zones, overlays = (tuple(_zone(*row) for row in rows) for rows in (document.zones, document.overlays))
        unready = tuple(UnreadyZone(_zone(apex, "", ()), problems) for apex, problems in document.unready)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise LbdnsError(
            f"not a configuration of this release: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from error
    except ValueError as error:
        raise LbdnsError(f"not a configuration of this release: {error}") from error
    return Configuration(
        settings=document.settings,
        zones=zones,
        monitors=document.monitors,
        monitor_groups=document.monitor_groups,
        pools=document.pools,
        load_balancers=document.load_balancers,
        unready=unready,
        pool_ids=document.pool_ids,
        account_id=document.account_id,
        pools_by_tokens=document.pools_by_tokens,
        store_revision=document.store_revision,
        virtual_networks=document.virtual_networks,
        routes=document.routes,
        overrides=document.overrides,
        webhooks=document.webhooks,
        pagerduty=document.pagerduty,
        policies=document.policies,
        silences=document.silences,
        alerting_ids=document.alerting_ids,
        destinations_by_tokens=document.destinations_by_tokens,
        tsigs=document.tsigs,
        peers=document.peers,
        acls=document.acls,
        incoming=document.incoming,
        outgoing=document.outgoing,
        catalog_members=tuple(_member(*row) for row in document.catalog_members),
        overlays=overlays,
    )


@cache
def _adapter() -> TypeAdapter[ConfigurationDocument]:
    return TypeAdapter(ConfigurationDocument)


def _zone_pieces(zones: Iterable[Zone]) -> Iterator[bytes]:
    """Yield the rows of zones as JSON, some RRsets at a time: as objects they take several times as much."""
    comma = b""
    for zone in zones:
        yield comma + to_json((_apex(zone), zone.file))[:-1] + b",["
        for at in range(0, len(zone.rrsets), ROWS_AT_ONCE):
            rows = [_row(one) for one in zone.rrsets[at : at + ROWS_AT_ONCE]]
            yield (b"," if at else b"") + to_json(rows)[1:-1]
        yield b"]]"
        comma = b","


def _member_row(member: CatalogMember) -> tuple[str, str, str, str]:
    return _text(member.apex), _text(member.catalog), _text(member.unique), member.group


def _member(apex: str, catalog: str, unique: str, group: str) -> CatalogMember:
    return CatalogMember(_octets(apex), _octets(catalog), _octets(unique), group)


def _row(rrset: RRset) -> RRsetRow:
    return _text(rrset.owner), rrset.type, rrset.ttl, rrset.line, tuple(map(_text, rrset.rdatas))


def _zone(apex: str, file: str, rows: tuple[RRsetRow, ...]) -> Zone:
    rrsets = [
        RRset(_octets(owner), kind, ttl, tuple(map(_octets, rdatas)), line) for owner, kind, ttl, line, rdatas in rows
    ]
    octets, _, view = apex.partition(VIEW_SIGN)
    return Zone(_octets(octets), tuple(rrsets), file, view)


def _apex(zone: Zone) -> str:
    return labelled(_text(zone.apex), zone.view)


def _text(octets: bytes) -> str:
    return b64encode(octets).decode()


def _octets(text: str) -> bytes:
    return b64decode(text, validate=True)
