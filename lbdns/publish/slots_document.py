"""Slots as a document: what a new supervisor, and a start from what is kept, continue from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lbdns.base.memo import are_same
from lbdns.snapshot.slots import Slots


class SlotsText:
    """Slots as JSON, for whoever writes them again and again: what rests on mappings that are the very ones that they
    were is kept."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._kept: dict[str, tuple[Sequence[object], str]] = {}

    def encode(self, slots: Slots) -> str:
        """Return the document."""
        counts = [slots.endpoint_count, slots.pool_count, slots.load_balancer_count, slots.tenant_count]
        freed = [slots.endpoint_freed, slots.pool_freed, slots.load_balancer_freed]
        endpoints, pools = (slots.endpoint, slots.checked, slots.tenant), (slots.pool, slots.makeup)
        parts = {
            "endpoint": self._part("endpoint", endpoints, lambda: _endpoints(slots)),
            "pool": self._part("pool", pools, lambda: _pools(slots)),
            "load_balancer": self._part("load_balancer", (slots.load_balancer,), lambda: _keyed(slots.load_balancer)),
            "counts": json.dumps(counts),
            "freed": json.dumps(freed),
            "rule": self._part("rule", (slots.rule,), lambda: _keyed(slots.rule)),
            "rules": json.dumps([slots.rule_count, slots.rule_freed]),
            "network": json.dumps(slots.network),
            "networks": json.dumps([slots.network_count, slots.network_freed]),
        }
        return "".join(("{", ", ".join([f'"{name}": {text}' for name, text in parts.items()]), "}"))

    def _part(self, name: str, basis: Sequence[object], rows: Callable[[], object]) -> str:
        known = self._kept.get(name)
        if known is None or not are_same(known[0], basis):
            known = self._kept[name] = basis, json.dumps(rows())
        return known[1]


def _endpoints(slots: Slots) -> list[tuple[object, ...]]:
    return [(*key, slot, slots.checked[key], slots.tenant[key]) for key, slot in slots.endpoint.items()]


def _pools(slots: Slots) -> list[tuple[object, ...]]:
    return [(name, slot, *slots.makeup[name]) for name, slot in slots.pool.items()]


def _keyed(those: Mapping[Any, int]) -> list[tuple[object, ...]]:
    return [(*key, slot) for key, slot in those.items()]


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
