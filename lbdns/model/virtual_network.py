"""Virtual networks: which network an endpoint's address is meant in, and how this machine reaches it.

The network of an endpoint is, the first that applies:

| the endpoint                         | its network                                                                |
|--------------------------------------|----------------------------------------------------------------------------|
| names one                            | that                                                                       |
| has an address that routes hold      | that of the route with the longest prefix; of several, the default network |
| has a private address                | the default network, where there is one                                    |
| else, and where its address is a name | none: it is reached as anything is                                         |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Annotated, Final, Protocol, Self
from uuid import UUID

from pydantic import AfterValidator, StringConstraints, model_validator

from lbdns.base.lasting_ids import lasting_id
from lbdns.base.wording import listed
from lbdns.model import bounds
from lbdns.model.fields import Frozen, NetworkReference
from lbdns.model.plain_fields import SHOWN_WHERE_SET, Description, Flag
from lbdns.model.pool import Endpoint
from lbdns.model.proxy_place import parse_proxy
from lbdns.model.refusal import Mistake, refusal, refuse_all
from lbdns.model.socket_address import check_source

Network = IPv4Network | IPv6Network
PRIVATE: Final = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))
"""Addresses that mean another host in each network: RFC 1918, RFC 6598, RFC 4193."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}", re.ASCII)
_DEVICE: Final = re.compile(r"[^\s/:]{1,15}")


def is_network_id(text: str) -> bool:
    """Whether a text has the form of a network's id: a UUID with dashes."""
    return _UUID.fullmatch(text) is not None


def lasting_network_id(name: str) -> str:
    """Return the id of a network to which nobody gave one."""
    return str(UUID(lasting_id("virtual_network", name), version=5))


def _check_name(name: str) -> str:
    if _CONTROL.search(name) or name != name.strip():
        raise refusal(f"{name!r}: a name has no control characters, and no space at its beginning or end")
    if is_network_id(name):
        raise refusal(f'"{name}" has the form of an id; a network\'s name is for people')
    return name


def _check_id(text: str) -> str:
    if not is_network_id(text):
        raise refusal(f'"{text}" is no UUID; expected one such as a5624d4e-044a-4ff0-b3e1-e2465353d4b4')
    return text.lower()


def _check_device(text: str) -> str:
    if not _DEVICE.fullmatch(text) or len(text.encode()) > 15 or text in (".", ".."):
        raise refusal(f'"{text}" is no name of an interface; expected 1 to 15 octets without space, "/" or ":"')
    return text


def _check_namespace(text: str) -> str:
    if "\0" in text or not text or text in (".", "..") or ("/" in text and not text.startswith("/")):
        raise refusal(
            f'"{text}" is no network namespace; expected its name, as "ip netns" lists it, or a path that begins with /'
        )
    return text


def _check_proxy(text: str) -> str:
    parse_proxy(text)
    return text


SourceAddress = Annotated[str, AfterValidator(check_source)]
DeviceName = Annotated[str, AfterValidator(_check_device)]
NamespaceName = Annotated[
    str, StringConstraints(max_length=bounds.MAX_FILE_PATH_CHARS), AfterValidator(_check_namespace)
]
ProxyAddress = Annotated[str, StringConstraints(max_length=bounds.MAX_URL_CHARS), AfterValidator(_check_proxy)]


class Via(Frozen):
    """How this machine reaches a virtual network: by one of `source`, `device`, `namespace` and `proxy`; `source` may
    stand beside `device` and `namespace`. Without any, by its own routing."""

    source: Annotated[SourceAddress | None, SHOWN_WHERE_SET] = None
    """The address of this machine that probes come from."""
    device: Annotated[DeviceName | None, SHOWN_WHERE_SET] = None
    """The interface that they leave by, or a VRF: wg0, gre1."""
    namespace: Annotated[NamespaceName | None, SHOWN_WHERE_SET] = None
    """The network namespace that they are sent in: its name, as `ip netns` lists it, or the path of its file."""
    proxy: Annotated[ProxyAddress | None, SHOWN_WHERE_SET] = None
    """The proxy that carries their connections: `socks5://[USER:PASSWORD@]HOST:PORT` or `http://...` (CONNECT)."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("Via", self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        ways = [name for name in ("device", "namespace", "proxy") if getattr(self, name) is not None]
        if not ways and self.source is None:
            yield Mistake((), "no way is given; expected one of source, device, namespace and proxy")
        if len(ways) > 1:
            about = tuple((name,) for name in ways)
            yield Mistake((ways[-1],), f"a network is reached one way, not by {listed(ways)}; keep one", about)
        elif self.proxy is not None and self.source is not None:
            message = "a proxy has its own address; source goes with device or namespace, or stands alone"
            yield Mistake(("source",), message, (("source",), ("proxy",)))

    def __str__(self) -> str:
        """Return it in words, without a proxy's password: `device wg0 from 10.9.0.1`."""
        words = []
        if self.device is not None:
            words.append(f"device {self.device}")
        if self.namespace is not None:
            words.append(f"namespace {self.namespace}")
        if self.proxy is not None:
            place = parse_proxy(self.proxy)
            words.append(f"proxy {place.scheme}://{place}")
        if self.source is not None:
            words.append(f"from {self.source}" if words else f"source {self.source}")
        return " ".join(words)


class VirtualNetwork(Frozen):
    """A network that endpoints stand in. One address may be another host in each."""

    name: Annotated[
        str, StringConstraints(min_length=1, max_length=bounds.MAX_NETWORK_NAME_CHARS), AfterValidator(_check_name)
    ]
    """Its name; in a file, the key."""
    id: Annotated[Annotated[str, AfterValidator(_check_id)] | None, SHOWN_WHERE_SET] = None
    """Its id in the API, a UUID; without it one that follows from the name."""
    comment: Description = ""
    """For people."""
    is_default_network: Flag = False
    """Whether it has the private addresses, and the routes, that name no network; at most one is."""
    via: Annotated[Via | None, SHOWN_WHERE_SET] = None
    """How this machine reaches it; without it by its own routing. lbdns's own."""

    @property
    def uuid(self) -> str:
        """Its id, given or not."""
        return self.id or lasting_network_id(self.name)


@lru_cache(4096)
def _prefix(text: str) -> Network:
    return ip_network(text)


def parse_network(text: str) -> Network:
    """Return the network of a text; raises ValueError with a sentence about it."""
    try:
        return _prefix(text)
    except ValueError:
        pass
    try:
        whole = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f'"{text}" is no network; expected one such as 10.0.0.0/16 or fd00:1::/64') from None
    raise ValueError(f'"{text}" has bits behind its prefix; the network that it is in is {whole}')


def _check_network(text: str) -> str:
    try:
        return str(parse_network(text))
    except ValueError as error:
        raise refusal(str(error)) from None


class NetworkRoute(Frozen):
    """Addresses that stand in a virtual network: those of endpoints that name none."""

    network: Annotated[str, StringConstraints(max_length=bounds.MAX_NETWORK_CHARS), AfterValidator(_check_network)]
    """The addresses, as a prefix: 10.0.0.0/16."""
    virtual_network: NetworkReference | None = None
    """The virtual network that they are in; without it the default one."""
    comment: Description = ""
    """For people."""
    tunnel_id: Annotated[str | None, StringConstraints(max_length=bounds.MAX_TUNNEL_ID_CHARS), SHOWN_WHERE_SET] = None
    """Kept for the v4 API; does not act: `via` says how a network is reached."""

    @property
    def prefix(self) -> Network:
        """The addresses."""
        return _prefix(self.network)


def is_private(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address means another host in each network."""
    return any(address in one for one in PRIVATE if one.version == address.version)


@dataclass(frozen=True, slots=True)
class NetworkTable:
    """Which network addresses are in; to be made once for whoever asks about many. `default`: "" where there is none.

    `routes`: the networks of each prefix, by length of prefix and prefix, longest first.
    """

    names: frozenset[str] = frozenset()
    default: str = ""
    routes: tuple[tuple[int, int, Mapping[int, Sequence[str]]], ...] = ()

    @classmethod
    def of(cls, networks: Mapping[str, VirtualNetwork], routes: Sequence[NetworkRoute]) -> NetworkTable:
        """Return the table of some networks and the routes to them."""
        if not networks:
            return _NO_NETWORKS
        default = next((name for name, one in networks.items() if one.is_default_network), "")
        found: dict[tuple[int, int], dict[int, list[str]]] = {}
        for route in routes:
            prefix, name = route.prefix, route.virtual_network or default
            if name in networks:
                by_bits = found.setdefault((prefix.version, prefix.prefixlen), {})
                by_bits.setdefault(int(prefix.network_address), []).append(name)
        rows = sorted(found.items(), key=lambda item: -item[0][1])
        return cls(frozenset(networks), default, tuple((version, length, table) for (version, length), table in rows))

    def network_of(self, endpoint: Endpoint) -> str:
        """Return the network of an endpoint, "" where it is in none."""
        if not self.names:
            return ""
        if endpoint.virtual_network is not None:
            return endpoint.virtual_network if endpoint.virtual_network in self.names else ""
        ip = endpoint.ip
        if ip is None or endpoint.is_placeholder:
            return ""
        candidates = self.candidates(ip)
        return candidates[0] if candidates else ""

    def candidates(self, ip: IPv4Address | IPv6Address) -> tuple[str, ...]:
        """Return the networks that an address may be in, the one that has it first: several where routes tie and none
        of them is the default network's."""
        names = self._routed(ip)
        if names:
            return (self.default,) if self.default in names else names
        return (self.default,) if self.default and is_private(ip) else ()

    def is_routed(self, ip: IPv4Address | IPv6Address) -> bool:
        """Whether a route holds an address."""
        return bool(self._routed(ip))

    def _routed(self, ip: IPv4Address | IPv6Address) -> tuple[str, ...]:
        """Return the networks of the routes with the longest prefix that hold an address."""
        bits, number = ip.max_prefixlen, int(ip)
        for version, length, table in self.routes:
            if version == ip.version:
                found = table.get(number >> (bits - length) << (bits - length))
                if found:
                    return tuple(dict.fromkeys(found))
        return ()


_NO_NETWORKS: Final = NetworkTable()


class HasNetworks(Protocol):
    """What has virtual networks and routes: a Configuration."""

    @property
    def virtual_networks(self) -> Mapping[str, VirtualNetwork]:
        """The virtual networks by name."""

    @property
    def routes(self) -> Sequence[NetworkRoute]:
        """The routes."""


def network_of(configuration: HasNetworks, origin: Endpoint) -> str:
    """Return the virtual network that an endpoint stands in, "" where it is in none. Who asks about many makes a
    NetworkTable."""
    return NetworkTable.of(configuration.virtual_networks, configuration.routes).network_of(origin)
