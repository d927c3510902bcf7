"""The rows of one node, as they were asked for: read, filtered, grouped, put in order, cut and shown.

rows:    read -> fits the filter -> in order -> the first `limit` -> shown
groups:  read as counts -> fits the filter -> added up by the dimensions -> in order -> the first `limit` -> shown
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Any, Final, NamedTuple, Protocol

from graphql import GraphQLError

from lbdns.manage.api.graphql.graphql_schema import (
    CONFIDENCE,
    CONFIDENCE_FIELDS,
    COUNT,
    DIMENSIONS,
    orders_of,
    row_type_name,
)
from lbdns.manage.api.graphql.node_facts import NodeFacts
from lbdns.manage.api.graphql.node_table import FIELDS_MAX, PAGE_MAX, Data, Measure, Nested, Node, NodeField
from lbdns.manage.api.graphql.query_bounds import Work, beyond
from lbdns.manage.api.graphql.row_filter import Row, RowFilter, Value
from lbdns.manage.api.graphql.selections import TYPENAME, Selected, leaves

Show = Callable[[Any], Any]
_SAMPLES: Final = "samples"
_INEXACT: Final = "inexact"


class RowReading(NamedTuple):
    """What is to be read: of which zone ("": of all), which words, from when until before when; of some words, the
    values that others need not be looked at for."""

    data: Data
    zone_id: str
    words: frozenset[str]
    since_s: float
    until_s: float
    where: Mapping[str, frozenset[Any]]


class KeptRows(Protocol):
    """What is kept of traffic and health, as rows of words (traffic_rows.py)."""

    def rows(self, reading: RowReading, newest_first: bool) -> Iterable[Row]:
        """Yield rows in the order of time."""

    def step_s(self, reading: RowReading) -> int:
        """Return of how many seconds the rows of `counts` are: 1 where each has the time of what it counts."""

    def counts(self, reading: RowReading, step_s: int) -> Iterable[Row]:
        """Yield rows with `count`, `samples` (that it was made from) and `inexact` (the part of the count that is an
        estimate); with the word `rule`, also `matched` and `with_rule`. Times are cut to `step_s`."""


@dataclass(frozen=True, slots=True)
class AskedNode:
    """One node as it was asked for."""

    node: Node
    prefix: str
    zone_id: str
    selected: Selected
    wanted: RowFilter
    order: Sequence[str]
    limit: int
    since_s: float
    until_s: float

    def reading(self, fields: Iterable[NodeField], more: Iterable[str] = ()) -> RowReading:
        """Return what is to be read for some fields."""
        words = frozenset((*(word for field in fields for word in field.words), *more))
        return RowReading(self.node.data, self.zone_id, words, self.since_s, self.until_s, self.wanted.where())


def check_limit(limit: int | None) -> int:
    """Return how many rows to show; raises GraphQLError."""
    if limit is None:
        return PAGE_MAX
    if not 0 < limit <= PAGE_MAX:
        raise beyond(f"limit must be a positive number and not greater than {PAGE_MAX}")
    return limit


def rows_of(asked: AskedNode, kept: KeptRows, facts: NodeFacts, work: Work) -> list[dict[str, Any]]:
    """Return the rows of a node; raises GraphQLError."""
    count = leaves(asked.selected.inner.values())
    if count > FIELDS_MAX:
        raise beyond(f"number of fields can't be more than {FIELDS_MAX}; {asked.node.name} is asked for {count}")
    found = (_grouped if asked.node.groups else _plain)(asked, kept, facts, work)
    work.check()
    return found


def _values(fields: Iterable[NodeField], facts: NodeFacts) -> dict[str, Value]:
    return {field.name: _value_of(field, facts) for field in fields}


def _value_of(field: NodeField, facts: NodeFacts) -> Value:
    """Return what gives a field's value of a row, what is not known as nothing, so that values can be compared and put
    in order; what is looked up is remembered."""
    nothing: Any = () if field.is_list else "" if field.type.meaning == "text" else 0
    words, make = field.words, field.make
    known: dict[Any, Any] = {}
    if field.is_plain:
        word = words[0]

        def plain(row: Row) -> Any:
            found = row[word]
            return nothing if found is None else found

        return plain

    def made(row: Row) -> Any:
        key = tuple([row[word] for word in words])
        try:
            return known[key]
        except KeyError:
            found = make(facts, *key)
            known[key] = found = nothing if found is None else found
            return found

    return made


def _ordered(node: Node, order: Sequence[str]) -> list[tuple[tuple[str, str], bool]]:
    """Return what to order by, a group ("" for fields) and a name each, and whether from the greatest down."""
    known = dict(orders_of(node))
    parts = (word.rpartition("_") for word in order)
    return [(known[name], way == "DESC") for name, _, way in parts]


def _plain(asked: AskedNode, kept: KeptRows, facts: NodeFacts, work: Work) -> list[dict[str, Any]]:
    node = asked.node
    order = [(node.field(name), down) for (_, name), down in _ordered(node, asked.order)]
    if not order:
        order = [(node.field("datetime"), False)]
    nested = {one.name: one for one in node.nested}
    shown = {one.name for one in asked.selected.inner.values()}
    fields = {field.name: field for field in (*asked.wanted.fields(), *(field for field, _ in order))}
    fields |= {field.name: field for field in node.fields if field.name in shown}
    values = _values(fields.values(), facts)
    fits = asked.wanted.condition(values)
    first, down = order[0]
    by_time = first.words == ("time",)
    first_value = values[first.name]
    found: list[Row] = []
    more = (word for name in shown & nested.keys() for word in nested[name].words)
    for row in kept.rows(asked.reading(fields.values(), ("time", *more)), by_time and down):
        work.row()
        if by_time and len(found) >= asked.limit and first_value(row) != first_value(found[-1]):
            break
        if fits(row):
            found.append(row)
    for field, down in reversed(order):
        found.sort(key=values[field.name], reverse=down)
    shows = _row_shows(asked, values, facts)
    return [_shown(shows, row, work) for row in found[: asked.limit]]


def _shown(shows: Mapping[str, Show], row: Any, work: Work) -> dict[str, Any]:
    work.row()
    return {key: show(row) for key, show in shows.items()}


def _row_shows(asked: AskedNode, values: Mapping[str, Value], facts: NodeFacts) -> dict[str, Show]:
    nested = {one.name: one for one in asked.node.nested}
    shows: dict[str, Show] = {}
    for key, one in asked.selected.inner.items():
        if one.name == TYPENAME:
            shows[key] = partial(_constant, row_type_name(asked.prefix, asked.node))
        elif one.name in nested:
            shows[key] = _nested_show(asked, nested[one.name], one, facts)
        else:
            shows[key] = _field_show(asked.node.field(one.name), values[one.name])
    return shows


def _constant(value: Any, row: Any) -> Any:
    return value


def _field_show(field: NodeField, value: Callable[[Any], Any]) -> Show:
    show = field.type.show
    if field.is_list:
        return lambda row: [show(one) for one in value(row)]
    return lambda row: show(value(row))


def _nested_show(asked: AskedNode, nested: Nested, selected: Selected, facts: NodeFacts) -> Show:
    types = dict(nested.fields)
    type_name = row_type_name(asked.prefix, asked.node, nested.name)
    wanted = [(key, one.name) for key, one in selected.inner.items()]
    known: dict[Any, list[dict[str, Any]]] = {}

    def show(row: Row) -> list[dict[str, Any]]:
        # Nothing is known of health within a second.
        key = tuple([int(row[word]) if word == "time" else row[word] for word in nested.words])
        if key not in known:
            known[key] = [
                {as_: type_name if name == TYPENAME else types[name].shown(one.get(name)) for as_, name in wanted}
                for one in nested.make(facts, *key)
            ]
        return known[key]

    return show


class _Group:
    """What is added up of rows that have the same dimensions."""

    __slots__ = ("count", "inexact", "samples", "sums")

    def __init__(self) -> None:
        self.count = self.samples = self.inexact = 0.0
        self.sums: dict[str, float] = {}

    def add(self, row: Row, words: Iterable[str]) -> None:
        """Add a row's count, and what it says of some words."""
        self.count += row[COUNT]
        self.samples += row[_SAMPLES]
        self.inexact += row[_INEXACT]
        self.add_sums(row, words)

    def add_sums(self, row: Row, words: Iterable[str]) -> None:
        """Add what a row says of some words, which is not counted by it."""
        for word in words:
            self.sums[word] = self.sums.get(word, 0.0) + row[word]

    def measured(self, measure: Measure) -> Any:
        """Return what a measure says of the group."""
        sums = {**self.sums, _SAMPLES: self.samples}
        return measure.make(self.count, *(sums.get(word, 0.0) for word in measure.words))


_Key = tuple[Any, ...]


def _grouped(asked: AskedNode, kept: KeptRows, facts: NodeFacts, work: Work) -> list[dict[str, Any]]:
    node, selected = asked.node, asked.selected
    names = dict.fromkeys(
        one.name for part in selected.named(DIMENSIONS) for one in part.inner.values() if one.name != TYPENAME
    )
    dimensions = [node.field(name) for name in names]
    order = _ordered(node, asked.order)
    measures = {(one.group, one.name): one for one in node.measures}
    for (group, name), _ in order:
        if not group and name != COUNT and name not in names:
            raise GraphQLError(f"{node.name} can be ordered by {name} where that is among its dimensions")
    asked_for = [
        measures[part.name, one.name]
        for part in selected.inner.values()
        for one in part.inner.values()
        if (part.name, one.name) in measures
    ]
    asked_for += [measures[key] for key, _ in order if key in measures]
    groups = _added_up(asked, kept, facts, work, dimensions, asked_for)
    _make_whole(groups.values())
    found = list(groups.items())
    if not order:
        found.sort(key=lambda one: one[0])
    places = {name: place for place, name in enumerate(names)}
    for (group, name), down in reversed(order):
        found.sort(key=_order_key(group, name, places, measures), reverse=down)
    shows = _group_shows(asked, dimensions, measures)
    return [_shown(shows, one, work) for one in found[: asked.limit]]


def _added_up(
    asked: AskedNode,
    kept: KeptRows,
    facts: NodeFacts,
    work: Work,
    dimensions: Sequence[NodeField],
    measures: Sequence[Measure],
) -> dict[_Key, _Group]:
    words = {word for one in measures for word in one.words if word != _SAMPLES}
    about_rules = {word for one in measures if one.by_rule for word in one.words}
    groups: dict[_Key, _Group] = {}

    def add(more: frozenset[str], into: Callable[[_Group, Row], None]) -> None:
        for key, row in _counted(asked, kept, facts, work, dimensions, more):
            group = groups.get(key)
            if group is None:
                group = groups[key] = _Group()
            into(group, row)

    is_by_rule = any("rule" in field.words for field in (*dimensions, *asked.wanted.fields()))
    own = words if is_by_rule else words - about_rules
    add(frozenset(own - about_rules), lambda group, row: group.add(row, own))
    if about_rules and not is_by_rule:
        add(frozenset({"rule"}), lambda group, row: group.add_sums(row, about_rules))
    return groups


def _counted(
    asked: AskedNode,
    kept: KeptRows,
    facts: NodeFacts,
    work: Work,
    dimensions: Sequence[NodeField],
    more: frozenset[str],
) -> Iterator[tuple[_Key, Row]]:
    """Yield the rows that fit, with their values of the dimensions. What is counted by the minute is asked for
    within the filter's span of time; else each row is held against it."""
    wanted = asked.wanted.beside_span()
    fields = {field.name: field for field in (*dimensions, *wanted.fields())}
    reading = asked.reading(fields.values(), more)
    step_s = kept.step_s(reading)
    if step_s == 1:
        wanted = asked.wanted
        fields = {field.name: field for field in (*dimensions, *wanted.fields())}
        reading = asked.reading(fields.values(), more)
    else:
        step_s = min((field.step_s for field in fields.values() if field.words == ("time",)), default=step_s)
        step_s = max(step_s, kept.step_s(reading))
    values = _values(fields.values(), facts)
    fits = wanted.condition(values, step_s)
    getters = [values[field.name] for field in dimensions]
    for row in kept.counts(reading, step_s):
        work.row()
        if fits(row):
            yield tuple([value(row) for value in getters]), row


def _make_whole(groups: Iterable[_Group]) -> None:
    """Make counts whole numbers that add up to what they did, largest remainders first."""
    parted = sorted((group for group in groups if not group.count.is_integer()), key=lambda one: one.count % 1.0)
    left = round(sum(group.count % 1.0 for group in parted))
    for group in parted:
        group.count = float(int(group.count))
    for group in parted[len(parted) - left :]:
        group.count += 1.0


def _order_key(
    group: str, name: str, places: Mapping[str, int], measures: Mapping[tuple[str, str], Measure]
) -> Callable[[tuple[_Key, _Group]], Any]:
    if group:
        measure = measures[group, name]
        return lambda one: one[1].measured(measure)
    if name == COUNT:
        return lambda one: one[1].count
    place = places[name]
    return lambda one: one[0][place]


def _group_shows(
    asked: AskedNode, dimensions: Sequence[NodeField], measures: Mapping[tuple[str, str], Measure]
) -> dict[str, Show]:
    places = {field.name: place for place, field in enumerate(dimensions)}
    shows: dict[str, Show] = {}
    for key, part in asked.selected.inner.items():
        if part.name == TYPENAME:
            shows[key] = partial(_constant, row_type_name(asked.prefix, asked.node))
        elif part.name == COUNT:
            shows[key] = lambda one: round(one[1].count)
        elif part.name == CONFIDENCE:
            shows[key] = _confidence_show(asked, part)
        else:
            type_name = row_type_name(asked.prefix, asked.node, part.name)
            inner: dict[str, Show] = {}
            for as_, one in part.inner.items():
                if one.name == TYPENAME:
                    inner[as_] = partial(_constant, type_name)
                elif part.name == DIMENSIONS:
                    inner[as_] = _dimension_show(asked.node.field(one.name), places[one.name])
                else:
                    inner[as_] = partial(_measure_show, measures[part.name, one.name])
            shows[key] = partial(_part_show, inner)
    return shows


def _part_show(inner: Mapping[str, Show], one: Any) -> dict[str, Any]:
    return {as_: show(one) for as_, show in inner.items()}


def _dimension_show(field: NodeField, place: int) -> Show:
    def value(one: Any) -> Any:
        return one[0][place]

    return _field_show(field, value)


def _measure_show(measure: Measure, one: tuple[_Key, _Group]) -> Any:
    return measure.type.shown(one[1].measured(measure))


def _confidence_show(asked: AskedNode, part: Selected) -> Show:
    level = part.arguments["level"]
    if not 0.0 < level < 1.0:
        raise GraphQLError("the level of confidence is a number between 0 and 1, such as 0.95")
    width = NormalDist().inv_cdf((1.0 + level) / 2.0)

    def show(one: tuple[_Key, _Group]) -> dict[str, Any]:
        group = one[1]
        interval = group.count / group.samples if group.samples else 1.0
        error = width * math.sqrt(max(0.0, group.inexact * (interval - 1.0)))
        said = {
            "estimate": group.count,
            "lower": max(0.0, group.count - error),
            "upper": group.count + error,
            "sampleSize": round(group.samples),
        }
        return {
            as_: {
                key: _typed(said, found.name, row_type_name(asked.prefix, asked.node, "confidenceCount"))
                for key, found in inner.inner.items()
            }
            if inner.name == COUNT
            else row_type_name(asked.prefix, asked.node, CONFIDENCE)
            for as_, inner in part.inner.items()
        }

    return show


def _typed(said: Mapping[str, Any], name: str, type_name: str) -> Any:
    return type_name if name == TYPENAME else CONFIDENCE_FIELDS[name].shown(said[name])
