"""How a zone can be reached: one lost datagram must not be all that a resolver tries."""

from __future__ import annotations

from collections.abc import Iterator

from lbdns.base.errors import Problem
from lbdns.dns.codes import TYPE_NS
from lbdns.dns.master.draft import subject
from lbdns.dns.name import encode_canonical, show_name
from lbdns.dns.rdata.record_types import ADDRESS_TYPES
from lbdns.dns.zone import RRset, Zone
from lbdns.model.configuration import Configuration


def check_name_servers(configuration: Configuration) -> Iterator[Problem]:
    """Yield a warning for each zone of whose name servers one address is all that there is.

    It is known where all of them stand in the zone with addresses of their own: not elsewhere, below a wildcard, as an
    alias or as a load balancer. PowerDNS Recursor 4.8 answers SERVFAIL for a minute after the one has not replied once.
    """
    alone = [(zone, found) for zone in configuration.zones if (found := _only_server(zone)) is not None]
    if not alone:
        return
    balanced = {encode_canonical(one.name) for one in configuration.load_balancers}
    for zone, (servers, target) in alone:
        if target not in balanced:
            message = (
                f'the zone has one name server address, that of "{show_name(target)}"; where one datagram to it is '
                "lost, resolvers fail for up to a minute: give it a second one"
            )
            path = subject(servers.owner, TYPE_NS)
            yield Problem(zone.file, servers.line, path, message, "warning", ("content",))


def _only_server(zone: Zone) -> tuple[RRset, bytes] | None:
    """Return the apex NS and the name whose one address is all that is known of them; None where there is more."""
    servers = next((one for one in zone.rrsets if one.type == TYPE_NS and one.owner == zone.apex), None)
    if servers is None:
        return None
    targets = {rdata.lower() for rdata in servers.rdatas}
    found = [one for one in zone.rrsets if one.type in ADDRESS_TYPES and one.owner in targets]
    addresses = {rdata for one in found for rdata in one.rdatas}
    if len(addresses) != 1 or {one.owner for one in found} != targets:
        return None
    return servers, found[0].owner
