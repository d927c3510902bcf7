"""Documents that may be larger than a message: whole in one, or in parts that a head names.

    small:  {"v": 1, "id": ..., ...}
    large:  part 0, part 1, ...        beside, at subjects of their own, before the head
            {"v": 1, "id": ..., "parts": 3, "digest": ...}

The head comes last: whoever sees it can read the rest. The digest is of all parts, so that none is mixed up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from lbdns.fleet.fleet_document import BadDocument, decode_document, encode_document

PART_BYTES: Final = 512 << 10
"""What goes into one message: half of what a NATS server takes by itself."""
PARTS_MAX: Final = 4096
WHOLE_BYTES_MAX: Final = 2 << 30
"""What a document may be once it is inflated: twice what a store keeps of revisions."""
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Framed:
    """A document as messages: the parts that go first, none where it is small, and the head."""

    head: bytes
    parts: tuple[bytes, ...] = ()

    @property
    def octets(self) -> int:
        """What it takes on the bus."""
        return len(self.head) + sum(map(len, self.parts))


def framed(id: str, values: Mapping[str, Any], told: Collection[str] = ()) -> Framed:
    """Return a document as messages; raises BadDocument where it is larger than anybody reads.

    `told`: the keys that a head says too, for who does not read the parts.
    """
    whole = encode_document({"id": id, **values})
    if len(whole) <= PART_BYTES:
        return Framed(whole)
    parts = tuple(whole[at : at + PART_BYTES] for at in range(0, len(whole), PART_BYTES))
    if len(parts) > PARTS_MAX:
        raise BadDocument(f"it takes {len(whole):,} octets, and a change has at most {PARTS_MAX * PART_BYTES:,}")
    head = {"id": id, "parts": len(parts), "octets": len(whole), "digest": _digest(parts)}
    return Framed(encode_document({**head, **{key: values[key] for key in told}}), parts)


def part_count(head: Mapping[str, Any]) -> int:
    """Return how many parts a head names, 0 where it is the whole; raises BadDocument."""
    count = head.get("parts", 0)
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= PARTS_MAX:
        raise BadDocument("a document of the bus has no sound number of parts")
    return count


def joined(head: Mapping[str, Any], parts: Sequence[bytes]) -> dict[str, Any]:
    """Return what a head and its parts say; raises BadDocument where parts are lacking or others."""
    if len(parts) != part_count(head):
        raise BadDocument(f"{len(parts)} of {part_count(head)} parts of a document of the bus are there")
    if _digest(parts) != head.get("digest"):
        raise BadDocument("a part of a document of the bus is another than was sent")
    return decode_document(b"".join(parts), bytes_max=WHOLE_BYTES_MAX)


def _digest(parts: Sequence[bytes]) -> str:
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
