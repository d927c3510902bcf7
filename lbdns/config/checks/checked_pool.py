"""What is kept of a pool from one check to the next."""

from __future__ import annotations

from dataclasses import dataclass

from lbdns.base.errors import Problem
from lbdns.base.kinds import Kind
from lbdns.base.reference_paths import located
from lbdns.config.yaml.source import Placed
from lbdns.model.pool import Pool


@dataclass(frozen=True, slots=True)
class Families:
    """The address families that a pool answers: those of its enabled endpoints."""

    has_ipv4: bool
    has_ipv6: bool

    def __str__(self) -> str:
        if self.has_ipv4 and self.has_ipv6:
            return "IPv4 and IPv6"
        return "IPv4 only" if self.has_ipv4 else "IPv6 only"


ONLY_IPV4, ONLY_IPV6, BOTH = Families(True, False), Families(False, True), Families(True, True)


class CheckedPool:
    """One pool: its families, None where they are not known; what it names, by kind and name, None where networks are
    among it or not all is known; the problems found last; and whether it may tell anything."""

    __slots__ = ("families", "names", "problems", "tells")

    def __init__(self, placed: Placed[Pool]) -> None:
        self.families = _families(placed)
        self.names = _named_by(placed)
        self.problems: tuple[Problem, ...] | None = None
        self.tells = True


def _families(placed: Placed[Pool]) -> Families | None:
    """Return a pool's families; None where they are not known: it is disabled, or hostnames may have either."""
    if not placed.item.enabled or not placed.knows("origins"):
        return None
    addresses = [endpoint.address for endpoint in placed.item.origins if endpoint.is_used]
    has_ipv6 = any(":" in address for address in addresses)
    if not addresses or any(":" not in address and not address[-1].isdigit() for address in addresses):
        return None
    if all(":" in address for address in addresses):
        return ONLY_IPV6
    return BOTH if has_ipv6 else ONLY_IPV4


def names_network(pool: Pool) -> bool:
    """Tell whether an endpoint names a virtual network."""
    return any(endpoint.virtual_network is not None for endpoint in pool.origins)


def _named_by(placed: Placed[Pool]) -> tuple[tuple[Kind, str], ...] | None:
    if placed.refused or names_network(placed.item):
        return None
    fields = [field for field in Kind.POOL.references if field.kind != Kind.VIRTUAL_NETWORK]
    return tuple((Kind(field.kind), name) for field in fields for _, name in located(placed.item, field.path))
