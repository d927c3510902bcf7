"""The messages of a zone transfer: a zone as a whole, or what has changed in it, in as few messages as there may be.

    TransferStream --begins each, ends and signs it--> what the client gets
      `- fills it: WholeZone (AXFR, RFC 5936) or ZoneChanges (IXFR, RFC 1995)

The question and the OPT record are in the first message alone (RFC 5936 sections 2.2.1 and 2.2.5); each is signed where
the request was (RFC 8945 section 5.3.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct
from typing import Final, Protocol

from lbdns.answer.exchange import Exchange
from lbdns.answer.render import opt_record
from lbdns.answer.reply import Answer
from lbdns.answer.serving_view import ServingView
from lbdns.answer.zone_expiry import expire_s
from lbdns.answer.zone_messages import ZoneMessages, begin_messages, fill_message
from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import FLAG_AA, HEADER_BYTES, NOERROR, TCP_BYTES_MAX
from lbdns.dns.message_writer import MessageWriter, begin_message, write_question, write_record
from lbdns.dns.name import name_end, show_name
from lbdns.dns.wire import reply_flags
from lbdns.dns.writer_numbers import NO_OWNER
from lbdns.mapped.zone_journal import Differences

_HEADER: Final = Struct("!6H")
_RECORD: Final = Struct("!HHIH")


class Filler(Protocol):
    """What is to be sent, record by record."""

    def fill(self, writer: MessageWriter) -> bool:
        """Write the records that come next into a message, as many as fit; return whether those were the last."""


class WholeZone:
    """A zone's content, from the columns of a snapshot."""

    def __init__(self, view: ServingView, zone: int) -> None:
        """Begin with the first record; LbdnsError where the zone is not ready to be served."""
        self._names = view.steering
        self._messages = ZoneMessages()
        if not begin_messages(self._names, zone, self._messages):
            raise LbdnsError(f"zone {show_name(view.apex(zone))} is not ready to be transferred")

    def fill(self, writer: MessageWriter) -> bool:
        """Write the records that come next; return whether those were the last."""
        fill_message(self._names, self._messages, writer)
        return self._messages.has_ended


class ZoneChanges:
    """What leads from one serial of a zone to another, as one sequence of differences (RFC 1995 section 4)."""

    def __init__(self, changes: Differences) -> None:
        """Begin with the first record."""
        old, new = changes.old_soa, changes.new_soa
        self._records: Sequence[bytes] = (new, old, *changes.deleted, new, *changes.added, new)
        self._next = 0

    def fill(self, writer: MessageWriter) -> bool:
        """Write the records that come next; return whether those were the last."""
        while self._next < len(self._records):
            record = self._records[self._next]
            head = name_end(record, 0)
            rtype, _, ttl, length = _RECORD.unpack_from(record, head)
            writer.last_owner = NO_OWNER  # each stands in bytes of its own
            if not write_record(writer, record, 0, rtype, ttl, record, head + _RECORD.size, length):
                return False
            self._next += 1
        return True


class TransferStream:
    """A reply of as many messages as it takes."""

    def __init__(
        self, exchange: Exchange, filler: Filler | None = None, find: Callable[[], Filler] | None = None
    ) -> None:
        """Reply to a request over TCP by a filler, or by what `find` finds when it is prepared."""
        self._find = find
        self._filler = filler
        self._message = exchange.message
        self._seal = exchange.judgement.seal
        self._signing = None if self._seal is None else self._seal.stream()
        found = exchange.zone_at()
        told = Answer(expire_s=None if found is None else expire_s(exchange.view, found[0], exchange.unix_s))
        self._opt = opt_record(
            exchange.message.edns, NOERROR, exchange.transport, exchange.view.nsid, told, exchange.cookie
        )
        self._is_first = True
        self._has_ended = False

    @property
    def is_prepared(self) -> bool:
        """Whether it is known what is sent."""
        return self._filler is not None

    def prepare(self) -> None:
        """Find out what is sent; it may take long, and may be done in another thread."""
        if self._find is not None:
            self._filler = self._find()

    def next_message(self, unix_s: int) -> bytes | None:
        """Return the next message, whole and signed where the request was, at a time of day; None after the last."""
        if self._has_ended:
            return None
        filler = self._filler
        if filler is None:
            raise AssertionError("it was not prepared")
        message = self._write(filler)
        return message if self._signing is None else self._signing.sign(message, unix_s)

    def _write(self, filler: Filler) -> bytes:
        writer = _writer()
        opt = self._opt if self._is_first else b""
        begin_message(writer, TCP_BYTES_MAX - len(opt) - (self._seal.size if self._seal else 0))
        if self._is_first:
            question = self._message.question
            write_question(writer, question, len(question))
        self._has_ended = filler.fill(writer)
        if not writer.records:
            raise LbdnsError(f"a record of zone {show_name(self._message.qname)} fits into no message")
        flags = reply_flags(self._message.flags, NOERROR) | FLAG_AA
        counts = 1 if self._is_first else 0, writer.records, 0, 1 if opt else 0
        self._is_first = False
        body = writer.buffer[HEADER_BYTES : writer.position]
        return b"".join((_HEADER.pack(self._message.id, flags, *counts), body, opt))


@lru_cache(maxsize=1)
def _writer() -> MessageWriter:
    """Return the one that writes all messages of this process, one at a time."""
    return MessageWriter()
