"""Webhooks: the v4 API's JSON, posted with aiohttp. What is sent is pure, and bounded.

A summary has the shape of one alert, with the counts in `text` and the alerts in `changes` of its data; each names its
own correlation id. aiohttp is imported when something is first sent, in a thread: a worker without webhooks does
without it, and no probe waits for it. A receiver is believed nothing but its status code; its body is not read.
"""

from __future__ import annotations

import asyncio
import errno
import importlib
import json
import socket
import uuid
from collections.abc import Sequence
from typing import Any, Final

from lbdns import __version__
from lbdns.base.kinds import Kind
from lbdns.base.lasting_ids import lasting_id
from lbdns.base.words import Health
from lbdns.model.notification import Notification
from lbdns.model.probe_networks import refused_words
from lbdns.monitor.notify.alert_messages import BALANCERS_MAX, CHANGES_MAX, moment, summary_text
from lbdns.monitor.notify.alerts import END, HEALTH, START, Alert
from lbdns.monitor.notify.delivery import DeliveryFailed, MayReach, Told
from lbdns.monitor.trust import client_context

AGAIN_CODES: Final = frozenset({408, 425, 429})  # and 5xx: the receiver says that it may work later


class WebhookSink:
    """One webhook."""

    def __init__(self, notification: Notification, may_reach: MayReach) -> None:
        """Post to the webhook of a notification, with its secret, at addresses that may be reached."""
        self._notification = notification
        self._may_reach = may_reach

    async def deliver(self, told: Sequence[Told], unheard: int) -> None:
        """Post one alert, or a summary of many; raises DeliveryFailed."""
        if len(told) == 1 and not unheard:
            await post(self._notification, document_of(self._notification, *told[0]), self._may_reach)
        else:
            await post(self._notification, summary_of(self._notification, told, unheard), self._may_reach)


async def post(notification: Notification, document: dict[str, Any], may_reach: MayReach) -> None:
    """Post a document to a webhook; raises DeliveryFailed. To be called under a deadline.

    Whether it may be reached is judged by the address of the socket that is about to be connected.
    """
    await asyncio.to_thread(importlib.import_module, "aiohttp")
    import aiohttp

    url = notification.webhook or ""
    headers = {"Content-Type": "application/json", "User-Agent": f"lbdns/{__version__}"}
    if notification.secret is not None:
        headers[notification.secret_header] = notification.secret
    tls = await asyncio.to_thread(client_context, notification.allow_insecure) if url.startswith("https:") else True
    body = json.dumps(document, ensure_ascii=False).encode()

    def reachable(address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, where = address
        if not may_reach(where[0]):
            raise OSError(errno.EACCES, refused_words(where[0]))
        return socket.socket(family, kind, protocol)

    try:
        async with (
            aiohttp.TCPConnector(force_close=True, socket_factory=reachable) as connector,
            aiohttp.ClientSession(connector=connector) as session,
            session.post(url, data=body, headers=headers, ssl=tls, allow_redirects=False) as answer,
        ):
            code = answer.status
    except aiohttp.InvalidURL as error:
        raise DeliveryFailed("the URL cannot be used", again=False) from error
    except (aiohttp.ClientError, OSError) as error:
        raise DeliveryFailed(str(error) or type(error).__name__, again=True) from error
    if not 200 <= code < 300:
        raise DeliveryFailed(f"the receiver answered {code}", again=code >= 500 or code in AGAIN_CODES)


def document_of(notification: Notification, alert: Alert, balancers: Sequence[str]) -> dict[str, Any]:
    """Return a webhook's JSON for one alert."""
    return _document(notification, alert, alert.text, _data(alert, balancers))


def summary_of(notification: Notification, told: Sequence[Told], unheard: int) -> dict[str, Any]:
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
        {**_data(one, names), "alert_correlation_id": one.correlation_id, "alert_event": one.event}
        for one, names in told[:CHANGES_MAX]
    ]
    return _document(notification, alert, alert.text, {**_data(alert, list(balancers)), "changes": changes})


def _document(notification: Notification, alert: Alert, text: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": notification.name,
        "text": text,
        "data": data,
        "ts": int(alert.at_s),
        "account_id": alert.account_id,
        "policy_id": lasting_id(notification.name),
        "policy_name": notification.name,
        "alert_type": alert.type,
        "alert_correlation_id": alert.correlation_id,
        "alert_event": alert.event,
    }


def _data(alert: Alert, balancers: Sequence[str]) -> dict[str, Any]:
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
