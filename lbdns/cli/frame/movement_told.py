"""What a change would move of recorded traffic, as an operator reads it: the figure first, then where, then what it
does to endpoints, codes and caches, and at the end how far the figures go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click

from lbdns.base.wording import counted
from lbdns.publish.replay.guard import percent

ROWS: Final = 12
SCOPES: Final = 4
DOUBLED: Final = 2.0
NOTABLE: Final = 0.01
"""Of all load: a change of an endpoint's by less is not worth a line."""
_UNKNOWN: Final = "elsewhere"

Told = Mapping[str, Any]


def render(told: Told) -> list[str]:
    """Return the lines to print."""
    lines = [click.style(_headline(told), bold=True)]
    if told["samples"]:
        lines.append(_measured(told))
        lines += _table("moves", [_move(one) for one in told["moves"]], told["more_moves"])
        lines += _table("endpoints, queries a second", [*_endpoints(told["endpoints"])], 0)
        lines += _table("codes", [(_way(one), percent(one["share"]), _some(one["names"])) for one in told["rcodes"]], 0)
        lines += _table("names", [*_names(told)], 0)
        lines += _caches(told["caches"])
    lines += _table("configured", [*_configured(told)], 0)
    return [*lines, *_notes(told["caveats"])]


def _headline(told: Told) -> str:
    moved = told["moved"]
    if moved["share"] is None:
        return "nothing can be said of who would move"
    if not moved["share"]:
        return "0% of the recorded queries would come from another pool"
    near = f" (+- {percent(2 * moved['error'])})" if moved["error"] else ""
    return f"{percent(moved['share'])}{near} of the recorded queries would come from another pool"


def _measured(told: Told) -> str:
    clients = told["clients"]
    minutes = told["span_s"] / 60
    span = f"{minutes:.0f} min" if minutes >= 1 else f"{told['span_s']:.0f} s"
    return (
        f"{counted(told['samples'], 'sample')} of {span}, for {told['queries']:,.0f} queries; "
        f"{clients['moved']:,} of {counted(clients['count'], 'client network')} move; other endpoints get "
        f"{percent(told['moved']['endpoints_share'])}"
    )


def _move(one: Told) -> tuple[str, str, str]:
    where = f"{one['load_balancer']} {one['type']}".strip() or "records"
    places = [f"{place['country'] or _UNKNOWN} {percent(place['share'])}" for place in one["countries"][:3]]
    return f"{where}: {_way(one)}", percent(one["share"]), ", ".join([*places, _some(one["networks"])])


def _way(one: Told) -> str:
    return f"{one['before']} -> {one['after']}"


def _some(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _endpoints(endpoints: Sequence[Told]) -> Iterator[tuple[str, str, str]]:
    """Yield endpoints whose load changes by what is worth a line."""
    for one in endpoints:
        before, after = one["before_per_s"], one["after_per_s"]
        if abs(one["after_share"] - one["before_share"]) < NOTABLE:
            continue
        note = "new load" if not before else "no load" if not after else ""
        if before and after > DOUBLED * before:
            note = click.style(f"{after / before:.1f} times as much", fg="red")
        yield f"{one['pool']}/{one['endpoint']}", f"{before:,.2f} -> {after:,.2f}", note


def _names(told: Told) -> Iterator[tuple[str, str, str]]:
    for key, words in (("balanced_no_longer", "balanced no longer"), ("balanced_newly", "newly balanced")):
        for one in told[key][:ROWS]:
            yield one["name"], percent(one["share"]), words


def _configured(told: Told) -> Iterator[tuple[str, str, str]]:
    for key, noun in (("load_balancers", "load balancer"), ("pools", "pool")):
        for word in ("new", "gone"):
            names = told[key][word]
            if names:
                yield f"{counted(len(names), noun)} {word}", "", _some(names, 6)


def _caches(caches: Told) -> list[str]:
    before, after = caches["before"], caches["after"]
    if before == after and not caches["scopes"]:
        return ["", "resolvers' caches: as before"]
    rows = [("entries", f"{before['entries']:,} -> {after['entries']:,}", "")]
    if before["hit_rate"] is not None:
        rows.append(("answered by them again", f"{percent(before['hit_rate'])} -> {percent(after['hit_rate'])}", ""))
    rows += [
        (f"IPv{one['family']} scope /{one['before']} -> /{one['after']}", percent(one["share"]), "")
        for one in caches["scopes"][:SCOPES]
    ]
    return _table("resolvers' caches", rows, max(0, len(caches["scopes"]) - SCOPES))


def _table(title: str, rows: Sequence[tuple[str, str, str]], more: int) -> list[str]:
    """Return a table's lines under its title; none where it has no rows."""
    if not rows:
        return []
    shown, more = rows[:ROWS], more + max(0, len(rows) - ROWS)
    width, middle = max(len(row[0]) for row in shown), max(len(row[1]) for row in shown)
    lines = [f"  {what:<{width}}  {figure:>{middle}}  {note}".rstrip() for what, figure, note in shown]
    return ["", title, *lines, *([f"  and {more:,} more"] if more else [])]


def _notes(caveats: Sequence[str]) -> list[str]:
    return ["", *(f"note: {one}" for one in caveats)] if caveats else []
