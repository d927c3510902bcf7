"""START HERE for what-if over recorded traffic: the last hour's samples, asked of what is served and of a proposal.

    history, rings, or a file -> samples -> queries (recorded_queries.py) -> both views -> Movement (publish/replay)

Needs no running server: what it looks at are the files of a state directory.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from lbdns.base.wording import counted, listed, moment
from lbdns.health.events import duration_text
from lbdns.model.configuration import Configuration
from lbdns.places.geodata import Geodata
from lbdns.publish.replay.movement import Movement
from lbdns.publish.replay.opened import open_in_force
from lbdns.publish.replay.replayed import Replay
from lbdns.publish.replay.two_views import InForce, TwoViews, two_views
from lbdns.publish.replay.what_if_question import WhatIfQuestion
from lbdns.telemetry.recorded_queries import NO_NETWORK, RecordedQueries, recorded_queries
from lbdns.telemetry.recorded_traffic import RecordedTraffic, recorded_traffic

FEW: Final = 100
"""Samples; what fewer say is little."""
COVERED: Final = 0.9
"""Of the time that is asked for; what is recorded of less is told."""


def recorded_what_if(
    state_dir: Path, proposed: Configuration, question: WhatIfQuestion, traffic: RecordedTraffic | None = None
) -> dict[str, Any]:
    """Return what a configuration would move of the traffic that the server of a state directory recorded.

    `traffic`: samples from elsewhere. Raises LbdnsError where nothing is served, or the proposal does not compile.
    """
    in_force = open_in_force(state_dir)
    paths = proposed.settings.geodata
    geodata = Geodata.open(paths.city, paths.asn)
    if traffic is None:
        traffic = recorded_traffic(state_dir, question.since_s, question.until_s, geodata)
    views = two_views(in_force, proposed, geodata, question.all_up)
    found = recorded_queries(traffic.samples, views.before, views.after, traffic.stands_for)
    now_s = int(time.monotonic())
    movement = Movement(Replay(views.before, 0, now_s), Replay(views.after, 1, now_s))
    movement.take_all(found.queries)
    return _told(in_force, question, traffic, views, found, movement)


def _told(
    in_force: InForce,
    question: WhatIfQuestion,
    traffic: RecordedTraffic,
    views: TwoViews,
    found: RecordedQueries,
    movement: Movement,
) -> dict[str, Any]:
    first_s = found.queries[0].at_s if found.queries else question.until_s
    last_s = found.queries[-1].at_s if found.queries else question.until_s
    until_s = last_s if traffic.is_elsewhere else question.until_s
    span_s = max(1.0, until_s - first_s)
    told = movement.as_dict(span_s)
    if not found.queries:
        told["moved"] = {"share": None, "error": None, "endpoints_share": None}
    old, new = in_force.slots, views.slots
    return {
        "since": round(first_s, 3),
        "until": round(until_s, 3),
        "span_s": round(span_s, 3),
        "left_out": dict(found.left_out),
        **told,
        "load_balancers": {
            "new": _called(new.load_balancer.keys() - old.load_balancer.keys()),
            "gone": _called(old.load_balancer.keys() - new.load_balancer.keys()),
        },
        "pools": {
            "new": sorted(new.pool.keys() - old.pool.keys()),
            "gone": sorted(old.pool.keys() - new.pool.keys()),
        },
        "caveats": [*_caveats(question, traffic, views, found, span_s)],
    }


def _called(balancers: Iterable[tuple[str, str]]) -> list[str]:
    return sorted(f"{label} {kind}" for label, kind in balancers)


def _caveats(
    question: WhatIfQuestion, traffic: RecordedTraffic, views: TwoViews, found: RecordedQueries, span_s: float
) -> list[str]:
    """Return what whoever reads the figures should know of them, a sentence each, the gravest first."""
    said = []
    count = len(found.queries)
    left_out = found.left_out[NO_NETWORK]
    if not count and left_out:
        said.append("samples name no networks (samples.privacy is none), so nothing can be said of who moves")
    elif not count:
        problem = f": {traffic.problem}" if traffic.problem else ""
        said.append(f"no traffic is recorded since {moment(question.since_s)}{problem}")
    else:
        if left_out:
            said.append(f"left out, as they name no network (samples.privacy): {counted(left_out, 'sample')}")
        if count < FEW:
            said.append(f"few samples say little: {count}")
        asked_s = question.until_s - question.since_s
        if span_s < COVERED * asked_s and not traffic.is_elsewhere:
            said.append(f"recorded are {duration_text(round(span_s))} of the {duration_text(round(asked_s))} asked for")
    if not views.is_measured:
        what = "every endpoint is supposed to be up, in both"
        said.append(what if question.all_up else f"no server measures health now: {what}")
    if views.supposed_up:
        said.append(f"new endpoints are supposed to be up: {listed([*views.supposed_up])}")
    if found.held:
        said.append(f"held in the view that answered them: {counted(found.held, 'sample')}")
    if found.cut:
        said.append(f"answered for networks smaller than samples keep (/24, /56): {counted(found.cut, 'sample')}")
    return said
