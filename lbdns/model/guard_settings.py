"""The settings that guard the server: DNS cookies, response rate limiting, and proxies that say whom they ask for.

| cookies.mode | replies carry a cookie | a valid one exempts from rate limiting |
|---|---|---|
| on | yes | yes |
| off | yes | no |
| never | no | no |

A resolver that was once given a cookie may expect one in every reply for ever, and asks each question again over TCP
where it is missing (BIND does): so cookies that are off are given on, and nothing hangs on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from lbdns.base.wording import counted
from lbdns.dns.cookie_words import SECRET_BYTES
from lbdns.model import bounds
from lbdns.model.fields import FilePath, Frozen
from lbdns.model.mistakes import shown
from lbdns.model.plain_fields import Whole
from lbdns.model.refusal import Mistake, refusal, refuse_all

_SECRET: Final = re.compile(rf"[0-9A-Fa-f]{{{2 * SECRET_BYTES}}}")
_US: Final = 1_000_000


def read_cookie_secret(value: Any) -> str:
    """Return a secret in lower case; raises a refusal, which does not repeat it."""
    if not isinstance(value, str) or _SECRET.fullmatch(value.strip()) is None:
        raise refusal(f"a secret is {2 * SECRET_BYTES} hexadecimal digits in quotes; openssl rand -hex 16 prints one")
    return value.strip().lower()


CookieSecret = Annotated[
    str,
    PlainValidator(read_cookie_secret),
    WithJsonSchema({"type": "string", "pattern": f"^[0-9A-Fa-f]{{{2 * SECRET_BYTES}}}$"}),
]


class CookieSettings(Frozen):
    """DNS cookies (RFC 7873, 9018)."""

    mode: Literal["on", "off", "never"] = "on"
    """Whether queries with a cookie get one of ours: `on`, and who brings a valid one is not rate limited; `off`, and
    nothing hangs on it; `never`. What has been `on` goes `off` first: resolvers that have a cookie expect one in every
    reply, and ask each question again over TCP without it."""
    secrets: Annotated[tuple[CookieSecret, ...], Field(max_length=bounds.MAX_COOKIE_SECRETS, repr=False)] = ()
    """The secrets, 32 hexadecimal digits each, that all servers behind an address share: the first makes cookies, the
    others are accepted too. Without them, and without `secret_file`, the server makes its own in the state directory,
    and another one every week."""
    secret_file: FilePath | None = None
    """A file that has the secrets in place of `secrets`, one a line."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("CookieSettings", self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        if self.secrets and self.secret_file is not None:
            about = (("secrets",), ("secret_file",))
            yield Mistake(("secret_file",), "secrets and secret_file; give one of the two", about)
        for index, one in enumerate(self.secrets):
            if one in self.secrets[:index]:
                at = ("secrets", index)
                yield Mistake(at, "this secret is listed already; list it once", (at,))

    @property
    def has_own(self) -> bool:
        """Whether the server makes its secrets itself."""
        return self.mode != "never" and not self.secrets

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The secrets' octets; none where their file was not read, or the server has its own."""
        return tuple(bytes.fromhex(one) for one in self.secrets)


class RateLimitSettings(Frozen):
    """Response rate limiting: of replies over UDP to one network (/24 or /56) for one zone and one class of answer
    (answers, referrals, no such data, no such name, errors). Who asks over TCP, or brings a valid cookie or signature,
    is exempt."""

    per_second: Annotated[Whole, Field(ge=1, le=bounds.MAX_RATE)] = bounds.DEFAULT_RATE
    """How many replies a second it may have in the long run."""
    instant: Annotated[Whole, Field(ge=1, le=bounds.MAX_INSTANT)] = bounds.DEFAULT_INSTANT
    """How many it may have at once, after it asked nothing for a while."""
    slip: Annotated[Whole, Field(ge=0, le=bounds.MAX_SLIP)] = 1
    """Of the replies beyond that, each so manieth is truncated, so that whoever asked comes over TCP; the others are
    not sent. 1 truncates all: a resolver that hears nothing may give up. 0 sends none."""

    def columns(self) -> tuple[int, int, int]:
        """Return what a reply costs, how much may be owed at once, in microseconds, and the slip."""
        cost_us = _US // self.per_second
        return cost_us, (self.instant - 1) * cost_us, self.slip


def _mode(value: Any) -> Any:
    return {"mode": value} if isinstance(value, str) else value


def _limit(value: Any) -> Any:
    if value == "off":
        return None
    if value == "on":
        return {}
    if isinstance(value, str | bool | int | float):
        raise refusal(f"{shown(value)} is no limit; expected off, on, or per_second, instant and slip")
    return value


Cookies = Annotated[CookieSettings, BeforeValidator(_mode)]
RateLimit = Annotated[RateLimitSettings | None, BeforeValidator(_limit)]


def read_cookie_secrets(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each secret in a file; a line that begins with `#` is a remark."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def too_many_secrets(count: int) -> str:
    """Return what is wrong with so many secrets, "" where nothing is."""
    if count <= bounds.MAX_COOKIE_SECRETS:
        return ""
    return f"{counted(count, 'secret')}; at most {bounds.MAX_COOKIE_SECRETS}: one in use, one to come, and the last"
