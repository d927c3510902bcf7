"""Pools and endpoints of a decision in words: each candidate, and why it answers or does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from lbdns.answer.serving_view import ServingView
from lbdns.base.words import Health
from lbdns.dns.name import show_name
from lbdns.health.verdict import COUNTS, UNRESOLVED, endpoint_word, pool_word
from lbdns.steering.kernel.decide import reason_against
from lbdns.steering.kernel.endpoints import is_cname, reason_against_endpoint
from lbdns.steering.kernel.numbers import (
    ENDPOINT_HOSTNAME,
    FAMILY_A,
    FAMILY_NAMED,
    MODE_ALL,
    MODE_HASHED,
    NO_POOL,
    PASSED_DISABLED,
    PASSED_DOWN,
    PASSED_SHED,
    PASSED_UNRESOLVED,
    PASSED_WEIGHT_ZERO,
    POOL_ENABLED,
    POOL_HASH,
    POOL_MONITORED,
    SELECT_FASTEST,
    SELECT_WEIGHTED,
    SKIPPED_DISABLED,
    SKIPPED_DOWN,
    SKIPPED_FAMILY,
    SKIPPED_UNRESOLVED,
    SKIPPED_WEIGHT_ZERO,
)
from lbdns.steering.kernel.view import Decision, Query

PASSED_TEXTS = {
    PASSED_DISABLED: Health.DISABLED,
    PASSED_DOWN: "down",
    PASSED_UNRESOLVED: "unresolved: none of its hostnames has an address now",
    PASSED_SHED: "this query is shed from it (load_shedding)",
    PASSED_WEIGHT_ZERO: "its weight is 0",
}
SKIPPED_TEXTS = {
    SKIPPED_DISABLED: Health.DISABLED,
    SKIPPED_FAMILY: "has no address of this type",
    SKIPPED_WEIGHT_ZERO: "its weight is 0",
    SKIPPED_DOWN: "down",
    SKIPPED_UNRESOLVED: "its hostname has no address of this type now",
}
MODE_TEXTS = {MODE_ALL: "all that are up, in turn", MODE_HASHED: "one, by weighted hash of the source address"}
SELECT_TEXTS = {SELECT_WEIGHTED: "drawn by weight", SELECT_FASTEST: "the lowest round-trip time"}
Step = dict[str, Any]


def narrate_pools(view: ServingView, query: Query, decision: Decision) -> list[Step]:
    """Return a step for each candidate pool, in list order, and one for the fallback pool where it serves."""
    columns = view.columns
    passed = dict(
        zip(
            decision.passed_pool[: decision.passed_count],
            decision.passed_reason[: decision.passed_count],
            strict=True,
        )
    )
    start = columns["list_start"][decision.pool_list]
    members = columns["member_pool"][start : start + columns["list_count"][decision.pool_list]]
    names = [view.text("pool_text", pool) for pool in members]
    steps: list[Step] = [{"stage": "candidates", "text": ", ".join(names), "pools": names}]
    select = columns["lb_select"][decision.lb]
    for pool, name in zip(members, names, strict=True):
        health = pool_health(view, pool)
        step: Step = {"stage": "pool", "pool": name, "health": health, "chosen": False}
        if pool in passed:
            step["text"] = f"{name}: passed over, {_down_text(PASSED_TEXTS, passed[pool], PASSED_DOWN, health)}"
        elif pool == decision.pool and not decision.is_fallback:
            step["chosen"] = True
            step["text"] = f"{name}: chosen, {SELECT_TEXTS.get(select, 'the first available')} ({health})"
        elif reason := reason_against(view.steering, query, decision, pool):
            step["text"] = f"{name}: would be passed over, {_down_text(PASSED_TEXTS, reason, PASSED_DOWN, health)}"
        else:
            step["text"] = f"{name}: available ({health}), not chosen"
        steps.append(step)
    if decision.is_fallback or decision.pool == NO_POOL:
        steps.append(_fallback_step(view, decision))
    return steps


def _fallback_step(view: ServingView, decision: Decision) -> Step:
    fallback = view.columns["lb_fallback"][decision.lb]
    name = view.text("pool_text", fallback)
    step: Step = {"stage": "pool", "pool": name, "health": pool_health(view, fallback), "chosen": decision.is_fallback}
    if decision.is_fallback:
        return {**step, "text": f"{name}: the fallback pool, as no candidate is available; its health does not count"}
    return {**step, "text": f"{name}: the fallback pool, but it is disabled: no answer"}


def narrate_endpoints(
    view: ServingView, query: Query, decision: Decision, networks: Mapping[str, Sequence[str]]
) -> list[Step]:
    """Return a step for each endpoint of the decided pool. `networks`: the virtual network of each, by pool, of those
    pools that have any."""
    if decision.pool == NO_POOL:
        return []
    columns = view.columns
    picks = decision.picked()
    text = f"answered: {_mode_text(view, decision)}" if picks else "none can answer this type"
    steps: list[Step] = [{"stage": "endpoints", "text": text}]
    start, count = columns["pool_endpoint_start"][decision.pool], columns["pool_endpoint_count"][decision.pool]
    there = networks.get(view.text("pool_text", decision.pool)) or ("",) * count
    for endpoint, network in zip(range(start, start + count), there, strict=True):
        name = view.text("endpoint_text", endpoint)
        address = endpoint_address(view, query.family, endpoint)
        health = endpoint_health(view, decision.pool, endpoint)
        reason = reason_against_endpoint(view.steering, query, decision, endpoint)
        weight = columns["endpoint_weight"][endpoint] / 100
        where = f"{address} in {network}" if network else address
        if endpoint in picks:
            verdict = "answered" if len(picks) == 1 else f"answered, place {picks.index(endpoint) + 1}"
        elif query.wants_cname and not reason and not is_cname(view.steering, decision.lb, query.family, endpoint):
            verdict = "answered with addresses, not with a CNAME"
        elif reason:
            verdict = f"left out, {_down_text(SKIPPED_TEXTS, reason, SKIPPED_DOWN, health)}"
        else:
            verdict = "could answer, not picked"
        steps.append(
            {
                "stage": "endpoint",
                "endpoint": name,
                "address": address,
                "health": health,
                "weight": weight,
                "answered": endpoint in picks,
                "text": f"{name} {where} (weight {weight:g}, {health}): {verdict}",
                **({"virtual_network": network} if network else {}),
            }
        )
    return steps


def _mode_text(view: ServingView, decision: Decision) -> str:
    most = view.columns["pool_max_answers"][decision.pool]
    if decision.mode == MODE_ALL and 0 < most <= max(decision.address_count, decision.pick_count):
        by_hash = view.columns["pool_flags"][decision.pool] & POOL_HASH
        way = "by hash of the source address" if by_hash else "drawn for each query"
        return f"at most {most} of those that are up (max_answers), {way}"
    return MODE_TEXTS.get(decision.mode, "one, drawn by weight")


def _down_text(texts: dict[int, str], reason: int, down: int, health: str) -> str:
    return health if reason == down else texts[reason]


def pool_health(view: ServingView, pool: int) -> str:
    """Return a pool's health in a word: what the health table says, or that no monitor is attached."""
    flags = view.columns["pool_flags"][pool]
    if not flags & POOL_ENABLED:
        return Health.DISABLED
    state = view.table.columns["pool_state"][view.columns["pool_slot"][pool]]
    return _word(pool_word(state), state, bool(flags & POOL_MONITORED))


def endpoint_health(view: ServingView, pool: int, endpoint: int) -> str:
    """Return an endpoint's health in a word, likewise."""
    state = view.table.columns["endpoint_state"][view.columns["endpoint_slot"][endpoint]]
    return _word(endpoint_word(state), state, bool(view.columns["pool_flags"][pool] & POOL_MONITORED))


def _word(word: str, state: int, is_monitored: bool) -> str:
    if state & COUNTS:
        return f"{word}, forced"
    return word if is_monitored or state & UNRESOLVED else Health.NO_MONITOR


def endpoint_address(view: ServingView, family: int, endpoint: int) -> str:
    """Return an endpoint's address or hostname as text."""
    columns = view.columns
    if family == FAMILY_NAMED or columns["endpoint_flags"][endpoint] & ENDPOINT_HOSTNAME:
        if not columns["endpoint_flags"][endpoint] & ENDPOINT_HOSTNAME:
            return ""
        return show_name(view.endpoint_target(endpoint))
    width = 4 if columns["endpoint_families"][endpoint] & 1 << FAMILY_A else 16
    packed = bytes(columns["endpoint_address"][endpoint * 16 : endpoint * 16 + width])
    return str(ip_address(packed))
