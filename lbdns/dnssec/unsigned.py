"""What is signed when it is asked for: an RRset without its signature, as responders ask the signer for one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unsigned:
    """An RRset of the zone at `apex` whose signature is wanted.

    `apex` and `owner`: wire format, lower case; `ttl`: the one that is signed (RFC 4034 section 3.1.4); `rdatas`:
    uncompressed, in any order. Who answers with it under an owner and a lower TTL of its own needs no other signature.
    """

    apex: bytes
    owner: bytes
    rtype: int
    ttl: int
    rdatas: tuple[bytes, ...]
