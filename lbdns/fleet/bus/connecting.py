"""A connection to one nats-server: opened within seconds or not at all, and lost when it is not heard any more.

Each connection is a client of its own that never reconnects: whoever has it (nats_bus.py) makes the next one. So there
is one bound on everything, and nothing is left to what a client believes of a link that swallows packets. The client
alone would try for two minutes to connect to a closed port, and notice a black hole after as long.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from nats import errors as nats_errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from lbdns.base.errors import LbdnsError
from lbdns.fleet.bus.fleet_bus import BusRefused, BusUnreached
from lbdns.model.bus_access import FLEET_SERVER_NAME
from lbdns.model.fleet_secret import FleetSecret, read_fleet_secret
from lbdns.model.fleet_terms import BusAccess

CONNECT_S: Final = 3.0
HEARTBEAT_S: Final = 1.0
SILENCE_S: Final = 2.0
"""After so long without a reply to a heartbeat a connection is lost."""
CLOSE_S: Final = 1.0
_LIBRARY_PING_S: Final = 3600
"""The client's own pings, which heartbeats take the place of."""
_PENDING_OCTETS: Final = 8 * 1024 * 1024
_LISTENED_MESSAGES: Final = 65_536
_LISTENED_OCTETS: Final = 32 * 1024 * 1024

_Result = TypeVar("_Result")
Heard = Callable[[Msg], None]

_OTHER_FLEET_TEXT: Final = (
    "where the hub's fleet is another by now, `lbdns fleet leave` and then `lbdns fleet join` with the line that "
    "`lbdns fleet token` prints there"
)

log = logging.getLogger("lbdns.fleet")
# asyncio warns of each TLS connection that a server ends, for how the client reads from it; nothing is wrong then.
logging.getLogger("asyncio").addFilter(lambda record: "eof_received() has no effect" not in str(record.msg))


async def bounded(doing: Awaitable[_Result], bound_s: float) -> _Result:
    """Return what an awaitable gives; raises TimeoutError after `bound_s`, even where it takes no notice of being
    cancelled."""
    task = asyncio.ensure_future(doing)
    try:
        await asyncio.wait({task}, timeout=bound_s)
    except asyncio.CancelledError:
        _abandon(task)
        raise
    if not task.done():
        _abandon(task)
        raise TimeoutError
    return task.result()


def _abandon(task: asyncio.Future[_Result]) -> None:
    task.cancel()
    task.add_done_callback(lambda done: done.cancelled() or done.exception())


class _GuardedClient(Client):
    """A client that says nothing, its password least of all, in plain text to a server whose URL asks for TLS."""

    def _connect_command(self) -> bytes:
        server = self._current_server
        if server is not None and server.uri.scheme == "tls" and not self._server_info.get("tls_required", False):
            raise nats_errors.SecureConnWantedError
        return super()._connect_command()


class BusLink:
    """One connection. `lost` is set once it is of no use any more; it is to be closed then."""

    def __init__(self, client: Client, url: str, beyond: str = "") -> None:
        """`beyond`: a subject that the hub answers, where the server at the other end only passes on."""
        self.client = client
        self.url = url
        self.lost = asyncio.Event()
        self.why_lost = ""
        self._beyond = beyond
        self._subscriptions: set[Subscription] = set()
        self._beating = asyncio.create_task(self._beat(), name="fleet bus heartbeat")

    async def listen(self, subject: str, heard: Heard) -> Callable[[], Awaitable[None]]:
        """Have the messages of a subject, as the bus has it, told to `heard`; returns what ends that."""

        async def take(message: Msg) -> None:
            try:
                heard(message)
            except Exception:
                log.exception("a message of %s was not taken", message.subject)

        subscription = await self.client.subscribe(
            subject, cb=take, pending_msgs_limit=_LISTENED_MESSAGES, pending_bytes_limit=_LISTENED_OCTETS
        )
        self._subscriptions.add(subscription)

        async def stop() -> None:
            self._subscriptions.discard(subscription)
            if not self.lost.is_set():
                await subscription.unsubscribe()

        return stop

    async def close(self) -> None:
        """End the connection, within CLOSE_S."""
        self._lose("closed")
        self._beating.cancel()
        try:
            await bounded(self.client.close(), CLOSE_S)
        except (TimeoutError, OSError, nats_errors.Error) as error:
            log.debug("closing the connection to %s: %r", self.url, error)
        for one in self._subscriptions:  # a client whose own end failed half-way, as by a reset, has left them waiting
            one._stop_processing()
        self._subscriptions.clear()

    def has_ended(self, why: str) -> None:
        """Take it that the client says that the connection is over."""
        self._lose(why)

    def _lose(self, why: str) -> None:
        if not self.lost.is_set():
            self.why_lost = why
            self.lost.set()

    async def _beat(self) -> None:
        while not self.lost.is_set():
            await asyncio.sleep(HEARTBEAT_S)
            try:
                await self.beat()
            except BusUnreached as error:
                self._lose(str(error))

    async def beat(self) -> None:
        """Raise BusUnreached where the server does not answer, or the hub behind it does not."""
        try:
            if self._beyond:
                await bounded(self.client.request(self._beyond, b"", timeout=SILENCE_S), SILENCE_S + CLOSE_S)
            else:
                await bounded(self.client.rtt(SILENCE_S), SILENCE_S + CLOSE_S)  # type: ignore[arg-type]
        except nats_errors.NoRespondersError:
            raise BusUnreached("the hub is not reached from here") from None
        except (TimeoutError, OSError, nats_errors.Error):
            raise BusUnreached(f"no reply within {SILENCE_S:g} s") from None


async def open_link(access: BusAccess, url: str) -> BusLink:
    """Connect to a URL within CONNECT_S; raises BusUnreached or BusRefused, with the reason in words.

    Through a leaf of this machine it is the hub that is connected to: the leaf alone is nobody.
    """
    secret = await asyncio.to_thread(_secret_of, access)
    options = await asyncio.to_thread(_tls_options, access, secret, url)
    client = _GuardedClient()
    link: BusLink | None = None
    said: list[Exception] = []

    async def on_error(error: Exception) -> None:
        said.append(error)
        if link is not None:
            log.debug("the bus at %s: %r", url, error)

    async def on_end() -> None:
        if link is not None:
            link.has_ended(_in_words(said[-1]) if said else "the connection ended")

    if secret is not None and secret.user:
        options |= {"user": secret.user, "password": secret.password}
    if access.credentials:
        options["user_credentials"] = access.credentials
    connecting = client.connect(
        url,
        name=f"lbdns {access.machine}",
        error_cb=on_error,
        disconnected_cb=on_end,
        closed_cb=on_end,
        allow_reconnect=False,
        max_reconnect_attempts=1,
        reconnect_time_wait=0,
        connect_timeout=int(CONNECT_S),
        ping_interval=_LIBRARY_PING_S,
        pending_size=_PENDING_OCTETS,
        flush_timeout=SILENCE_S,
        **options,
    )
    try:
        await bounded(connecting, CONNECT_S)
    except Exception as error:
        await _give_up(client)
        cause = said[-1] if isinstance(error, nats_errors.NoServersError) and said else error
        is_by_token = secret is not None and bool(secret.ca)
        raise _as_bus_error(url, cause, is_by_token) from error
    except asyncio.CancelledError:
        await _give_up(client)
        raise
    link = BusLink(client, url, _beyond(access))
    if not client.is_connected:
        link.has_ended("the connection ended at once")
    try:
        await link.beat()
    except BusUnreached as error:
        await link.close()
        raise BusUnreached(f"{url}: {error}") from None
    return link


def _beyond(access: BusAccess) -> str:
    return f"$JS.{access.domain}.API.INFO" if access.ports_file and access.domain else ""


async def _give_up(client: Client) -> None:
    try:
        await bounded(client.close(), CLOSE_S)
    except (TimeoutError, OSError, nats_errors.Error, AttributeError, AssertionError) as error:
        log.debug(
            "closing what did not connect: %r", error
        )  # a client that never began to connect has nothing to close


def _secret_of(access: BusAccess) -> FleetSecret | None:
    """Read the secret file, anew for each connection: it may have been written anew."""
    if not access.secret_file:
        return None
    try:
        return read_fleet_secret(Path(access.secret_file))
    except LbdnsError as error:
        raise BusRefused(str(error)) from None


def _tls_options(access: BusAccess, secret: FleetSecret | None, url: str) -> dict[str, Any]:
    own_ca = secret.ca if secret is not None else ""
    if urlsplit(url).scheme != "tls" and not (access.ca or own_ca):
        return {}
    try:
        context = ssl.create_default_context(cafile=access.ca or None, cadata=own_ca or None)
        if access.certificate:
            context.load_cert_chain(access.certificate, access.key)
    except (OSError, ValueError) as error:
        files = ", ".join(one for one in (access.ca, access.certificate, access.key) if one) or access.secret_file
        raise BusRefused(f"{files}: cannot be used for TLS: {error}") from error
    return {"tls": context} | ({"tls_hostname": FLEET_SERVER_NAME} if own_ca else {})


def read_ports(path: Path) -> tuple[str, ...]:
    """Return the URLs that a nats-server says it listens at, none where it does not run."""
    for found in sorted(path.parent.glob(path.name), key=lambda one: one.stat().st_mtime, reverse=True):
        try:
            return tuple(map(str, json.loads(found.read_text())["nats"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # it is being written, or removed
    return ()


def _as_bus_error(url: str, error: Exception, is_by_token: bool) -> BusRefused | BusUnreached:
    """Return an error of connecting in words: what waiting may mend is unreached, what it does not is refused.
    `is_by_token`: the server is a fleet's own hub, and what it is known by came with a token."""
    if isinstance(error, BusRefused | BusUnreached):
        return error
    text = str(error).lower()
    if "authorization" in text or "authentication" in text:
        hint = f"; {_OTHER_FLEET_TEXT}" if is_by_token else ""
        return BusRefused(f"{url}: does not know this user and password, or these credentials{hint}")
    if isinstance(error, nats_errors.SecureConnWantedError):
        return BusRefused(f"{url}: speaks no TLS, and nothing is said to it without; nats:// is for servers without")
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = f"; {_OTHER_FLEET_TEXT}" if is_by_token else ""
        return BusRefused(f"{url}: its certificate is not trusted: {error.verify_message}{hint}")
    if isinstance(error, ImportError):
        return BusRefused(f"{url}: {error}")
    return BusUnreached(f"{url}: {_in_words(error)}")


def _in_words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no reply within {CONNECT_S:g} s"
    if isinstance(error, OSError) and error.errno and error.errno > 0:  # asyncio puts words of its own into strerror
        return os.strerror(error.errno)
    return str(error).removeprefix("nats: ") or type(error).__name__
