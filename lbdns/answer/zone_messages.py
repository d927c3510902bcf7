"""A zone's content as messages, straight from the columns of a snapshot: the SOA, all else, the SOA again (RFC 5936
section 2.2).

    begin_messages -> fill_message, until the zone has ended: one message after another, each from where the one before
    it ended, in the middle of an RRset too

Nothing of the zone is copied: what is under way is a place in it. Runs interpreted and compiled (types in the `.pxd`).
"""

from __future__ import annotations

from lbdns.dns.codes import *
from lbdns.dns.message_writer import MessageWriter, write_record
from lbdns.mapped.columns import *
from lbdns.mapped.typed_columns import TypedColumns
from lbdns.snapshot.lookup.name_rows import *
from lbdns.snapshot.lookup.zone_walk import ContentCursor, begin_content, next_rrset
from lbdns.steering.kernel.numbers import *


class ZoneMessages:
    """A place in a zone's messages: the RRset that is being written, and what of it comes next.

    `records`, from `record` to `record_end`, are rows of rdata_* or, where `is_signatures`, of signature_*. `is_last`:
    the SOA that ends the zone is being written; `has_ended`: it has been.
    """

    def __init__(self) -> None:
        self.cursor = ContentCursor()
        self.rrset = 0
        self.owner = 0
        self.record = 0
        self.record_end = 0
        self.is_signatures = False
        self.is_last = False
        self.has_ended = False


def begin_messages(names: TypedColumns, zone: int, messages: ZoneMessages) -> bool:
    """Begin with the first message of a zone; False where the zone is not ready to be served."""
    if not begin_content(names, zone, messages.cursor):
        return False
    messages.is_last = False
    messages.has_ended = False
    take_rrset(names, messages, messages.cursor.soa, messages.cursor.apex)
    return True


def fill_message(names: TypedColumns, messages: ZoneMessages, writer: MessageWriter) -> bool:
    """Write as many of the records that come next as the message takes; return whether any was written."""
    while not messages.has_ended:
        while messages.record < messages.record_end:
            if not write_next(names, messages, writer):
                return writer.records > 0
            messages.record += 1
        next_part(names, messages)
    return writer.records > 0


def write_next(names: TypedColumns, messages: ZoneMessages, writer: MessageWriter) -> bool:
    """Write the next record; return whether it fits."""
    ttl = names.rrset_ttl[messages.rrset]
    at = messages.record
    if messages.is_signatures:
        data = names.signature_offset[at]
        size = names.signature_length[at]
        return write_record(writer, names.blob, messages.owner, TYPE_RRSIG, ttl, names.blob, data, size)
    data = names.rdata_offset[at]
    size = names.rdata_length[at]
    return write_record(
        writer, names.blob, messages.owner, names.rrset_type[messages.rrset], ttl, names.blob, data, size
    )


def next_part(names: TypedColumns, messages: ZoneMessages) -> None:
    """Go on to the signatures of the RRset, the next RRset, the SOA that ends the zone, or the end."""
    if messages.is_last:
        messages.has_ended = True
        return
    if not messages.is_signatures and len(names.rrset_signature) and names.rrset_signature[messages.rrset] != NONE_32:
        messages.is_signatures = True
        messages.record = names.rrset_signature[messages.rrset]
        messages.record_end = messages.record + names.rrset_signature_count[messages.rrset]
    elif next_rrset(names, messages.cursor):
        take_rrset(names, messages, messages.cursor.rrset, messages.cursor.owner)
    else:
        messages.is_last = True
        take_rrset(names, messages, messages.cursor.soa, messages.cursor.apex)


def take_rrset(names: TypedColumns, messages: ZoneMessages, rrset: int, owner: int) -> None:
    """Begin with an RRset."""
    messages.rrset = rrset
    messages.owner = owner
    messages.is_signatures = False
    messages.record = names.rrset_rdata_start[rrset]
    messages.record_end = messages.record + names.rrset_rdata_count[rrset]
