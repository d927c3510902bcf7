"""How the server stands: a row a matter, each with what is wrong with it. `lbdns status` shows the rows.

A matter is one more function in ROWS. The server is degraded where any row has a problem.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from lbdns.base.wording import counted, moment
from lbdns.base.words import STORE_PLACE, Health
from lbdns.dns.name import show_name
from lbdns.health.events import duration_text, when_text
from lbdns.mapped.counter_words import DROPPED_COUNT, OVERFLOWS, SEND_ERRORS
from lbdns.mapped.level_words import DEFERRED_WAITING, TCP_IDLE, TCP_WAITING
from lbdns.model.configuration import Configuration
from lbdns.model.view_names import labelled
from lbdns.publish.network_health import NetworkHealth
from lbdns.telemetry.history.history_status import HistoryUnreadable, history_status
from lbdns.telemetry.machine import certificates, forced_count, rooms, store_bytes
from lbdns.telemetry.report import pool_word, silent_s
from lbdns.telemetry.server_facts import ServerFacts
from lbdns.telemetry.signature_ends import first_expiry
from lbdns.telemetry.thresholds import (
    CERTIFICATE_DAYS_MIN,
    CHANGE_WAITS_S,
    DEFERRED_WAITING_MAX,
    EXPIRY_NEAR,
    FIRST_BEAT_S,
    FREE_MIN,
    HISTORY_SILENT_S,
    NOTIFICATION_WAITS_S,
    RENEWAL_LATE,
    STALE_S,
)
from lbdns.transfer.zone_transfer_status import TransferRole


class Row(NamedTuple):
    """One matter: its name, how it stands, and a sentence for each thing that is wrong with it."""

    name: str
    text: str
    problems: tuple[str, ...] = ()


def standing(facts: ServerFacts) -> dict[str, Any]:
    """Return all matters: `state` is "good" or "degraded", `rows` a list of {name, text, problems}; `configuration` as
    `in_force` returns it."""
    rows = [row for make in ROWS if (row := make(facts)).text]
    return {
        "state": "degraded" if any(row.problems for row in rows) else "good",
        "configuration": in_force(facts),
        "rows": [row._asdict() | {"problems": list(row.problems)} for row in rows],
    }


def in_force(facts: ServerFacts) -> dict[str, Any]:
    """Return what is served: `place`, since when (`served_at`, unix seconds), and `not_served`: what lies there and is
    refused, {problems, since}, or None."""
    refused = facts.not_served
    return {
        "place": facts.place,
        "served_at": facts.served_at,
        "not_served": None if refused is None else {"problems": list(refused.problems), "since": refused.since},
    }


def count_objects(configuration: Configuration) -> str:
    """Return how many objects of each kind a configuration has, in words."""
    counts = {
        "zone": len(configuration.zones),
        "load balancer": len(configuration.load_balancers),
        "pool": len(configuration.pools),
        "endpoint": sum(len(pool.origins) for pool in configuration.pools.values()),
    }
    return ", ".join(counted(count, noun) for noun, count in counts.items())


def _processes(facts: ServerFacts) -> Row:
    texts, problems = [], []
    for child in facts.children:
        if not child.process_count:
            continue  # nothing needs one
        texts.append(counted(child.process_count, child.words))
        dead = child.process_count - child.alive
        if dead:
            problems.append(f"{counted(dead, child.words)} of {child.process_count} not running; started again soon")
        for number, beat_s in enumerate(child.beat_ages_s):
            if beat_s is not None and beat_s > STALE_S:
                problems.append(f"{child.words} {number} has given no sign of life for {beat_s:.0f} s")
    ages = [beat_s for child in facts.children for beat_s in child.beat_ages_s if beat_s is not None]
    beats = f"; last beats {max(ages):.1f} s ago or less" if ages else ""
    spare = "; a spare waits" if any(child.is_spared for child in facts.children) else "; no spare waits"
    age = duration_text(time.time() - facts.started_at)
    restarts = f"; {counted(facts.restarts, 'restart')}" if facts.restarts else ""
    hangs = sum(child.hangs for child in facts.children)
    hung = f", {hangs:,} of them for a hang" if hangs else ""
    told = f"supervisor, {', '.join(texts)}, up for {age}{restarts}{hung}{spare}{beats}"
    return Row("processes", told, tuple(problems))


def _queries(facts: ServerFacts) -> Row:
    if facts.counted is None:
        return Row("queries", "not counted")
    told = ((OVERFLOWS, "without room in the slow path"), (DROPPED_COUNT, "without a reply"), (SEND_ERRORS, "not sent"))
    others = ", ".join(f"{facts.counted.word(word)} {text}" for word, text in told)
    return Row("queries", f"{counted(facts.counted.replies, 'reply', 'replies')}, {others}")


def _queues(facts: ServerFacts) -> Row:
    waiting, counts = facts.waiting, facts.counted
    texts, problems = [], []
    if counts is not None:
        texts.append(f"{counted(counts.level(DEFERRED_WAITING), 'query', 'queries')} for the slow path")
        texts.append(f"TCP: {counts.level(TCP_WAITING)} waiting, {counts.level(TCP_IDLE)} idle")
        problems += [
            f"responder {number}: {levels[DEFERRED_WAITING]} queries wait for the slow path"
            for number, levels in counts.levels.items()
            if levels[DEFERRED_WAITING] > DEFERRED_WAITING_MAX
        ]
    for count, what, waits_s, waits_max_s in (
        (waiting.notifications, "notification", waiting.notification_s, NOTIFICATION_WAITS_S),
        (waiting.changes, "change", waiting.change_s, CHANGE_WAITS_S),
    ):
        texts.append(counted(count, what))
        if waits_s > waits_max_s:
            problems.append(f"{counted(count, what)} not through yet, the first for {waits_s:.0f} s")
    return Row("queues", ", ".join(texts), tuple(problems))


def _store(facts: ServerFacts) -> Row:
    if facts.store is None:
        return Row("store", "none that objects are changed in")
    revision = "cannot be read" if facts.store.revision is None else f"revision {facts.store.revision}"
    # What is wrong with it is told once, with management.
    refused = f", {counted(facts.store.refused, 'change')} refused" if facts.store.refused else ""
    return Row("store", revision + (", nothing can be stored" if facts.store.problem else ", can be written") + refused)


def _forced(facts: ServerFacts) -> Row:
    count = forced_count(facts)
    return Row("forced", f"{counted(count, 'state')}, by operators" if count else "nothing")


def _probes(facts: ServerFacts) -> Row:
    columns = facts.published.table.columns
    started, late, in_flight = (columns[f"probes_{one}"][0] for one in ("started", "late", "in_flight"))
    return Row("probes", f"{started} begun, {late} of them late, {in_flight} under way")


def _room(facts: ServerFacts) -> Row:
    found = rooms(facts)
    text = ", ".join(f"{one.path} {one.free >> 20} MiB free ({one.free_share:.0%})" for one in found)
    store = store_bytes(facts)
    if store is not None:
        text += f"; the store has {_size(store)}"
    problems = tuple(
        f"{one.path}: {one.free_share:.1%} of the file system is free, {FREE_MIN:.0%} are to be"
        for one in found
        if one.free_share < FREE_MIN
    )
    return Row("room", text, problems)


def _history(facts: ServerFacts) -> Row:
    if not facts.published.configuration.settings.history.enabled:
        return Row("history", "not kept")
    try:
        found = history_status(facts.state_dir)
    except HistoryUnreadable as error:
        return Row("history", "not to be read", (str(error),))
    told = [_size(found["bytes"]) if found["exists"] else "none yet"]
    if found["since"] is not None:
        told.append(f"since {moment(found['since'])}")
    lost = ", ".join(f"{count:,} {what}" for what, count in found["lost"].items())
    told += [f"lost: {lost}"] if lost else []
    age_s = min(time.time() - facts.started_at, found["age_s"] if found["age_s"] is not None else math.inf)
    if age_s > HISTORY_SILENT_S:
        return Row("history", ", ".join(told), (f"nothing has been written to the history for {age_s:.0f} s",))
    return Row("history", ", ".join(told))


def _size(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB" if count >= 1 << 20 else f"{count / (1 << 10):.0f} KiB"


def _certificates(facts: ServerFacts) -> Row:
    texts, problems = [], []
    for one in certificates(facts):
        days = one.days_left()
        texts.append(f"{one.path}: " + ("cannot be read" if days is None else f"{max(days, 0):.0f} days left"))
        if days is None:
            problems.append(f"{one.path}: when the certificate expires cannot be read")
        elif days < CERTIFICATE_DAYS_MIN:
            problems.append(
                f"{one.path}: the certificate " + (f"expires in {days:.0f} days" if days > 0 else "has expired")
            )
    return Row("certificates", "; ".join(texts) or "none", tuple(problems))


def _generation(facts: ServerFacts) -> Row:
    age, counts = duration_text(time.time() - facts.published_at), count_objects(facts.published.configuration)
    return Row("generation", f"{facts.published.generation}, in force for {age}: {counts}")


def _configuration(facts: ServerFacts) -> Row:
    if facts.not_served is None:
        return Row("configuration", f"{facts.place}, as of {moment(facts.served_at)}")
    verb = "is" if facts.place.startswith(STORE_PLACE) else "are"
    told = f"what was served last, as of {moment(facts.served_at)}; {facts.place} {verb} refused"
    return Row("configuration", told, facts.not_served.problems)


def _kept(facts: ServerFacts) -> Row:
    if facts.keeping:
        return Row("kept", "not for a restart", (facts.keeping,))
    return Row("kept", "what is served, for a restart that finds a mistake in the configuration")


def _management(facts: ServerFacts) -> Row:
    where = "in the store" if facts.place.startswith(STORE_PLACE) else "in the files"
    return Row("management", "not all of it works" if facts.troubles else f"changes are made {where}", facts.troubles)


def _run_directory(facts: ServerFacts) -> Row:
    rebuilt = f", rebuilt {counted(facts.run_rebuilds, 'time')}" if facts.run_rebuilds else ""
    if facts.run_problem:
        return Row("run directory", f"not whole{rebuilt}", (facts.run_problem,))
    return Row("run directory", f"whole{rebuilt}")


def _zones(facts: ServerFacts) -> Row:
    configuration = facts.published.configuration
    told = tuple(
        f"{labelled(show_name(one.zone.apex), one.zone.view)} is answered with SERVFAIL: {problem}"
        for one in configuration.unready
        for problem in one.problems
    )
    unready = f", {len(configuration.unready)} not ready" if told else ""
    return Row("zones", f"{len(configuration.zones)} served{unready}", told)


def _views(facts: ServerFacts) -> Row:
    configuration = facts.published.configuration
    if not configuration.settings.views:
        return Row("views", "")
    counts = ", ".join(counted(count, noun) for noun, count in configuration.of_views().items())
    return Row("views", f"{', '.join(configuration.settings.views)}; of one view: {counts or 'nothing'}")


def _pools(facts: ServerFacts) -> Row:
    published = facts.published
    words = {pool.name: pool_word(pool, published) for pool in published.configuration.pools.values()}
    counts = {word: sum(one == word for one in words.values()) for word in dict.fromkeys(words.values())}
    # One in no load balancer decides nothing, and of one that is a fallback alone health does not either.
    enabled = [one for one in published.configuration.load_balancers if one.enabled]
    candidates = frozenset().union(*(one.candidate_names() for one in enabled))
    fallbacks = frozenset().union(*(one.fallback_names() for one in enabled))
    out = {
        name: word
        for name, word in words.items()
        if (word == Health.CRITICAL and name in candidates)
        or (word == Health.UNRESOLVED and name in candidates | fallbacks)
    }
    text = ", ".join(f"{count} {word}" for word, count in sorted(counts.items())) or "none"
    return Row("pools", text, tuple(f"pool {name} is {word}" for name, word in out.items()))


def _networks(facts: ServerFacts) -> Row:
    networks = NetworkHealth(facts.published)
    counts = Counter(row.state for row in networks.rows.values())
    text = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    down = [row for row in networks.rows.values() if row.is_down]
    behind = networks.endpoint_counts() if down else {}
    told = tuple(f"{row.down_text}; {counted(behind.get(row.name, 0), 'endpoint')} in it" for row in down)
    return Row("virtual networks", text, told)


def _monitor(facts: ServerFacts) -> Row:
    columns = facts.published.table.columns
    silence_s, frozen_since = silent_s(columns), columns["frozen_since"][0]
    problems = []
    is_new = silence_s is None and time.time() - facts.started_at < FIRST_BEAT_S
    if not is_new and (silence_s is None or silence_s > STALE_S):
        how_long = "has not been heard of yet" if silence_s is None else f"has been silent for {silence_s:.0f} s"
        problems.append(f"the monitor worker {how_long}: health stays as it was")
    if frozen_since:
        problems.append(f"this machine believes itself cut off since {moment(frozen_since)}: health stays as it was")
    heard = "never heard of" if silence_s is None else f"heard of {silence_s:.1f} s ago"
    return Row("monitor", heard, tuple(problems))


def _signing(facts: ServerFacts) -> Row:
    signing, now_s = facts.signing, time.time()
    if not signing.zones:
        return Row("dnssec", "")
    states = ", ".join(f"{count} {word}" for word, count in sorted(signing.states().items()))
    texts = [f"{counted(len(signing.zones), 'zone')} with keys ({states})"]
    counts = signing.counts
    if counts.get("table_slots"):
        texts.append(f"{counts['table_used']:,} of {counts['table_slots']:,} places for signatures taken")
    following = signing.next_step()
    if following is not None and following.next_at_s is not None:
        texts.append(f"next step in {duration_text(following.next_at_s - now_s)} ({following.zone})")
    problems = [f"{one.zone}: {one.problem}" for one in signing.zones if one.problem]
    expiry = first_expiry(facts)
    if expiry is not None:
        texts.append(f"the first signature ends {moment(expiry.ends_s)}")
        passed = expiry.passed(now_s)
        if passed > RENEWAL_LATE:
            late, near = duration_text(now_s - expiry.renewal_s), "soon, " if passed > EXPIRY_NEAR else ""
            problems.append(f"signatures were to be made anew {late} ago; the first ends {near}{moment(expiry.ends_s)}")
    if counts.get("problem"):
        problems.append(f"the signer: {counts['problem']}")
    return Row("dnssec", ", ".join(texts), tuple(problems))


def _transfers(facts: ServerFacts) -> Row:
    zones = facts.transfers
    if not zones:
        return Row("transfers", "")
    roles = Counter(one.role for one in zones)
    names = {
        TransferRole.SECONDARY: ("secondary zone", ""),
        TransferRole.PRIMARY: ("zone to transfer", "zones to transfer"),
    }
    texts = [counted(roles[role], *name) for role, name in names.items() if roles[role]]
    states = ", ".join(f"{count} {word}" for word, count in sorted(Counter(one.state for one in zones).items()))
    checks = [(one.next_check_s, one.zone) for one in zones if one.next_check_s is not None]
    following = min(checks, default=None)
    told = f"{', '.join(texts)} ({states})"
    if following is not None:
        told += f", next check {when_text(following[0], time.time())} ({following[1]})"
    wrong = [f"{one.zone}: {one.problem or one.state}" for one in zones if one.is_wrong]
    wrong += [f"{one.zone}: {text}" for one in zones for text in one.warnings]
    return Row("transfers", told, tuple(wrong))


def _fleet(facts: ServerFacts) -> Row:
    fleet = facts.fleet
    if fleet is None:
        return Row("fleet", "")
    return Row("fleet", fleet.text, fleet.problems)


def _xdp(facts: ServerFacts) -> Row:
    xdp = facts.xdp
    if xdp is None:
        return Row("xdp", "")
    if not xdp.mode:
        return Row("xdp", "not had", (xdp.problem,))
    told = f"{counted(xdp.queues, 'queue')} of {xdp.interface}, {xdp.mode} mode"
    return Row("xdp", told, (xdp.problem,) if xdp.problem else ())


ROWS: Final[tuple[Callable[[ServerFacts], Row], ...]] = (
    _processes,
    _generation,
    _configuration,
    _kept,
    _management,
    _store,
    _run_directory,
    _zones,
    _views,
    _signing,
    _transfers,
    _fleet,
    _networks,
    _pools,
    _forced,
    _monitor,
    _probes,
    _queries,
    _queues,
    _xdp,
    _room,
    _history,
    _certificates,
)
"""The matters, in the order in which they are shown; one without a text is of no account."""
