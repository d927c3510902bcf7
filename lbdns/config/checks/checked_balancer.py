"""What is kept of a load balancer from one check to the next."""

from __future__ import annotations

from lbdns.base.errors import Problem
from lbdns.config.yaml.source import Placed
from lbdns.dns.name import encode_canonical
from lbdns.model.balancer import LoadBalancer


class Checked:
    """One load balancer: the pools that it names, its own name (wire, lower case), and the problems found last.
    `is_plain`: everybody sees it, and all its fields are known; `is_address`: it is enabled and answers addresses."""

    __slots__ = ("about_fields", "about_zone", "has_rules", "is_address", "is_plain", "names", "placed", "wire")

    def __init__(self, placed: Placed[LoadBalancer]) -> None:
        self.placed = placed
        balancer = placed.item
        named, pools = balancer.named_pools(), balancer.default_pools
        # A set takes three times as much, and there may be 100,000; mostly there is a tuple of just these.
        self.names = pools if len(pools) == len(named) and named == {*pools} else tuple(named)
        self.is_plain = not (balancer.view or balancer.is_private or placed.refused)
        self.is_address = balancer.enabled and balancer.type == "A"
        self.has_rules = balancer.has_rules
        # The model has checked the name, so it always has one.
        self.wire = encode_canonical(balancer.name)
        self.about_fields: tuple[Problem, ...] | None = None
        self.about_zone: tuple[Problem, ...] | None = None
