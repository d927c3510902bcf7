"""Store -> files: a state as the files of a configuration directory, and as one tree of the same shape.

    virtual_networks.yaml virtual networks and routes
    monitors.yaml         monitors and monitor groups
    pools.yaml            pools
    load_balancers.yaml   load balancers
    alerting.yaml         notification policies, their destinations and silences
    transfers.yaml        TSIG keys, peers and networks of transfers, and what zones do with them
    ZONE.zone             a master file each, of a zone of a view ZONE@VIEW.zone
    ZONE@VIEW.zone        beside ZONE.zone: the records that a view sees there, without an SOA

References by name, fields at their default left out, everything in the order in which it was made. `lbdns check`
accepts the files, and `lbdns apply` finds no difference in them. What files cannot say is told in `notes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from lbdns.base.kinds import FILES, KEYED, LISTED, Kind
from lbdns.base.pacing import Pacing
from lbdns.config.yaml.yaml_text import block_text, item_text
from lbdns.manage.store.item import Item
from lbdns.manage.store.private_balancers import as_served, is_left_out
from lbdns.manage.store.references_by_name import NamesOf, to_names
from lbdns.manage.store.revisions.diff import SECRET_FIELDS
from lbdns.manage.store.state import State
from lbdns.manage.store.zones.zone_bodies import export_zone, is_secondary
from lbdns.model.rule import lists_named
from lbdns.model.view_names import VIEW, labelled
from lbdns.model.virtual_network import lasting_network_id

One = TypeVar("One")
LONG_TEXT: Final = 5
_SHOWN_ONCE: Final = "which is shown once; lbdns apply leaves those that are in the store as they are"


@dataclass(frozen=True, slots=True)
class Exported:
    """File names -> texts, and what the files cannot say, a sentence each."""

    files: dict[str, str]
    notes: tuple[str, ...]


def export(
    state: State,
    has_private_views: bool = False,
    has_secrets: bool = True,
    has_keys: bool = True,
    pace: Pacing | None = None,
) -> Exported:
    """Return a state as files. `has_private_views`: its server has some, so that every load balancer of the account is
    served; `has_secrets`: whether the files have what nobody is shown otherwise; `has_keys`: the same of the secrets of
    TSIG keys, which are shown once, when a key is made. `pace`: where something else is not to wait for it."""
    tree = tree_of(state, has_private_views, has_secrets, has_keys, pace)
    files = {}
    for name, kinds in FILES.items():
        sections = [kind.section for kind in kinds if tree[kind.section]]
        text = "\n".join(_section_text(section, tree[section], pace) for section in sections)
        if text:
            files[name] = text
    for name, text in tree["zones"].items():
        files[file_name(name)] = text
    left_out = _secrets_left_out(state, _hidden(has_secrets, has_keys))
    return Exported(files, (*_notes(state, has_private_views), *left_out))


def _hidden(has_secrets: bool, has_keys: bool) -> frozenset[Kind]:
    """Return the kinds whose secrets are left out."""
    kinds = (kind for kind in KEYED if SECRET_FIELDS[kind])
    return frozenset(kind for kind in kinds if not (has_keys if kind is Kind.TSIG else has_secrets))


def tree_of(
    state: State,
    has_private_views: bool = False,
    has_secrets: bool = True,
    has_keys: bool = True,
    pace: Pacing | None = None,
) -> dict[str, Any]:
    """Return a state as `lbdns.config.parse` takes it: sections of objects by name, and the zones' master texts."""
    tree: dict[str, Any] = {}
    names = NamesOf(state)
    without = _hidden(has_secrets, has_keys)
    for kind in KEYED:
        hidden = SECRET_FIELDS[kind] if kind in without else frozenset()
        items = _each(state.all(kind).values(), pace)
        bodies = {item.name: to_names(kind, item.body, names) for item in items}
        tree[kind.section] = {
            name: in_short(kind, {field: value for field, value in body.items() if field not in hidden})
            for name, body in bodies.items()
        }
    for network in state.all(Kind.VIRTUAL_NETWORK).values():
        if network.id != lasting_network_id(network.name):
            body = tree[Kind.VIRTUAL_NETWORK.section][network.name]
            tree[Kind.VIRTUAL_NETWORK.section][network.name] = {"id": network.id, **body}
    for kind in LISTED:
        tree[kind.section] = [
            name_first(to_names(kind, as_served(item, state, has_private_views), names), kind)
            for item in _each(state.all(kind).values(), pace)
            if not is_left_out(item, state, has_private_views)
        ]
    tree["zones"] = {label: text for zone in state.all(Kind.ZONE).values() for label, text in _texts(zone, state)}
    return tree


def _each(items: Iterable[One], pace: Pacing | None) -> Iterable[One]:
    """Return items, which are to be worked on one by one."""
    return items if pace is None else pace.each(items)


def _texts(zone: Item, state: State) -> Iterator[tuple[str, str]]:
    """Yield a zone's master files: its own, and one for each view that sees other records in it. A secondary zone has
    none."""
    if is_secondary(zone):
        return
    records = state.records(zone.id).values()
    yield zone.label, export_zone(zone, records)
    for view in dict.fromkeys(record.view for record in records if record.view):
        yield labelled(zone.name, view), export_zone(zone, records, view)


def file_name(label: str) -> str:
    """Return the name of a zone's master file. A slash, as RFC 2317 has it in names, is written as master files do."""
    return f"{label}.zone".replace("/", "\\047")


def in_short(kind: Kind, body: Mapping[str, Any]) -> Any:
    """Return what files have below an object's name: its fields, or the one that a text stands for."""
    fields = {field: value for field, value in body.items() if field != "name"}
    return fields[kind.short] if fields.keys() == {kind.short} else fields


def name_first(body: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """Return the fields of an object in a list, its name, type and view first."""
    return {field: body[field] for field in (kind.called_by, "type", VIEW) if field in body} | dict(body)


def _section_text(section: str, objects: Any, pace: Pacing | None) -> str:
    if isinstance(objects, Mapping):
        parts = [block_text({name: body}, indent=1) for name, body in _each(objects.items(), pace)]
    else:
        parts = [item_text(body, indent=1) for body in _each(objects, pace)]
    return f"{section}:\n" + ("\n" if any(part.count("\n") > 1 for part in parts) else "").join(parts)


def _notes(state: State, has_private_views: bool) -> Iterator[str]:
    zones = state.all(Kind.ZONE).values()
    if not zones:
        yield "there is no zone; a directory needs one to be served"
    balancers = state.all(Kind.LOAD_BALANCER).values()
    left_out = [item for item in balancers if is_left_out(item, state, has_private_views)]
    if left_out:
        yield f"{_listed('load balancer', left_out)} left out: in no zone here, so files cannot hold them"
    bodies = (item.body for item in state.all(Kind.LOAD_BALANCER).values())
    conditions = {rule.get("condition", "") for body in bodies for rule in body.get("rules", ())}
    lists = sorted(name for condition in conditions for name in lists_named(condition))
    if lists:
        shown = ", ".join(f"${name}" for name in dict.fromkeys(lists))
        yield f"rules ask for {shown}, under lists in the server's lbdns.yaml, which is not among the files"
    paused = [zone for zone in zones if zone.body.get("paused")]
    if paused:
        yield f"{_listed('zone', paused)} paused, which files cannot say"
    marked = [record for record in state.all(Kind.RECORD).values() if record.body.keys() & {"tags", "settings"}]
    if marked:
        yield f"{_listed('record', marked)} with tags or settings, which files cannot say"


def _secrets_left_out(state: State, kinds: frozenset[Kind]) -> Iterator[str]:
    for kind in (kind for kind in KEYED if kind in kinds):
        items = [item for item in state.all(kind).values() if item.body.keys() & SECRET_FIELDS[kind]]
        if items:
            fields = " and ".join(sorted(SECRET_FIELDS[kind]))
            why = _SHOWN_ONCE if kind is Kind.TSIG else "which only who may write everything gets"
            yield f"{_listed(kind.words, items)} without {fields}, {why}"


def _listed(noun: str, items: list[Item]) -> str:
    shown = ", ".join(item.label for item in items[:LONG_TEXT])
    more = f" and {len(items) - LONG_TEXT} more" if len(items) > LONG_TEXT else ""
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'} ({shown}{more})"
