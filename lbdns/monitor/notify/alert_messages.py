"""Alerts as what is sent: the webhook's JSON in the v4 API's shape, and mail. Pure, and bounded.

A *summary* stands for many alerts at once. It has the shape of one alert, with the counts in `text` and the alerts in
`changes` of its data, at most CHANGES_MAX of them; each names its own correlation id.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from hashlib import sha256
from typing import Any, Final

from lbdns.model.notification import Notification
from lbdns.monitor.notify.alerts import END, HEALTH, START, Alert

CHANGES_MAX: Final = 100
BALANCERS_MAX: Final = 10  # load balancers named in an alert
SUBJECT_CHARS_MAX: Final = 200

# An alert and the load balancers that it concerns.
Told = tuple[Alert, Sequence[str]]


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
        pool=", ".join(pools) if len(pools) == 1 else "",
        endpoint="",
        new_health=words.pop() if len(words) == 1 else "unhealthy" if unhappy else "healthy",
        reason=f"{len(told) + unheard} changes",
        at_s=last.at_s,
        text=summary_text([one for one, _ in told], unheard),
    )
    changes = [
        {**_data(one, names), "alert_correlation_id": one.correlation_id, "alert_event": one.event}
        for one, names in told[:CHANGES_MAX]
    ]
    return _document(notification, alert, alert.text, {**_data(alert, list(balancers)), "changes": changes})


def summary_text(alerts: Sequence[Alert], unheard: int) -> str:
    """Return many alerts in one line: how many, of what, where."""
    counts = Counter((alert.source, alert.new_health) for alert in alerts)
    nouns = {"pool": "pools", "origin": "endpoints"}
    told = [
        f"{count} {source if count == 1 else nouns[source]} {health}".replace("origin", "endpoint")
        for (source, health), count in counts.most_common()
    ]
    if unheard:
        told.append(f"{unheard} more")
    return f"{len(alerts) + unheard} changes: {', '.join(told)}"


def mail_of(notification: Notification, told: Sequence[Told], unheard: int, now_s: float) -> EmailMessage:
    """Return the mail for one alert, or for many."""
    alerts = [alert for alert, _ in told]
    subject = alerts[0].text if len(alerts) == 1 and not unheard else summary_text(alerts, unheard)
    sender = notification.sender or ""
    domain = sender.rpartition("@")[2]
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(notification.email or ())
    message["Subject"] = _one_line(f"[lbdns] {subject}")[:SUBJECT_CHARS_MAX]
    message["Date"] = formatdate(now_s, usegmt=True)
    message["Message-ID"] = make_msgid(domain=domain)
    if len(alerts) == 1:
        # What is said of one alert stands together in a mail reader.
        message["References"] = f"<{alerts[0].correlation_id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    lines = [line for one in told[:CHANGES_MAX] for line in (*_lines(*one), "")]
    if unheard or len(told) > CHANGES_MAX:
        lines.append(f"and {unheard + max(len(told) - CHANGES_MAX, 0)} more")
    message.set_content("\n".join(lines))
    return message


def _document(notification: Notification, alert: Alert, text: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": notification.name,
        "text": text,
        "data": data,
        "ts": int(alert.at_s),
        "account_id": "",  # a server that is configured by files has no accounts
        "policy_id": _id(notification.name),
        "policy_name": notification.name,
        "alert_type": alert.type,
        "alert_correlation_id": alert.correlation_id,
        "alert_event": alert.event,
    }


def _data(alert: Alert, balancers: Sequence[str]) -> dict[str, Any]:
    return {
        "pool_id": _id(alert.pool) if alert.pool else "",
        "pool_name": alert.pool,
        "load_balancer_name": ", ".join(balancers[:BALANCERS_MAX]),
        "origin_name": alert.endpoint,
        "new_health": alert.new_health,
        "event_source": alert.source,
        "reason": alert.reason,
        "status_change_time": _moment(alert.at_s),
    }


def _id(name: str) -> str:
    """Return what stands for the id of an object that has a name alone: 32 hex digits, always the same."""
    return sha256(name.encode()).hexdigest()[:32]


def _moment(at_s: float) -> str:
    """Return unix seconds as RFC 3339, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))


def _lines(alert: Alert, balancers: Sequence[str]) -> list[str]:
    lines = [_one_line(alert.text), f"  at {_moment(alert.at_s)}, alert {alert.correlation_id}"]
    if balancers:
        lines.append(f"  load balancers: {', '.join(balancers[:BALANCERS_MAX])}")
    return lines


def _one_line(text: str) -> str:
    return " ".join(text.split())
