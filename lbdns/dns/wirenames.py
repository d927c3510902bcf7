"""Names as text to wire format, for names that a configuration holds (already checked there)."""

from __future__ import annotations

import re

import dns.name

_PLAIN = re.compile(r"[-a-z0-9_*]{1,63}(\.[-a-z0-9_*]{1,63})*\.?", re.ASCII)

_LENGTHS = [bytes((length,)) for length in range(64)]


def wire_name(text: str) -> bytes:
    """Return the lower-case wire form of a name in presentation format, absolute with or without the dot."""
    if _PLAIN.fullmatch(text):
        # By far the most names: no escapes, nothing to fold.
        labels = text.rstrip(".").encode().split(b".")
        return b"".join([_LENGTHS[len(label)] + label for label in labels]) + b"\0"
    return dns.name.from_text(text).canonicalize().to_digestable()
