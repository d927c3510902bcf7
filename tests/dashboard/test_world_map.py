"""The map's geometry: areas are true, nothing is drawn across the 180th meridian, every country is there."""

from __future__ import annotations

import hashlib
import re
from math import cos, radians

import pytest

from lbdns.manage.dashboard.world_map.antimeridian import parts_of
from lbdns.manage.dashboard.world_map.country_shapes import FILE, HEIGHT, WIDTH, CountryShape, at, country_shapes
from lbdns.manage.dashboard.world_map.equal_earth import project
from lbdns.manage.dashboard.world_map.topology import rings_of
from lbdns.places.regions import COUNTRIES
from lbdns.places.shipped import geodata_dir

UNINHABITED = {"AQ", "BV", "HM", "UM"}
STEPS = re.compile(r"-?\d+")


def test_the_projection_reaches_as_far_as_its_authors_say() -> None:
    """Table 1 of the paper: half of the equator, and the pole's height."""
    assert project(180, 0) == pytest.approx((2.7066, 0), abs=5e-5)
    assert project(0, 90)[1] == pytest.approx(1.3173, abs=1e-4)
    assert project(-30, -20) == tuple(-value for value in project(30, 20))


@pytest.mark.parametrize("latitude", range(-85, 86, 10))
def test_areas_are_true_everywhere(latitude: int) -> None:
    step = 1e-3
    x = [project(40 + dx, latitude + dy) for dx, dy in ((-step, 0), (step, 0), (0, -step), (0, step))]
    side = radians(2 * step)
    east = (x[1][0] - x[0][0]) / side, (x[1][1] - x[0][1]) / side
    north = (x[3][0] - x[2][0]) / side, (x[3][1] - x[2][1]) / side
    area = east[0] * north[1] - east[1] * north[0]
    assert area == pytest.approx(cos(radians(latitude)), rel=1e-4)


def test_rings_are_put_together_from_arcs_forwards_and_backwards() -> None:
    document = {
        "transform": {"scale": [0.5, 2], "translate": [-10, 5]},
        "arcs": [[[0, 0], [2, 0], [0, 2]], [[0, 0], [0, 2], [2, 0]]],
    }
    geometry = {"type": "Polygon", "arcs": [[0, ~1]]}
    assert list(rings_of(document, geometry)) == [[(-10, 5), (-9, 5), (-9, 9), (-10, 9), (-10, 5)]]
    assert list(rings_of(document, {"type": "MultiPolygon", "arcs": [geometry["arcs"]]})) == list(
        rings_of(document, geometry)
    )


def test_a_ring_across_the_180th_meridian_is_cut_there() -> None:
    ring = [(170.0, 10.0), (-170.0, 10.0), (-170.0, 20.0), (170.0, 20.0), (170.0, 10.0)]
    east, west = parts_of(ring)
    assert {x for x, _ in east} == {170.0, 180.0} and {x for x, _ in west} == {-180.0, -170.0}
    assert {y for _, y in west + east} == {10.0, 20.0}
    assert parts_of([(0.0, 0.0), (170.0, 0.0), (90.0, 9.0), (0.0, 0.0)]) == [
        [(0.0, 0.0), (170.0, 0.0), (90.0, 9.0), (0.0, 0.0)]
    ]


def longest_step(shape: CountryShape) -> int:
    steps: list[int] = []
    for part in shape.path.split("M")[1:]:
        numbers = list(map(int, STEPS.findall(part)))
        steps += numbers[2:]
    return max(map(abs, steps), default=0)


def test_every_country_is_drawn_once_and_none_across_the_map() -> None:
    shapes = country_shapes()
    codes = [one.code for one in shapes if one.code]
    assert len(codes) == len(set(codes))
    assert set(COUNTRIES) - set(codes) == UNINHABITED
    assert {one.name for one in shapes if not one.code} == {"N. Cyprus", "Somaliland"}
    assert all(longest_step(one) < WIDTH / 8 for one in shapes)
    assert all(0 <= one.x <= WIDTH and 0 <= one.y <= HEIGHT for one in shapes)
    assert {"SG", "MT", "HK", "XK"} <= set(codes)


def test_countries_stand_where_they_are() -> None:
    shapes = {one.code: one for one in country_shapes()}
    assert shapes["CA"].x < shapes["FR"].x < shapes["JP"].x
    assert shapes["NO"].y < shapes["IT"].y < shapes["ZA"].y
    assert at(0, 0)[0] == WIDTH // 2


def test_the_outlines_take_few_bytes() -> None:
    assert sum(len(one.path) for one in country_shapes()) < 50_000


def test_the_file_is_the_documented_one() -> None:
    folder = geodata_dir()
    digest = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    assert digest in (folder / "SOURCES.md").read_text(encoding="utf-8")
