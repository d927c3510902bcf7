"""Zones as the server serves them: RRsets of wire-format names and data, nothing left to parse."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RRset:
    """All records of one owner and type, which share one TTL (RFC 2181 section 5.2).

    `owner` is an uncompressed wire-format name in lower case. `rdatas` are uncompressed wire-format rdata with the case
    of embedded names kept. `ttl` is in seconds; `line` is where the first record stands in its master file, 0 where
    there is none.
    """

    owner: bytes
    type: int
    ttl: int
    rdatas: tuple[bytes, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone: its apex (wire format, lower case), its RRsets in the order of its master file, and that file's path.

    `view`: "" where everybody sees it, else the one view that does ("public": of who is in no other).
    """

    apex: bytes
    rrsets: tuple[RRset, ...]
    file: str
    view: str = ""
