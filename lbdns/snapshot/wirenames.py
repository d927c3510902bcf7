"""Names as text to wire format, for names that a configuration holds (already checked there)."""

from __future__ import annotations

import dns.name


def wire_name(text: str) -> bytes:
    """Return the lower-case wire form of a host or owner name in presentation format, absolute with or without the
    dot."""
    return dns.name.from_text(text).canonicalize().to_digestable()
