"""A zone as octets on a disk, made to be read fast: columns of lengths and numbers, then names and data.

    magic | length of the head, head (JSON) | count of RRsets, of records, octets of names, of data
          | per RRset: octets of its name (0: that of the RRset before), type, TTL, number of records
          | per record: octets of data | names | data | digest of all before it

All numbers are big-endian on the disk. A million records are read in seconds; what was not written whole, or is not
what was written, is refused.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable
from hashlib import blake2b
from itertools import accumulate, pairwise
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.base.words import SECONDARIES
from lbdns.dns.name import show_name
from lbdns.dns.zone import RRset

_COPY: Final = ".copy"
_CHECKED: Final = ".checked"
_NAME_CHARS_MAX: Final = 200
_NAME_DIGEST_BYTES: Final = 32
_MAGIC: Final = b"lbdns zone copy 1\n"
_HEAD: Final = Struct("!I")
_COUNTS: Final = Struct("!QQQQ")
_DIGEST_BYTES: Final = 32


class BadCopy(LbdnsError):
    """Octets that are no copy of a zone, or not whole."""


class ZoneCopy(NamedTuple):
    """A zone as another server sent it.

    `apex`: wire format, lower case; `serial`: of its SOA; `primary`: who sent it, in words; `received_s`: when, unix.
    `rrsets`: all of them, those of signatures among them as they came.
    """

    apex: bytes
    serial: int
    primary: str
    received_s: float
    rrsets: tuple[RRset, ...]


def encode_copy(copy: ZoneCopy) -> bytes:
    """Return the octets of a copy; RRsets of one name are to stand one behind the other."""
    lengths, types, ttls, counts, sizes = array("B"), array("H"), array("I"), array("H"), array("H")
    names: list[bytes] = []
    datas: list[bytes] = []
    before = b""
    for rrset in copy.rrsets:
        if rrset.owner == before:
            lengths.append(0)
        else:
            before = rrset.owner
            lengths.append(len(before))
            names.append(before)
        types.append(rrset.type)
        ttls.append(rrset.ttl)
        counts.append(len(rrset.rdatas))
        sizes.extend(map(len, rrset.rdatas))
        datas.extend(rrset.rdatas)
    head = json.dumps([copy.apex.hex(), copy.serial, copy.primary, copy.received_s]).encode()
    all_names, all_data = b"".join(names), b"".join(datas)
    parts = [_MAGIC, _HEAD.pack(len(head)), head, _COUNTS.pack(len(types), len(sizes), len(all_names), len(all_data))]
    parts += [_swapped(column).tobytes() for column in (lengths, types, ttls, counts, sizes)]
    parts += [all_names, all_data]
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    return b"".join((*parts, digest.digest()))


def decode_copy(octets: bytes) -> ZoneCopy:
    """Return the copy that octets hold; raises BadCopy."""
    whole = memoryview(octets)
    if not octets.startswith(_MAGIC) or len(octets) < len(_MAGIC) + _HEAD.size + _DIGEST_BYTES:
        raise BadCopy("no copy of a zone, or one of another release")
    body = whole[:-_DIGEST_BYTES]
    if blake2b(body, digest_size=_DIGEST_BYTES).digest() != whole[-_DIGEST_BYTES:]:
        raise BadCopy("damaged: it is not what was written")
    at = len(_MAGIC) + _HEAD.size
    head_end = at + _HEAD.unpack_from(octets, len(_MAGIC))[0]
    apex, serial, primary, received_s = json.loads(octets[at:head_end])
    return ZoneCopy(bytes.fromhex(apex), serial, primary, received_s, tuple(_read_rrsets(body, head_end)))


def _read_rrsets(body: memoryview, at: int) -> Iterable[RRset]:
    """Return the RRsets whose counts stand at an offset."""
    rrset_count, record_count, name_octets, _ = _COUNTS.unpack_from(body, at)
    at += _COUNTS.size
    columns = []
    for code, count in (("B", rrset_count), ("H", rrset_count), ("I", rrset_count), ("H", rrset_count)):
        column, at = _column(body, at, code, count)
        columns.append(column)
    sizes, at = _column(body, at, "H", record_count)
    names, datas = bytes(body[at : at + name_octets]), bytes(body[at + name_octets :])
    rdatas = [datas[start:end] for start, end in pairwise(accumulate(sizes, initial=0))]
    owners = _owners(names, columns[0])
    ends = accumulate(columns[3], initial=0)
    lots = [tuple(rdatas[start:end]) for start, end in pairwise(ends)]
    return map(RRset, owners, columns[1], columns[2], lots)


def _owners(names: bytes, lengths: array[int]) -> list[bytes]:
    owners = []
    at = 0
    name = b""
    for length in lengths:
        if length:
            name = names[at : at + length]
            at += length
        owners.append(name)
    return owners


def _column(body: memoryview, at: int, code: str, count: int) -> tuple[array[int], int]:
    """Return a column that begins at an offset, and where it ends."""
    column = array(code)
    end = at + column.itemsize * count
    column.frombytes(body[at:end])
    return _swapped(column), end


def _swapped(column: array[int]) -> array[int]:
    """Return a column in the other order of octets, where this machine's is not that of the disk."""
    if sys.byteorder == "little":
        column.byteswap()
    return column


def copy_path(state_dir: Path, apex: bytes) -> Path:
    """Return where the copy of a zone is, or would be."""
    name = show_name(apex).replace("/", "%2F")
    if len(name) > _NAME_CHARS_MAX:
        name = blake2b(apex, digest_size=_NAME_DIGEST_BYTES).hexdigest()
    return state_dir / SECONDARIES / f"{name}{_COPY}"


def checked_path(state_dir: Path, apex: bytes) -> Path:
    """Return where stands when a primary said last that the copy is the newest: JSON, `checked_s`, in unix seconds."""
    return copy_path(state_dir, apex).with_suffix(_CHECKED)
