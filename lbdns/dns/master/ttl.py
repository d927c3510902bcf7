"""A TTL as people write it: seconds, or BIND's form with units, `1h30m`."""

from __future__ import annotations

import re
from typing import Final

from lbdns.dns import record_bounds

# Digits without a unit stand at the end alone: a text is read in one way, so in time that grows with its length.
_TTL: Final = re.compile(r"(?:[0-9]{1,20}[wdhmsWDHMS])*+(?:[0-9]{1,20})?", re.ASCII)
_PART: Final = re.compile(r"([0-9]+)([wdhms]?)", re.ASCII)
_PLAIN_DIGITS: Final = 9
"""So many digits stay below the largest TTL."""
_UNIT_S: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_ttl(text: str) -> int:
    """Return seconds of `300` or `1h30m`; raises ValueError with the reason."""
    if text.isdecimal() and text.isascii() and len(text) <= _PLAIN_DIGITS:
        return int(text)
    if not text or not _TTL.fullmatch(text):
        raise ValueError(f'"{text}" is no TTL; expected seconds, or a form such as 1h30m')
    seconds = sum(int(number) * _UNIT_S[unit] for number, unit in _PART.findall(text.lower()))
    if seconds > record_bounds.MAX_TTL_S:
        raise ValueError(f"a TTL of {seconds} s is out of bounds; at most {record_bounds.MAX_TTL_S} (RFC 2181)")
    return seconds
