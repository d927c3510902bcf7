"""Zones as master files: what the store holds as text, and text, or a zone read from it, as what the store holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from lbdns.base import words
from lbdns.base.errors import Problem
from lbdns.base.kept_problems import KeptProblems
from lbdns.base.wording import printable
from lbdns.dns.codes import TYPE_NS, TYPE_SOA
from lbdns.dns.master.draft import subject
from lbdns.dns.master.reader import read_master
from lbdns.dns.master.signing_records import leave_out_signing
from lbdns.dns.name import encode_canonical, encode_host, labels_of, relative_to, show_absolute, show_name
from lbdns.dns.rdata.master_form import rdata_text
from lbdns.dns.rdata.record_types import type_text
from lbdns.dns.zone import RRset, Zone
from lbdns.manage.store.item import Item, Rrset
from lbdns.manage.store.records.record_bodies import record_body, record_rrset
from lbdns.manage.store.zones.cloudflare_export import CloudflareExport, complete_soa
from lbdns.manage.store.zones.zone_soa import TIMES, soa_of
from lbdns.model.view_names import VIEW

OWNER_CHARS_MAX: Final = 40
"""Longer owner names push their own line's columns aside, not those of all lines."""
_BYTE_ORDER_MARK: Final = "\ufeff"

Bodies = list[dict[str, Any]]


def export_zone(zone: Item, records: Iterable[Item], view: str = "") -> str:
    """Return a zone as a master file: sorted by name, the apex first, a record's comment behind it.

    Of its records, those that all see, under the zone's SOA; with a view, those of the view, without one.
    """
    apex = encode_canonical(zone.name)
    rows = sorted(
        (record for record in records if record.view == view), key=lambda item: _order(record_rrset(item), apex)
    )
    ttls: dict[tuple[bytes, int], int] = {}
    owner_chars = 1
    for owner, rdtype, ttl_s, _ in map(record_rrset, rows):
        lowest = ttls.get((owner, rdtype))
        if lowest is None:
            chars = len(_relative(owner, apex))
            owner_chars = max(owner_chars, chars if chars <= OWNER_CHARS_MAX else 1)
        if lowest is None or ttl_s < lowest:
            ttls[owner, rdtype] = ttl_s
    type_chars = max([3, *(len(type_text(rdtype)) for rdtype in {rdtype for _, rdtype in ttls})])
    lines = [f"$ORIGIN {show_absolute(apex)}", f"$TTL {words.AUTOMATIC_TTL_S}", ""]
    if not view:
        lines += _soa_lines(zone, f"{'@':{owner_chars}}  {zone.body['soa']['ttl']:>6} IN {'SOA':{type_chars}} ")
    for item in rows:
        owner, rdtype, _, rdata = record_rrset(item)
        shown = _relative(owner, apex)
        line = f"{shown:{owner_chars}}  {ttls[owner, rdtype]:>6} IN {type_text(rdtype):{type_chars}} "
        line += rdata_text(rdtype, rdata)
        comment = item.body.get("comment")
        lines.append(f"{line} ; {printable(comment)}" if comment else line)
    return "\n".join(lines) + "\n"


def _order(rrset: Rrset, apex: bytes) -> bytes:
    """Return what sorts names as a tree (RFC 4034 section 6.1) and an RRset's records together, NS first.

    In one piece, as a zone may have very many: two zeros end a label, and two more the name; a zero in a label is
    followed by a one, and so comes behind its end.
    """
    owner, rdtype, _, _ = rrset
    labels = [label.replace(b"\0", b"\0\1") for label in reversed(labels_of(relative_to(owner, apex)))]
    return b"\0\0".join([*labels, b"", bytes((rdtype != TYPE_NS,)) + rdtype.to_bytes(2)])


def _relative(owner: bytes, apex: bytes) -> str:
    return "@" if owner == apex else show_name(relative_to(owner, apex))


def _soa_lines(zone: Item, start: str) -> list[str]:
    soa = zone.body["soa"]
    mname, rname = (show_absolute(encode_host(soa[key], zone.name)) for key in ("mname", "rname"))
    numbers = [("serial", zone.body["serial"]), *((key, soa[key]) for key in TIMES)]
    indent = " " * len(start)
    return [f"{start}{mname} {rname} (", *(f"{indent}{value:<10} ; {key}" for key, value in numbers), f"{indent})"]


class ImportedZone(NamedTuple):
    """What a master file says: `soa` and `serial`, None where it has no SOA, and the records' bodies.

    `lacks_servers`: it is an export of Cloudflare, whose own name servers are left out, and there are no others.
    """

    fields: dict[str, Any] | None
    records: Bodies
    lacks_servers: bool = False

    def with_servers(self, servers: Iterable[Mapping[str, Any]]) -> Bodies:
        """Return the records; where name servers are lacking, with these and their addresses in their place."""
        if not self.lacks_servers:
            return self.records
        there = {(body["name"], body["type"]) for body in self.records}
        return self.records + [dict(body) for body in servers if (body["name"], body["type"]) not in there]


def import_zone(
    text: str,
    zone_name: str,
    problems: list[Problem],
    file: str = "import",
    records_max: int | None = None,
    is_signed: bool = False,
) -> ImportedZone:
    """Read a master file of at most so many records, None for any number.

    What is wrong goes into `problems`, each with its line in `file`. A record without a TTL, in a file that sets none,
    gets 300 s. Where the zone `is_signed` here, another signer's records are left out. Names may not leave the zone and
    $INCLUDE is refused. An export of Cloudflare is taken as it is meant (cloudflare_export.py).
    """
    text = text.removeprefix(_BYTE_ORDER_MARK)
    export = CloudflareExport(text)
    apex = encode_canonical(zone_name)
    kept = KeptProblems()
    draft = read_master(
        text, apex, file, None, _refuse_file, words.AUTOMATIC_TTL_S, export.take_record, kept, records_max
    )
    complete_soa(draft)
    if is_signed:
        leave_out_signing(draft)
    if not export.is_one(draft):
        problems.extend(draft.problems)
        problems.extend(
            Problem(
                file,
                rrset.line,
                subject(owner, rrset.type),
                "a TTL of 1 stands for automatic here; 2 is taken in its place",
                "warning",
            )
            for owner, drafts in draft.nodes.items()
            for rrset in drafts
            if rrset.ttl == words.AUTOMATIC_TTL
        )
        return ImportedZone(*_parted(apex, draft.drained()))
    lacks_servers = export.leave_servers_out(draft, problems)
    problems += [*draft.problems, *export.told(draft)]
    return ImportedZone(*_parted(apex, draft.drained(), export), lacks_servers)


def _refuse_file(path: Path) -> str:
    raise OSError(0, f"{path} is not read here")


def zone_bodies(zone: Zone) -> tuple[dict[str, Any], Bodies]:
    """Return what the store holds of a zone that was read from files: the zone's body and its records' bodies.

    A TTL of 1 s, which stands for automatic in the API, becomes 2 s.
    """
    fields, records = _parted(zone.apex, zone.rrsets)
    of_view = {VIEW: zone.view} if zone.view else {}
    return {"name": show_name(zone.apex), **of_view, **(fields or {})}, records


def overlay_bodies(overlay: Zone) -> Bodies:
    """Return the bodies of the records that a view sees in a zone that all see."""
    return [{**body, VIEW: overlay.view} for body in _parted(overlay.apex, overlay.rrsets)[1]]


def _parted(
    apex: bytes, rrsets: Iterable[RRset], export: CloudflareExport | None = None
) -> tuple[dict[str, Any] | None, Bodies]:
    """Take the SOA out of a zone's records."""
    fields: dict[str, Any] | None = None
    records: Bodies = []
    for rrset in rrsets:
        if rrset.type != TYPE_SOA:
            for rdata in rrset.rdatas:
                body = record_body(rrset.owner, rrset.type, rrset.ttl, rdata)
                if export is not None:
                    body = export.noted(rrset.owner, rrset.type, rdata, body, rrset.ttl)
                records.append(body)
        elif rrset.owner == apex:
            soa, serial = soa_of(rrset.rdatas[0], rrset.ttl)
            fields = {"soa": soa, "serial": serial}
    return fields, records
