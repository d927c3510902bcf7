"""Fixtures of the fast path's tests: the lanes, and the configuration of the wire tests as a view."""

from __future__ import annotations

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.fastpath.templates import add_templates
from tests.answer import world
from tests.answer.lanes import compiled_view
from tests.fastpath.lanes import Lane, compiled_lane, interpreted_lane, road_lane


@pytest.fixture(scope="session", params=["interpreted", "compiled", "compiled in one piece"])
def lane(request: pytest.FixtureRequest) -> Lane:
    """All forms of `serve`; the compiled ones are skipped where they are not installed."""
    if request.param == "interpreted":
        return interpreted_lane()
    found = compiled_lane() if request.param == "compiled" else road_lane()
    if found is None:
        pytest.skip("the compiled kernel is not installed: the fast path is compared interpreted alone")
    return found


@pytest.fixture(scope="session")
def view(tmp_path_factory: pytest.TempPathFactory) -> ServingView:
    """The wire tests' configuration with its templates."""
    folder = tmp_path_factory.mktemp("fastpath")
    geodata = world.write_geodata(folder / "places.mmdb")
    made = compiled_view(parse(dict(world.configuration(geodata)), folder).configuration, folder)
    return ServingView(add_templates(made.snapshot, made), made.table)
