"""By which way previews leave: that into the virtual network of an endpoint, of the configuration in force."""

from __future__ import annotations

from lbdns.mapped.run_directory import opener_path
from lbdns.model.pool import Endpoint
from lbdns.model.virtual_network import NetworkTable
from lbdns.monitor.ways.lone_way import lone_way
from lbdns.monitor.ways.names_there import NamesThere
from lbdns.monitor.ways.opener_client import Opening
from lbdns.monitor.ways.way import Way
from lbdns.publish.monitor_targets import network_target
from lbdns.publish.publisher import Published


class WaysOut:
    """The ways of one preview, made as they are needed."""

    def __init__(self, published: Published) -> None:
        """Leave as what is served does; namespaces are entered by the server's opener."""
        self._configuration = published.configuration
        self._table = NetworkTable.of(self._configuration.virtual_networks, self._configuration.routes)
        self._opening = Opening(opener_path(published.table.path.parent))
        self._ways: dict[str, Way] = {}

    def of(self, endpoint: Endpoint) -> Way | None:
        """Return the way to an endpoint; None where it is in no network."""
        name = self._table.network_of(endpoint)
        network = self._configuration.virtual_networks.get(name)
        if network is None:
            return None
        if name not in self._ways:
            resolvers = self._configuration.settings.resolvers
            self._ways[name] = lone_way(network_target(network, 0), self._opening, resolvers)
        return self._ways[name]

    def names_by(self, way: Way) -> NamesThere:
        """Return who is asked for hostnames in a way's network."""
        return NamesThere(way, self._configuration.settings.resolvers)

    def close(self) -> None:
        """Ask the opener no more."""
        self._opening.close()
