"""Render every answer that can be known when a snapshot is made, with the slow path's own road and renderer.

| what | template | serves |
|---|---|---|
| an RRset | the answer for its name and type | HIT; a CNAME that leads out of its zone: any type |
| a CNAME that leads on in its zone | one for each type that matters, and for the rest | CNAME; ANY: itself |
| the same before a load balancer | the aliases; its records follow | CNAME, then as STEERED |
| a cut | the referral | REFERRAL |
| a DNAME | its record; the fast path makes the CNAME, and what that leads to follows | DNAME |
| a load balancer's name | RFC 8482's | ANY |
| a zone | its negative answer | NODATA and NXDOMAIN |
| an endpoint's hostname in a zone here | what follows its CNAME; its addresses, for MX and SRV | STEERED |

In a signed zone each has a sibling, for who wants signatures: the same answer with them and what proves it. Where an
answer is one RRset, that is the template itself and the RRset's signatures, which the snapshot has (SIGNED_BY_ROW); and
what is signed as it is asked for has none.

What a template cannot say has none, and is left to the slow path: what goes round under a wildcard, aliases that go on
after a load balancer's own to another one or round, those before a load balancer whose name takes more than a pointer.
Replies too large for a datagram lose what is optional, or are truncated, as the slow path has it.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from lbdns.answer.answer import ANY_RECORDS, CHAIN_HOPS_MAX, Road, add_targets, answer, answer_beyond
from lbdns.answer.match import Match, MatchKind
from lbdns.answer.prove import prove
from lbdns.answer.render import Template, render_template
from lbdns.answer.reply import ASKED, Answer, Records, Transport
from lbdns.answer.serving_view import ServingView
from lbdns.answer.sign import sign
from lbdns.base.errors import LbdnsError
from lbdns.base.progress import LAST_STAGE, STEP, report
from lbdns.dns.codes import (
    TYPE_A,
    TYPE_AAAA,
    TYPE_CNAME,
    TYPE_DNAME,
    TYPE_DS,
    TYPE_MX,
    TYPE_NSEC,
    TYPE_OPT,
    TYPE_SOA,
    TYPE_TXT,
    UDP_BYTES_MAX,
    YXDOMAIN,
)
from lbdns.dns.name import WILDCARD_LABEL
from lbdns.dns.rdata.record_types import types_where
from lbdns.dns.zone import RRset
from lbdns.fastpath.directories import Directories
from lbdns.fastpath.layout import DNAMES_MAX, NO_TEMPLATE, SIGNED_BY_ROW
from lbdns.fastpath.template_packing import pack_choice, pack_template, plain_template
from lbdns.mapped.columns import COLUMNS, NONE_32
from lbdns.snapshot.lookup.look_up import has_load_balancer
from lbdns.snapshot.lookup.name_rows import NAME_CUT, NAME_DNAME, NAME_OCCLUDED, NAME_ROW, ROW_ZONE
from lbdns.steering.kernel.numbers import ENDPOINT_HOSTNAME, FAMILY_COUNT, FAMILY_NAMED

TTL_TO_DATA_BYTES = 6  # from a record's TTL to its data
# What may stand together in one answer, as far as no bound on hops cuts it short.
CHAIN_MATCHES_MAX = 8
BEYOND_MATCHES_MAX = CHAIN_HOPS_MAX - DNAMES_MAX - CHAIN_MATCHES_MAX
STEERED = types_where(lambda row: row.is_steered)
ALIASES_MAX = 100_000  # that lead on in zones here: each takes 0.1 ms and 200 bytes, and those beyond the slow path
PLAIN_TYPES = frozenset({TYPE_A, TYPE_AAAA, TYPE_TXT})
"""The commonest types of which an answer is the RRset and nothing else: no name in their data, nothing goes along."""
PRIVATE_TYPE = 65280  # RFC 6895: private use, so no zone has records of it that mean anything
TEMPLATE_COLUMNS = (
    "rrset_template",
    "name_template",
    "zone_template",
    "endpoint_zone",
    "endpoint_other",
    "endpoint_is_nested",
    "endpoint_template",
    "template_blob",
)


class _Beyond(NamedTuple):
    """What stands under an endpoint's hostname in one instance of a zone: whether others stand above that, its
    templates, and whether it is the last of the hostname's."""

    zone: int
    is_nested: bool
    templates: list[int]
    is_last: bool = True


NOWHERE = _Beyond(NONE_32, False, [NONE_32] * FAMILY_COUNT)


class TemplateRows:
    """Fills the template columns of a view's snapshot."""

    def __init__(self, view: ServingView) -> None:
        """Begin with empty columns."""
        self.view = view
        self.columns: dict[str, array[Any]] = {name: array(COLUMNS[name]) for name in TEMPLATE_COLUMNS}
        self._stood: Sequence[int] = ()
        self._alias_count = 0
        self._known: dict[bytes, int] = {}
        self._after: dict[bytes, list[_Beyond]] = {}
        self._directories = Directories(view)
        self._types, self._ttls = view.columns["rrset_type"], view.columns["rrset_ttl"]
        self._signed = {zone for zone in range(len(view.columns["zone_apex"])) if view.is_signed(zone)}

    @property
    def has_aliases(self) -> bool:
        """Whether an alias leads on."""
        return self._alias_count > 0

    def fill(self) -> None:
        """Render what has a template, row by row, ANY_TEMPLATE first."""
        self._append(render_template(Answer(answer=[ANY_RECORDS])))
        rows = self.view.columns
        count = len(rows["name_row"]) // NAME_ROW
        for entry in range(count):
            if entry % STEP == 0:
                report(LAST_STAGE, entry, count)
            template, of_rrsets = self.of_name(entry)
            self.columns["name_template"].append(template)
            self.columns["rrset_template"].extend(of_rrsets)
        report(LAST_STAGE, count, count)
        self.columns["zone_template"].extend(map(self.of_zone, range(len(rows["zone_apex"]))))
        self._fill_endpoints(len(rows["endpoint_slot"]))

    def go_on(self, blob: memoryview) -> None:
        """Go on with the templates that stand in `blob`."""
        self.columns["template_blob"].frombytes(blob)

    def may_be(self, those: Sequence[int]) -> None:
        """Have what is rendered next be what stands at one of these offsets, where that is the same."""
        self._stood = those

    def of_zone(self, zone: int) -> int:
        """Return the template of a zone's negative answer; none where it is not ready to be served."""
        if self.view.is_unready(zone):
            return NONE_32
        name = self.view.name(self.view.columns["zone_apex"][zone])
        directory = self._directories.of_name(zone, name)[0]
        reply = answer(self.view, directory, name, name, PRIVATE_TYPE, None, Transport.UDP, Road())
        return self._append(render_template(reply))

    def of_name(self, entry: int) -> tuple[int, list[int]]:
        """Return a name's template, and one for each of its RRsets (whose rows follow each other in order of names)."""
        rows = self.view.columns
        flags = self.view.name_flags(entry)
        first, count = self.view.rrset_rows(entry)
        if not flags and PLAIN_TYPES.issuperset(rows["rrset_type"][first : first + count]):
            return NONE_32, [self._plain(row) for row in range(first, first + count)]
        name = self.view.name(entry)
        zone = rows["name_row"][entry * NAME_ROW + ROW_ZONE] - 1
        is_cut = flags & NAME_CUT and not flags & NAME_OCCLUDED
        template = NONE_32
        if is_cut:
            template = self._render(zone, name, TYPE_A)
        elif flags & NAME_DNAME and not flags & NAME_OCCLUDED:
            template = self._dname(entry)
        of_name, of_rrsets = template, []
        for row in range(first, first + count):
            rtype = rows["rrset_type"][row]
            is_hit = not flags & (NAME_OCCLUDED | NAME_CUT) or (is_cut and rtype == TYPE_DS)
            template = NONE_32
            # Who asks for NSEC records of a signed zone is answered by the slow path, and there are as many as names.
            if is_hit and rtype != TYPE_OPT and not (rtype == TYPE_NSEC and zone in self._signed):
                if rtype == TYPE_CNAME:
                    template = self._alias(zone, name, self.view.rrsets(entry)[row - first].rdatas[0])
                elif rtype in PLAIN_TYPES:
                    template = self._plain(row)
                else:
                    template = self._render(zone, name, rtype)
            of_rrsets.append(template)
        return of_name, of_rrsets

    def _plain(self, row: int) -> int:
        """Return the template of an RRset of PLAIN_TYPES, by its row."""
        return self._store(plain_template(self._types[row], self._ttls[row], self.view.rdatas(row)))

    def _dname(self, entry: int) -> int:
        """Return the template of a DNAME's record before what follows from it."""
        rrset = self.view.rrset(entry, TYPE_DNAME)
        if rrset is None:
            raise AssertionError("a name that is marked so has a DNAME")
        zone = self.view.columns["name_row"][entry * NAME_ROW + ROW_ZONE] - 1
        apex = self.view.name(self.view.columns["zone_apex"][zone])
        made = render_template(Answer(apex=apex, answer=[Records(rrset.owner, TYPE_DNAME, rrset.ttl, rrset.rdatas)]))
        return self._append(replace(made, ttl_at=len(made.body) - len(rrset.rdatas[0]) - TTL_TO_DATA_BYTES))

    def _alias(self, zone: int, name: bytes, target: bytes) -> int:
        """Return the template of a CNAME, or a choice by type where its target stands in a zone here; none where the
        directories that the zone is in do not agree."""
        directories = self._directories.of_name(zone, name)
        templates = {self._alias_in(directory, zone, name, target) for directory in directories}
        return templates.pop() if len(templates) == 1 else NONE_32

    def _alias_in(self, directory: int, zone: int, name: bytes, target: bytes) -> int:
        itself = self._render(zone, name, TYPE_CNAME)
        if not self.view.zones_above(directory, target.lower()):
            return itself
        if self._alias_count == ALIASES_MAX:
            return NONE_32
        self._alias_count += 1
        road = Road()
        rest = self._chain(directory, name, PRIVATE_TYPE, road)
        first, last = road.matches[0], road.matches[-1]
        if first.kind is not MatchKind.CNAME:
            return self._chain(
                directory, name, TYPE_DS, Road()
            )  # all else is asked of the zone below, whose name it is
        # No type but these can end otherwise than one that nobody has. DS is asked for at the parent's side of a cut.
        pairs = {TYPE_CNAME: itself}
        if self._differs_for_ds(last):
            pairs[TYPE_DS] = self._chain(directory, name, TYPE_DS, Road())
        if rest != NONE_32:
            types = [rrset.type for rrset in self.view.rrsets(last.entry)] if last.kind is MatchKind.NODATA else []
            if any(has_load_balancer(self.view.steering, match.entry) for match in road.matches):
                types += STEERED
            pairs |= {rtype: self._chain(directory, name, rtype, Road()) for rtype in types if rtype not in pairs}
        return self._store(pack_choice(pairs, rest))

    def _differs_for_ds(self, last: Match) -> bool:
        """Return whether a chain that ends so may go on for DS, or end otherwise, than for a type nobody has records
        of: where one of its names may be at a cut or an apex."""
        if last.kind in (MatchKind.NODATA, MatchKind.NXDOMAIN):
            return last.entry == self.view.columns["zone_apex"][last.zone]
        return True

    def _chain(self, directory: int, name: bytes, qtype: int, road: Road) -> int:
        """Return the template of what a chain of CNAMEs comes to for a type; `road` is filled with the way."""
        reply = answer(self.view, directory, name, name, qtype, None, Transport.UDP, road)
        last = road.matches[-1]
        is_own = last.kind is MatchKind.STEERED and not reply.answer  # a load balancer at the alias's own name
        if is_own or not self._is_fixed(directory, road.matches, reply):
            return NONE_32
        is_long = len(road.matches) > CHAIN_MATCHES_MAX
        signed = self._signed_answer(directory, name, qtype, is_long, last.zone)
        if last.kind is not MatchKind.STEERED:
            return self._append(render_template(reply), is_long=is_long, signed=signed)
        none = self._append(render_template(reply), is_long=is_long)
        before = render_template(Answer(apex=reply.apex, answer=reply.answer), _target(reply.answer[-1]))
        if not before.pointers or before.pointers[-1][0] != before.owner_at:
            return NONE_32  # more than a pointer, as where pointers lead on too often
        return self._append(before, (last, none), is_long, signed)

    def _signed_answer(self, directory: int, name: bytes, qtype: int, is_long: bool, zone: int) -> int:
        """Return the template of an answer with signatures; of the aliases alone where they lead to a load balancer.
        None where the zone has none, or not all of them."""
        if zone not in self._signed:
            return NONE_32
        road = Road(dnssec_ok=True)
        reply = answer(self.view, directory, name, name, qtype, None, Transport.UDP, road)
        aliases, none = [*reply.answer], replace(reply, authority=[*reply.authority])
        last = road.matches[-1]
        prove(self.view, reply, road, qtype)
        if last.kind is not MatchKind.STEERED:
            reply = sign(self.view, reply, road)
            return NONE_32 if road.lacking else self._append(render_template(reply), is_long=is_long)
        # Aliases may need proofs of their own, beside the denial at the load balancer's name.
        proofs = [records.signed_ttl for records in reply.authority if records.type != TYPE_SOA]
        if len(proofs) != 1 or proofs[0] is None or any(one.signed_ttl is not None for one in aliases):
            return NONE_32
        before = render_template(Answer(apex=reply.apex, answer=aliases), _target(aliases[-1]))
        if not before.pointers or before.pointers[-1][0] != before.owner_at:
            return NONE_32
        return self._append(before, (last, self._append(render_template(none), is_long=is_long)), is_long)

    def _is_fixed(self, directory: int, matches: list[Match], reply: Answer) -> bool:
        """Return whether a chain is the same whatever name under a wildcard it began with. It is not where it comes to
        something twice, or to where it began: another name would go round once more."""
        if not any(self.view.name(match.entry).startswith(WILDCARD_LABEL) for match in matches):
            return True
        last = matches[-1]
        if len({match.entry for match in matches}) < len(matches):
            return False
        if len(matches) > CHAIN_HOPS_MAX or last.kind not in (MatchKind.CNAME, MatchKind.DNAME):
            return True
        target = _target(reply.answer[-1]).lower()
        return reply.rcode == YXDOMAIN or self.view.zones_above(directory, target)[:1] != [last.zone]

    def _fill_endpoints(self, count: int) -> None:
        """Append what stands in our zones under each endpoint's hostname: a row for each, and behind these more for
        hostnames that are in several instances of zones."""
        others: list[_Beyond] = []
        first_other: dict[bytes, int] = {}
        for endpoint in range(count):
            found: list[_Beyond] = []
            target = b""
            if self.view.columns["endpoint_flags"][endpoint] & ENDPOINT_HOSTNAME:
                target = self.view.endpoint_target(endpoint)
                known = self._after.get(target)
                found = self._after[target] = self._beyond(target) if known is None else known
            if len(found) > 1 and target not in first_other:
                first_other[target] = count + len(others)
                others += found[1:]
            self._append_beyond(found[0] if found else NOWHERE, first_other.get(target, NONE_32))
        for row, one in enumerate(others, count + 1):
            self._append_beyond(one, NONE_32 if one.is_last else row)

    def _append_beyond(self, beyond: _Beyond, other: int) -> None:
        self.columns["endpoint_zone"].append(beyond.zone)
        self.columns["endpoint_other"].append(other)
        self.columns["endpoint_is_nested"].append(beyond.is_nested)
        self.columns["endpoint_template"].extend(beyond.templates)

    def _beyond(self, target: bytes) -> list[_Beyond]:
        """Return the zones of ours that a hostname stands in, one where views see the same, with its templates there.

        Whatever is not the same in all directories that see an instance has no template.
        """
        around = {one: self.view.zones_above(one, target) for one in self._directories.around(target)}
        is_nested = any(len(zones) > 1 for zones in around.values())
        templates: dict[int, list[int]] = {}
        for directory, zones in around.items():
            if zones:
                made = self._templates_beyond(directory, zones[0], target)
                before = templates.setdefault(zones[0], made)
                templates[zones[0]] = [one if one == two else NONE_32 for one, two in zip(before, made, strict=True)]
        for zone, made in templates.items():
            if any(zone in zones[1:] for zones in around.values()):
                made[:FAMILY_NAMED] = [NONE_32] * FAMILY_NAMED  # where a zone below has the name, nothing follows
        last = len(templates) - 1
        return [_Beyond(zone, is_nested, made, at == last) for at, (zone, made) in enumerate(templates.items())]

    def _templates_beyond(self, directory: int, zone: int, target: bytes) -> list[int]:
        if self.view.is_unready(zone):
            return [NONE_32] * FAMILY_COUNT
        templates = []
        for qtype in (TYPE_A, TYPE_AAAA):
            road = Road()
            reply = answer_beyond(self.view, directory, target, qtype, road)
            is_plain = is_plain_chain(road.matches) and road.matches[-1].kind is not MatchKind.STEERED
            is_long = len(road.matches) > BEYOND_MATCHES_MAX
            signed = self._signed_beyond(directory, zone, target, qtype, is_long) if is_plain else NONE_32
            template = self._append(render_template(reply), None, is_long, signed) if is_plain else NONE_32
            templates.append(template)
        signed = self._hosts(zone, target, True) if zone in self._signed else NONE_32
        return [*templates, self._hosts(zone, target, False, signed)]

    def _signed_beyond(self, directory: int, zone: int, target: bytes, qtype: int, is_long: bool) -> int:
        """Return the template of what follows an endpoint's CNAME, with signatures."""
        if zone not in self._signed:
            return NONE_32
        road = Road(dnssec_ok=True)
        reply = answer_beyond(self.view, directory, target, qtype, road)
        prove(self.view, reply, road, qtype)
        # What is asked for is the load balancer's name, not this one.
        reply.authority = [one._replace(owner=one.owner or road.matches[0].name) for one in reply.authority]
        reply = sign(self.view, reply, road)
        return NONE_32 if road.lacking else self._append(render_template(reply), is_long=is_long)

    def _hosts(self, zone: int, target: bytes, is_signed: bool, signed: int = NONE_32) -> int:
        """Return the template of the addresses of an MX or SRV record's host."""
        reply = Answer(apex=self.view.apex(zone), is_signed=is_signed)
        records = Records(ASKED, TYPE_MX, 0, (bytes(2) + target,))
        add_targets(self.view, zone, records, reply, is_apart=True)
        made = render_template(reply)
        return self._append(made, signed=signed) if len(made.body) <= UDP_BYTES_MAX else NONE_32

    def _render(self, zone: int, name: bytes, rtype: int) -> int:
        directory = self._directories.of_name(zone, name)[0]
        made = render_template(answer(self.view, directory, name, name, rtype, None, Transport.UDP, Road()))
        _, authorities, additionals = made.counts
        if not authorities and not additionals:
            return self._append(made, signed=SIGNED_BY_ROW)
        return self._append(made, signed=self._signed_answer(directory, name, rtype, False, zone))

    def _append(
        self,
        template: Template,
        steers: tuple[Match, int] | None = None,
        is_long: bool = False,
        signed: int = NONE_32,
    ) -> int:
        """Return the offset of a template; `steers`: the balancer that follows, and the template without; `is_long`: of
        a chain that may be cut short where others stand before it; `signed`: the template with signatures."""
        return self._store(pack_template(template, steers, is_long, signed))

    def _store(self, data: bytes) -> int:
        blob = self.columns["template_blob"]
        offset = self._known.get(data)
        if offset is None:
            stood = (one for one in self._stood if one != NONE_32 and blob[one : one + len(data)].tobytes() == data)
            offset = self._known[data] = next(stood, len(blob))
            if offset == len(blob):
                blob.frombytes(data)
            if offset + len(data) > NO_TEMPLATE:
                raise LbdnsError("the answers of all names take more than 4 GB")
        return offset


def is_plain_chain(matches: list[Match]) -> bool:
    """Return whether a chain is the same whatever name under a wildcard it began with: it comes to nothing twice, and
    is not cut short."""
    return len(matches) < CHAIN_HOPS_MAX and len({match.entry for match in matches}) == len(matches)


def _target(records: Records | RRset) -> bytes:
    """Return where a CNAME leads."""
    return records.rdatas[0]
