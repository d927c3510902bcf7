"""Webhooks: the v4 API's JSON, posted. What is sent is pure, and bounded.

A summary has the shape of one alert, with the counts in `text` and the alerts in `changes` of its data; each names its
own correlation id. What is tried again carries the same Idempotency-Key.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from lbdns.base.kinds import Kind
from lbdns.base.lasting_ids import lasting_id
from lbdns.base.words import Health
from lbdns.model.subscription import Destination, Subscription
from lbdns.monitor.notify.alert_messages import BALANCERS_MAX, CHANGES_MAX, moment, summary_text
from lbdns.monitor.notify.alerts import END, HEALTH, START, Alert
from lbdns.monitor.notify.delivery import MayReach, Told
from lbdns.monitor.notify.posting import send_json

DISCORD_CHARS_MAX: Final = 2000
CHAT_BODIES: Final[dict[str, Callable[[str], dict[str, Any]]]] = {
    "slack": lambda text: {"text": text},
    "discord": lambda text: {"content": text[:DISCORD_CHARS_MAX]},
    "gchat": lambda text: {"text": text},
    "feishu": lambda text: {"msg_type": "text", "content": {"text": text}},
}
"""What the chats take that have no use for an alert's fields."""
TEST_TEXT: Final = "This is a test message sent by lbdns. Whoever reads it has a webhook that works."
_HOSTS: Final = {
    "hooks.slack.com": "slack",
    "discord.com": "discord",
    "discordapp.com": "discord",
    "chat.googleapis.com": "gchat",
    "open.feishu.cn": "feishu",
    "open.larksuite.com": "feishu",
}


def webhook_type(url: str) -> str:
    """Return the type of a webhook, in the v4 API's words, by the host of its URL; "generic" for all others."""
    return _HOSTS.get(urlsplit(url).hostname or "", "generic")


class WebhookSink:
    """One webhook."""

    def __init__(self, subscription: Subscription, may_reach: MayReach) -> None:
        """Post to the webhook of a subscription, with its secret, at addresses that may be reached."""
        self._subscription = subscription
        self._may_reach = may_reach

    async def deliver(self, told: Sequence[Told], unheard: int, id: str) -> str:
        """Post one alert, or a summary of many; raises DeliveryFailed."""
        if len(told) == 1 and not unheard:
            document = document_of(self._subscription, *told[0])
        else:
            document = summary_of(self._subscription, told, unheard)
        return await post(self._subscription.destination, document, self._may_reach, id)


async def post(destination: Destination, document: dict[str, Any], may_reach: MayReach, id: str = "") -> str:
    """Post a document to a webhook, in its own form where it is a chat; returns the text that was sent, raises
    DeliveryFailed. To be called under a deadline. `id`: see Sink."""
    chat = CHAT_BODIES.get(webhook_type(destination.url))
    body = json.dumps(document if chat is None else chat(document["text"]), ensure_ascii=False)
    headers = {destination.secret_header: destination.secret} if destination.secret else {}
    if id:
        headers["Idempotency-Key"] = id
    await send_json(destination, body, headers, may_reach)
    return body


def test_message(destination: Destination) -> dict[str, Any]:
    """Return what a webhook is sent when it is made."""
    return {"name": destination.name, "text": TEST_TEXT, "alert_type": "test"}


def document_of(subscription: Subscription, alert: Alert, balancers: Sequence[str]) -> dict[str, Any]:
    """Return a webhook's JSON for one alert."""
    return _document(subscription, alert, alert.text, data_of(alert, balancers))


def summary_of(subscription: Subscription, told: Sequence[Told], unheard: int) -> dict[str, Any]:
    """Return a webhook's JSON for many alerts, oldest first; `unheard` counts further ones that were not kept."""
    pools = dict.fromkeys(alert.pool for alert, _ in told)
    balancers = dict.fromkeys(name for _, names in told for name in names)
    first, last = told[0][0], told[-1][0]
    unhappy = any(alert.event == START for alert, _ in told)
    words = {alert.new_health for alert, _ in told}
    alert = Alert(
        type=first.type if all(one.type == first.type for one, _ in told) else HEALTH,
        event=START if unhappy else END,
        correlation_id=uuid.uuid4().hex,
        pool=first.pool if len(pools) == 1 else "",
        endpoint="",
        new_health=words.pop() if len(words) == 1 else Health.UNHEALTHY if unhappy else Health.HEALTHY,
        reason=f"{len(told) + unheard} changes",
        at_s=last.at_s,
        text=summary_text([one for one, _ in told], unheard),
        pool_id=first.pool_id if len(pools) == 1 else "",
        account_id=first.account_id,
    )
    changes = [
        {**data_of(one, names), "alert_correlation_id": one.correlation_id, "alert_event": one.event}
        for one, names in told[:CHANGES_MAX]
    ]
    return _document(subscription, alert, alert.text, {**data_of(alert, list(balancers)), "changes": changes})


def _document(subscription: Subscription, alert: Alert, text: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": subscription.destination.name,
        "text": text,
        "data": data,
        "ts": int(alert.at_s),
        "account_id": alert.account_id,
        "policy_id": subscription.policy_id,
        "policy_name": subscription.policy_name,
        "alert_type": alert.type,
        "alert_correlation_id": alert.correlation_id,
        "alert_event": alert.event,
    }


def data_of(alert: Alert, balancers: Sequence[str]) -> dict[str, Any]:
    """Return what the v4 API says of an alert, as a webhook's `data`."""
    # Beside what the v4 API has: that it is a monitor's view which changed, and no endpoint, or a virtual network.
    watching = {"monitor_name": alert.monitor, "monitoring_only": True} if alert.monitor else {}
    network = {"virtual_network_name": alert.network} if alert.network else {}
    return {
        "pool_id": alert.pool_id or (lasting_id(Kind.POOL, alert.pool, "") if alert.pool else ""),
        "pool_name": alert.pool,
        "load_balancer_name": ", ".join(balancers[:BALANCERS_MAX]),
        "origin_name": alert.endpoint,
        "new_health": alert.new_health,
        "event_source": alert.source,
        "reason": alert.reason,
        "status_change_time": moment(alert.at_s),
        **watching,
        **network,
    }
