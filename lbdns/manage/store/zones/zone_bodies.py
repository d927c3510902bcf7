"""Zones: the body that a client gives -> the canonical one that is stored; a stored zone -> what is checked and served.

Next to it: zone_soa.py (SOA and serials), zone_new.py (a zone from its name alone), zone_text.py (master files).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lbdns.base.errors import Problem
from lbdns.base.json_values import is_text, whole_number
from lbdns.base.wording import printable, unknown_field, wrong_number
from lbdns.base.words import STORED
from lbdns.dns.codes import TYPE_SOA
from lbdns.dns.master.draft import STORE_START, ZoneDraft
from lbdns.dns.name import BadName, encode_canonical, show_name
from lbdns.dns.rdata.master_form import BadRdata
from lbdns.manage.store.item import Item
from lbdns.manage.store.records.record_bodies import record_rrset
from lbdns.manage.store.records.record_reading import view_in
from lbdns.manage.store.zones.zone_new import new_zone_records
from lbdns.manage.store.zones.zone_soa import UINT32_MAX, canonical_soa, first_serial, raised_serial, soa_rdata
from lbdns.manage.store.zones.zone_text import ImportedZone, export_zone, import_zone, overlay_bodies, zone_bodies
from lbdns.model import bounds
from lbdns.model.view_names import VIEW, labelled

__all__ = [
    "ImportedZone",
    "by_view",
    "canonical_zone",
    "export_zone",
    "first_serial",
    "import_zone",
    "is_secondary",
    "new_zone_records",
    "overlay_bodies",
    "problem_at",
    "raised_serial",
    "zone_bodies",
    "zone_draft",
]

WRITABLE: Final = ("name", VIEW, "type", "paused", "soa", "serial", "account", "jump_start")
READ_ONLY: Final = frozenset(
    {
        "id",
        "activated_on",
        "created_on",
        "development_mode",
        "meta",
        "modified_on",
        "name_servers",
        "original_dnshost",
        "original_name_servers",
        "original_registrar",
        "owner",
        "permissions",
        "plan",
        "status",
    }
)
"""What a client sends back that read a zone before it writes it."""
FULL: Final = "full"
SECONDARY: Final = "secondary"
ZONE_TYPES: Final = (FULL, SECONDARY)
"""A zone whose records are here, and one that comes from other servers as a whole."""


def canonical_zone(body: Mapping[str, Any], problems: list[Problem], at: tuple[str | int, ...]) -> dict[str, Any]:
    """Return the body to store: name, soa, serial, its view where it is of one, its type where it is secondary, and
    paused where it is; every mistake goes into `problems`.

    `at` is the zone's own place, the first part of every problem's. `account` and `jump_start` have no effect: there is
    one account, and records come by import.
    """
    given = body.get("name")
    subject = given[: bounds.MAX_NAME_CHARS] if isinstance(given, str) else "a zone"

    def report(message: str, *steps: str) -> None:
        path = ".".join(step for step in steps if step)
        problems.append(
            Problem(STORED, 0, printable(f"{subject} {path}"), printable(message), at=(*at, *filter(None, steps)))
        )

    name = ""
    try:
        name = _zone_name(given)
    except BadName as error:
        report(str(error), "name")
    if body.get("type") not in (None, *ZONE_TYPES):
        report('lbdns answers for whole zones alone; expected "full", or "secondary"', "type")
    for key in ("paused", "jump_start"):
        if body.get(key) is not None and not isinstance(body[key], bool):
            report("expected true or false", key)
    if body.get("account") is not None and not isinstance(body["account"], Mapping):
        report('expected an object, such as {"id": "..."}', "account")
    serial = whole_number(1 if body.get("serial") is None else body["serial"])
    if serial is None or not 0 <= serial <= UINT32_MAX:
        report(wrong_number(body.get("serial"), f"expected a whole number from 0 to {UINT32_MAX}"), "serial")
        serial = 1
    if body.get("vanity_name_servers"):
        report("the NS records of a zone name its servers", "vanity_name_servers")
    for key in body:
        if key not in WRITABLE and key not in READ_ONLY and key != "vanity_name_servers":
            report(unknown_field(str(key), WRITABLE), str(key))
    soa = canonical_soa(body.get("soa"), name or "invalid", lambda key, message: report(message, "soa", key))
    made: dict[str, Any] = {"name": name or str(given), "soa": soa, "serial": serial}
    if view := view_in(body.get(VIEW), lambda message: report(message, VIEW)):
        made[VIEW] = view
    if body.get("paused") is True:
        made["paused"] = True
    if body.get("type") == SECONDARY:
        made["type"] = SECONDARY
    return made


def is_secondary(zone: Item) -> bool:
    """Tell whether a zone comes from other servers, so that no records of it are stored."""
    return zone.body.get("type") == SECONDARY


def _zone_name(given: Any) -> str:
    """Return a zone's name: lower case, A-labels, no final dot; raises BadName."""
    if not isinstance(given, str) or not is_text(given) or not given.removesuffix("."):
        raise BadName("a zone needs its name, such as example.com")
    if any(char.isspace() or not char.isprintable() for char in given) or given.startswith("*"):
        raise BadName(f'"{given}" is no name of a zone; expected one such as example.com')
    return show_name(encode_canonical(given))


def by_view(records: Mapping[str, Item]) -> dict[str, Mapping[str, Item]]:
    """Return a zone's records by the view that they are of, those that all its clients see under ""."""
    if not any(record.view for record in records.values()):
        return {"": records}
    found: dict[str, dict[str, Item]] = {"": {}}
    for id, record in records.items():
        found.setdefault(record.view, {})[id] = record
    return dict(found)


def zone_draft(zone: Item, records: Iterable[Item], lost: dict[str, str] | None = None, view: str = "") -> ZoneDraft:
    """Return a stored zone for the checks that files go through; with `view`, what that view sees otherwise in a zone
    that all see, which has no SOA.

    The file is `store:ZONE`, or `store:ZONE@VIEW`; an RRset's line counts its first record, from 1, in the order of
    `records`; the SOA's is 0. Records with mistakes, which `canonical_record` has reported, are left out and noted as
    lost: in `lost`, by id, why. Raises BadName where the zone has no name.
    """
    apex = encode_canonical(zone.name)
    seen_by = view or zone.view
    draft = ZoneDraft(apex, f"{STORE_START}{labelled(zone.name, seen_by)}", view=seen_by)
    if not view:
        add_soa(draft, zone, lost)
    for line, record in enumerate(records, 1):
        try:
            owner, rdtype, ttl_s, rdata = record_rrset(record)
        except (BadName, BadRdata, KeyError, ValueError, TypeError, AttributeError, struct.error) as error:
            draft.lose(None, None)
            _note(lost, record, error)
            continue
        draft.add(owner, rdtype, ttl_s, rdata, draft.file, line)
    return draft


def add_soa(draft: ZoneDraft, zone: Item, lost: dict[str, str] | None) -> None:
    """Add a stored zone's SOA, or note it as lost: as of `zone_draft`."""
    try:
        soa = soa_rdata(zone.body["soa"], zone.body["serial"], zone.name)
        draft.add(draft.apex, TYPE_SOA, zone.body["soa"]["ttl"], soa, draft.file, 0)
    except (BadName, KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
        draft.lose(draft.apex, TYPE_SOA)
        _note(lost, zone, error)


def _note(lost: dict[str, str] | None, item: Item, error: Exception) -> None:
    if lost is not None:
        missing = isinstance(error, KeyError) and len(error.args) == 1
        lost[item.id] = f"{error.args[0]}: the field is missing" if missing else str(error) or type(error).__name__


def problem_at(problem: Problem, records: Mapping[str, Item], id: str | None) -> tuple[str | int, ...]:
    """Return where a problem of `zone_draft` or of the checks stands: ("records", ID, field), or ("zones", LABEL).

    `records` are those that the draft was made of; `id`: of the one whose number is the problem's line, None where that
    is of none. What is wrong with all that a view sees otherwise in a zone is told at its first record.
    """
    if id is not None:
        return ("records", id, *(problem.at or ("content",)))
    first = next(iter(records.values()), None)
    if first is not None and first.view:
        return ("records", first.id, *problem.at)
    return ("zones", problem.file.removeprefix(STORE_START), *(step for step in problem.at if step == VIEW))
