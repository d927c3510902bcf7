"""A configuration as one document: every model and every zone as they passed the checks, with nothing left to parse.

It is read back without the readers of YAML and master files and without the checks, so that neither can refuse it. What
is written and what is read follows from the models; a document that they do not take any more is refused as a whole.

It has two lines, each JSON: the settings and all of which there is little, and what grows with what is served. The
second may rest until somebody asks for it (resting_configuration.py).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Final

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
_LINE: Final = b"\n"
"""Between the parts; what is JSON here has no line ends."""


@dataclass(frozen=True, slots=True)
class ConfigurationDocument:
    """The first part of the document: fields of a Configuration."""

    settings: Settings
    monitors: dict[str, Monitor]
    monitor_groups: dict[str, MonitorGroup]
    unready: tuple[tuple[str, tuple[str, ...]], ...]  # apex as in a ZoneRow, problems
    account_id: str
    store_revision: int | None = None
    virtual_networks: dict[str, VirtualNetwork] = field(default_factory=dict)
    routes: tuple[NetworkRoute, ...] = ()
    overrides: dict[str, NameOverride] = field(default_factory=dict)
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


@dataclass(frozen=True, slots=True)
class ObjectsDocument:
    """The second part: the other fields of a Configuration, zones as rows."""

    zones: tuple[ZoneRow, ...]
    pools: dict[str, Pool]
    load_balancers: tuple[LoadBalancer, ...]
    pool_ids: dict[str, str]
    pools_by_tokens: frozenset[str] = frozenset()
    overlays: tuple[ZoneRow, ...] = ()


@without_cyclic_collection()
def encode_configuration(configuration: Configuration) -> bytes:
    """Return a configuration as a document. What its settings do not say stays unsaid."""
    few = ConfigurationDocument(
        settings=configuration.settings,
        monitors=configuration.monitors,
        monitor_groups=configuration.monitor_groups,
        unready=tuple((_apex(one.zone), one.problems) for one in configuration.unready),
        account_id=configuration.account_id,
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
    many = ObjectsDocument(
        zones=(),
        pools=configuration.pools,
        load_balancers=configuration.load_balancers,
        pool_ids=configuration.pool_ids,
        pools_by_tokens=configuration.pools_by_tokens,
    )
    first = _adapter().dump_json(few, exclude_unset=True)
    rest = _objects_adapter().dump_json(many, exclude_unset=True, exclude={"zones", "overlays"})
    overlays = b'],"overlays":[', *_zone_pieces(configuration.overlays)
    zones = b',"zones":[', *_zone_pieces(configuration.zones)
    return b"".join((first, _LINE, memoryview(rest)[:-1], *zones, *overlays, b"]}"))


def decode_configuration(data: bytes) -> Configuration:
    """Return the configuration of a document; raises LbdnsError where this release does not take it."""
    few, many = parts_of_document(data)
    return Configuration(**decode_few(few), **decode_objects(many))


def parts_of_document(data: bytes) -> tuple[bytes, bytes]:
    """Return both parts of a document, each for its function below; raises LbdnsError where it has not both."""
    few, _, many = data.partition(_LINE)
    if not many:
        raise LbdnsError("not a configuration of this release: it has one part")
    return few, many


def decode_few(data: bytes) -> Mapping[str, Any]:
    """Return the fields of a Configuration that the first part has, by name; raises LbdnsError as above."""
    with _refusing():
        document = _adapter().validate_json(data)
        unready = tuple(UnreadyZone(_zone(apex, "", ()), problems) for apex, problems in document.unready)
        members = tuple(_member(*row) for row in document.catalog_members)
    return {one.name: getattr(document, one.name) for one in fields(document)} | {
        "unready": unready,
        "catalog_members": members,
    }


@without_cyclic_collection()
def decode_objects(data: bytes) -> Mapping[str, Any]:
    """Return the other fields, by name; raises LbdnsError as above."""
    with _refusing():
        document = _objects_adapter().validate_json(data)
        zones, overlays = (tuple(_zone(*row) for row in rows) for rows in (document.zones, document.overlays))
    return {one.name: getattr(document, one.name) for one in fields(document)} | {"zones": zones, "overlays": overlays}


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn what says that a document is none of this release into LbdnsError."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise LbdnsError(
            f"not a configuration of this release: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from error
    except ValueError as error:
        raise LbdnsError(f"not a configuration of this release: {error}") from error


@cache
def _adapter() -> TypeAdapter[ConfigurationDocument]:
    return TypeAdapter(ConfigurationDocument)


@cache
def _objects_adapter() -> TypeAdapter[ObjectsDocument]:
    return TypeAdapter(ObjectsDocument)


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
