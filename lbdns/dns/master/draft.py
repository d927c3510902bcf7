"""A zone while its master file is read: RRsets that still grow, each with the place of its first record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from lbdns.base.errors import Problem
from lbdns.dns.zone import RRset, Zone

STORE_START: Final = "store:"
"""What the file's name of a stored zone begins with; lines there count records, which tells a reader nothing."""


class Draft:
    """An RRset that is being read. `line` and `file` are its first record's."""

    __slots__ = ("file", "line", "rdatas", "ttl", "type")

    def __init__(self, rdtype: int, ttl: int, rdata: bytes, file: str, line: int) -> None:
        self.type = rdtype
        self.ttl = ttl
        self.rdatas = [rdata]
        self.file = file
        self.line = line

    @property
    def place(self) -> str:
        """Where its first record stands, in words for a message: `FILE:LINE`, or the store."""
        return "in the store" if self.file.startswith(STORE_START) else f"{self.file}:{self.line}"


@dataclass(slots=True)
class ZoneDraft:
    """A zone's RRsets by owner (wire format, lower case), in the order of the file, with what was wrong in its text.

    `include_lines` gives the line in `file` of the directive that brought in each other file. `lost` holds (owner,
    type) of the records that were refused, None for what is not known of them: what seems to be missing may be one of
    those.
    """

    apex: bytes
    file: str
    nodes: dict[bytes, list[Draft]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    include_lines: dict[str, int] = field(default_factory=dict)
    lost: set[tuple[bytes | None, int | None]] = field(default_factory=set)

    def rrset(self, owner: bytes, rdtype: int) -> Draft | None:
        """Return the RRset at a name, or None."""
        return next((draft for draft in self.nodes.get(owner, ()) if draft.type == rdtype), None)

    def lose(self, owner: bytes | None, rdtype: int | None) -> None:
        """Note that a record of this owner and type, None where unknown, was refused."""
        self.lost.add((owner, rdtype))

    def may_have_lost(self, owner: bytes, rdtypes: tuple[int, ...]) -> bool:
        """Tell whether a refused record may have been one of these types at this name."""
        return any((at, rdtype) in self.lost for at in (owner, None) for rdtype in (*rdtypes, None))

    def finish(self) -> Zone:
        """Return the zone as the server serves it."""
        rrsets = tuple(
            RRset(owner, draft.type, draft.ttl, tuple(draft.rdatas), self._line(draft))
            for owner, drafts in self.nodes.items()
            for draft in drafts
        )
        return Zone(self.apex, rrsets, self.file)

    def _line(self, draft: Draft) -> int:
        return draft.line if draft.file == self.file else self.include_lines.get(draft.file, 0)
