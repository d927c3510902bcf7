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

from lbdns.model import bounds
from lbdns.model.probe_networks import is_loopback
from lbdns.model.socket_address import parse_mail_server
from lbdns.model.subscription import Destination, Subscription
from lbdns.monitor.notify.alert_messages import BALANCERS_MAX, CHANGES_MAX, moment, summary_text
from lbdns.monitor.notify.alerts import Alert
from lbdns.monitor.notify.delivery import DeliveryFailed, Told
from lbdns.monitor.trust import client_context

SUBJECT_CHARS_MAX: Final = 200
SMTP_PERMANENT: Final = 500


class MailSink:
    """The mail addresses of one notification."""

    def __init__(self, subscription: Subscription) -> None:
        """Send to the addresses of a subscription, by its server."""
        self._destination = subscription.destination

    async def deliver(self, told: Sequence[Told], unheard: int, id: str) -> str:
        """Send one mail; raises DeliveryFailed."""
        message = mail_of(self._destination, told, unheard, time.time(), id)
        await send(self._destination, message)
        return f"{message['Subject']}\n\n{message.get_content()}"


async def send(destination: Destination, message: EmailMessage) -> None:
    """Hand a mail to the server; raises DeliveryFailed. To be called under a deadline.

    A password goes over TLS alone, save to this machine itself and where that is allowed.
    """
    await asyncio.to_thread(importlib.import_module, "aiosmtplib")
    import aiosmtplib

    host, port = parse_mail_server(destination.smtp)
    tls = await asyncio.to_thread(client_context, destination.allow_insecure)
    at_once = port == bounds.SMTPS_PORT
    in_clear = destination.allow_insecure or _is_here(host)
    try:
        refused, _ = await aiosmtplib.send(
            message,
            hostname=host,
            port=port,
            tls_context=tls,
            use_tls=at_once,
            start_tls=True if destination.username and not at_once and not in_clear else None,
            username=destination.username or None,
            password=destination.password or None,
        )
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


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or is_loopback(host)
    except ValueError:  # a name
        return False


def mail_of(destination: Destination, told: Sequence[Told], unheard: int, now_s: float, id: str = "") -> EmailMessage:
    """Return the mail for one alert, or for many; `id`: see Sink."""
    alerts = [alert for alert, _ in told]
    subject = alerts[0].text if len(alerts) == 1 and not unheard else summary_text(alerts, unheard)
    sender = destination.sender
    domain = sender.rpartition("@")[2]
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(destination.addresses)
    message["Subject"] = _one_line(f"[lbdns] {subject}")[:SUBJECT_CHARS_MAX]
    message["Date"] = formatdate(now_s, usegmt=True)
    message["Message-ID"] = f"<{id}@{domain}>" if id else make_msgid(domain=domain)
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
