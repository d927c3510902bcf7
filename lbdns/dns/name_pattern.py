"""Patterns of names: a domain name in which a label `*` stands for one label or more.

| pattern | names |
|---|---|
| `www.example.com` | that one |
| `*.dyn.example.com` | all below dyn.example.com |
| `_acme-challenge.*` | every name whose first label is _acme-challenge |
| `_acme-challenge.*.example.com` | those below example.com, but for _acme-challenge.example.com |
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from lbdns.dns.name import ROOT, BadName, encode_canonical, labels_of, show_name

_ANY: Final = b"*"


def parse_pattern(text: str) -> str:
    """Return a pattern in lower case, without the final dot; raises BadName."""
    wire = encode_canonical(text)
    if wire == ROOT:
        raise BadName(f'"{text}" names nothing; expected one such as _acme-challenge.* or *.dyn.example.com')
    for label in labels_of(wire):
        if _ANY in label and label != _ANY:
            whole = label.decode("ascii", "backslashreplace")
            raise BadName(f'"{whole}": * stands for whole labels; expected one such as _acme-challenge.*')
    return show_name(wire)


@lru_cache(maxsize=4096)
def _pattern_labels(pattern: str) -> tuple[bytes, ...]:
    return tuple(labels_of(encode_canonical(pattern)))


def matches(pattern: str, name: bytes) -> bool:
    """Return whether a name (wire format, lower case) is among those of a pattern."""
    return _match(_pattern_labels(pattern), labels_of(name))


def _match(pattern: Sequence[bytes], labels: Sequence[bytes]) -> bool:
    """Match labels as a text with wildcards is matched: of the last `*` alone another length is tried, so that the work
    is bounded by the product of both lengths."""
    at = here = 0
    star = tried = -1
    while here < len(labels):
        if at < len(pattern) and pattern[at] == _ANY:
            star, tried = at, here + 1
            at, here = at + 1, here + 1
        elif at < len(pattern) and pattern[at] == labels[here]:
            at, here = at + 1, here + 1
        elif star >= 0 and tried < len(labels):
            tried += 1
            at, here = star + 1, tried
        else:
            return False
    return at == len(pattern)
