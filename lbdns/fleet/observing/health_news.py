"""What machines tell each other of health: values, and their octets on the bus.

    major version (1) | zlib or not (1) | octets of the head (4) | head: JSON | records of `observation`, or nothing

A reader refuses another major version alone, in words; keys of the head that it does not know are passed over.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.fleet.observing.observation import RECORD_BYTES, ObservedEntry, pack_entry, unpack_entry
from lbdns.fleet.observing.order_map import OrderEntry

MAJOR: Final = 1
ENTRIES_MAX: Final = 20_000  # in one message: half of what the bus takes, before it is compressed
COMPRESSED_FROM: Final = 1024
OCTETS_MAX: Final = 8 * 1024 * 1024
VANTAGES_MAX: Final = 255
_HEAD: Final = struct.Struct("<BBI")


class VantageWord(NamedTuple):
    """A vantage point of a machine; `is_doubtful`: it believes itself cut off from all that it probes."""

    name: str
    region: str
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True)
class HealthNews:
    """What a machine tells: its latest changes, or nothing but that it is there.

    `epoch` tells one life of its monitor worker from another, `sequence` counts the messages with changes; both, and
    `digest` of all that it observes, are those after `entries`. `orders` is the digest of its operators' orders.
    `is_whole`: `entries` are all that it observes. `is_leaving`: it takes part no longer.
    """

    machine: str
    epoch: int
    sequence: int
    digest: int
    vantages: tuple[VantageWord, ...]
    orders: int
    entries: tuple[ObservedEntry, ...] = ()
    is_whole: bool = False
    is_leaving: bool = False

    def with_entries(self, entries: tuple[ObservedEntry, ...]) -> HealthNews:
        """Return the same message about other entries."""
        return replace(self, entries=entries)


def farewell_of(machine: str) -> HealthNews:
    """Return what is said for a machine that is gone and did not say it: that it takes part no longer."""
    return HealthNews(machine, 0, 0, 0, (), 0, is_leaving=True)


@dataclass(frozen=True, slots=True)
class OrderNews:
    """Operators' orders as a machine has them; `unix_s`: its time of day."""

    machine: str
    unix_s: float
    entries: tuple[OrderEntry, ...]


def encode_news(told: HealthNews, page: int = 0, page_count: int = 1) -> bytes:
    """Return the octets of a message; of a whole one, those of a page."""
    numbers = {one.name: number for number, one in enumerate(told.vantages)}
    head = {
        "v": MAJOR,
        "machine": told.machine,
        "epoch": told.epoch,
        "sequence": told.sequence,
        "digest": told.digest,
        "vantages": [list(one) for one in told.vantages],
        "orders": told.orders,
        "record": RECORD_BYTES,
    }
    if told.is_whole:
        head |= {"page": page, "pages": page_count}
    if told.is_leaving:
        head["leaving"] = True
    return _encode(head, b"".join(pack_entry(one, numbers[one.vantage]) for one in told.entries))


def whole_pages(told: HealthNews) -> list[bytes]:
    """Return the octets of a whole message, in as many pages as it takes."""
    entries = told.entries
    parts = [entries[at : at + ENTRIES_MAX] for at in range(0, len(entries), ENTRIES_MAX)] or [()]
    return [encode_news(told.with_entries(part), page, len(parts)) for page, part in enumerate(parts)]


class NewsPage(NamedTuple):
    """A message as it came, and which page of how many it is."""

    news: HealthNews
    page: int
    page_count: int


def decode_news(data: bytes) -> NewsPage:
    """Return what octets say; raises LbdnsError in words where that is not for this release, or nothing."""
    head, records = _decode(data)
    try:
        vantages = tuple(
            VantageWord(str(name), str(region), bool(doubt)) for name, region, doubt, *_ in head["vantages"]
        )
        size = int(head["record"])
        if size < RECORD_BYTES or len(records) % size or len(vantages) > VANTAGES_MAX:
            raise LbdnsError("a message of the fleet is cut short")
        told = HealthNews(
            machine=str(head["machine"]),
            epoch=int(head["epoch"]),
            sequence=int(head["sequence"]),
            digest=int(head["digest"]),
            vantages=vantages,
            orders=int(head["orders"]),
            entries=_entries(records, size, [one.name for one in vantages]),
            is_whole="page" in head,
            is_leaving=bool(head.get("leaving")),
        )
        return NewsPage(told, int(head.get("page", 0)), int(head.get("pages", 1)))
    except (KeyError, ValueError, TypeError, IndexError, OverflowError) as error:
        raise LbdnsError(f"a message of the fleet cannot be read: {error!r}") from error


def _entries(records: bytes, size: int, names: Sequence[str]) -> tuple[ObservedEntry, ...]:
    found = (unpack_entry(records, offset) for offset in range(0, len(records), size))
    return tuple([ObservedEntry(names[number], key, seen) for key, number, seen in found])


def encode_orders(told: OrderNews) -> bytes:
    """Return the octets of orders."""
    head = {
        "v": MAJOR,
        "machine": told.machine,
        "unix": told.unix_s,
        "orders": [one._asdict() for one in told.entries],
    }
    return _encode(head, b"")


def decode_orders(data: bytes) -> OrderNews:
    """Return the orders that octets say; raises LbdnsError in words."""
    head, _ = _decode(data)
    try:
        return OrderNews(str(head["machine"]), float(head["unix"]), tuple(map(OrderEntry.of, head["orders"])))
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise LbdnsError(f"orders of the fleet cannot be read: {error!r}") from error


def _encode(head: dict[str, Any], records: bytes) -> bytes:
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    body = text + records
    is_packed = len(body) > COMPRESSED_FROM
    return _HEAD.pack(MAJOR, is_packed, len(text)) + (zlib.compress(body, 1) if is_packed else body)


def _decode(data: bytes) -> tuple[dict[str, Any], bytes]:
    if len(data) < _HEAD.size:
        raise LbdnsError("a message of the fleet is cut short")
    major, is_packed, text_octets = _HEAD.unpack_from(data)
    if major > MAJOR:
        raise LbdnsError(f"a message of the fleet has version {major}; this release reads {MAJOR}: update this machine")
    body = data[_HEAD.size :]
    try:
        if is_packed:
            unpacking = zlib.decompressobj()
            body = unpacking.decompress(body, OCTETS_MAX)
            if unpacking.unconsumed_tail or not unpacking.eof:
                raise LbdnsError("a message of the fleet is too large, or cut short")
        head = json.loads(body[:text_octets])
    except (zlib.error, ValueError, RecursionError) as error:
        raise LbdnsError(f"a message of the fleet cannot be read: {error}") from error
    if not isinstance(head, dict):
        raise LbdnsError("a message of the fleet has no head")
    return head, body[text_octets:]
