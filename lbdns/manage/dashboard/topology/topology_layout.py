"""A load balancer's topology on a drawing: boxes in four columns, and lines between them.

    x  ->   PoP      ways            pools          endpoints
            [AMS] -- [Germans]  ----- [eu]  ------- [eu-1]
                \\-- [Otherwise] --/\\- [us]  ------- [us-1]

Endpoints stand below each other, a pool in the middle of its own; all else is spread over the height. Units are those
of the drawing's viewBox, about a pixel at its own size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lbdns.base.words import Health
from lbdns.manage.dashboard.topology.topology_ways import QueryShares, QueryWay, pool_ids

ENDPOINTS_DRAWN_MAX: Final = 8
"""Of one pool; the others are one box."""
POOLS_DRAWN_MAX: Final = 24
BOX_HEIGHT: Final = 46.0
GAP: Final = 14.0
TOP: Final = 34.0
COLUMNS: Final = ((0.0, 104.0), (164.0, 260.0), (494.0, 210.0), (776.0, 224.0))
"""Where each column begins, and how wide it is."""
WIDTH: Final = 1002.0
HEADINGS: Final = ("PoP", "Rules and places", "Pools", "Endpoints")
LINE_WIDTH_MOST: Final = 9.0
_PORT_GAP: Final = 11.0
_LABEL_AT: Final = 0.84
_TITLE_CHARS: Final = (12, 32, 24, 26)
_WORDS_CHARS: Final = (15, 40, 32, 34)


@dataclass(slots=True)
class TopologyBox:
    """One box: `words` below its title, `told` when a pointer rests on it. `state`: a word of `Health`, "" without."""

    column: int
    title: str
    words: str
    state: str = ""
    href: str = ""
    told: str = ""
    is_off: bool = False
    y: float = 0.0

    @property
    def x(self) -> float:
        """Its left side."""
        return COLUMNS[self.column][0]

    @property
    def width(self) -> float:
        """How wide it is."""
        return COLUMNS[self.column][1]

    @property
    def middle(self) -> float:
        """The height at which lines meet it."""
        return self.y + BOX_HEIGHT / 2

    @property
    def short_title(self) -> str:
        """As much of its title as it has room for."""
        return _cut(self.title, _TITLE_CHARS[self.column])

    @property
    def short_words(self) -> str:
        """As much of its words as it has room for."""
        return _cut(self.words, _WORDS_CHARS[self.column])


@dataclass(frozen=True, slots=True)
class _Link:
    """Two boxes that a line joins, and what it says; `part`: of the queries at its beginning."""

    start: TopologyBox
    end: TopologyBox
    label: str
    part: float | None
    kind: str


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """One line, from box to box. `label` stands at its end; `kind`: candidate, fallback or off."""

    path: str
    label: str
    label_x: float
    label_y: float
    anchor: str
    width: float
    kind: str
    state: str


@dataclass(frozen=True, slots=True)
class TopologyDrawing:
    """The whole of it."""

    boxes: Sequence[TopologyBox]
    lines: Sequence[DrawnLine]
    headings: Sequence[tuple[str, float]]
    width: float
    height: float


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else f"{text[: chars - 1]}…"


def draw(
    pop: str,
    balancer: Mapping[str, Any],
    ways: Sequence[QueryWay],
    pools: Mapping[str, Mapping[str, Any]],
    states: Mapping[str, Mapping[str, Any]],
    shares: QueryShares,
) -> TopologyDrawing:
    """Return the drawing of a load balancer. `pools`: by id, as the API shows them; `states`: the report of health by
    the pool's name; `pop`: what this server's place is called."""
    ids = [id for id in pool_ids(balancer, ways) if id in pools][:POOLS_DRAWN_MAX]
    pool_boxes = {id: _pool_box(pools[id], states.get(pools[id]["name"], {}), shares) for id in ids}
    endpoint_boxes = {id: _endpoint_boxes(pools[id], states.get(pools[id]["name"], {}), shares) for id in ids}
    way_boxes = [
        TopologyBox(1, way.title, _way_words(way, shares), told=f"{way.title}: {way.words}", is_off=way.is_off)
        for way in ways
    ]
    pop_box = TopologyBox(0, pop, "answers here")
    height = _place(pop_box, way_boxes, [*pool_boxes.values()], [*endpoint_boxes.values()])
    links = [_Link(pop_box, box, "", None, "off" if box.is_off else "candidate") for box in way_boxes]
    for way, box in zip(ways, way_boxes, strict=True):
        links += _way_links(way, box, pool_boxes)
    for id, boxes in endpoint_boxes.items():
        for box in boxes:
            part = shares.endpoints.get((pools[id]["name"], box.title))
            links.append(_Link(pool_boxes[id], box, _percent(part), part, "off" if box.is_off else "candidate"))
    lines = _lines(links)
    boxes = [pop_box, *way_boxes, *pool_boxes.values(), *(box for group in endpoint_boxes.values() for box in group)]
    headings = [(name, COLUMNS[at][0]) for at, name in enumerate(HEADINGS)]
    return TopologyDrawing(boxes, lines, headings, WIDTH, height)


def _way_words(way: QueryWay, shares: QueryShares) -> str:
    part = shares.rules.get(way.rule) if way.rule else None
    told = [f"{_percent(part)} of queries"] if part is not None else []
    told += ["off"] if way.is_off else []
    return ", ".join([*told, *way.changes]) or way.words


def _way_links(way: QueryWay, box: TopologyBox, pool_boxes: Mapping[str, TopologyBox]) -> Iterator[_Link]:
    """Yield the links of a way: to its pools in order, and to its last resort where that is none of them."""
    is_only = len(way.pools) == 1
    for place, id in enumerate(way.pools, 1):
        if id in pool_boxes:
            label = "" if is_only else f"{place}."
            yield _Link(box, pool_boxes[id], label, None, "off" if way.is_off else "candidate")
    if way.fallback in pool_boxes and way.fallback not in way.pools:
        yield _Link(box, pool_boxes[way.fallback], "last", None, "off" if way.is_off else "fallback")


def _pool_box(pool: Mapping[str, Any], health: Mapping[str, Any], shares: QueryShares) -> TopologyBox:
    state = health.get("state") or (Health.DISABLED if not pool["enabled"] else Health.UNKNOWN)
    up = sum(one["state"] == Health.HEALTHY for one in health.get("origins", ()))
    words = f"{up} of {len(pool['origins'])} up"
    if state in (Health.NO_MONITOR, Health.DISABLED, Health.NO_HEALTH):
        words = f"{len(pool['origins'])} endpoints" if len(pool["origins"]) > 1 else "1 endpoint"
    part = shares.pools.get(pool["name"])
    if part is not None:
        words = f"{_percent(part)} of queries, {words}"
    told = f"pool {pool['name']}: {state}, {words}"
    return TopologyBox(2, pool["name"], words, state, f"/pools/{pool['id']}", told, not pool["enabled"])


def _endpoint_boxes(pool: Mapping[str, Any], health: Mapping[str, Any], shares: QueryShares) -> list[TopologyBox]:
    known = {(one["name"], one["address"]): one for one in health.get("origins", ())}
    boxes = []
    for origin in pool["origins"]:
        row = known.get((origin["name"], origin["address"]), {})
        state = row.get("state") or (Health.DISABLED if not origin["enabled"] else Health.UNKNOWN)
        words = origin["address"]
        if origin["weight"] != 1:
            words += f", weight {origin['weight']:g}"
        reason = f": {row['reason']}" if row.get("reason") and state != Health.HEALTHY else ""
        told = f"endpoint {origin['name']} {words}: {state}{reason}"
        boxes.append(TopologyBox(3, origin["name"], words, state, f"/pools/{pool['id']}", told, not origin["enabled"]))
    if len(boxes) > ENDPOINTS_DRAWN_MAX:
        rest = boxes[ENDPOINTS_DRAWN_MAX - 1 :]
        down = sum(one.state in (Health.UNHEALTHY, Health.UNRESOLVED) for one in rest)
        words = f"{down} of them down" if down else "none of them down"
        state = Health.DEGRADED if down else rest[0].state
        more = TopologyBox(3, f"{len(rest)} more", words, state, f"/pools/{pool['id']}", f"{len(rest)} more: {words}")
        boxes = [*boxes[: ENDPOINTS_DRAWN_MAX - 1], more]
    return boxes


def _percent(part: float | None) -> str:
    if part is None:
        return ""
    return f"{100 * part:.0f} %" if part in (0, 1) or part >= 0.1 else f"{100 * part:.1f} %"


def _place(
    pop: TopologyBox,
    ways: Sequence[TopologyBox],
    pools: Sequence[TopologyBox],
    endpoints: Sequence[Sequence[TopologyBox]],
) -> float:
    """Give every box its height on the drawing; returns the drawing's."""
    step = BOX_HEIGHT + GAP
    y = TOP
    for pool, boxes in zip(pools, endpoints, strict=True):
        for box in boxes:
            box.y = y
            y += step
        first, last = (boxes[0].y, boxes[-1].y) if boxes else (y, y)
        pool.y = (first + last) / 2
        y = max(y, pool.y + step) + GAP / 2
    right = y - GAP
    left = TOP + len(ways) * step
    height = max(right, left, TOP + step)
    if right < height:
        shift = (height - right) / 2
        for box in (*pools, *(one for group in endpoints for one in group)):
            box.y += shift
    room = (height - TOP) / max(1, len(ways))
    for at, box in enumerate(ways):
        box.y = TOP + at * room + (room - step) / 2
    pop.y = TOP + (height - TOP - step) / 2
    return height + 4


def _lines(links: Sequence[_Link]) -> list[DrawnLine]:
    """Return the lines of links. Those that meet at a box stand apart there, in the order of what they come from."""
    ends: dict[tuple[int, bool], list[_Link]] = {}
    for link in links:
        ends.setdefault((id(link.start), True), []).append(link)
        ends.setdefault((id(link.end), False), []).append(link)
    offsets: dict[tuple[int, bool], float] = {}
    for (_, is_start), met in ends.items():
        met.sort(key=lambda link: (link.end if is_start else link.start).y)
        step = min(_PORT_GAP, (BOX_HEIGHT - 12) / max(1, len(met) - 1))
        for at, link in enumerate(met):
            offsets[id(link), is_start] = (at - (len(met) - 1) / 2) * step
    return [_line(link, offsets[id(link), True], offsets[id(link), False]) for link in links]


def _line(link: _Link, leaves: float, arrives: float) -> DrawnLine:
    """Return a line that leaves a box on its right and comes to the other on its left, so far from their middles."""
    x1, y1 = link.start.x + link.start.width, link.start.middle + leaves
    x2, y2 = link.end.x, link.end.middle + arrives
    bend = (x1 + x2) / 2
    path = f"M{x1:.0f} {y1:.1f}C{bend:.0f} {y1:.1f} {bend:.0f} {y2:.1f} {x2:.0f} {y2:.1f}"
    width = 1.5 if link.part is None else 1.0 + (LINE_WIDTH_MOST - 1.0) * link.part
    if link.part is not None:  # above where it comes to an endpoint
        return DrawnLine(path, link.label, x2 - 8, y2 - 4 - width / 2, "end", width, link.kind, link.end.state)
    near, far = _eased(_LABEL_AT)
    label_y = y1 * near + y2 * far
    label_x = x1 * (1 - _LABEL_AT) ** 3 + bend * 3 * _LABEL_AT * (1 - _LABEL_AT) + x2 * _LABEL_AT**3
    return DrawnLine(path, link.label, label_x, label_y + 4, "middle", width, link.kind, link.end.state)


def _eased(part: float) -> tuple[float, float]:
    """Return how much of a line's height is its beginning's and its end's, a part of the way along."""
    far = 3 * (1 - part) * part**2 + part**3
    return 1 - far, far
