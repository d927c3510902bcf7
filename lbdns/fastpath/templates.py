"""Render every static answer once, when a snapshot is made, with the slow path's own road and renderer.

| what | template | serves |
|---|---|---|
| an RRset | the answer for its name and type | HIT; a CNAME whose target is not ours: any type |
| a cut | the referral | REFERRAL |
| a zone | its negative answer | NODATA and NXDOMAIN |

What a template cannot say (chains that go on in a zone of ours, DNAME, ANY, replies too large for a datagram) has none,
and is left to the slow path.
"""

from __future__ import annotations

from array import array
from typing import Any

from lbdns.fastpath.layout import RELOCATION_BIAS, TEMPLATE_ROW
from lbdns.progress import STEP, report
from lbdns.responder.answer import Road, answer
from lbdns.responder.message import Answer, Client, Transport
from lbdns.responder.render import Template, render_template
from lbdns.responder.steered import make_query
from lbdns.responder.view import View
from lbdns.snapshot.codes import NAME_CUT, NAME_OCCLUDED, NAME_ROW
from lbdns.snapshot.columns import COLUMNS, NONE_32
from lbdns.snapshot.file import Snapshot
from lbdns.steering.layout import ENDPOINT_HOSTNAME
from lbdns.wire.codes import FLAG_AA, TYPE_A, TYPE_CNAME, TYPE_DNAME, TYPE_DS, TYPE_OPT, UDP_BYTES_MAX

PRIVATE_TYPE = 65280  # RFC 6895: private use, so no zone has records of it that mean anything
LAST_STAGE = "rendering answers"
"""What is reported as the last stage of a load (lbdns/progress.py)."""
NOBODY = make_query(Client(bytes(4), 1), None, 0, 0)
TEMPLATE_COLUMNS = (
    "template_row",
    "relocation_position",
    "relocation_target",
    "rrset_template",
    "name_template",
    "zone_template",
    "endpoint_deferred",
    "template_blob",
)


def add_templates(snapshot: Snapshot, view: View) -> Snapshot:
    """Return the snapshot with its template columns filled; `view` is any view of it."""
    columns: dict[str, array[Any]] = {name: array(COLUMNS[name]) for name in TEMPLATE_COLUMNS}
    _Templates(view, columns).fill()
    filled = {name: memoryview(column).toreadonly() for name, column in columns.items()}
    return Snapshot({**snapshot.columns, **filled}, snapshot.meta)


class _Templates:
    def __init__(self, view: View, columns: dict[str, array[Any]]) -> None:
        self.view = view
        self.columns = columns
        self._known: dict[Template, int] = {}

    def fill(self) -> None:
        """Render what has a template, row by row."""
        rows = self.view.columns
        count = len(rows["name_row"]) // NAME_ROW
        for entry in range(count):
            if entry % STEP == 0:
                report(LAST_STAGE, entry, count)
            self._fill_name(entry)
        report(LAST_STAGE, count, count)
        for apex in rows["zone_apex"]:
            self.columns["zone_template"].append(self._render(self.view.name(apex), PRIVATE_TYPE))
        for endpoint in range(len(rows["endpoint_slot"])):
            self.columns["endpoint_deferred"].append(self._is_endpoint_deferred(endpoint))

    def _fill_name(self, entry: int) -> None:
        """Append a name's template, and one for each of its RRsets (whose rows follow each other in order of names)."""
        rows = self.view.columns
        flags = self.view.name_flags(entry)
        first, count = self.view.rrset_rows(entry)
        name = self.view.name(entry)
        is_cut = flags & NAME_CUT and not flags & NAME_OCCLUDED
        self.columns["name_template"].append(self._render(name, TYPE_A) if is_cut else NONE_32)
        for row in range(first, first + count):
            rtype = rows["rrset_type"][row]
            is_hit = not flags & (NAME_OCCLUDED | NAME_CUT) or (is_cut and rtype == TYPE_DS)
            template = NONE_32
            if is_hit and rtype not in (TYPE_DNAME, TYPE_OPT) and not self._goes_on(row, rtype):
                template = self._render(name, rtype)
            self.columns["rrset_template"].append(template)

    def _goes_on(self, row: int, rtype: int) -> bool:
        """Return whether an RRset is a CNAME whose target the slow path would look up too."""
        if rtype != TYPE_CNAME:
            return False
        rows = self.view.columns
        offset = rows["rdata_offset"][rows["rrset_rdata_start"][row]]
        length = rows["rdata_length"][rows["rrset_rdata_start"][row]]
        return self.view.has_zone_above(bytes(rows["blob"][offset : offset + length]).lower())

    def _is_endpoint_deferred(self, endpoint: int) -> bool:
        """Return whether answers from an endpoint need the slow path: its hostname stands in a zone of ours, so that a
        chain goes on there or its addresses belong into the additional section."""
        if not self.view.columns["endpoint_flags"][endpoint] & ENDPOINT_HOSTNAME:
            return False
        return self.view.has_zone_above(self.view.endpoint_target(endpoint))

    def _render(self, name: bytes, rtype: int) -> int:
        reply: Answer = answer(self.view, name, name, rtype, NOBODY, Transport.UDP, Road())
        template = render_template(reply)
        if len(template.body) > UDP_BYTES_MAX:
            return NONE_32
        number = self._known.get(template)
        if number is None:
            number = self._known[template] = self._append(template)
        return number

    def _append(self, template: Template) -> int:
        columns = self.columns
        row = [
            len(columns["template_blob"]),
            len(template.body),
            (FLAG_AA if template.is_authoritative else 0) | template.rcode,
            *template.counts,
            len(columns["relocation_position"]),
            len(template.pointers),
        ]
        columns["template_row"].extend(row)
        for position, target in template.pointers:
            columns["relocation_position"].append(position)
            columns["relocation_target"].append(target + RELOCATION_BIAS)
        columns["template_blob"].frombytes(template.body)
        return len(columns["template_row"]) // TEMPLATE_ROW - 1
