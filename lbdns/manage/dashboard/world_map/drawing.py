"""What is drawn on the map: each country with its fill, its words and its link; marks of pools and of this PoP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from lbdns.manage.dashboard.page_calls import path_with
from lbdns.manage.dashboard.words_shown import share
from lbdns.manage.dashboard.world_map.country_shapes import CountryShape, at, country_shapes

FILLS: Final = 8
"""Patterns that tell pools apart, each with a colour; more pools share the last one."""
NOTHING, UNKNOWN, NO_POOL = "nothing", "unknown", "none"
LATENCIES: Final = ((20.0, "below 20 ms"), (50.0, "20 to 50 ms"), (100.0, "50 to 100 ms"), (200.0, "100 to 200 ms"))
"""Below how many ms -> the step of the scale in words; beyond them all is one more."""
SLOWEST: Final = "200 ms and more"
_NO_RECORDS: Final = "no records"
_HANGS_ON: Final = {
    "draw": "a draw for each query",
    "hash": "a hash of the client's network",
    "address": "rules that look at whole addresses",
    "network": "the network within the country",
    "rtt": "measured round-trip times",
    "subdivision": "the subdivision",
}


class DrawnCountry(NamedTuple):
    """A country on the map. `fill`: a pattern's name; `is_mixed`: its clients do not all get one pool; `href`: "" where
    it leads nowhere."""

    shape: CountryShape
    fill: str
    title: str
    href: str
    is_mixed: bool = False


class Mark(NamedTuple):
    """A pool or PoP on the map: `kind`: "pool" or "pop"; `down`: how far its label is moved, so that
    those of one place stand below each other."""

    x: int
    y: int
    name: str
    kind: str
    fill: str
    down: int = 0


class LegendLine(NamedTuple):
    """A line of the legend: how many countries have a fill, and their share of addresses."""

    fill: str
    name: str
    countries: int
    part: float


def hangs_on_words(words: Iterable[str]) -> str:
    """Return what decides beside the country in words."""
    return ", ".join(_HANGS_ON[word] for word in words)


def to_pick(rows: Iterable[Mapping[str, Any]], link: Callable[[Mapping[str, Any]], str]) -> list[DrawnCountry]:
    """Return the map on which a country is picked."""
    links = {row["country"]: link(row) for row in rows}
    return [DrawnCountry(one, NOTHING, one.name, links.get(one.code, "")) for one in country_shapes()]


def fills_of(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the pattern of each pool of a map: those that most countries get first, so that few are alike."""
    count = {pool["name"]: 0 for pool in found["pools"]}
    for country in found["countries"]:
        for pool in country["pools"]:
            count[pool] = count.get(pool, 0) + 1
    ordered = sorted((name for name in count if name != _NO_RECORDS), key=lambda name: -count[name])
    return {name: str(min(index, FILLS - 1)) for index, name in enumerate(ordered)} | {_NO_RECORDS: NO_POOL}


def rtt_of(found: Mapping[str, Any], country: Mapping[str, Any]) -> float | None:
    """Return the round-trip time, in ms, of the pool that most of a country's clients get, as measured from the
    country's region; None where nobody measures there."""
    first = next(iter(country["pools"]), "")
    pools = {pool["name"]: pool["rtt_ms"] for pool in found["pools"]}
    value: float | None = pools.get(first, {}).get(country["region"])
    return value


def step_of(rtt_ms: float | None) -> str:
    """Return the fill of a round-trip time."""
    if rtt_ms is None:
        return UNKNOWN
    return f"ms{next((index for index, (most, _) in enumerate(LATENCIES) if rtt_ms < most), len(LATENCIES))}"


def by_pool(found: Mapping[str, Any], link: Callable[[Mapping[str, Any]], str]) -> list[DrawnCountry]:
    """Return the countries filled by the pool that they get."""
    fills = fills_of(found)
    rows = {row["country"]: row for row in found["countries"]}

    def drawn(shape: CountryShape) -> DrawnCountry:
        row = rows.get(shape.code) if shape.code else None
        if row is None or not row["pools"]:
            return DrawnCountry(shape, NOTHING, f"{shape.name}: no addresses known", "")
        return DrawnCountry(shape, fills[next(iter(row["pools"]))], _title(row), link(row), len(row["pools"]) > 1)

    return [drawn(one) for one in country_shapes()]


def by_latency(found: Mapping[str, Any], link: Callable[[Mapping[str, Any]], str]) -> list[DrawnCountry]:
    """Return the countries filled by how far, in time, the pool is that they get."""
    rows = {row["country"]: row for row in found["countries"]}

    def drawn(shape: CountryShape) -> DrawnCountry:
        row = rows.get(shape.code) if shape.code else None
        if row is None or not row["pools"]:
            return DrawnCountry(shape, NOTHING, f"{shape.name}: no addresses known", "")
        ms = rtt_of(found, row)
        told = "not measured from its region" if ms is None else f"{ms:.1f} ms"
        return DrawnCountry(shape, step_of(ms), f"{_title(row)}; {told}", link(row), len(row["pools"]) > 1)

    return [drawn(one) for one in country_shapes()]


def _title(row: Mapping[str, Any]) -> str:
    pools = row["pools"]
    told = ", ".join(f"{pool} {share(part)}" for pool, part in pools.items()) if len(pools) > 1 else next(iter(pools))
    return f"{row['name']}: {told}"


def legend_by_pool(found: Mapping[str, Any]) -> list[LegendLine]:
    """Return a line for each pool and, where there is any, for no pool: its fill, how many countries get it first."""
    fills = fills_of(found)
    first: dict[str, list[Mapping[str, Any]]] = {}
    for row in found["countries"]:
        if row["pools"] and row["country"]:
            first.setdefault(next(iter(row["pools"])), []).append(row)
    total = sum(row["addresses"] for row in found["countries"] if row["country"]) or 1.0
    names = [name for name in fills if name != _NO_RECORDS or name in first]
    return [
        LegendLine(
            fills[name],
            name,
            len(first.get(name, ())),
            sum(row["addresses"] * row["pools"].get(name, 0.0) for row in found["countries"] if row["country"]) / total,
        )
        for name in names
    ]


def legend_by_latency(found: Mapping[str, Any]) -> list[LegendLine]:
    """Return a line for each step of the scale, and for what nobody measures."""
    words = [told for _, told in LATENCIES] + [SLOWEST]
    named = {f"ms{index}": told for index, told in enumerate(words)} | {UNKNOWN: "not measured from there"}
    rows = [row for row in found["countries"] if row["country"] and row["pools"]]
    total = sum(row["addresses"] for row in rows) or 1.0
    steps = [(row, step_of(rtt_of(found, row))) for row in rows]
    return [
        LegendLine(
            fill,
            name,
            sum(1 for _, step in steps if step == fill),
            sum(row["addresses"] for row, step in steps if step == fill) / total,
        )
        for fill, name in named.items()
    ]


def marks_of(found: Mapping[str, Any]) -> list[Mark]:
    """Return the marks of the pools that have coordinates, and of this server's PoP."""
    fills = fills_of(found)
    marks: list[Mark] = []
    taken: dict[tuple[int, int], int] = {}
    for pool in found["pools"]:
        if pool["latitude"] is None:
            continue
        x, y = at(pool["longitude"], pool["latitude"])
        down = taken.get((x // 40, y // 40), 0)
        taken[x // 40, y // 40] = down + 1
        marks.append(Mark(x, y, pool["name"], "pool", fills[pool["name"]], down))
    pop = found["pop"]
    if pop["latitude"] is not None:
        marks.append(Mark(*at(pop["longitude"], pop["latitude"]), f"PoP {pop['code'] or 'here'}", "pop", ""))
    return marks


def rows_of(found: Mapping[str, Any], question: Mapping[str, Any], wanted: str = "") -> list[dict[str, Any]]:
    """Return the rows of the table: countries, and subdivisions where these differ, those that get a pool where one is
    wanted; `ask`: the page that explains it for a client there."""
    rows: list[dict[str, Any]] = []
    for country in sorted(found["countries"], key=lambda one: (one["country"] is None, one["name"])):
        parts: Sequence[Mapping[str, Any]] = country.get("subdivisions", ())
        for one, is_part in [(country, False), *((part, True) for part in parts)]:
            if wanted and wanted not in one["pools"]:
                continue
            name = one["name"] or one.get("subdivision") or "elsewhere" if is_part else one["name"]
            asks = {pool: ask_path(found, question, network) for pool, network in one["networks"].items()}
            rtt = rtt_of(found, one)
            rows.append({**one, "name": name, "is_part": is_part, "asks": asks, "rtt_ms": rtt})
    return rows


def ask_path(found: Mapping[str, Any], question: Mapping[str, Any], network: str) -> str:
    """Return the Ask page for a client in a network, or for a resolver there."""
    who = {"ecs": network} if found["clients"] == "ecs" else {"resolver": network.split("/")[0]}
    kept = {key: question.get(key) for key in ("pop", "down", "up", "rules_off", "rules_on")}
    name, _, view = found["load_balancer"].partition("@")
    return path_with("/ask", {"name": name, "type": found["type"], "view": view or None, **who, **kept})
