"""Mail: text for people, handed to a server with aiosmtplib. What is sent is pure, and bounded.

aiosmtplib is imported when something is first sent, in a thread: a worker without mail does without it, and no probe
waits for it.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final

from lbdns.model.notification import Notification, parse_mail_server
from lbdns.monitor.notify.alert_messages import BALANCERS_MAX, CHANGES_MAX, moment, summary_text
from lbdns.monitor.notify.alerts import Alert
from lbdns.monitor.notify.delivery import DeliveryFailed, Told
from lbdns.monitor.trust import client_context

SUBJECT_CHARS_MAX: Final = 200
SMTP_PERMANENT: Final = 500


class MailSink:
    """The mail addresses of one notification."""

    def __init__(self, notification: Notification) -> None:
        """Send to the addresses of a notification, by its server."""
        self._notification = notification

    async def deliver(self, told: Sequence[Told], unheard: int) -> None:
        """Send one mail; raises DeliveryFailed."""
        await send(self._notification, mail_of(self._notification, told, unheard, time.time()))


async def send(notification: Notification, message: EmailMessage) -> None:
    """Hand a mail to the server; raises DeliveryFailed. To be called under a deadline."""
    await asyncio.to_thread(importlib.import_module, "aiosmtplib")
    import aiosmtplib

    host, port = parse_mail_server(notification.smtp)
    tls = await asyncio.to_thread(client_context, notification.allow_insecure)
    try:
        refused, _ = await aiosmtplib.send(message, hostname=host, port=port, tls_context=tls)
    except aiosmtplib.SMTPRecipientsRefused as error:
        again = any(one.code < SMTP_PERMANENT for one in error.recipients)
        raise DeliveryFailed("the mail server refused every recipient", again) from error
    except aiosmtplib.SMTPResponseException as error:
        why = f"the mail server answered {error.code} {error.message}"
        raise DeliveryFailed(why, error.code < SMTP_PERMANENT) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise DeliveryFailed(str(error) or type(error).__name__, again=True) from error
    if refused:
        raise DeliveryFailed(f"the mail server refused {', '.join(refused)}; the others were sent to", again=False)


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


def _lines(alert: Alert, balancers: Sequence[str]) -> list[str]:
    lines = [_one_line(alert.text), f"  at {moment(alert.at_s)}, alert {alert.correlation_id}"]
    if balancers:
        lines.append(f"  load balancers: {', '.join(balancers[:BALANCERS_MAX])}")
    return lines


def _one_line(text: str) -> str:
    return " ".join(text.split())
