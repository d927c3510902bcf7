"""What a load balancer costs in a zone that is signed: told, since it is no mistake. And policies of no zone.

its pools ...                                               so that                                     source
differ in address families                                  the lack of one is signed on demand         RFC 9824
have hostnames that are answered as CNAME                   some resolvers give it for every type       seen
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lbdns.base.errors import Problem
from lbdns.base.wording import nearest
from lbdns.config.checks.effects import families_told
from lbdns.config.checks.facts import Facts
from lbdns.config.yaml.source import Placed, Source
from lbdns.dns.name import show_name
from lbdns.model.balancer import LoadBalancer
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings


def check_policies(settings: Settings, source: Source, zones: Iterable[tuple[bytes, str]]) -> Iterator[Problem]:
    """Yield a warning for each policy of a zone that is not there: the one that was meant has the general one.

    `zones`: apex and view of each that is read with the settings. Where none is, they come from a store.
    """
    names = {show_name(apex) for apex, _ in zones}
    for name in settings.dnssec.zones if names else ():
        if name not in names:
            near = nearest(name, names)
            meant = f'; did you mean "{near}"?' if near else ""
            yield source.warning(("dnssec", "zones", name), f'there is no zone "{name}" here{meant}')


def check_signed(placed: Placed[LoadBalancer], pools: Mapping[str, Placed[Pool]], facts: Facts) -> Iterator[Problem]:
    """Yield a warning for what a load balancer of a signed zone costs."""
    if placed.item.type != "A":
        return
    told = families_told(placed.item, facts)
    if told:
        message = (
            f"in a signed zone, where the pools differ in address families ({told}), each answer without an address is "
            "proven by a record of its own, signed when it is asked for, and resolvers keep it for the load balancer's "
            f"TTL, {placed.item.ttl} s"
        )
        yield placed.source.warning(("default_pools",), message)
    aliases = [
        f'"{endpoint.name}" of pool "{name}"'
        for name in sorted(placed.item.pool_names() & pools.keys())
        for endpoint in pools[name].item.origins
        if endpoint.ip is None and not endpoint.flatten_cname
    ]
    if aliases:
        more = f" and {len(aliases) - 1} more" if len(aliases) > 1 else ""
        message = (
            f"in a signed zone, origin {aliases[0]}{more} is answered with a CNAME (flatten_cname false): resolvers "
            "that keep it give it for every type, so that what pools without a hostname have is not seen meanwhile"
        )
        yield placed.source.warning(("default_pools",), message)
