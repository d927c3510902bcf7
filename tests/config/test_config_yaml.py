"""The YAML reader: values of the 1.2 core schema, and the line of each."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lbdns.config.yaml import yaml_tree as yamltree
from lbdns.config.yaml.yaml_tree import line_at, parse_yaml, resolve_scalar

QUICK = settings(max_examples=100)
SCALARS = [
    ("null", None),
    ("~", None),
    ("", None),
    ("nULL", "nULL"),
    ("true", True),
    ("FALSE", False),
    ("yes", "yes"),
    ("no", "no"),
    ("NO", "NO"),
    ("on", "on"),
    ("off", "off"),
    ("y", "y"),
    ("0", 0),
    ("-7", -7),
    ("+7", 7),
    ("010", 10),
    ("0o10", 8),
    ("0x1F", 31),
    ("0b1", "0b1"),
    ("1_000", "1_000"),
    ("190:20:30", "190:20:30"),
    ("1.5", 1.5),
    (".5", 0.5),
    ("1.", 1.0),
    ("1e3", 1000.0),
    ("-.inf", -math.inf),
    (".", "."),
    ("-", "-"),
    ("192.0.2.1", "192.0.2.1"),
    ("2001:db8::1", "2001:db8::1"),
    ("2026-01-01", "2026-01-01"),
    ("9" * 400, math.inf),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_core_schema(text: str, value: Any) -> None:
    resolved = resolve_scalar(text)
    assert (type(resolved), resolved) == (type(value), value)


def test_not_a_number() -> None:
    assert math.isnan(resolve_scalar(".nan"))


def test_texts_by_quotes_and_tags() -> None:
    tree = parse_yaml("a: '7'\nb: !!str 7\nd: !!float 7\ne: !!int 7\nf: |\n  true\n7: NO\ng: !!null ~\n", "f")
    assert tree.value == {"a": "7", "b": "7", "d": 7.0, "e": 7, "f": "true\n", "7": "NO", "g": None}
    assert not tree.problems


def test_lines() -> None:
    text = "a: 1\nb:\n  c: {d: 1, e: [2,\n    3]}\n  f:\n    - g\n    -\n      h: i\n"
    text += "j: {k: {l: m}}\nn:\n  {o: p}\nq: >\n  r\n"
    tree = parse_yaml(text, "f")
    places = {
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "c", "d"): 3,
        ("b", "c", "e"): 3,
        ("b", "c", "e", 1): 4,
        ("b", "f"): 5,
        ("b", "f", 0): 6,
        ("b", "f", 1): 8,
        ("b", "f", 1, "h"): 8,
        ("j", "k", "l"): 9,
        ("n",): 10,
        ("n", "o"): 11,
        ("q",): 12,
        ("b", "missing"): 2,
        ("a", "deeper", 3): 1,
        ("b", "f", 7): 5,
    }
    assert {place: line_at(tree.lines, place) for place in places} == places


def test_aliases_share_and_stand_on_their_own_line() -> None:
    tree = parse_yaml("a: &x [1, 2]\nb: *x\nc: &y text\nd: {e: *y}\n&z f: g\nh: *z\n*y : i\n", "f")
    assert tree.value == {"a": [1, 2], "b": [1, 2], "c": "text", "d": {"e": "text"}, "f": "g", "h": "f", "text": "i"}
    assert tree.value["a"] is tree.value["b"]
    assert line_at(tree.lines, ("b", 1)) == 2
    assert not tree.problems


def test_too_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamltree, "MAX_NODES", 10)
    assert not parse_yaml("[1, 2, 3, 4, 5]", "f").problems
    assert "more than 10 values" in str(parse_yaml(f"[{'1, ' * 11}]", "f").problems[0])
    assert "more than 10 values" in str(parse_yaml("a: &a [1, 2, 3, 4]\nb: *a\n", "f").problems[0])


def test_a_discarded_entry_leaves_the_rest() -> None:
    tree = parse_yaml("a: {x: 1, x: [deep, {y: 1}], z: 2}\n? [k]\n: {a: 1}\nb: 3\n", "f")
    assert tree.value == {"a": {"x": 1, "z": 2}, "b": 3}
    assert [problem.path for problem in tree.problems] == ["a.x", ""]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a\n- b\nc\nd: 1\n", 'f:3: a ":" is missing after this key'),
        ("a: [1,\n", "f:2: a list or mapping in brackets is not closed; expected a value or the bracket"),
        ("a: 'x\n---\n", "f:2: not YAML: found unexpected document indicator (it begins in line 1)"),
        ("- [a\n- b\n", 'f:3: a list or mapping in brackets goes on here; expected "," or the closing bracket'),
        ("a:\n  - %b\n", 'f:2: a text cannot begin with "%"; put it in quotes'),
    ],
)
def test_syntax_errors(text: str, problem: str) -> None:
    assert str(parse_yaml(text, "f").problems[0]).startswith(problem)


def test_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamltree, "_LOADER", yaml.SafeLoader)
    tree = parse_yaml("a: off\nb: {c: [1, 0o7],\n  d: &x 'y'}\ne: *x\n", "f")
    assert tree.value == {"a": "off", "b": {"c": [1, 7], "d": "y"}, "e": "y"}
    assert line_at(tree.lines, ("b", "d")) == 3
    assert [problem.line for problem in parse_yaml("a: [1,\n", "f").problems] == [2]
    assert [problem.line for problem in parse_yaml("a: \x01", "f").problems] == [1]


def test_directives_and_byte_order_mark() -> None:
    assert parse_yaml("%YAML 1.2\n---\na: off\n...\n", "f").value == {"a": "off"}
    assert parse_yaml("\ufeffa: 1", "f").value == {"a": 1}
    assert parse_yaml("", "f").value is None
    assert parse_yaml("# a comment\n", "f").value is None


TEXTS = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@QUICK
@given(VALUES)
def test_every_json_text_is_read_as_json_reads_it(value: Any) -> None:
    text = json.dumps(value)
    if "<<" not in text:
        assert parse_yaml(text, "f").value == json.loads(text)


@pytest.mark.slow
@QUICK
@given(VALUES)
def test_lines_are_those_of_a_node_graph(value: Any) -> None:
    """The line of every entry is the one that PyYAML's own composer gives its key, or its item."""
    text = yaml.dump(value, default_flow_style=False, allow_unicode=True)
    tree = parse_yaml(text, "f")
    if not tree.problems:
        check_lines(yaml.compose(text, Loader=yaml.SafeLoader), tree.lines, ())


def check_lines(node: Any, lines: Any, place: tuple[str | int, ...]) -> None:
    """Compare the lines of everything below a node."""
    if isinstance(node, yaml.MappingNode):
        for key, item in node.value:
            assert line_at(lines, (*place, key.value)) == key.start_mark.line + 1
            check_lines(item, lines, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            assert line_at(lines, (*place, index)) == item.start_mark.line + 1
            check_lines(item, lines, (*place, index))


@QUICK
@given(st.text(alphabet="ab:- \n\t[]{}&*!|>'\"%#,?<~\\0\x01\u2028\ufeff", max_size=60))
def test_no_text_raises(text: str) -> None:
    tree = parse_yaml(text, "f")
    assert tree.is_whole or tree.problems
