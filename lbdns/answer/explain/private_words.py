"""What `explain` says of private load balancers: that one answers for another name, and that a zone was made for it."""

from __future__ import annotations

from lbdns.model.configuration import Configuration


def override_words(at: str, name: str) -> str:
    """Return what to say of a load balancer of a name that answers at another; "" where it is its own."""
    return "" if at == name else f" (by the override {at})"


def made_words(configuration: Configuration, apex: bytes) -> str:
    """Return what to say of a zone that no file and no store has; "" of one that is there."""
    zones = (*configuration.zones, *(one.zone for one in configuration.unready))
    return "" if any(zone.apex == apex for zone in zones) else " (made for it: the view has no zone of this name)"
