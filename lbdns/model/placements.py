"""Where load balancers are answered: at which names, in which views.

| a load balancer | is answered at                    | in                                               |
|-----------------|-----------------------------------|--------------------------------------------------|
| of a zone       | its name                          | its view; all where it has none                  |
| private         | its name, and its overrides' names | each of its on_ramps; without, each private view |

A private one need be in no zone. Where its name is in none that a view has, the view gets a zone for it: an apex with
SOA and NS, as RFC 6303 has them for zones that nobody delegates, and nothing beside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from lbdns.dns.codes import TYPE_NS, TYPE_SOA
from lbdns.dns.name import WILDCARD_LABEL, encode_canonical
from lbdns.dns.zone import RRset, Zone
from lbdns.model import bounds
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.views import ViewSettings

MADE: Final = "made for a private load balancer"
"""What stands for the file of a zone that was made for a placement."""
MADE_KEPT: Final = 10_000
"""Zones that are made once: what is compiled of the last configuration is known again by its zones."""
_TIMES_S: Final = (1, 3600, 1200, 604_800, bounds.DEFAULT_TTL_S)
"""Serial, refresh, retry, expire, and for how long it is believed that a name is not there: as long as an answer."""
_RNAME: Final = encode_canonical("nobody.invalid")


class Placement(NamedTuple):
    """A name that a load balancer answers, and the view that it does in; "" for all."""

    owner: str
    view: str
    load_balancer: LoadBalancer


def private_views(views: Mapping[str, ViewSettings]) -> tuple[str, ...]:
    """Return the names of the views that are marked private."""
    return tuple(name for name, one in views.items() if one.private)


def ramps(load_balancer: LoadBalancer, private: Sequence[str]) -> tuple[str, ...]:
    """Return the views that a private load balancer is served in; `private`: those that are marked so."""
    return tuple(dict.fromkeys(load_balancer.on_ramps or private))


def placements(configuration: Configuration) -> Iterator[Placement]:
    """Yield where each load balancer that is enabled is answered: first all under their own names, in order."""
    private = private_views(configuration.settings.views)
    by_name: dict[str, list[LoadBalancer]] = {}
    for one in configuration.load_balancers:
        if not one.enabled:
            continue
        if not one.is_private:
            yield Placement(one.name, one.view, one)
            continue
        by_name.setdefault(one.name, []).append(one)
        for view in ramps(one, private):
            yield Placement(one.name, view, one)
    for override in configuration.overrides.values():
        for one in by_name.get(override.load_balancer, ()):
            for view in ramps(one, private):
                yield Placement(override.name, view, one)


def private_placements(configuration: Configuration) -> Iterator[Placement]:
    """Yield those of private load balancers."""
    return (one for one in placements(configuration) if one.load_balancer.is_private)


def made_apex(owner: bytes) -> bytes:
    """Return the apex of the zone that is made for an owner: itself; for a wildcard what it stands below."""
    return owner.removeprefix(WILDCARD_LABEL)


@lru_cache(MADE_KEPT)
def made_zone(apex: bytes) -> Zone:
    """Return the zone that a view gets for a name that is in none of its zones; the same for all views."""
    times = b"".join(number.to_bytes(4, "big") for number in _TIMES_S)
    soa = RRset(apex, TYPE_SOA, bounds.DEFAULT_TTL_S, (apex + _RNAME + times,))
    return Zone(apex, (soa, RRset(apex, TYPE_NS, bounds.DEFAULT_TTL_S, (apex,))), MADE)
