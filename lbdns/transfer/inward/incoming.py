"""A transfer as its records come: AXFR (RFC 5936), IXFR (RFC 1995), or the whole zone in IXFR's place. Pure.

    FIRST   SOA: of the zone as it is there, new
      |     nothing more in a reply to IXFR, or not newer: CURRENT
      v
    SECOND  SOA of the serial that is held ---> DIFFERENCES: OUT --SOA--> IN --SOA, not new: OUT ... SOA new--> DONE
            anything else ---> WHOLE: record after record ... the first SOA again ---> DONE

Nothing is changed before all has come and is right: what is made is another `ZoneRecords`. Every form of what is wrong
raises `TransferError`; of differences that do not fit what is held, `Inexact`: the whole zone is asked for then.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import counted
from lbdns.dns import record_bounds
from lbdns.dns.codes import TYPE_SOA
from lbdns.dns.master.draft import Growth, subject
from lbdns.dns.name import is_at_or_below, name_end, show_name
from lbdns.dns.serial import is_newer
from lbdns.dns.transfer_reply import ReceivedRecord
from lbdns.transfer.inward.zone_records import ZoneRecords

RECORDS_MAX: Final = 4_000_000
"""How many records a transfer may have; of differences, those that go count as well."""
BYTES_MAX: Final = 1 << 28
"""How many octets they may have in all, names told in full."""


class TransferError(LbdnsError):
    """A transfer that is not to be gone on with; the text says why."""


class Inexact(TransferError):
    """Differences from something else than what is held."""


class _Stage(Enum):
    FIRST = auto()
    SECOND = auto()
    WHOLE = auto()
    OUT = auto()
    IN = auto()
    DONE = auto()


@dataclass(frozen=True, slots=True)
class TransferBounds:
    """What a transfer may have at most."""

    records: int = RECORDS_MAX
    octets: int = BYTES_MAX


def serial_of(soa: bytes) -> int:
    """Return the serial in the data of an SOA record."""
    at = name_end(soa, name_end(soa, 0))
    return int.from_bytes(soa[at : at + 4], "big")


class Incoming:
    """One transfer. `is_done`: nothing more belongs to it; `is_current`: there was nothing newer than what is held;
    `kind`: "axfr" or "ixfr", by what came. `records`: the zone as it is then, whole."""

    def __init__(self, apex: bytes, held: ZoneRecords | None, bounds: TransferBounds = TransferBounds()) -> None:
        """Take a zone from its records; `held`: what differences may be from, None where all of it was asked for."""
        self.apex = apex
        self.serial = 0
        self.record_count = self.octet_count = 0
        self.is_current = False
        self._held = held
        self._bounds = bounds
        self._stage = _Stage.FIRST
        self._soa = b""
        self._records = ZoneRecords(apex)
        self._held_serial: int | None = None
        if held is not None and (soa := held.soa()) is not None:
            self._held_serial = serial_of(soa.rdatas[0])
        self._at_serial = 0  # of differences: what they have led to
        self._soa_ttl = 0
        self._has_differences = False

    @property
    def is_done(self) -> bool:
        """Whether all has come."""
        return self._stage is _Stage.DONE

    @property
    def kind(self) -> str:
        """What came."""
        return "ixfr" if self._has_differences else "axfr"

    @property
    def records(self) -> ZoneRecords:
        """The zone, once all has come."""
        assert self.is_done
        return self._records

    def take(self, record: ReceivedRecord) -> None:
        """Take the next record; raises TransferError."""
        self.record_count += 1
        self.octet_count += len(record.owner) + len(record.rdata)
        if self.record_count > self._bounds.records or self.octet_count > self._bounds.octets:
            raise TransferError(
                f"the transfer does not end: {counted(self.record_count, 'record')} with {self.octet_count:,} octets "
                f"came; a zone has at most {self._bounds.records:,} records and {self._bounds.octets:,} octets here"
            )
        owner = record.owner
        if owner != self.apex and not is_at_or_below(owner, self.apex):
            raise TransferError(f"{subject(owner, record.type)} is outside the zone {show_name(self.apex)}")
        is_soa = record.type == TYPE_SOA
        if is_soa and owner != self.apex:
            raise TransferError(f"{show_name(owner)} has an SOA record, which stands at the apex alone")
        match self._stage:
            case _Stage.FIRST:
                self._take_first(record, is_soa)
            case _Stage.SECOND:
                self._take_second(record, is_soa)
            case _Stage.WHOLE if is_soa:
                self._end_whole(record)
            case _Stage.WHOLE:
                self._add(record)
            case _Stage.OUT | _Stage.IN if is_soa:
                self._take_border(record)
            case _Stage.OUT:
                if not self._records.delete(owner, record.type, record.rdata):
                    raise Inexact(f"a record of {subject(owner, record.type)} goes that is not there")
            case _Stage.IN:
                self._add(record, keeps_lowest=False)
            case _Stage.DONE:
                raise TransferError("records follow the end of the transfer")

    def end_of_message(self) -> None:
        """Say that a message has ended: a lone SOA in a reply to IXFR is all there is (RFC 1995 section 4)."""
        if self._stage is not _Stage.SECOND or self._held_serial is None:
            return
        if not is_newer(self.serial, self._held_serial):  # else more messages follow: some have one record each
            self.is_current = True
            self._stage = _Stage.DONE

    def _take_first(self, record: ReceivedRecord, is_soa: bool) -> None:
        if not is_soa:
            raise TransferError(f"the transfer begins with {subject(record.owner, record.type)}, not with the SOA")
        self._soa, self.serial, self._soa_ttl = record.rdata, serial_of(record.rdata), record.ttl
        self._stage = _Stage.SECOND

    def _take_second(self, record: ReceivedRecord, is_soa: bool) -> None:
        serial = serial_of(record.rdata) if is_soa else None
        if self._held is not None and serial is not None and serial == self._held_serial and record.rdata != self._soa:
            self._stage, self._records, self._at_serial = _Stage.OUT, self._held.copy(), serial
            self._has_differences = True
            return
        self._stage = _Stage.WHOLE
        self._add(ReceivedRecord(self.apex, TYPE_SOA, self._soa_ttl, self._soa))
        if is_soa:
            self._end_whole(record)
        else:
            self._add(record)

    def _end_whole(self, record: ReceivedRecord) -> None:
        if record.rdata != self._soa:
            raise TransferError(
                f"the transfer began with serial {self.serial} and has another SOA, of serial "
                f"{serial_of(record.rdata)}: the zone changed meanwhile, or these are differences from what is not held"
            )
        self._stage = _Stage.DONE

    def _take_border(self, record: ReceivedRecord) -> None:
        """Take the SOA between what goes and what comes."""
        serial = serial_of(record.rdata)
        if self._stage is _Stage.OUT:
            if not is_newer(serial, self._at_serial):
                raise Inexact(f"differences lead from serial {self._at_serial} back to {serial}")
            soa = self._records.soa()
            if soa is not None:
                self._records.delete(self.apex, TYPE_SOA, soa.rdatas[0])
            self._add(record)
            self._at_serial, self._stage = serial, _Stage.IN
        elif record.rdata == self._soa and self._at_serial == self.serial:
            self._stage = _Stage.DONE
        elif serial == self._at_serial:
            self._stage = _Stage.OUT
        else:
            raise Inexact(f"differences lead to serial {self._at_serial}, and go on from {serial}")

    def _add(self, record: ReceivedRecord, keeps_lowest: bool = True) -> None:
        growth = self._records.add(*record, keeps_lowest=keeps_lowest)
        if growth is Growth.FULL:
            raise TransferError(
                f"{subject(record.owner, record.type)} has more than {record_bounds.MAX_RECORDS_PER_RRSET} records of "
                f"one type, or more than {record_bounds.MAX_TYPES_PER_NAME} types"
            )
