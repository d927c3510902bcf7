"""Who probes what: of the vantage points of a region, the first few by rendezvous hashing.

Each is given a number for each check, and those with the smallest probe it. All machines that know the same vantage
points come to the same ones without asking each other; one that comes or goes moves its own checks alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import Final

_MASK: Final = 0xFFFF_FFFF_FFFF_FFFF
_FIRST: Final = 0xBF58476D1CE4E5B9
_SECOND: Final = 0x94D049BB133111EB


def place_hash(text: str) -> int:
    """Return 64 bits for a vantage point's name, or for what names a check."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def rank(check: int, vantage: int) -> int:
    """Return the number of a vantage point for a check, from their hashes (splitmix64's finish)."""
    mixed = (check ^ vantage) * _FIRST & _MASK
    mixed = (mixed ^ mixed >> 29) * _SECOND & _MASK
    return mixed ^ mixed >> 32


class SharingOut:
    """The vantage points that are counted on in the regions of this machine, and which of a check's are its own."""

    def __init__(self, per_region: int | None) -> None:
        """`per_region`: how many of a region probe the same thing; None: all of them."""
        self._per_region = per_region
        self._others: dict[str, tuple[int, ...]] = {}  # hashes of others' vantage points, by region
        self._hashes: dict[str, int] = {}
        self._hash_of: dict[str, int] = {}  # others' vantage points, by name

    def adopt(self, own: Collection[tuple[str, str]], others: Iterable[tuple[str, str]]) -> bool:
        """Take the (name, region) of this machine's vantage points and of those of others that are counted on; return
        whether that may move any check."""
        mine = {name: place_hash(name) for name, _ in own}
        regions: dict[str, list[int]] = {}
        known, hash_of = self._hash_of, {}
        for name, region in others:
            found = hash_of[name] = known.get(name) or place_hash(name)
            regions.setdefault(region, []).append(found)
        self._hash_of = hash_of
        before, self._others = self._others, {region: tuple(sorted(there)) for region, there in regions.items()}
        is_other_here, self._hashes = mine != self._hashes, mine
        if self._per_region is None:
            return False
        return is_other_here or any(self._moves(region, before, len(mine)) for _, region in own)

    def _moves(self, region: str, before: dict[str, tuple[int, ...]], own_count: int) -> bool:
        """Whether a check of a region may have moved: not where all there probe everything, before and now."""
        former, now = before.get(region, ()), self._others.get(region, ())
        return former != now and max(len(former), len(now)) + own_count > (self._per_region or 0)

    def chosen(self, check: int, own: Sequence[tuple[str, str]]) -> list[str]:
        """Return the names of this machine's vantage points, of (name, region) ones, that probe a check."""
        per_region = self._per_region
        if per_region is None:
            return [name for name, _ in own]
        if len(own) == 1:
            return [own[0][0]] if self._is_chosen(check, *own[0], per_region) else []
        found = []
        for name, region in own:
            mine = [self._hashes.get(one) or place_hash(one) for one, where in own if where == region]
            others = self._others.get(region, ())
            if len(mine) + len(others) <= per_region:
                found.append(name)
                continue
            own_rank = rank(check, self._hashes.get(name) or place_hash(name))
            before = _count_before(check, own_rank, mine, per_region)
            if (
                before < per_region
                and before + _count_before(check, own_rank, others, per_region - before) < per_region
            ):
                found.append(name)
        return found

    def _is_chosen(self, check: int, name: str, region: str, per_region: int) -> bool:
        """Whether the one vantage point of this machine probes a check."""
        others = self._others.get(region, ())
        if len(others) < per_region:
            return True
        own_rank = rank(check, self._hashes.get(name) or place_hash(name))
        return _count_before(check, own_rank, others, per_region) < per_region


def _count_before(check: int, own_rank: int, there: Sequence[int], at_most: int) -> int:
    """Return how many of those in a region stand before a rank, counted up to `at_most`. Of a thousand a few are looked
    at: most have so many before them soon, and who is asked about each of ten thousand checks has to be quick."""
    before, mask = 0, _MASK
    for other in there:  # `rank`, written out
        mixed = (check ^ other) * _FIRST & mask
        mixed = (mixed ^ mixed >> 29) * _SECOND & mask
        if (mixed ^ mixed >> 32) < own_rank:
            before += 1
            if before >= at_most:
                break
    return before
