"""The settings `access` and `zones`: who may ask, transfer, notify and update, and what a zone has beside its records.

Files and stores have both: they stand in lbdns.yaml. A zone's own lists take the place of the server's, list by list.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from lbdns.base.words import RIGHTS
from lbdns.dns.name import BadName
from lbdns.dns.name_pattern import parse_pattern
from lbdns.dns.rdata.record_types import parse_type, type_text
from lbdns.model import bounds
from lbdns.model.catalog_settings import CONSUMER, PRODUCER, Catalog
from lbdns.model.dnssec_settings import ZoneName, distinct_zones
from lbdns.model.fields import FilePath, Frozen
from lbdns.model.hostnames import parse_hostname
from lbdns.model.mistakes import shown
from lbdns.model.named_lists import Network, read_each
from lbdns.model.refusal import Mistake, refusal, refuse_all
from lbdns.model.socket_address import format_socket_address, parse_server
from lbdns.model.tsig_key import KeyName

Steered = Literal["flatten", "refuse"]


def _network(value: Any) -> Network:
    if isinstance(value, Network):
        return value
    networks, mistakes = read_each([value])
    for _, message in mistakes:
        raise refusal(message)
    mapped = networks[0].network_address
    if mapped.version == 6 and mapped.ipv4_mapped is not None and networks[0].prefixlen >= 96:
        plain = f"{mapped.ipv4_mapped}/{networks[0].prefixlen - 96}"
        raise refusal(f"this is an IPv4 network in IPv6 form; write {plain}")
    return networks[0]


def _listed(value: Any) -> Any:
    """Return a text as a list of it: one name is as good as several."""
    return [value] if isinstance(value, str) else value


def _check_pattern(text: str) -> str:
    try:
        return parse_pattern(text)
    except BadName as error:
        raise refusal(str(error)) from error


def _check_type(text: str) -> str:
    try:
        return type_text(parse_type(text))
    except ValueError as error:
        raise refusal(str(error)) from error


def _addressed(value: Any) -> Any:
    """Return an address as what is said of a server by its address alone."""
    return {"address": value} if isinstance(value, str) else value


def _check_server(text: str) -> str:
    """Return an address, with its port where it is said, in the usual form; raises a refusal."""
    host, port = parse_server(text)
    address = ip_address(host)
    if address.is_unspecified or address.is_multicast:
        raise refusal(f'"{text}" is not the address of one server')
    return format_socket_address(host, port) if _says_port(text) else host


def _says_port(text: str) -> bool:
    bare = text.strip()
    return "]:" in bare or bare.count(":") == 1


if TYPE_CHECKING:
    AccessNetwork = Network
else:
    AccessNetwork = Annotated[
        Any,
        PlainValidator(_network),
        PlainSerializer(str),
        WithJsonSchema({"type": "string", "maxLength": bounds.MAX_NETWORK_CHARS}),
    ]
NamePattern = Annotated[
    str, StringConstraints(min_length=1, max_length=bounds.MAX_NAME_CHARS), AfterValidator(_check_pattern)
]
ServerAddress = Annotated[str, AfterValidator(_check_server)]
RecordTypeName = Annotated[str, StringConstraints(min_length=1, max_length=32), AfterValidator(_check_type)]


class AccessEntry(Frozen):
    """Who may: whoever comes from `network`, who signs by `key`, or, where both are said, who does both."""

    network: AccessNetwork | None = None
    """A network such as `192.0.2.0/24`, or an address."""
    key: KeyName | None = None
    """The name of the TSIG key that the message has to be signed with."""
    names: Annotated[tuple[NamePattern, ...], Field(max_length=bounds.MAX_UPDATE_NAMES), BeforeValidator(_listed)] = ()
    """Of `update` alone: the names that may be changed, all without it. A label `*` stands for one label or more:
    `_acme-challenge.*`, `*.dyn.example.com`."""
    types: Annotated[
        tuple[RecordTypeName, ...], Field(max_length=bounds.MAX_UPDATE_TYPES), BeforeValidator(_listed)
    ] = ()
    """Of `update` alone: the types of records that may be changed, all without it."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.network is None and self.key is None:
            refuse_all("AccessEntry", [Mistake((), "an entry says who may by network, by key, or by both of them")])
        return self


def _entry(value: Any) -> Any:
    if isinstance(value, str):
        raise refusal(f"{shown(value)} is no entry; expected {{network: 192.0.2.0/24}}, {{key: NAME}}, or both in one")
    return value


AccessList = Annotated[
    tuple[Annotated[AccessEntry, BeforeValidator(_entry)], ...], Field(max_length=bounds.MAX_ACCESS_ENTRIES)
]


class AccessSettings(Frozen):
    """Who may do what: lists of entries, of which one that holds is enough. An empty list is nobody."""

    transfer: AccessList | None = None
    """Who may transfer zones (AXFR, IXFR); nobody without it."""
    notify: AccessList | None = None
    """Who may say that a zone has changed (NOTIFY), beside a zone's own `primaries`; nobody without it."""
    update: AccessList | None = None
    """Who may change records by UPDATE (RFC 2136); nobody without it."""
    query: AccessList | None = None
    """Who may ask; everybody without it."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("AccessSettings", self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        for right in RIGHTS:
            for index, entry in enumerate(getattr(self, right) or ()):
                for field in ("names", "types") if right != "update" else ():
                    if getattr(entry, field):
                        at = (right, index, field)
                        yield Mistake(at, f"{field} are for entries of update; who may {right} may for the zone", (at,))


def _tls(value: Any) -> Any:
    """Return `true` as TLS of which nothing more is said, `false` as none."""
    if isinstance(value, str):
        raise refusal(f"{shown(value)} is no TLS setting; expected {{name: ns1.example.net}}, or true")
    return ({} if value else None) if isinstance(value, bool) else value


class PrimaryTls(Frozen):
    """How a primary is known over TLS."""

    name: (
        Annotated[
            str, StringConstraints(min_length=1, max_length=bounds.MAX_NAME_CHARS), AfterValidator(parse_hostname)
        ]
        | None
    ) = None
    """The host name that its certificate is to be of; without it the certificate is not looked at."""
    ca_file: FilePath | None = None
    """A file with the certificates, in PEM, that its own is to come from; without it those that the system trusts."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.ca_file is not None and self.name is None:
            message = "without a name the certificate is not looked at; give the name that it is to be of"
            refuse_all("PrimaryTls", [Mistake(("ca_file",), message, (("name",), ("ca_file",)))])
        return self


class PrimarySettings(Frozen):
    """A server that a zone is transferred from."""

    address: ServerAddress
    """Its IP address, or IP:PORT; the port is 53, and 853 with `tls`, where none is said."""
    key: KeyName | None = None
    """The TSIG key that both sides sign with."""
    tls: Annotated[PrimaryTls | None, BeforeValidator(_tls)] = None
    """TLS (RFC 9103): how the server is known, `{name: ns1.example.net}`; or `true`, which looks at no certificate and
    needs `key`. Off without it."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.tls is not None and self.tls.name is None and self.key is None:
            message = "no certificate is looked at, so that anybody could answer; give the server's name, or a key"
            refuse_all("PrimarySettings", [Mistake(("tls",), message, (("key",), ("tls",)))])
        return self


class NotifyTarget(Frozen):
    """A server that is told when a zone has changed."""

    address: ServerAddress
    """Its IP address, or IP:PORT."""
    key: KeyName | None = None
    """The TSIG key that the NOTIFY is signed with."""


class OutgoingSettings(Frozen):
    """What others get who transfer a zone."""

    steered: Steered | None = None
    """What becomes of names that load balancers answer: `flatten` gives what a client at this server's place gets, and
    `refuse` refuses the transfer of a zone that has any. It has to be said where there are some and somebody may
    transfer the zone."""


Primaries = Annotated[
    tuple[Annotated[PrimarySettings, BeforeValidator(_addressed)], ...], Field(max_length=bounds.MAX_PRIMARIES)
]
NotifyTargets = Annotated[
    tuple[Annotated[NotifyTarget, BeforeValidator(_addressed)], ...], Field(max_length=bounds.MAX_NOTIFY_TARGETS)
]


class ZoneSettings(Frozen):
    """What is said of one zone beside its records."""

    primaries: Primaries = ()
    """The servers that the zone is transferred from; with any, it has no file here, and no records in the store."""
    also_notify: NotifyTargets = ()
    """Servers that are told of changes beside those that the zone's NS records name."""
    transfer: OutgoingSettings = OutgoingSettings()
    """What others get who transfer it."""
    access: AccessSettings = AccessSettings()
    """Who may do what with this zone; a list takes the place of the server's."""
    catalog: Catalog = None
    """That it is a catalog, a list of zones: `consumer`, or `producer`, or more."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("ZoneSettings", self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        if self.catalog is None:
            return
        about = (("catalog",), ("primaries",))
        if self.catalog.role == CONSUMER and not self.primaries:
            yield Mistake(("catalog",), "a catalog that is read comes from other servers; give primaries", about)
        elif self.catalog.role == PRODUCER and self.primaries:
            yield Mistake(
                ("primaries",), "a catalog that is made here has no primaries; leave one of the two out", about
            )


ZoneTable = Annotated[
    dict[ZoneName, ZoneSettings], Field(max_length=bounds.MAX_ZONE_SETTINGS), BeforeValidator(distinct_zones)
]
