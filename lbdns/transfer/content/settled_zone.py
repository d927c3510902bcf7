"""A zone as it is transferred: settled for one snapshot from what it was and what it is to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from lbdns.dns.serial import SERIALS, is_newer
from lbdns.dns.zone import RRset, Zone
from lbdns.mapped.zone_journal import Differences
from lbdns.transfer.content.serial_log import ServedSerial
from lbdns.transfer.content.zone_difference import (
    Content,
    changed_sum,
    difference,
    records_of,
    soa_of,
    sum_of,
)

_AFTER_SERIAL_BYTES: Final = 16
_SERIAL_BYTES: Final = 4

Seal = Callable[[Sequence[RRset], Sequence[RRset]], Sequence[RRset]]
"""Gives RRsets of a zone their signatures; those of the second argument stay where they hold."""


@dataclass(frozen=True, slots=True)
class SettledZone:
    """`served`: what the log says of it; `content`: what is transferred but for the SOA, `soa`: that, with the serial
    that is served; `zone`: the zone with it."""

    served: ServedSerial
    content: Content
    soa: RRset
    zone: Zone


class SerialStep(NamedTuple):
    """What leads to a state: the serial before; `differences`: None where it is not known what was."""

    from_serial: int
    differences: Differences | None


class Flat(NamedTuple):
    """What transfers of a zone have in place of load balancers, to be signed where the zone is."""

    hidden: tuple[RRset, ...] = ()
    rrsets: tuple[RRset, ...] = ()


def serial_of(soa: RRset) -> int:
    """Return the serial of an SOA RRset."""
    return serial_in(soa.rdatas[0])


def serial_in(rdata: bytes) -> int:
    """Return the serial in the rdata of an SOA record."""
    end = len(rdata) - _AFTER_SERIAL_BYTES
    return int.from_bytes(rdata[end - _SERIAL_BYTES : end], "big")


def with_serial(soa: RRset, serial: int) -> RRset:
    """Return an SOA RRset with another serial, not signed: itself where it has that."""
    if serial == serial_of(soa):
        return soa
    rdata = soa.rdatas[0]
    end = len(rdata) - _AFTER_SERIAL_BYTES
    rdata = rdata[: end - _SERIAL_BYTES] + serial.to_bytes(_SERIAL_BYTES, "big") + rdata[end:]
    return replace(soa, rdatas=(rdata,), signatures=())


def next_serial(serial: int) -> int:
    """Return the serial that follows."""
    return (serial + 1) % SERIALS


def settled(
    zone: Zone, flat: Flat, seal: Seal, before: SettledZone | None, served: ServedSerial | None, is_other: bool
) -> tuple[SettledZone, SerialStep | None]:
    """Return how a zone is transferred, and the step that leads there, None where nothing changed.

    `before`: how it was, None where only `served` is known of it, which is None where nobody ever had it. `is_other`:
    who had `served` may have had something else: the serial rises whatever there is.

    | the zone's own serial is | the content is | what is served                                   |
    |--------------------------|----------------|--------------------------------------------------|
    | newer than what was last | any            | the zone's own                                   |
    | any other                | another        | what was served last, and one more               |
    | any other                | the same       | what was served last                             |

    A zone that was signed elsewhere has the serial that it was signed with.
    """
    at, own_soa = soa_of(zone)
    is_same_keys = before is not None and _keys(before.zone) == _keys(zone)
    kept = before.content.flat if before is not None and is_same_keys else ()
    content = Content(zone, flat.hidden, tuple(seal(flat.rrsets, kept)) if flat.rrsets else ())
    deleted: tuple[bytes, ...] = ()
    added: tuple[bytes, ...] = ()
    if before is not None:
        deleted, added = difference(before.content, content)
        was, now = _mark(before.soa), _mark(own_soa)
        is_changed = bool(deleted or added or was != now)
        total = changed_sum(before.served.sum, (*deleted, was), (*added, now)) if is_changed else before.served.sum
    else:
        total = changed_sum(sum_of(content), (), (_mark(own_soa),))
        # An SOA that is signed here with another serial than its own is signed anew: nobody has that signature.
        is_resigned = served is not None and zone.signed is not None and serial_of(own_soa) != served.serial
        is_changed = served is None or is_other or total != served.sum or is_resigned
    last = None if served is None else served.serial
    own = serial_of(own_soa)
    is_fixed = _is_signed_elsewhere(zone)
    serial = own if is_fixed else _serial(own, last, is_changed)
    kept_soa = (own_soa, before.soa) if before is not None and is_same_keys else (own_soa,)
    soa = _sealed_soa(own_soa, serial, seal, kept_soa)
    if before is not None and not is_fixed and serial == last and soa.signatures != before.soa.signatures:
        serial = next_serial(serial)
        soa = _sealed_soa(own_soa, serial, seal, kept_soa)
    state = SettledZone(ServedSerial(serial, total), content, soa, _with_soa(zone, at, soa, before))
    if last is None or serial == last:
        return state, None
    if before is None:
        return state, SerialStep(last, None)
    changes = _differences(before.soa, soa, deleted, added)
    return state, SerialStep(last, changes)


def _is_signed_elsewhere(zone: Zone) -> bool:
    return zone.signed is not None and zone.signed.is_elsewhere


def _keys(zone: Zone) -> int | None:
    return zone.signed.keys_digest if zone.signed else None


def _serial(own: int, last: int | None, is_changed: bool) -> int:
    if last is None or is_newer(own, last):
        return own
    return next_serial(last) if is_changed else last


def _mark(soa: RRset) -> bytes:
    """Return what an SOA says beside its serial, as a record."""
    return next(records_of(replace(with_serial(soa, 0), signatures=())))


def _sealed_soa(own: RRset, serial: int, seal: Seal, kept: Sequence[RRset]) -> RRset:
    if serial == serial_of(own):
        return own
    [soa] = seal((with_serial(own, serial),), kept)
    return soa


def _with_soa(zone: Zone, at: int, soa: RRset, before: SettledZone | None) -> Zone:
    """Return a zone with the SOA that is served, the object that it was where it is the same: much rests on it."""
    if before is not None and before.content.zone is zone and before.soa == soa:
        return before.zone
    if zone.rrsets[at] is soa:
        return zone
    return replace(zone, rrsets=(*zone.rrsets[:at], soa, *zone.rrsets[at + 1 :]))


def _differences(was: RRset, now: RRset, deleted: tuple[bytes, ...], added: tuple[bytes, ...]) -> Differences:
    old_soa, *old_signatures = records_of(was)
    new_soa, *new_signatures = records_of(now)
    gone = [one for one in old_signatures if one not in new_signatures]
    come = [one for one in new_signatures if one not in old_signatures]
    return Differences(old_soa, new_soa, (*deleted, *gone), (*added, *come))
