"""The table of sinks: for each mechanism, what sends by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lbdns.model.subscription import Subscription
from lbdns.monitor.notify.delivery import MayReach, Sink
from lbdns.monitor.notify.mail import MailSink
from lbdns.monitor.notify.pagerduty import PagerDutySink
from lbdns.monitor.notify.webhook import WebhookSink

SINKS: Final[dict[str, Callable[[Subscription, MayReach], Sink]]] = {
    "webhook": WebhookSink,
    "email": lambda subscription, may_reach: MailSink(subscription),  # to the servers that lbdns.yaml names
    "pagerduty": PagerDutySink,
}
ONE_BY_ONE: Final = frozenset({"pagerduty"})
"""Mechanisms that have no summary: each alert opens and resolves an incident of its own."""


def sink_of(subscription: Subscription, may_reach: MayReach) -> Sink:
    """Return what a receiver is sent with."""
    return SINKS[subscription.destination.mechanism](subscription, may_reach)
