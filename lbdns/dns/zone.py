"""Zones as the server serves them: RRsets of wire-format names and data, nothing left to parse."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RRset:
    """All records of one owner and type, which share one TTL (RFC 2181 section 5.2).

    `owner` is an uncompressed wire-format name in lower case. `rdatas` are uncompressed wire-format rdata with the case
    of embedded names kept. `ttl` is in seconds; `line` is where the first record stands in its master file, 0 where
    there is none. `signatures`: rdata of the RRSIG records over it, whole (RFC 4034 section 3.1); none in a zone that
    is not signed, and over what is not the zone's own: delegations and glue.
    """

    owner: bytes
    type: int
    ttl: int
    rdatas: tuple[bytes, ...]
    line: int = 0
    signatures: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ZoneSigned:
    """What a signed zone has beside its RRsets, NSEC records among these.

    `denial`: what says that something is not there (DENIAL_NSEC, DENIAL_NSEC3 or DENIAL_COMPACT of
    lbdns/snapshot/lookup/name_rows.py). `key_ids`: of the keys that sign what is signed on demand. `nsec3`: the NSEC3
    RRsets by the hashes that they match (20 octets), sorted. `renewal_s`: unix s from which on a signature of it is to
    be renewed. `keys_digest`: of what it says of its keys (ZoneKeys.digest). `ttl_max_s`: how long a cache may keep any
    of its records but those of its keys, or of what load balancers in it answer. `is_elsewhere`: another server signed
    it, and none of its keys is here.
    """

    denial: int
    key_ids: tuple[int, ...]
    nsec3: tuple[tuple[bytes, RRset], ...]
    renewal_s: int
    keys_digest: int
    ttl_max_s: int
    is_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone: its apex (wire format, lower case), its RRsets in the order of its master file, and that file's path.

    `view`: "" where everybody sees it, else the one view that does ("public": of who is in no other). `signed`: None
    where it is not signed.
    """

    apex: bytes
    rrsets: tuple[RRset, ...]
    file: str
    view: str = ""
    signed: ZoneSigned | None = None
