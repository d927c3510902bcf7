"""Checks of a load balancer's rules and pool sets."""

from __future__ import annotations

from collections.abc import Iterator

from lbdns.base.errors import Problem
from lbdns.config.yaml.source import Placed
from lbdns.model.balancer import RULE_LISTS, LoadBalancer


def check_rules(placed: Placed[LoadBalancer]) -> Iterator[Problem]:
    """Yield every problem of one load balancer's rules and pool sets."""
    for field in RULE_LISTS:
        if getattr(placed.item, field):
            message = "not served yet; leave the key out or give an empty list"
            yield placed.source.problem((field,), message)
