"""Mistakes: bad_expressions.txt has each with its exact messages; of any text comes a tree or an ExpressionError.

The file: an expression in a line of its own, below it its problems, four spaces in; a line that begins with `# ` is a
heading.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lbdns.expressions.expression_error import PROBLEMS_MAX, ExpressionError
from lbdns.expressions.field_table import FIELDS
from lbdns.expressions.function_table import FUNCTIONS
from lbdns.expressions.parse import parse, parse_shown
from lbdns.expressions.scanning import WORDS
from lbdns.expressions.showing import show
from tests.expressions.good_expressions import GOOD

FILE = Path(__file__).with_name("bad_expressions.txt")


def bad_expressions() -> dict[str, str]:
    """Return expression -> its problems, a line each."""
    found: dict[str, list[str]] = {}
    expression = ""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("    column "):
            found[expression].append(line.strip())
        elif line and not line.startswith("# "):
            assert line not in found, f"{line} stands there twice"
            expression = line
            found[expression] = []
    return {expression: "\n".join(lines) for expression, lines in found.items()}


BAD = bad_expressions()


@pytest.mark.parametrize("expression", BAD)
def test_the_exact_messages_of_a_bad_expression(expression: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(expression)
    assert str(caught.value) == BAD[expression]


def test_there_are_many_and_each_says_where_and_what_would_be_right() -> None:
    assert len(BAD) >= 200
    for expression, messages in BAD.items():
        for message in messages.splitlines():
            column = re.match(r"column (\d+): ", message)
            assert column is not None and 1 <= int(column[1]) <= len(expression) + 1
            assert "expected" in message


def test_of_very_many_mistakes_the_first_are_told_and_the_others_counted() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("dns.qry.type in {" + " ".join(["x"] * 2000) + "}")
    assert len(caught.value.problems) == PROBLEMS_MAX
    assert caught.value.problems[-1] == (18 + 2 * (PROBLEMS_MAX - 1), "1,981 more mistakes from here on")


# --- whatever is written ---

FRAGMENTS = [
    *WORDS,
    *FIELDS,
    *FUNCTIONS,
    *(
        "(",
        ")",
        "((",
        "[",
        "]",
        "{",
        "}",
        ",",
        "*",
        "!",
        "=",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "&",
        "&&",
        "||",
        "^^",
        "~",
    ),
    *(
        "=~",
        "<>",
        "$office",
        "$",
        "strict wildcard",
        "..",
        "1..2",
        "-1",
        "0x1f",
        "017",
        "08",
        "1.5",
        "9223372036854775808",
    ),
    *("192.0.2.1", "192.0.2.0/24", "192.0.2.1/24", "2001:db8::/32", "::", "61:62", "::..::1", "192.0.2.1..192.0.2.9"),
    *(
        '"a"',
        '""',
        '"\\x41"',
        '"\\n"',
        '"',
        'r"',
        'r"a"',
        'r#"a"b"#',
        'r##"',
        '"("',
        '"**"',
        '"\\\\"',
        "'",
        "\u201c",
        "\x00",
    ),
    *("\n", "\r", "\t", "#", "//", "\u00e9", "\ud800", "true", "unknown", "unknown.field"),
]
SEPARATORS = st.sampled_from(["", " ", " ", "\n"])


@st.composite
def token_streams(draw: st.DrawFn) -> str:
    words = draw(st.lists(st.sampled_from(FRAGMENTS), max_size=24))
    return "".join(draw(SEPARATORS) + word for word in words)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """Return an expression, good or bad, with a few pieces taken out, put in, or doubled."""
    text = draw(st.sampled_from([*GOOD, *BAD]))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        to = min(len(text), at + draw(st.integers(0, 6)))
        text = text[:at] + draw(st.sampled_from([*FRAGMENTS, "", text[at:to] * 2])) + text[to:]
    return text


def holds_together(text: str) -> None:
    """Assert that a text is a tree, which shown is the same tree, or ExpressionError with columns inside it."""
    try:
        tree = parse(text)
    except ExpressionError as error:
        assert error.problems and all(1 <= column <= len(text) + 1 and message for column, message in error.problems)
        assert not set("\n\r\t\x1b") & set("".join(message for _, message in error.problems))
    else:
        assert parse_shown(show(tree)) == tree


@settings(max_examples=400, deadline=None)
@given(token_streams())
def test_no_traceback_over_random_tokens(text: str) -> None:
    holds_together(text)


@settings(max_examples=300, deadline=None)
@given(mutations())
def test_no_traceback_over_expressions_with_pieces_changed(text: str) -> None:
    holds_together(text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("utf-8", "surrogateescape")))
@example("\ud800")
@example("(" * 4096)
@example("not " * 1024)
@example('dns.qry.name matches "' + ")" * 4000 + '"')
@example('dns.qry.name matches "' + "(" * 4000 + '"')
@example('dns.qry.name matches "' + "(" * 2000 + ")" * 2000 + '"')
@example('dns.qry.name wildcard "' + "*a" * 2000 + '"')
@example("ip.src in {" + "192.0.2.1 " * 400 + "}")
@example("ip.src.asnum eq " + "9" * 4000)
@example("ip.src.lat eq " + "9" * 4000)
@example("ip.src in {::/" + "9" * 4000 + "}")
@example("x" * 4096)
@example("x." * 2048)
@example("a[" * 2000)
@example('"' * 4096)
@example('r#"' * 1365)
@example("r" + "#" * 4000 + '"')
def test_no_traceback_over_any_text(text: str) -> None:
    holds_together(text)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.sampled_from(["matches", "wildcard", "strict wildcard", "eq", "contains"]))
def test_no_traceback_over_any_text_in_quotes(data: bytes, operator: str) -> None:
    text = data.decode("latin-1")
    for literal in (f'"{text}"', f'r"{text}"', f'r###"{text}"###'):
        holds_together(f"dns.qry.name {operator} {literal}")
