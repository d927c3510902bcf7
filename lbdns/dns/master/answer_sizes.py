"""Records of a zone that do not fit into an answer over UDP: each client asks for them twice, the second time over TCP.

An answer has the records of one name and type; a referral the name servers of a delegation, and the addresses of those
below it, without which nobody could ask them (RFC 9471). What else comes along is left out where it does not fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lbdns.base.errors import Problem
from lbdns.base.wording import counted
from lbdns.dns.answer_room import ROOM_MIN, Record, answer_bytes
from lbdns.dns.codes import NAME_BYTES_MAX, RECORD_HEAD_BYTES, TYPE_NS, UDP_BYTES_MAX
from lbdns.dns.master.draft import RRsetDraft, ZoneDraft, subject
from lbdns.dns.name import is_at_or_below
from lbdns.dns.rdata.record_types import ADDRESS_TYPES, type_text

FEW: Final = ROOM_MIN // (RECORD_HEAD_BYTES + NAME_BYTES_MAX)
"""Records whose data is one name: so many fit whatever they are."""
LARGE: Final = ROOM_MIN // FEW - RECORD_HEAD_BYTES
"""Octets of data: one record with at most so much of it fits, and so do FEW of them."""


def check_size(draft: ZoneDraft, owner: bytes, rrset: RRsetDraft) -> Iterator[Problem]:
    """Yield a warning for an RRset whose answer does not fit, unless it has a mistake already."""
    is_cut = rrset.type == TYPE_NS and owner != draft.apex
    records: list[Record] = [(owner if is_cut else b"", rrset.type, rdata) for rdata in rrset.rdatas]
    glue = list(_glue(draft, owner, rrset)) if is_cut else []
    size = answer_bytes(draft.apex, len(owner), [*records, *glue])
    path = subject(owner, rrset.type)
    if size <= UDP_BYTES_MAX or any(one.path == path and one.severity == "error" for one in draft.problems):
        return
    what = counted(len(records), f"{type_text(rrset.type)} record")
    if glue:
        what += f" and {counted(len(glue), 'address', 'addresses')} of these name servers"
    message = (
        f"{what} in {size:,} bytes with a client subnet; an answer over UDP has at most {UDP_BYTES_MAX} bytes, so it "
        "is truncated and asked for again over TCP"
    )
    yield Problem(rrset.file, rrset.line, path, message, "warning", ("content",))


def _glue(draft: ZoneDraft, cut: bytes, servers: RRsetDraft) -> Iterator[Record]:
    for target in {rdata.lower(): None for rdata in servers.rdatas}:
        if is_at_or_below(target, cut):
            for rdtype in ADDRESS_TYPES:
                addresses = draft.rrset(target, rdtype)
                for rdata in addresses.rdatas if addresses is not None else ():
                    yield target, rdtype, rdata
