"""PagerDuty: an event for each alert, by the Events API v2. What is sent is pure, and bounded.

An alert's correlation id is the event's dedup_key: what is said of one alert is said of one incident, and its end
resolves that. An event that comes twice changes nothing there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from lbdns.base.words import Health
from lbdns.model.subscription import Subscription
from lbdns.monitor.notify.alert_messages import moment
from lbdns.monitor.notify.alerts import END, Alert
from lbdns.monitor.notify.delivery import MayReach, Told
from lbdns.monitor.notify.posting import send_json
from lbdns.monitor.notify.webhook import data_of

SUMMARY_CHARS_MAX: Final = 1024
"""Of the v2 API."""
_SEVERITIES: Final = {
    Health.CRITICAL: "critical",
    Health.DOWN: "critical",
    Health.UNHEALTHY: "error",
    Health.UNRESOLVED: "error",
}
"""By what became of pool or endpoint; of all else a warning."""


class PagerDutySink:
    """One service of PagerDuty."""

    def __init__(self, subscription: Subscription, may_reach: MayReach) -> None:
        """Post events with the routing key of a subscription, at addresses that may be reached."""
        self._subscription = subscription
        self._may_reach = may_reach

    async def deliver(self, told: Sequence[Told], unheard: int, id: str) -> str:
        """Post one alert's event; raises DeliveryFailed. The routing key is not part of what is returned."""
        assert len(told) == 1, "PagerDuty is told of each alert by itself"
        destination = self._subscription.destination
        event = event_of(self._subscription, *told[0])
        await send_json(destination, json.dumps(event, ensure_ascii=False), {}, self._may_reach)
        return json.dumps({key: value for key, value in event.items() if key != "routing_key"}, ensure_ascii=False)


def event_of(subscription: Subscription, alert: Alert, balancers: Sequence[str]) -> dict[str, Any]:
    """Return the event of one alert."""
    event = {
        "routing_key": subscription.destination.secret,
        "event_action": "resolve" if alert.event == END else "trigger",
        "dedup_key": alert.correlation_id,
    }
    if alert.event == END:
        return event
    details = {"policy_name": subscription.policy_name, "alert_type": alert.type, **data_of(alert, balancers)}
    return {
        **event,
        "client": "lbdns",
        "payload": {
            "summary": " ".join(alert.text.split())[:SUMMARY_CHARS_MAX],
            "source": alert.endpoint or alert.pool or alert.network,
            "severity": _SEVERITIES.get(alert.new_health, "warning"),
            "timestamp": moment(alert.at_s),
            "component": alert.pool or alert.network,
            "group": ", ".join(balancers),
            "class": alert.type,
            "custom_details": details,
        },
    }
