"""Slots as a document: what a new supervisor, and a start from what is kept, continue from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from lbdns.base.memo import are_same
from lbdns.snapshot.slots import SlotChanges, Slots

SPLICED_MAX: Final = 64
"""Rows that are others, beyond which a part is written anew: each is looked for in the text."""
_BEFORE, _BEHIND, _BETWEEN = "[\n", "\n]", ",\n"
"""A row is a line, and what JSON says in a line has no line ends: so it is found, whatever names are in it."""


class _Part(NamedTuple):
    """A part of the document that grows with what is configured: `has` returns the mappings that it rests on, `row`
    what it says of a key, of a state and of none where the key is not there, `changed` the keys that are others."""

    has: Callable[[Slots], Sequence[Mapping[Any, Any]]]
    row: Callable[[Slots, Any], tuple[object, ...]]
    changed: Callable[[SlotChanges], Sequence[Any]]


_PARTS: Final = {
    "endpoint": _Part(
        lambda slots: (slots.endpoint, slots.checked, slots.tenant),
        lambda slots, key: (*key, slots.endpoint[key], slots.checked[key], slots.tenant[key]),
        attrgetter("endpoint"),
    ),
    "pool": _Part(
        lambda slots: (slots.pool, slots.makeup),
        lambda slots, name: (name, slots.pool[name], *slots.makeup[name]),
        attrgetter("pool"),
    ),
    "load_balancer": _Part(
        lambda slots: (slots.load_balancer,),
        lambda slots, key: (*key, slots.load_balancer[key]),
        attrgetter("load_balancer"),
    ),
    "rule": _Part(lambda slots: (slots.rule,), lambda slots, key: (*key, slots.rule[key]), attrgetter("rule")),
}


class SlotsText:
    """Slots as JSON, for whoever writes them again and again: few rows are others."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._slots = Slots()
        self._texts: dict[str, str] = {}

    def encode(self, slots: Slots) -> str:
        """Return the document."""
        changes = slots.since(self._slots)
        texts = {name: self._text(name, part, slots, changes) for name, part in _PARTS.items()}
        self._slots, self._texts = slots, texts
        counts = [slots.endpoint_count, slots.pool_count, slots.load_balancer_count, slots.tenant_count]
        parts = {
            **texts,
            "counts": json.dumps(counts),
            "freed": json.dumps([slots.endpoint_freed, slots.pool_freed, slots.load_balancer_freed]),
            "rules": json.dumps([slots.rule_count, slots.rule_freed]),
            "network": json.dumps(slots.network),
            "networks": json.dumps([slots.network_count, slots.network_freed]),
        }
        return "".join(("{", ", ".join([f'"{name}": {text}' for name, text in parts.items()]), "}"))

    def _text(self, name: str, part: _Part, slots: Slots, changes: SlotChanges | None) -> str:
        known = self._texts.get(name)
        if known is not None and are_same(part.has(self._slots), part.has(slots)):
            return known
        if known is not None and changes is not None and len(part.changed(changes)) <= SPLICED_MAX:
            for key in part.changed(changes):
                known = _spliced(known, part, key, self._slots, slots)
            return known
        rows = [json.dumps(part.row(slots, key)) for key in part.has(slots)[0]]
        return f"{_BEFORE}{_BETWEEN.join(rows)}{_BEHIND}" if rows else "[]"


def _spliced(text: str, part: _Part, key: Any, before: Slots, now: Slots) -> str:
    """Return rows with that of a key as it is now: in its place where it keeps its slot, else behind the others, as the
    mappings have it."""
    slot, other = part.has(before)[0].get(key), part.has(now)[0].get(key)
    if slot is not None:
        row = json.dumps(part.row(before, key))
        start = text.index(f"\n{row}") + 1
        end = start + len(row)
        if slot == other:
            return text[:start] + json.dumps(part.row(now, key)) + text[end:]
        if text.startswith(_BETWEEN, end):
            text = text[:start] + text[end + len(_BETWEEN) :]
        else:
            text = text[: start - len(_BETWEEN)] + text[end:] if start > len(_BEFORE) else "[]"
    if other is None:
        return text
    head = text[: -len(_BEHIND)] + _BETWEEN if text != "[]" else _BEFORE
    return head + json.dumps(part.row(now, key)) + _BEHIND


def encode_slots(slots: Slots) -> str:
    """Return slots as JSON."""
    return SlotsText().encode(slots)


def decode_slots(text: str) -> Slots:
    """Return the slots of a document; raises ValueError, KeyError or TypeError where it is none."""
    document = json.loads(text)
    counts = document["counts"]
    freed = [tuple(tuple(group) for group in groups) for groups in document["freed"]]
    endpoints = [(tuple(row[:-3]), *row[-3:]) for row in document["endpoint"]]
    pools = document["pool"]
    network_count, network_freed = document.get("networks", (0, ()))  # nor did one without virtual networks
    rule_count, rule_freed = document.get("rules", (0, ()))  # a release without rules wrote none
    return Slots(
        endpoint={key: slot for key, slot, _, _ in endpoints},
        pool={name: slot for name, slot, *_ in pools},
        load_balancer={(name, kind): slot for name, kind, slot in document["load_balancer"]},
        endpoint_count=counts[0],
        pool_count=counts[1],
        load_balancer_count=counts[2],
        endpoint_freed=freed[0],
        pool_freed=freed[1],
        load_balancer_freed=freed[2],
        rule={(balancer, kind, rule): slot for balancer, kind, rule, slot in document.get("rule", ())},
        rule_count=rule_count,
        rule_freed=tuple(tuple(group) for group in rule_freed),
        network=document.get("network", {}),
        network_count=network_count,
        network_freed=tuple(tuple(group) for group in network_freed),
        checked={key: checked for key, _, checked, _ in endpoints},
        tenant={key: tenant for key, _, _, tenant in endpoints},
        tenant_count=counts[3],
        makeup={name: (tuple(made), minimum, monitored) for name, _, made, minimum, monitored in pools},
    )
