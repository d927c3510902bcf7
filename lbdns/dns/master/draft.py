"""A zone while it is read, from a master file or the store: RRsets that still grow, each with its first record's place.

a record that ...                         from a file                 from the store    source
has another TTL than its RRset            warning, the lowest counts  the same          RFC 2181 section 5.2
is there already                          warning, left out           error             RFC 2181 section 5
is one too many of its name and type      error                       error             record_bounds.py
is of one type too many at its name       error                       error             record_bounds.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

from lbdns.base.errors import Clash, Problem
from lbdns.dns import record_bounds
from lbdns.dns.codes import TYPE_RRSIG, TYPE_SOA
from lbdns.dns.name import show_name
from lbdns.dns.rdata.master_form import canonical_rdata
from lbdns.dns.rdata.record_types import type_text
from lbdns.dns.zone import RRset, Zone

STORE_START: Final = "store:"
"""What the file's name of a stored zone begins with; lines there count records, which tells a reader nothing."""

MANY_RECORDS: Final = 16
"""From so many on, an RRset remembers its records' canonical forms; most RRsets are small, and there are many."""


class Growth(Enum):
    """What came of a record for an RRset."""

    TAKEN = "taken"
    SAME = "the same as another"
    FULL = "one too many"


class RRsetDraft:
    """An RRset that is being read. `line` and `file` are its first record's."""

    __slots__ = ("_known", "file", "line", "rdatas", "ttl", "type")

    def __init__(self, rdtype: int, ttl: int, rdata: bytes, file: str, line: int) -> None:
        self.type = rdtype
        self.ttl = ttl
        self.rdatas: tuple[bytes, ...] = (rdata,)  # as the zone will have it, which then shares it
        self.file = file
        self.line = line
        self._known: set[bytes] | None = None

    def grow(self, rdata: bytes) -> Growth:
        """Add a record, where it is a new one and there is room."""
        canonical = canonical_rdata(self.type, rdata)
        if canonical in (self._known or {canonical_rdata(self.type, other) for other in self.rdatas}):
            return Growth.SAME
        if len(self.rdatas) == record_bounds.MAX_RECORDS_PER_RRSET:
            return Growth.FULL
        self.rdatas += (rdata,)
        if self._known is not None:
            self._known.add(canonical)
        elif len(self.rdatas) == MANY_RECORDS:
            self._known = {canonical_rdata(self.type, other) for other in self.rdatas}
        return Growth.TAKEN

    @property
    def place(self) -> str:
        """Where its first record stands, in words for a message: `FILE:LINE`, or the store."""
        return "in the store" if self.file.startswith(STORE_START) else f"{self.file}:{self.line}"


@dataclass(slots=True)
class ZoneDraft:
    """A zone's RRsets by owner (wire format, lower case), in the order of the file, with what was wrong in its text.

    `include_lines` gives the line in `file` of the directive that brought in each other file. `lost` holds (owner,
    type) of the records that were refused, None for what is not known of them: what seems to be missing may be one of
    those. `view`: whose it is, "" where everybody sees it. `is_received`: it comes from another server, and what stands
    in it is not known here.
    """

    apex: bytes
    file: str
    nodes: dict[bytes, list[RRsetDraft]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    include_lines: dict[str, int] = field(default_factory=dict)
    lost: set[tuple[bytes | None, int | None]] = field(default_factory=set)
    view: str = ""
    is_received: bool = False

    @property
    def is_stored(self) -> bool:
        """Whether it comes from the store; lines count its records then."""
        return self.file.startswith(STORE_START)

    @property
    def is_overlay(self) -> bool:
        """Whether it is RRsets of a view over the zone that everybody sees: it has a view and no SOA."""
        has_soa = self.rrset(self.apex, TYPE_SOA) is not None or self.may_have_lost(self.apex, (TYPE_SOA,))
        return bool(self.view) and not has_soa

    def rrset(self, owner: bytes, rdtype: int) -> RRsetDraft | None:
        """Return the RRset at a name, or None."""
        return next((draft for draft in self.nodes.get(owner, ()) if draft.type == rdtype), None)

    def add(self, owner: bytes, rdtype: int, ttl: int, rdata: bytes, file: str, line: int) -> None:
        """Add a record of a name at or below the apex; what does not fit is noted in `problems`."""
        drafts = self.nodes.get(owner)
        if drafts is None:
            self.nodes[owner] = [RRsetDraft(rdtype, ttl, rdata, file, line)]
            return
        for draft in drafts:
            if draft.type == rdtype:
                self._grow(owner, draft, ttl, rdata, file, line)
                return
        if len(drafts) == record_bounds.MAX_TYPES_PER_NAME:
            message = f"more than {record_bounds.MAX_TYPES_PER_NAME} record types at one name"
            self._report(owner, rdtype, file, line, message, "name")
            return
        drafts.append(RRsetDraft(rdtype, ttl, rdata, file, line))

    def _grow(self, owner: bytes, draft: RRsetDraft, ttl: int, rdata: bytes, file: str, line: int) -> None:
        if ttl != draft.ttl and draft.type != TYPE_RRSIG:
            lowest = min(ttl, draft.ttl)
            message = (
                f"TTL {ttl} differs from {draft.ttl} of the {'other records' if self.is_stored else 'records above'}; "
                f"all of one name and type share one, so {lowest} is served (RFC 2181)"
            )
            self._report(owner, draft.type, file, line, message, "ttl", is_warning=True)
            draft.ttl = lowest
        growth = draft.grow(rdata)
        if growth is Growth.FULL:
            message = f"more than {record_bounds.MAX_RECORDS_PER_RRSET} records of one name and type"
            self._report(owner, draft.type, file, line, message, "content")
        elif growth is Growth.SAME:
            message = (
                "the same record is there already"
                if self.is_stored
                else "the same record stands above already; this one is left out"
            )
            self._report(owner, draft.type, file, line, message, "content", not self.is_stored, "exists")

    def _report(
        self,
        owner: bytes,
        rdtype: int,
        file: str,
        line: int,
        message: str,
        field: str,
        is_warning: bool = False,
        clash: Clash = "",
    ) -> None:
        """Note a problem; a stored record has its fields, a line of a file has none."""
        severity: Literal["error", "warning"] = "warning" if is_warning else "error"
        at = (field,) if self.is_stored else ()
        self.problems.append(Problem(file, line, subject(owner, rdtype), message, severity, at, clash=clash))

    def lose(self, owner: bytes | None, rdtype: int | None) -> None:
        """Note that a record of this owner and type, None where unknown, was refused."""
        self.lost.add((owner, rdtype))

    def may_have_lost(self, owner: bytes, rdtypes: tuple[int, ...]) -> bool:
        """Tell whether a refused record may have been one of these types at this name."""
        return any((at, rdtype) in self.lost for at in (owner, None) for rdtype in (*rdtypes, None))

    def finish(self) -> Zone:
        """Return the zone as the server serves it."""
        rrsets = tuple(
            RRset(owner, draft.type, draft.ttl, draft.rdatas, self._line(draft))
            for owner, drafts in self.nodes.items()
            for draft in drafts
        )
        return Zone(self.apex, rrsets, self.file, self.view)

    def drained(self) -> Iterator[RRset]:
        """Yield the same RRsets one by one, and keep none: a large zone is there once only."""
        for owner in list(self.nodes):
            for draft in self.nodes.pop(owner):
                yield RRset(owner, draft.type, draft.ttl, draft.rdatas, self._line(draft))

    def _line(self, draft: RRsetDraft) -> int:
        return draft.line if draft.file == self.file else self.include_lines.get(draft.file, 0)


def subject(owner: bytes, rdtype: int) -> str:
    """Return the object path of an RRset: `www.example.com A`."""
    return f"{show_name(owner)} {type_text(rdtype)}"
