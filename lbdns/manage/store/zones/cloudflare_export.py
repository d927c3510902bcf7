"""What a master file that Cloudflare exported says beside its records, and what in it means that service alone.

TTL 1                                   automatic, as in the API
`; text cf_tags=a:b,c:d`                the record's comment and tags
NS records of *.ns.cloudflare.com       that service's own servers: left out at the apex
`example.com 3600 IN SOA ...`           the SOA's owner, without its final dot
"""

from __future__ import annotations

import re
from typing import Any, Final

from lbdns.base import words
from lbdns.base.errors import Problem
from lbdns.base.wording import counted
from lbdns.dns.codes import TYPE_NS, TYPE_SOA
from lbdns.dns.master.draft import RRsetDraft, ZoneDraft, subject
from lbdns.dns.master.entries import lines_of
from lbdns.dns.name import encode_canonical, is_at_or_below, show_name

PROXIED_TAG: Final = "cf-proxied:true"
_SERVERS: Final = encode_canonical("ns.cloudflare.com")
_HEADER: Final = re.compile(r"^;;\s*Exported:", re.MULTILINE)
_TAGGED: Final = "cf_tags="
_TAGS: Final = re.compile(r"(?:^|\s)cf_tags=(.*)")
_COMMENT: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*+"|\\.|[^";\\])*+;(.*)')
"""A line's comment: what stands behind the first semicolon that is neither escaped nor in quotes."""

Record = tuple[bytes, int, bytes]
"""Owner (wire, lower case), type and data (wire)."""


class CloudflareExport:
    """One such file. `take_record` hears of its records as they are read."""

    def __init__(self, text: str) -> None:
        self._lines = enumerate(lines_of(text), 1) if ";" in text else iter(())
        self._number, self._line = 0, ""
        self._is_marked = bool(_HEADER.search(text)) or (_TAGGED in text and _has_tags(text))
        self._notes: dict[Record, dict[str, Any]] = {}

    def take_record(self, owner: bytes, rdtype: int, rdata: bytes, line: int) -> None:
        """Note what the comment of a record's line says; lines come in order."""
        while self._number < line:
            self._number, self._line = next(self._lines, (line, ""))
        found = _COMMENT.match(self._line) if ";" in self._line else None
        if found is None:
            return
        tags = _TAGS.search(found[1])
        comment = found[1][: tags.start()] if tags else found[1]
        note: dict[str, Any] = {"comment": comment.strip()} if comment.strip() else {}
        if tags:
            note["tags"] = [tag.strip() for tag in tags[1].split(",") if tag.strip()]
        self._notes[owner, rdtype, rdata] = note

    def is_one(self, draft: ZoneDraft) -> bool:
        """Tell whether the file is an export: by its head, by tags, or by the servers that the zone is left with."""
        servers = draft.rrset(draft.apex, TYPE_NS)
        return self._is_marked or (servers is not None and all(map(_is_theirs, servers.rdatas)))

    def leave_servers_out(self, draft: ZoneDraft, problems: list[Problem]) -> bool:
        """Take the service's own name servers out of the apex; tell whether the zone is left with none."""
        servers = draft.rrset(draft.apex, TYPE_NS)
        theirs = [rdata for rdata in servers.rdatas if _is_theirs(rdata)] if servers is not None else []
        if servers is None or not theirs:
            return False
        names = ", ".join(map(show_name, theirs))
        message = f"name servers of Cloudflare are left out, for the zone is to be served here: {names}"
        problems.append(Problem(servers.file, servers.line, subject(draft.apex, TYPE_NS), message, "warning"))
        kept = tuple(rdata for rdata in servers.rdatas if rdata not in theirs)
        if kept:
            servers.rdatas = kept
            return False
        draft.nodes[draft.apex].remove(servers)
        return True

    def told(self, draft: ZoneDraft) -> list[Problem]:
        """Return what else is to be told of the file."""
        count = sum(PROXIED_TAG in note.get("tags", ()) for note in self._notes.values())
        if not count:
            return []
        message = (
            f"proxied there: {counted(count, 'record')}; lbdns answers queries and carries no traffic, so records are "
            "answered as they stand"
        )
        return [Problem(draft.file, 0, show_name(draft.apex), message, "warning")]

    def noted(self, owner: bytes, rdtype: int, rdata: bytes, body: dict[str, Any], ttl_s: int) -> dict[str, Any]:
        """Return a record's body with what its line said, and with the TTL that is meant."""
        ttl = words.AUTOMATIC_TTL if ttl_s == words.AUTOMATIC_TTL else body["ttl"]
        return {**body, **self._notes.get((owner, rdtype, rdata), {}), "ttl": ttl}


def complete_soa(draft: ZoneDraft) -> None:
    """Put the SOA to the apex where its owner is the zone's name without the final dot."""
    doubled = draft.apex[:-1] + draft.apex
    soa: RRsetDraft | None = draft.rrset(doubled, TYPE_SOA)
    if soa is None or draft.rrset(draft.apex, TYPE_SOA) is not None:
        return
    draft.nodes[doubled].remove(soa)
    if not draft.nodes[doubled]:
        del draft.nodes[doubled]
    draft.nodes.setdefault(draft.apex, []).append(soa)


def _is_theirs(host: bytes) -> bool:
    return is_at_or_below(host.lower(), _SERVERS)


def _has_tags(text: str) -> bool:
    for line in lines_of(text):
        found = _COMMENT.match(line) if _TAGGED in line else None
        if found is not None and _TAGS.search(found[1]):
            return True
    return False
