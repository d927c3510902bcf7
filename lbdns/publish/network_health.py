"""The health of virtual networks as the health table has it, for whoever shows it; and the reason of endpoints behind
one that is down."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from lbdns.health.reasons import Reason, reason_text
from lbdns.health.way_faults import WAY_DOWN, WAY_WORDS, down_text, fault_text, way_identity
from lbdns.mapped.endpoint_rows import Columns
from lbdns.model.configuration import Configuration
from lbdns.model.pool import Endpoint
from lbdns.model.proxy_place import parse_proxy
from lbdns.model.virtual_network import NetworkTable, Via, VirtualNetwork
from lbdns.publish.publisher import Published


class NetworkRow(NamedTuple):
    """One network: its state, a word of Health's, why it is down ("" where it is not), since when (unix seconds, 0: not
    known)."""

    name: str
    state: str
    why: str
    since: float

    @property
    def is_down(self) -> bool:
        """Whether nothing in it can be reached."""
        return self.state == WAY_WORDS[WAY_DOWN]

    @property
    def down_text(self) -> str:
        """What is said of it, and of each endpoint behind it, while it is down."""
        return down_text(self.name, self.why)


class NetworkHealth:
    """The networks of a generation, as the table says at this moment."""

    def __init__(self, published: Published) -> None:
        """Read the table."""
        configuration = published.configuration
        self.published = published
        self._table = NetworkTable.of(configuration.virtual_networks, configuration.routes)
        self.rows = network_rows(configuration, published.table.columns)

    def endpoint_counts(self) -> dict[str, int]:
        """Return how many endpoints in use stand in each network."""
        counts: Counter[str] = Counter()
        if self.rows:
            for pool in self.published.configuration.pools.values():
                counts.update(self._table.network_of(one) for one in pool.origins if one.is_used)
        return {name: counts[name] for name in self.rows}

    def network_of(self, endpoint: Endpoint) -> str:
        """Return the name of an endpoint's network; "" where it is in none."""
        return self._table.network_of(endpoint)

    def is_way_given(self, endpoint: Endpoint) -> bool:
        """Whether an endpoint is reached by another way than the machine's own routing."""
        network = self.published.configuration.virtual_networks.get(self.network_of(endpoint))
        return network is not None and network.via is not None

    def told(self, endpoint: Endpoint, reason: int) -> str:
        """Return the reason of an endpoint's measured state in words, with what is wrong with its network."""
        network = self.rows.get(self.network_of(endpoint)) if reason == Reason.NETWORK_DOWN else None
        if network is None or not network.is_down:
            return reason_text(reason)
        return network.down_text


def network_rows(configuration: Configuration, columns: Columns) -> dict[str, NetworkRow]:
    """Return the networks of a configuration, as a health table's columns say."""
    if not configuration.virtual_networks:
        return {}
    slots = {identity: slot for slot, identity in enumerate(columns["network_identity"]) if identity}
    rows = {}
    for name, network in configuration.virtual_networks.items():
        slot = slots.get(_identity(network))
        state = columns["network_state"][slot] if slot is not None else 0
        fault = columns["network_fault"][slot] if slot is not None else 0
        since = columns["network_since"][slot] if slot is not None else 0.0
        word = WAY_WORDS[state] if state < len(WAY_WORDS) else WAY_WORDS[0]
        rows[name] = NetworkRow(name, word, _told(network.via, fault), since)
    return rows


def _identity(network: VirtualNetwork) -> int:
    via = network.via or Via.model_construct()
    return way_identity(network.name, via.source, via.device, via.namespace, via.proxy)


def _told(via: Via | None, fault: int) -> str:
    if via is None:
        return fault_text(fault)
    proxy = str(parse_proxy(via.proxy)) if via.proxy else ""
    return fault_text(fault, via.device or "", via.namespace or "", via.source or "", proxy)
