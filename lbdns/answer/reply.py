"""What a reply says before it is bytes: RRs by section, codes, flags, and what its OPT record carries."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from lbdns.dns.codes import NOERROR


class Transport(Enum):
    """How a query came."""

    UDP = "udp"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class Client:
    """Who asked: the packed address (4 or 16 bytes) and port that the query came from."""

    address: bytes
    port: int


ASKED = b""
"""As an owner: the name that the client asked for, in its spelling."""


class Records(NamedTuple):
    """RRs of one owner and type, in the order they are sent; names and rdata in uncompressed wire form.

    `is_plain`: names in the rdata are sent uncompressed. So are those of steered records, whose order changes from
    reply to reply, so that the bytes of one record do not depend on its neighbours. `is_apart`: for the same reason the
    owner is compressed against the zone's apex and its own earlier records alone. `is_synthesised`: a CNAME that a
    DNAME makes of the name before it; what it leads to points at its data. `signatures`: the data of the RRSIG RRs that
    follow, of which `signed_ttl` is the original TTL where they are signed as they are asked for; None where not.
    """

    owner: bytes
    type: int
    ttl: int
    rdatas: tuple[bytes, ...]
    is_plain: bool = False
    is_apart: bool = False
    is_synthesised: bool = False
    signatures: tuple[bytes, ...] = ()
    signed_ttl: int | None = None


@dataclass(slots=True)
class Answer:
    """A reply to a query that could be read. `glue` must be there or the reply is truncated; `additional` may go.

    `apex`: of the zone that answers, "" where none does. `scope`: SCOPE PREFIX-LENGTH for the query's ECS option, where
    it had one. `ede`: an extended error code (RFC 8914), `ede_text`: what it says beside. `tsig_error`: what is wrong
    with a query's signature (RFC 8945 section 5.2). `is_signed`: who asks wants DNSSEC's records (RFC 4035 section
    3.1), and the zone has them. `expire_s`: how long the zone still holds, for who asks that (RFC 7314).
    """

    rcode: int = NOERROR
    is_authoritative: bool = True
    apex: bytes = b""
    answer: list[Records] = field(default_factory=list)
    authority: list[Records] = field(default_factory=list)
    glue: list[Records] = field(default_factory=list)
    additional: list[Records] = field(default_factory=list)
    scope: int = 0
    ede: int | None = None
    ede_text: str = ""
    tsig_error: int = NOERROR
    is_signed: bool = False
    expire_s: int | None = None
