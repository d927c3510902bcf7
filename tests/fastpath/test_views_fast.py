"""Views at speed: what the fast path answers is what the slow one does, for everybody, in every view."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.answer.reply import Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.fastpath.layout import DEFERRED
from lbdns.fastpath.templates import add_templates
from tests.answer import test_views_model as model
from tests.fastpath.lanes import Lane, Served
from tests.steering.test_view_of import draw_network, draw_views

WORLDS = 20
QUESTIONS = int(os.environ.get("LBDNS_VIEW_QUESTIONS", "12000")) // WORLDS
NOW_S = 100


@contextlib.contextmanager
def with_templates(configuration: Any, folder: Path) -> Iterator[ServingView]:
    with model.compiled(configuration, folder) as made:
        yield ServingView(add_templates(made.snapshot, made), made.table)


@pytest.mark.parametrize("seed", range(WORLDS))
def test_both_roads_answer_everybody_alike(lane: Lane, tmp_path: Path, seed: int) -> None:
    """Random content of random views, asked by random clients, with believed ECS and without, at listeners of views."""
    random = Random(f"fast views {seed}")
    content = model.draw_content(random)
    views = draw_views(random)
    trusted = [draw_network(random) for _ in range(2)]
    settings = {
        "views": {name: {"networks": [str(one) for one in views[name]]} for name in model.VIEWS},
        "trusted_resolvers": [str(one) for one in trusted],
    }
    said: list[bytes | int] = []
    seen = set()
    with with_templates(model.configured(content, settings), tmp_path / "all") as view:
        fast = {known: Served(lane, view) for known in range(len(model.VIEWS) + 1)}
        for known, one in fast.items():
            one.server.load(view.columns, view.table.columns, view.region_index, known)
        for _ in range(QUESTIONS if lane.name == "compiled" else QUESTIONS // 6):
            asked = model.draw_asked(random, views, trusted)
            known = random.choice((0, 0, 0, *fast))
            draw = random.getrandbits(64)
            reply = fast[known].ask(asked.query.wire, asked.client.address, NOW_S, draw)
            slow = respond(view, asked.query.wire, asked.client, Transport.UDP, NOW_S, draw, None, 0, known)
            assert reply in (DEFERRED, slow), (asked, known)
            said.append(reply)
            seen.add(fast[known].server.seen_view)
    assert len(seen) > 2
    assert said.count(DEFERRED) < len(said) // 3, "most of it was deferred: nothing is shown"
