"""A list of the targets document as it was read: what a generation leaves as it was is not read anew."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, Generic, TypeVar

from lbdns.model.targets_document import join_parts, split_parts

Spec = TypeVar("Spec")
_SIZE: Final = 16  # octets of a digest


class ListedParts(Generic[Spec]):
    """What each part of a list says, in order, and digests of the parts: their text is not kept."""

    __slots__ = ("_digests", "specs")

    def __init__(self, specs: tuple[Spec, ...] = (), digests: bytes = b"") -> None:
        """`digests`: one after the other, as many as `specs`, or none where it is not known which part says what."""
        self.specs = specs
        self._digests = digests

    def by_digest(self) -> dict[bytes, Spec]:
        """Return what each part says by the part's digest."""
        digests = self._digests
        found = (digests[at : at + _SIZE] for at in range(0, len(digests), _SIZE))
        return dict(zip(found, self.specs, strict=False))


class PartsReading(Generic[Spec]):
    """One reading of a list: which of its parts were not known before, and then the list."""

    def __init__(self, text: bytes, known: ListedParts[Spec] | None) -> None:
        """Begin with a list's text, without brackets, and with what was read of an earlier one."""
        parts = split_parts(text)
        self._digests = [blake2b(part, digest_size=_SIZE).digest() for part in parts]
        self._known = known.by_digest() if known is not None else {}
        new = [part for part, digest in zip(parts, self._digests, strict=True) if digest not in self._known]
        self._count = len(new)
        self.new: Final = join_parts(new)
        """The text of those that were not."""

    def whole(self, found: Sequence[Spec]) -> ListedParts[Spec]:
        """Return the list; `found`: what those parts say, in order."""
        if len(found) != self._count:  # parts do not stand one on a line: all of them are one text, and that is new
            return ListedParts(tuple(found))
        news, known = iter(found), self._known
        specs = tuple([known[digest] if digest in known else next(news) for digest in self._digests])
        return ListedParts(specs, b"".join(self._digests))
