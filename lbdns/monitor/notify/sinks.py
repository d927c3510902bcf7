"""The table of sinks: for each key that says where a notification goes, what sends it there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lbdns.model.notification import Notification
from lbdns.monitor.notify.delivery import MayReach, Sink
from lbdns.monitor.notify.mail import MailSink
from lbdns.monitor.notify.webhook import WebhookSink

SINKS: Final[dict[str, Callable[[Notification, MayReach], Sink]]] = {
    "webhook": WebhookSink,
    "email": lambda notification, may_reach: MailSink(notification),  # to the one server that lbdns.yaml names
}


def sink_of(notification: Notification, may_reach: MayReach) -> Sink:
    """Return what a notification is sent with."""
    return SINKS[notification.sink](notification, may_reach)
