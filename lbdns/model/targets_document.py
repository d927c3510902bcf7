"""The targets document: what the monitor worker is to probe, and whom to tell, for one generation.

Publishing makes these nouns from a configuration and writes them as JSON beside the snapshot whose slots they name; the
monitor worker reads them back. What is written and what is read follows from this one definition. Keys that a later
release adds are passed over. What these nouns hold was checked by their models: here they are plain, so that the worker
has no need of pydantic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final

from lbdns.model.filter_terms import FilterTerms
from lbdns.model.fleet_terms import FleetTerms
from lbdns.model.monitor_terms import MonitorGroupTerms, MonitorTerms
from lbdns.model.probe_networks import DEFAULT, ReachTerms
from lbdns.model.subscription import Subscription
from lbdns.model.term_reader import read_term, write_term


@dataclass(frozen=True, slots=True)
class Vantage:
    """Where probes are sent from: a name, the region it speaks for ("": unknown), and a local address ("": any)."""

    name: str = "local"
    region: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """One endpoint as configured: `host` is its own Host header ("": none); `is_name`: the address is a hostname.

    `identity` names the endpoint in its slot of the health table; `must_resolve`: somebody needs the addresses of a
    hostname, to probe or to answer them. `network`: the virtual network that it stands in ("": none).
    """

    pool: str
    name: str
    slot: int
    address: str
    is_name: bool
    enabled: bool
    port: int
    host: str
    identity: int
    must_resolve: bool = True
    network: str = ""


_SEPARATOR: Final = b",\n"
"""Between the parts of a list; within JSON's strings no line ends."""
NOT_ON_WIRE: Final = frozenset({"pool", "name", "slot", "is_name", "enabled", "identity", "must_resolve"})
"""Fields of an endpoint that no probe of it follows from: a change of any other one begins its probes anew."""


def is_name(address: str) -> bool:
    """Whether an endpoint's address is a hostname."""
    try:
        inet_pton(AF_INET6 if ":" in address else AF_INET, address.partition("%")[0])
    except (OSError, ValueError):
        return True
    return False


def lone_endpoint(address: str, port: int = 0, host: str = "") -> EndpointSpec:
    """Return an endpoint of no pool and without a slot, for a probe by hand."""
    return EndpointSpec("", "", 0, address, is_name(address), True, port, host, 0)


@dataclass(frozen=True, slots=True)
class PoolTarget:
    """One pool as configured: a monitor's name or a group's judges its endpoints, or nobody does.

    `id` is the store's; a pool of files has none. `is_local`: nobody but operators on this machine had a hand in it, or
    in what probes it.
    """

    name: str
    slot: int
    enabled: bool
    minimum_origins: int
    monitor: str | None
    monitor_group: str | None
    endpoints: tuple[EndpointSpec, ...]
    check_regions: tuple[str, ...] = ()
    notification_filter: FilterTerms | None = None
    id: str = ""
    is_local: bool = True


@dataclass(frozen=True, slots=True)
class NetworkTarget:
    """One virtual network as configured, with the slot of its health: how it is reached (model/virtual_network.py's
    Via), "" for what is not given."""

    name: str
    slot: int
    source: str = ""
    device: str = ""
    namespace: str = ""
    proxy: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class BalancerSpec:
    """A load balancer's name, the pools that its policy may choose among, the last resort, what it answers, and the
    last resorts of its rules."""

    name: str
    pools: tuple[str, ...]
    fallback: str
    type: str = "A"
    rule_fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetsHead:
    """What a generation's document says of no pool and no load balancer in particular; `table`: its health table.

    `pools_of`, `load_balancers_of`: which generation's list it is that lies in a file of its own beside the document;
    0 where the document itself has it.
    """

    generation: int
    table: Path
    monitors: Mapping[str, MonitorTerms]
    monitor_groups: Mapping[str, MonitorGroupTerms]
    resolvers: tuple[str, ...] = ()
    vantage_points: tuple[Vantage, ...] = (Vantage(),)
    subscriptions: tuple[Subscription, ...] = ()
    account_id: str = ""
    probe_networks: ReachTerms = DEFAULT
    networks: tuple[NetworkTarget, ...] = ()
    fleet: FleetTerms | None = None
    pools_of: int = 0
    load_balancers_of: int = 0


@dataclass(frozen=True, slots=True)
class PoolsEdit:
    """In place of `count` pools of a list in a file of its own, from the one at `at` on, stand `parts`."""

    at: int
    count: int
    parts: tuple[PoolTarget, ...]


@dataclass(frozen=True, slots=True)
class BalancersEdit:
    """The same of load balancers."""

    at: int
    count: int
    parts: tuple[BalancerSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedHead(TargetsHead):
    """A head with what is otherwise in this generation than in the lists beside it: edits in order, of which no two
    touch."""

    pool_edits: tuple[PoolsEdit, ...] = ()
    load_balancer_edits: tuple[BalancersEdit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetsDocument(TargetsHead):
    """The whole of it."""

    pools: tuple[PoolTarget, ...]
    load_balancers: tuple[BalancerSpec, ...]


def encode_pool(pool: PoolTarget) -> bytes:
    """Return a pool's part of the document."""
    return write_term(pool)


def encode_balancer(balancer: BalancerSpec) -> bytes:
    """Return a load balancer's part of the document."""
    return write_term(balancer)


def encode_head(head: TargetsHead) -> bytes:
    """Return what a document says beside its lists."""
    return write_term(head)


def join_parts(parts: Iterable[bytes]) -> bytes:
    """Return a list's text, without brackets: each part stands on a line of its own."""
    return _SEPARATOR.join(parts)


def split_parts(text: bytes) -> list[bytes]:
    """Return the parts of a list's text, none of an empty one."""
    return text.split(_SEPARATOR) if text else []


def with_lists(head: bytes, pools: bytes, load_balancers: bytes) -> bytes:
    """Return a whole document, of its head and of the texts of its lists, so that a writer of many generations can keep
    what stays."""
    return b'%b,"pools":[%b],"load_balancers":[%b]}' % (head.removesuffix(b"}"), pools, load_balancers)


Edit = tuple[int, int, Sequence[bytes]]
"""An edit of a list: from where on, how many parts go, and the parts that stand there then."""


def with_edits(head: bytes, pools: Iterable[Edit], load_balancers: Iterable[Edit]) -> bytes:
    """Return a head with what is otherwise than in the lists beside it."""
    texts = [_edits_text(edits) for edits in (pools, load_balancers)]
    return b'%b,"pool_edits":[%b],"load_balancer_edits":[%b]}' % (head.removesuffix(b"}"), *texts)


def _edits_text(edits: Iterable[Edit]) -> bytes:
    return join_parts(
        b'{"at":%d,"count":%d,"parts":[%b]}' % (at, count, join_parts(parts)) for at, count, parts in edits
    )


def decode_head(data: bytes) -> EditedHead:
    """Return what a document says beside its lists; raises BadTerm, a ValueError, where it is malformed."""
    return read_term(EditedHead, data)


def decode_document(data: bytes) -> TargetsDocument:
    """Return a document's content; raises BadTerm, a ValueError, where it is malformed."""
    return read_term(TargetsDocument, data)
