"""Sending a notification once: over HTTP(S) with aiohttp, over SMTP with aiosmtplib.

Both are imported when something is first sent, in a thread: a worker without notifications does without them, and no
probe waits for them. A receiver is believed nothing but its status code; its body is not read.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import ssl
from email.message import EmailMessage
from typing import Any, Final

from lbdns import __version__
from lbdns.model.notification import Notification, parse_mail_server

AGAIN_CODES: Final = frozenset({408, 425, 429})  # and 5xx: the receiver says that it may work later
SMTP_PERMANENT: Final = 500


class DeliveryFailed(Exception):
    """A notification did not get through; `again`: it may, later."""

    def __init__(self, why: str, again: bool) -> None:
        super().__init__(why)
        self.again = again


async def post(notification: Notification, document: dict[str, Any]) -> None:
    """Post a document to a webhook; raises DeliveryFailed. To be called under a deadline."""
    await asyncio.to_thread(importlib.import_module, "aiohttp")
    import aiohttp

    url = notification.webhook or ""
    headers = {"Content-Type": "application/json", "User-Agent": f"lbdns/{__version__}"}
    if notification.secret is not None:
        headers[notification.secret_header] = notification.secret
    tls = await asyncio.to_thread(_context, notification.allow_insecure) if url.startswith("https:") else True
    body = json.dumps(document, ensure_ascii=False).encode()
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
            session.post(url, data=body, headers=headers, ssl=tls, allow_redirects=False) as answer,
        ):
            code = answer.status
    except aiohttp.InvalidURL as error:
        raise DeliveryFailed("the URL cannot be used", again=False) from error
    except (aiohttp.ClientError, OSError) as error:
        raise DeliveryFailed(str(error) or type(error).__name__, again=True) from error
    if not 200 <= code < 300:
        raise DeliveryFailed(f"the receiver answered {code}", again=code >= 500 or code in AGAIN_CODES)


async def mail(notification: Notification, message: EmailMessage) -> None:
    """Hand a mail to the server; raises DeliveryFailed. To be called under a deadline."""
    await asyncio.to_thread(importlib.import_module, "aiosmtplib")
    import aiosmtplib

    host, port = parse_mail_server(notification.smtp)
    tls = await asyncio.to_thread(_context, notification.allow_insecure)
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


def _context(allow_insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if allow_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
