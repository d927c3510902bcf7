"""References by id, as the API says them, and by name, as files and models do. Those to nothing stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lbdns.base.words import PLACE_MAPS
from lbdns.manage.store.item import Kind
from lbdns.manage.store.state import State

Translate = Callable[[Kind, Any], Any]


def to_names(kind: Kind, body: Mapping[str, Any], state: State) -> dict[str, Any]:
    """Return a body whose references are names; what is not of the expected shape is left for the model to refuse."""

    def name_of(kind: Kind, reference: Any) -> Any:
        item = state.get(kind, reference) if isinstance(reference, str) else None
        return item.name if item is not None else reference

    return _translated(kind, body, name_of, "monitor_id", "monitor")


def to_ids(kind: Kind, body: Mapping[str, Any], state: State) -> dict[str, Any]:
    """Return a body whose references are ids."""

    def id_of(kind: Kind, reference: Any) -> Any:
        item = state.named(kind, reference) if isinstance(reference, str) else None
        return item.id if item is not None else reference

    return _translated(kind, body, id_of, "monitor", "monitor_id")


def _translated(kind: Kind, body: Mapping[str, Any], of: Translate, member: str, renamed: str) -> dict[str, Any]:
    made = dict(body)
    if kind is Kind.POOL:
        for key, referred in (("monitor", Kind.MONITOR), ("monitor_group", Kind.MONITOR_GROUP)):
            if key in made:
                made[key] = of(referred, made[key])
    elif kind is Kind.MONITOR_GROUP and isinstance(made.get("members"), (list, tuple)):
        made["members"] = [_member(one, of, member, renamed) for one in made["members"]]
    elif kind is Kind.LOAD_BALANCER:
        _translate_balancer(made, lambda pool: of(Kind.POOL, pool))
    return made


def _member(member: Any, of: Translate, old: str, new: str) -> Any:
    if not isinstance(member, Mapping):
        return member
    return {
        new if key == old else key: of(Kind.MONITOR, value) if key == old else value for key, value in member.items()
    }


def _translate_balancer(body: dict[str, Any], of: Callable[[Any], Any]) -> None:
    def each(pools: Any) -> Any:
        return [of(pool) for pool in pools] if isinstance(pools, (list, tuple)) else pools

    if "default_pools" in body:
        body["default_pools"] = each(body["default_pools"])
    if "fallback_pool" in body:
        body["fallback_pool"] = of(body["fallback_pool"])
    for key in PLACE_MAPS:
        if isinstance(body.get(key), Mapping):
            body[key] = {place: each(pools) for place, pools in body[key].items()}
    steering = body.get("random_steering")
    if isinstance(steering, Mapping) and isinstance(steering.get("pool_weights"), Mapping):
        weights = {of(pool): weight for pool, weight in steering["pool_weights"].items()}
        body["random_steering"] = {**steering, "pool_weights": weights}
