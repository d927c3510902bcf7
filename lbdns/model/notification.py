"""Who is told of changes of health: a webhook, mail addresses or PagerDuty, and which changes they want to hear of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from lbdns.model import bounds
from lbdns.model.fields import Frozen, ObjectName
from lbdns.model.headers import HeaderName
from lbdns.model.hostnames import parse_hostname
from lbdns.model.plain_fields import Flag
from lbdns.model.refusal import Mistake, refusal, refuse_all
from lbdns.model.socket_address import parse_mail_server
from lbdns.model.subscription import Mechanism

SINK_FIELDS: Final[dict[Mechanism, tuple[str, ...]]] = {
    "webhook": ("secret", "secret_header"),
    "email": ("smtp", "sender", "username", "password"),
    "pagerduty": ("events_url",),
}
"""The fields that say where a notification goes, one of which is set, and those that act with each alone."""
_MAIL_ADDRESS = re.compile(r"[!#$%&'*+/=?^_`{|}~0-9A-Za-z.-]+@([0-9A-Za-z.-]+)", re.ASCII)
_ROUTING_KEY = re.compile(r"[0-9A-Za-z_-]+", re.ASCII)
_URL_CHARS = re.compile(r"[\x21-\x7e]+", re.ASCII)
_POOL_GLOB = re.compile(r"[-_a-zA-Z0-9*?\[\]!]+", re.ASCII)


def _check_url(text: str) -> str:
    expected = "expected one such as https://hooks.example.com/lbdns"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise refusal(f'"{text}" is not a URL; {expected}') from error
    if parts.scheme not in ("http", "https") or not parts.hostname or not _URL_CHARS.fullmatch(text) or port == 0:
        raise refusal(f'"{text}" is not the URL of a webhook; {expected}')
    if "@" in parts.netloc:
        raise refusal('a URL carries no user or password here; use "secret" and "secret_header"')
    return text


def _check_mail_address(text: str) -> str:
    found = _MAIL_ADDRESS.fullmatch(text)
    if found is None:
        raise refusal(f'"{text}" is no mail address; expected one such as operations@example.com')
    parse_hostname(found[1])
    return text


def _check_mail_server(text: str) -> str:
    parse_mail_server(text)
    return text


def _check_secret(text: str) -> str:
    if text != text.strip() or any(char < " " or char == "\x7f" for char in text):
        raise refusal("a secret goes into a header: no control characters, and no space at its beginning or end")
    return text


def _check_routing_key(text: str) -> str:
    if not _ROUTING_KEY.fullmatch(text):
        raise refusal("a routing key has letters, digits, - and _ alone: PagerDuty shows it as the integration key")
    return text


def _check_glob(text: str) -> str:
    if not _POOL_GLOB.fullmatch(text):
        raise refusal(f'"{text}" matches no pool\'s name; expected a name or a glob such as "eu-*"')
    return text


Secret = Annotated[
    str, StringConstraints(min_length=1, max_length=bounds.MAX_HEADER_VALUE_CHARS), AfterValidator(_check_secret)
]
"""Never repeated in a message."""
MailAddress = Annotated[
    str, StringConstraints(max_length=bounds.MAX_MAIL_ADDRESS_CHARS), AfterValidator(_check_mail_address)
]
WebhookUrl = Annotated[
    str, StringConstraints(min_length=1, max_length=bounds.MAX_URL_CHARS), AfterValidator(_check_url)
]
RoutingKey = Annotated[
    str,
    StringConstraints(min_length=1, max_length=bounds.MAX_ROUTING_KEY_CHARS),
    AfterValidator(_check_routing_key),
]
"""What PagerDuty knows a service's integration by."""
MailServerText = Annotated[
    str, StringConstraints(min_length=1, max_length=bounds.MAX_NAME_CHARS + 6), AfterValidator(_check_mail_server)
]
"""A mail server: HOST or HOST:PORT."""
LoginText = Annotated[str, StringConstraints(min_length=1, max_length=bounds.MAX_LOGIN_CHARS)]


def _login_mistakes(username: str | None, password: str | None) -> Iterator[Mistake]:
    """Yield what is wrong with a login."""
    if (username is None) != (password is None):
        given, lacking = ("username", "password") if password is None else ("password", "username")
        yield Mistake((given,), f"{given} without {lacking}; a login has both", ((given,), (lacking,)))


class MailServer(Frozen):
    """The mail server that takes the mails of policies."""

    smtp: MailServerText = bounds.DEFAULT_MAIL_SERVER
    """HOST or HOST:PORT. At port 465 TLS comes first; elsewhere STARTTLS is used where the server has it."""
    sender: Annotated[MailAddress, Field(alias="from")]
    """The address that mails come from."""
    username: LoginText | None = None
    """The name to log in with; only over TLS, or to this machine itself."""
    password: LoginText | None = None
    """The password to log in with."""
    allow_insecure: Flag = False
    """Whether a certificate passes that nobody vouches for, and a login goes where there is no TLS."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("MailServer", _login_mistakes(self.username, self.password))
        return self

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write the keys as they are read."""
        return {"from" if key == "sender" else key: value for key, value in write(self).items()}


class Notification(Frozen):
    """One receiver. `webhook`, `email` or `pagerduty` says where to; `pools`, `event_source` and `new_health` what it
    hears of."""

    name: ObjectName
    """Its name in logs."""
    webhook: WebhookUrl | None = None
    """The URL that alerts are posted to, as JSON of the v4 API's shape."""
    secret: Secret | None = None
    """What `secret_header` carries."""
    secret_header: HeaderName = bounds.DEFAULT_SECRET_HEADER
    """The header that proves to the webhook who posts."""
    email: Annotated[tuple[MailAddress, ...], Field(min_length=1, max_length=bounds.MAX_MAIL_ADDRESSES)] | None = None
    """The addresses that alerts are mailed to."""
    smtp: MailServerText = bounds.DEFAULT_MAIL_SERVER
    """The mail server that takes them: HOST or HOST:PORT. At port 465 TLS comes first; elsewhere STARTTLS is used where
    the server has it."""
    sender: Annotated[MailAddress | None, Field(alias="from")] = None
    """The address that mails come from."""
    username: LoginText | None = None
    """The name to log in with at the mail server; only over TLS, or to this machine itself."""
    password: LoginText | None = None
    """The password to log in with."""
    pagerduty: RoutingKey | None = None
    """The routing key of a PagerDuty service (Events API v2): alerts open incidents there, and their ends resolve
    them."""
    events_url: WebhookUrl = bounds.DEFAULT_PAGERDUTY_URL
    """Where events are posted to: another one for PagerDuty's European region, or for what takes the same events."""
    allow_insecure: Flag = False
    """Whether a certificate passes that nobody vouches for, and a login goes where there is no TLS."""
    pools: Annotated[
        tuple[
            Annotated[
                str,
                StringConstraints(min_length=1, max_length=bounds.MAX_OBJECT_NAME_CHARS),
                AfterValidator(_check_glob),
            ],
            ...,
        ],
        Field(min_length=1, max_length=bounds.MAX_POOLS_PER_LIST),
    ] = ("*",)
    """Which pools it hears of: names and globs."""
    event_source: Literal["pool", "origin"] | None = None
    """Pools alone, or endpoints alone; without it both."""
    new_health: Literal["healthy", "unhealthy"] | None = None
    """Only becoming healthy, or only becoming anything else; without it both."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("Notification", self._mistakes())
        return self

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write the keys as they are read: `from` is no name that Python takes."""
        return {"from" if key == "sender" else key: value for key, value in write(self).items()}

    @property
    def mechanism(self) -> Mechanism:
        """The field that says where this one goes, a key of SINK_FIELDS."""
        return next(way for way in SINK_FIELDS if getattr(self, way) is not None)

    def _mistakes(self) -> Iterator[Mistake]:
        ways = tuple((way,) for way in SINK_FIELDS)
        given = [way for way in SINK_FIELDS if getattr(self, way) is not None]
        if len(given) != 1:
            yield Mistake((), "a notification goes to webhook, email or pagerduty, one of them", ways)
            return
        for way, own_fields in SINK_FIELDS.items():
            for field in own_fields if way not in given else ():
                known = type(self).model_fields[field]
                if getattr(self, field) != known.default:
                    yield Mistake((known.alias or field,), f"only a notification with {way} has this key", ways)
        yield from _login_mistakes(self.username, self.password)
        if self.email is not None and self.sender is None:
            yield Mistake((), 'the key "from" is missing; it is required with email', (("from",), *ways))
