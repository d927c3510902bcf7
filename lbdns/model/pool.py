"""Pools and their endpoints: where the answers come from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, StringConstraints, model_validator

from lbdns.base.wording import nearest
from lbdns.base.words import ENDPOINT_POLICIES
from lbdns.dns import record_bounds
from lbdns.model import bounds
from lbdns.model.fields import Frozen, Latitude, Longitude, NetworkReference, Networks, ObjectName, Percent, Weight
from lbdns.model.filter_terms import FilterTerms, ScopeTerms
from lbdns.model.headers import HeaderValue
from lbdns.model.hostnames import parse_hostname
from lbdns.model.ip_text import IPV4_LIKE, parse_ip
from lbdns.model.plain_fields import SHOWN_WHERE_SET, Description, Flag, Port, Reference, Whole
from lbdns.model.refusal import Mistake, refusal, refuse_all

EndpointKey = tuple[str, ...]
"""Pool, name and address of an endpoint; then the virtual network, of one that names any."""
NO_HOST = ("0.0.0.0", "::")
"""Addresses that no host has (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.2)."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _check_address(text: str) -> str:
    """Return an endpoint's address in canonical form: an IP address, or a hostname in lower case."""
    address = text.strip()
    if "://" in address:
        raise refusal(f'"{text}" is a URL; expected the address alone, such as 192.0.2.10 or www.example.com')
    if ":" in address or IPV4_LIKE.fullmatch(address.partition("/")[0]):
        if re.fullmatch(r"[^:]+:[0-9]+", address):
            raise refusal(f'"{text}": expected an address alone; the port goes into the key "port"')
        ip = parse_ip(address)
        _check_unicast(text, ip)
        return str(ip)
    return parse_hostname(address)


def _check_unicast(text: str, ip: IPv4Address | IPv6Address) -> None:
    if isinstance(ip, IPv6Address):
        if ip.scope_id:
            raise refusal(f'"{text}": an address with a zone ("%{ip.scope_id}") means nothing to a client')
        if ip.ipv4_mapped:
            raise refusal(f'"{text}" is an IPv4 address in IPv6 form; write {ip.ipv4_mapped}')
    if ip.is_multicast or str(ip) == "255.255.255.255":
        raise refusal(f'"{text}" is not the address of one host; expected a unicast address')


def _check_endpoint_name(name: str) -> str:
    if _CONTROL.search(name) or name != name.strip():
        raise refusal(f"{name!r}: a name has no control characters, and no space at its beginning or end")
    return name


def _upper_host(value: Any) -> Any:
    """Spell the one key that an endpoint's header takes as `Host`, whatever its case."""
    if not isinstance(value, dict):
        return value
    spelled = {"Host" if isinstance(key, str) and key.lower() == "host" else key: item for key, item in value.items()}
    for key in spelled:
        if key != "Host":
            raise refusal(f'"{key}": an endpoint\'s header takes "Host" alone; other headers go to the monitor')
    return spelled


def _none_where_empty(value: Any) -> Any:
    """Take "" for none, as clients send it."""
    return None if value == "" else value


EndpointHeader = Annotated[
    dict[str, Annotated[tuple[HeaderValue, ...], Field(min_length=1, max_length=1)]],
    BeforeValidator(_upper_host),
]


class Endpoint(Frozen):
    """One of a pool's origins. `priority` is lbdns's own and acts in load balancers of type MX and SRV."""

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=bounds.MAX_OBJECT_NAME_CHARS),
        AfterValidator(_check_endpoint_name),
    ]
    """Its name in its pool."""
    address: Annotated[str, AfterValidator(_check_address)]
    """Its IP address, or a hostname that is resolved in the background. 0.0.0.0 and :: stand for one still to come: not
    probed, not answered."""
    enabled: Flag = True
    """Whether it may be answered, and is probed."""
    weight: Weight = bounds.DEFAULT_WEIGHT
    """Its share where one endpoint of the pool is answered, 0 to 1 in steps of 0.01. All equal: every address is
    answered."""
    port: Port = 0
    """Where it is probed unless its monitor says where; the port of an SRV answer."""
    header: EndpointHeader = Field(default_factory=dict)
    """`Host` alone: the HTTP Host header of its probes, and the name in TLS."""
    virtual_network: Annotated[NetworkReference | None, BeforeValidator(_none_where_empty)] = Field(
        default=None, validation_alias=AliasChoices("virtual_network", "virtual_network_id")
    )
    """The virtual network that its address is meant in; without it that of the routes that hold the address. In files
    its name; `virtual_network_id`, as the API has it, takes its id as well."""
    flatten_cname: Flag = True
    """Whether a hostname is answered as the addresses that it resolves to, or as a CNAME."""
    priority: Annotated[Whole, Field(ge=0, le=record_bounds.MAX_PRIORITY), SHOWN_WHERE_SET] = 0
    """The preference of an MX answer, the priority of an SRV answer."""

    @property
    def ip(self) -> IPv4Address | IPv6Address | None:
        """The address as an IP address, or None where it is a hostname."""
        try:
            return IPv6Address(self.address) if ":" in self.address else IPv4Address(self.address)
        except AddressValueError:
            return None

    @property
    def address_key(self) -> tuple[str, str]:
        """What is unique in its pool: its address, and the virtual network that it names ("": none)."""
        return self.address, self.virtual_network or ""

    @property
    def is_placeholder(self) -> bool:
        """Whether its address is no host's."""
        return self.address in NO_HOST

    @property
    def is_used(self) -> bool:
        """Whether it is probed and answered: enabled, and at an address that a host can have."""
        return self.enabled and not self.is_placeholder

    @property
    def host(self) -> str:
        """Its own Host header, which probes send; empty where it has none."""
        return self.header["Host"][0] if self.header else ""

    @property
    def weight_hundredths(self) -> int:
        """The weight in hundredths, 0 to 100."""
        return round(self.weight * bounds.WEIGHT_STEPS)


class LoadShedding(Frozen):
    """The share of a pool's queries, in percent, that is sent to where they would go if the pool were down."""

    default_percent: Percent = 0.0
    """The percentage of queries that go where they would if the pool were down."""
    default_policy: Literal["random", "hash"] = "random"
    """Which: some of all queries, or those of some clients, always the same."""
    session_percent: Percent = 0.0
    """The percentage in load balancers with `session_affinity: ip_cookie`."""
    session_policy: Literal["hash"] = "hash"
    """Which, in those."""


if TYPE_CHECKING:
    EndpointPolicy = str
else:
    EndpointPolicy = Literal[ENDPOINT_POLICIES]


class OriginSteering(Frozen):
    """How one endpoint of a pool is picked where one alone is answered."""

    policy: EndpointPolicy = "random"
    """`hash` by the client's address; the others by chance."""


class NotificationScope(Frozen, ScopeTerms):
    """Which changes of a pool, or of its endpoints, are notified: all (`healthy` unset), or only those to one state."""


class NotificationFilter(Frozen, FilterTerms):
    """What is notified about a pool and its endpoints."""

    origin: NotificationScope | None = None
    pool: NotificationScope | None = None


def _upper_region(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _check_check_region(code: str) -> str:
    if code not in bounds.CHECK_REGIONS:
        near = nearest(code, bounds.CHECK_REGIONS)
        meant = f'; did you mean "{near}"?' if near else ""
        raise refusal(f'unknown region "{code}"; expected one of {", ".join(bounds.CHECK_REGIONS)}{meant}')
    return code


CheckRegions = Annotated[
    tuple[Annotated[str, BeforeValidator(_upper_region), AfterValidator(_check_check_region)], ...],
    Field(max_length=len(bounds.CHECK_REGIONS)),
]


class Pool(Frozen):
    """Endpoints that share a monitor, a place and a fate."""

    name: ObjectName
    """Its name; in a file, the key."""
    origins: Annotated[tuple[Endpoint, ...], Field(min_length=1, max_length=bounds.MAX_ENDPOINTS_PER_POOL)]
    """Its endpoints."""
    enabled: Flag = True
    """Whether it may be answered from."""
    description: Description = ""
    """For people."""
    minimum_origins: Annotated[Whole, Field(ge=1, le=bounds.MAX_ENDPOINTS_PER_POOL)] = bounds.DEFAULT_MINIMUM_ORIGINS
    """How many endpoints must be up; with fewer the pool is critical and out of the answers."""
    monitor: Reference | None = None
    """The monitor that probes its endpoints. Without one, and without a group, health is not considered."""
    monitor_group: Reference | None = None
    """The monitors that do, in place of one."""
    max_answers: Annotated[Whole, Field(ge=0, le=record_bounds.MAX_RECORDS_PER_RRSET), SHOWN_WHERE_SET] = 0
    """How many addresses (MX and SRV: hosts) an answer has where it would have all: that many, chosen among those that
    are up so that each is as likely as any other; under `origin_steering` `hash` always the same for a client. 0: all.
    lbdns's own."""
    check_regions: CheckRegions | None = None
    """The regions whose vantage points probe it; all of them without it, and where none stands in any of these."""
    latitude: Latitude | None = None
    """Where it stands, in degrees: for `proximity`."""
    longitude: Longitude | None = None
    """The same, east."""
    load_shedding: LoadShedding = LoadShedding()
    """Which part of its queries it gives away."""
    origin_steering: OriginSteering = OriginSteering()
    """Which endpoint is picked where one is."""
    notification_filter: NotificationFilter | None = None
    """What is told of it and its endpoints; without it everything."""
    networks: Networks = ()
    """Kept for the v4 API; does not act: there is one network."""
    health_sources: Annotated[
        tuple[Literal["local", "regional", "global"], ...], Field(max_length=3), SHOWN_WHERE_SET
    ] = ()
    """Kept for the v4 API; does not act: health is what the vantage points agree on."""

    @property
    def is_monitored(self) -> bool:
        """Whether a monitor or a group of them is attached: then health counts, and who is unknown counts as down."""
        return bool(self.monitor or self.monitor_group)

    @property
    def hostnames(self) -> tuple[Endpoint, ...]:
        """Its endpoints in use whose address is a hostname."""
        return tuple(endpoint for endpoint in self.origins if endpoint.is_used and endpoint.ip is None)

    def endpoint_key(self, endpoint: Endpoint) -> EndpointKey:
        """Return what one of its endpoints is known by."""
        if endpoint.virtual_network is None:
            return self.name, endpoint.name, endpoint.address
        return self.name, endpoint.name, endpoint.address, endpoint.virtual_network

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("Pool", self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        if self.monitor is not None and self.monitor_group is not None:
            yield Mistake(
                ("monitor_group",),
                "a pool has a monitor or a monitor_group, not both",
                (("monitor",), ("monitor_group",)),
            )
        if (self.latitude is None) != (self.longitude is None):
            given, lacking = ("longitude", "latitude") if self.latitude is None else ("latitude", "longitude")
            yield Mistake((given,), f"{given} without {lacking}; give both or neither", (("latitude",), ("longitude",)))
        yield from self._repeated_addresses()

    def _repeated_addresses(self) -> Iterator[Mistake]:
        first: dict[tuple[str, str], int] = {}
        for index, endpoint in enumerate(self.origins):
            before = first.setdefault(endpoint.address_key, index)
            if before != index:
                other = self.origins[before].name
                where = f" and virtual network {endpoint.virtual_network}" if endpoint.virtual_network else ""
                yield Mistake(
                    ("origins", index, "address"),
                    f'{endpoint.address} is the address of "{other}" already; an address{where} is unique in its pool',
                    (("origins", before, "address"), ("origins", index, "address")),
                )
