"""JSON posted with aiohttp, to whoever may be reached.

aiohttp is imported when something is first sent, in a thread: a worker that posts nothing does without it, and no probe
waits for it. A receiver is believed nothing but its status code; its body is not read.
"""

from __future__ import annotations

import asyncio
import errno
import importlib
import os
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final

from lbdns import __version__
from lbdns.model.probe_networks import is_loopback, refused_words
from lbdns.model.subscription import Destination
from lbdns.monitor.notify.delivery import DeliveryFailed, MayReach
from lbdns.monitor.trust import client_context

AGAIN_CODES: Final = frozenset({408, 425, 429})  # and 5xx: the receiver says that it may work later


async def send_json(destination: Destination, body: str, headers: Mapping[str, str], may_reach: MayReach) -> None:
    """Post JSON to a destination's URL; raises DeliveryFailed. To be called under a deadline.

    Whether it may be reached is judged by the address of the socket that is about to be connected.
    """
    await asyncio.to_thread(importlib.import_module, "aiohttp")
    import aiohttp

    url = destination.url
    sent = {"Content-Type": "application/json", "User-Agent": f"lbdns/{__version__}", **headers}
    tls = await asyncio.to_thread(client_context, destination.allow_insecure) if url.startswith("https:") else True

    def reachable(address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, where = address
        if not may_reach(where[0]):
            raise OSError(errno.EACCES, _refused(where[0], destination.is_local))
        return socket.socket(family, kind, protocol)

    try:
        async with (
            aiohttp.TCPConnector(force_close=True, socket_factory=reachable) as connector,
            aiohttp.ClientSession(connector=connector) as session,
            session.post(url, data=body.encode(), headers=sent, ssl=tls, allow_redirects=False) as answer,
        ):
            code = answer.status
    except aiohttp.InvalidURL as error:
        raise DeliveryFailed("the URL cannot be used", again=False) from error
    except (aiohttp.ClientError, OSError) as error:
        raise DeliveryFailed(_unsent_words(error), again=True) from error
    if not 200 <= code < 300:
        raise DeliveryFailed(f"the receiver answered {code}", again=code >= 500 or code in AGAIN_CODES)


def _unsent_words(error: Exception) -> str:
    """Return why nothing was sent, in words: aiohttp shows its own objects. Of a connection, to whom it was."""
    import aiohttp

    if not isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError):
        return str(error) or type(error).__name__
    cause = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error.os_error
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = f"its certificate is not believed: {cause.verify_message}"
    elif isinstance(cause, ConnectionError) and cause.errno:
        why = os.strerror(cause.errno)  # asyncio's text names the address once more
    else:
        why = getattr(cause, "strerror", None) or str(cause)
    return f"{error.host}:{error.port}: {why}"


def _refused(address: str, is_local: bool) -> str:
    if not is_local and is_loopback(address):
        return f"{address} is the loopback of this machine, told for its operators alone (probe_networks)"
    return refused_words(address)
