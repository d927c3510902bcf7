"""What guards the server, as metrics: cookies, replies beyond the limit, queries of who may not ask, proxies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lbdns.mapped.counter_words import (
    BARRED_COUNT,
    COOKIE_NONE,
    COOKIE_STANDINGS,
    COOKIES_FIRST,
    LIMITED_FIRST,
    PROXIED_COUNT,
    TRUNCATED_FIRST,
    UNPROXIED_COUNT,
)
from lbdns.mapped.rate_words import RATE_CLASS_NAMES
from lbdns.mapped.unread_words import UNREAD_FLOOD, UNREAD_FULL
from lbdns.telemetry.tally import Sample


class GuardCounts(NamedTuple):
    """A family of counters: name, help, labels, and a count for the values of each."""

    name: str
    text: str
    labels: tuple[str, ...]
    rows: Sequence[tuple[tuple[str, ...], int]]


def guard_counts(sample: Sample) -> Iterator[GuardCounts]:
    """Yield every family."""
    standings = [
        ((name,), sample.word(COOKIES_FIRST + number))
        for number, name in enumerate(COOKIE_STANDINGS)
        if number != COOKIE_NONE
    ]
    yield GuardCounts("cookies", "Queries with a cookie, by how that of the server stood.", ("standing",), standings)
    limited = [
        ((name, action), sample.word(first + number))
        for action, first in (("truncated", TRUNCATED_FIRST), ("dropped", LIMITED_FIRST))
        for number, name in enumerate(RATE_CLASS_NAMES)
    ]
    yield GuardCounts(
        "rate_limited", "Replies beyond the limit, by class and what was done.", ("class", "action"), limited
    )
    barred = [((), sample.word(BARRED_COUNT))]
    yield GuardCounts("queries_barred", "Queries refused, as their client may not ask the zone.", (), barred)
    headers = [(("accepted",), sample.word(PROXIED_COUNT)), (("refused",), sample.word(UNPROXIED_COUNT))]
    yield GuardCounts("proxied", "What proxies sent, by whether its header could be read.", ("header",), headers)
    unread = [(("full",), sample.word(UNREAD_FULL)), (("flood",), sample.word(UNREAD_FLOOD))]
    text = "Datagrams that the kernel dropped unread: the socket was full, or a network that floods is kept out."
    yield GuardCounts("unread", text, ("reason",), unread)
