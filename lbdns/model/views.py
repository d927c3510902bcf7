"""Views: which clients see what. A view says who is in it; zones, RRsets and load balancers say which view they are of.

| an object's view | who sees it |
|---|---|
| "" | everybody |
| "public" | who is in no view |
| a view's name | who is in that view |
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, StringConstraints, WithJsonSchema

from lbdns.base.wording import counted
from lbdns.model import bounds
from lbdns.model.fields import Frozen, check_object_name
from lbdns.model.mistakes import shown
from lbdns.model.named_lists import Network, read_each
from lbdns.model.plain_fields import Flag
from lbdns.model.refusal import Mistake, refusal, refuse_all
from lbdns.model.socket_address import format_socket_address, parse_socket_address
from lbdns.model.tsig_key import KeyName
from lbdns.model.view_names import PUBLIC

Address = IPv4Address | IPv6Address
_MAPPED_BITS: Final = 96


def _check_declared(name: str) -> str:
    if name.lower() == PUBLIC:
        raise refusal(f'"{name}" is the view of who is in no other; choose another name')
    return check_object_name(name)


def _check_view(name: str) -> str:
    return check_object_name(name) if name else name


def _networks(bound: int) -> Callable[[Any], tuple[Network, ...]]:
    """Return what reads a list of networks, each in its place, so that a mistake about one has it."""

    def check(value: Any) -> tuple[Network, ...]:
        if not isinstance(value, list | tuple):
            raise refusal(f"{shown(value)} is no list; expected networks such as 192.0.2.0/24")
        if len(value) > bound:
            raise refusal(f"{counted(len(value), 'network')}; expected at most {bound:,}")
        if all(isinstance(one, Network) for one in value):
            return tuple(value)
        networks, mistakes = read_each(value)
        refuse_all("Networks", (Mistake((index,), message) for index, message in mistakes))
        refuse_all("Networks", _mapped(networks))
        return networks

    return check


def _mapped(networks: Iterable[Network]) -> Iterator[Mistake]:
    """Yield a mistake for each IPv4 network in IPv6 form: whoever is in it is known by his IPv4 address."""
    for index, network in enumerate(networks):
        first = network.network_address
        if first.version == 6 and first.ipv4_mapped is not None and network.prefixlen >= _MAPPED_BITS:
            plain = f"{first.ipv4_mapped}/{network.prefixlen - _MAPPED_BITS}"
            yield Mistake((index,), f"this is an IPv4 network in IPv6 form; write {plain}")


def _as_texts(networks: Sequence[Network]) -> list[str]:
    return [str(network) for network in networks]


def check_listener(text: str) -> str:
    """Return an address and port to answer at in their usual form; raises a refusal."""
    return format_socket_address(*parse_socket_address(text, bounds.DNS_PORT))


if TYPE_CHECKING:
    ViewNetworks = tuple[Network, ...]
    TrustedNetworks = tuple[Network, ...]
    ProxyNetworks = tuple[Network, ...]
else:

    def _listed(bound: int) -> Any:
        """Return the type of a list of networks with at most `bound` of them."""
        return Annotated[
            Annotated[tuple[str, ...], Field(max_length=bound)],
            PlainValidator(_networks(bound)),
            PlainSerializer(_as_texts),
            WithJsonSchema({"type": "array", "items": {"type": "string"}, "maxItems": bound}),
        ]

    ViewNetworks = _listed(bounds.MAX_VIEW_NETWORKS)
    TrustedNetworks = _listed(bounds.MAX_TRUSTED_RESOLVERS)
    ProxyNetworks = _listed(bounds.MAX_PROXIES)
DeclaredView = Annotated[
    str,
    StringConstraints(min_length=1, max_length=bounds.MAX_VIEW_NAME_CHARS),
    AfterValidator(_check_declared),
]
"""The name of a view, where it is declared."""
ViewName = Annotated[str, StringConstraints(max_length=bounds.MAX_VIEW_NAME_CHARS), AfterValidator(_check_view)]
"""The view of an object. That a view of that name is declared is checked by lbdns.config."""


class ViewSettings(Frozen):
    """Who is in a view: by the key that signs the query, by the address that it was sent to, or by network."""

    networks: ViewNetworks = ()
    """The networks of its clients. Of all views' networks the smallest that a client is in decides."""
    keys: Annotated[tuple[KeyName, ...], Field(max_length=bounds.MAX_VIEW_KEYS)] = ()
    """The names of TSIG keys: who signs with one of them is in the view, wherever the query comes from."""
    listeners: Annotated[
        tuple[Annotated[str, AfterValidator(check_listener)], ...], Field(max_length=bounds.MAX_LISTEN)
    ] = ()
    """Addresses of `listen`: who asks there is in the view, unless a key says otherwise."""
    private: Flag = False
    """Whether private load balancers that name no views are served in it."""


NamedViews = Annotated[dict[DeclaredView, ViewSettings], Field(max_length=bounds.MAX_VIEWS)]


def network_holding(views: Mapping[str, ViewSettings], asked: Address | Network) -> tuple[str, Network] | None:
    """Return the view that an address, or the whole of a network, is in by the smallest of all views' networks that
    holds it, and that network; None where it is in no view."""
    whole = asked if isinstance(asked, Network) else None
    first = whole.network_address if whole is not None else asked
    assert isinstance(first, Address), "an address, or a network's first"
    bits, number = first.max_prefixlen, int(first)
    length = whole.prefixlen if whole is not None else bits
    found: tuple[str, Network] | None = None
    for name, view in views.items():
        for network in view.networks:
            if network.version != first.version or network.prefixlen > length:
                continue
            shift = bits - network.prefixlen
            holds = int(network.network_address) >> shift == number >> shift
            if holds and (found is None or network.prefixlen > found[1].prefixlen):
                found = name, network
    return found


def view_facts(views: Mapping[str, ViewSettings], address: Address) -> dict[str, str | None]:
    """Return the view that an address is in by the networks of views, and the network, as JSON values; nothing where
    there are no views."""
    if not views:
        return {}
    name, network = network_holding(views, address) or (PUBLIC, None)
    return {"view": name, "view_network": None if network is None else str(network)}


def overlapping(views: Mapping[str, ViewSettings]) -> Iterator[Mistake]:
    """Yield a mistake for each network, key and listener that stands in two views, or in one of them twice."""
    for field, words in (("networks", "network"), ("keys", "key"), ("listeners", "listener")):
        seen: dict[Hashable, tuple[str, int]] = {}
        for name, view in views.items():
            for index, one in enumerate(getattr(view, field)):
                at = ("views", name, field, index)
                other, before = seen.setdefault(one, (name, index))
                about = (("views", other, field, before), at)
                if other != name:
                    message = f'overlapping views: the {words} {one} is in the view "{other}" already; it can be in one'
                    yield Mistake(at, message, about)
                elif before != index:
                    yield Mistake(at, f"{one} is listed already; list it once", about)
