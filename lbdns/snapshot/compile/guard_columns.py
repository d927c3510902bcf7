"""The columns of what guards the server: the secrets of cookies, how replies are limited, who may ask which zone, whom
proxies may ask for."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from lbdns.model.guard_settings import CookieSettings
from lbdns.model.settings import Settings
from lbdns.model.transfer_policy import TransferPolicies
from lbdns.snapshot.compile.tries import Tries
from lbdns.snapshot.compile.view_columns import trie_of_networks
from lbdns.steering.kernel.numbers import NO_TRIE

Columns = dict[str, "array[int]"]
_WORD_BYTES = 8


def secret_words(settings: CookieSettings, own: Sequence[bytes]) -> list[int]:
    """Return the column cookie_secret: the secrets that cookies are made with (the first) and known by, none where
    replies have no cookie.

    `own`: those that the server has of itself, where the settings say none.
    """
    secrets = () if settings.mode == "never" else settings.keys or own
    return [
        int.from_bytes(secret[start : start + _WORD_BYTES], "little")
        for secret in secrets
        for start in range(0, len(secret), _WORD_BYTES)
    ]


def append_guards(columns: Columns, settings: Settings, own_secrets: Sequence[bytes], tries: Tries) -> None:
    """Fill cookie_secret, rate_limit and proxy_trie. `own_secrets`: as in `secret_words`."""
    columns["cookie_secret"].extend(secret_words(settings.cookies, own_secrets))
    columns["proxy_trie"].append(trie_of_networks(settings.proxies, tries))
    if settings.rate_limit is not None:
        columns["rate_limit"].extend([*settings.rate_limit.columns(), int(settings.cookies.mode == "on")])


def append_askers(columns: Columns, apexes: Iterable[bytes], policies: TransferPolicies, tries: Tries) -> None:
    """Fill zone_query_trie, a row for each zone in the order of their rows: the networks that may ask it without a key;
    who has to sign is judged where signatures are.
    Left empty where everybody may ask every zone."""
    if all(one.query is None for one in (policies.general, *policies.own.values())):
        return
    found = []
    made: dict[tuple[object, ...], int] = {}
    for apex in apexes:
        entries = policies.of(apex).query
        if entries is None:
            found.append(NO_TRIE)
            continue
        networks = tuple(one.network for one in entries if one.network is not None and one.key is None)
        if networks not in made:
            made[networks] = trie_of_networks(networks, tries, may_be_empty=True)
        found.append(made[networks])
    columns["zone_query_trie"].extend(found)
