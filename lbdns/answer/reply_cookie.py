"""The cookie of a reply, for that of the query (RFC 7873 section 5.2)."""

from __future__ import annotations

from typing import Final, NamedTuple

from lbdns.answer.reply import Client
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import halves
from lbdns.dns.edns import Edns
from lbdns.dns.options.cookie import cookie_octets
from lbdns.dns.server_cookie import settle
from lbdns.mapped.counter_words import COOKIE_BAD, COOKIE_NEW, COOKIE_NONE, COOKIE_VALID


class ReplyCookie(NamedTuple):
    """The option's data for the reply, empty for none, and how that of the query stands (COOKIE_*)."""

    octets: bytes
    standing: int


NO_COOKIE: Final = ReplyCookie(b"", COOKIE_NONE)


def settle_cookie(view: ServingView, edns: Edns | None, client: Client, unix_s: int) -> ReplyCookie:
    """Return the cookie of a reply; `unix_s`: the time of day."""
    asked = edns.cookie if edns is not None else None
    secrets = view.columns["cookie_secret"]
    if asked is None or not len(secrets):
        return NO_COOKIE
    cookie = asked.parts()
    version = 4 if len(client.address) == 4 else 6
    settle(cookie, secrets, version, *halves(client.address), unix_s)
    standing = COOKIE_VALID if cookie.is_valid else COOKIE_BAD if asked.server else COOKIE_NEW
    return ReplyCookie(cookie_octets(cookie), standing)
