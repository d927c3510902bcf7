"""The Rules language: what it takes, what it means, and that a tree shown is the same tree when read again."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import ip_address

import pytest

from lbdns.expressions.evaluate import Facts, evaluate, first_failure
from lbdns.expressions.expression_error import ExpressionError
from lbdns.expressions.parse import parse, parse_shown
from lbdns.expressions.showing import show
from lbdns.expressions.tree import NESTING_MAX, And, Compare, Literal, Not, Operator, Or, Type, Xor, fields_of, lists_of
from tests.expressions.good_expressions import FACTS, GOOD, LISTS


@pytest.mark.parametrize("text", GOOD)
def test_what_holds(text: str) -> None:
    tree = parse(text)
    assert evaluate(tree, FACTS, LISTS)
    assert first_failure(tree, FACTS, LISTS) is None
    assert not text.strip() or not evaluate(parse(f"not ({text})"), FACTS, LISTS)


@pytest.mark.parametrize("text", GOOD)
def test_a_tree_shown_is_the_same_tree_when_read(text: str) -> None:
    tree = parse(text)
    again = parse(show(tree))
    assert again == tree and hash(again) == hash(tree) and show(again) == show(tree)


@pytest.mark.parametrize(
    "text, part",
    [
        ("dns.qry.qu and (ssl or dns.qry.type eq 1) and ssl", "ssl or dns.qry.type eq 1"),
        ("dns.qry.qu and (not ssl and dns.qry.type eq 1)", "dns.qry.type eq 1"),
        ("not dns.qry.qu", "not dns.qry.qu"),
        ("dns.qry.qu xor dns.rr.opt.client", "dns.qry.qu xor dns.rr.opt.client"),
    ],
)
def test_the_first_part_that_failed(text: str, part: str) -> None:
    failed = first_failure(parse(text), FACTS)
    assert failed is not None and show(failed) == part


def test_what_binds_tighter() -> None:
    tree = parse("ssl or ssl xor ssl and not ssl and ssl")
    assert isinstance(tree, Or) and isinstance(tree.parts[1], Xor) and isinstance(tree.parts[1].parts[1], And)
    assert isinstance(tree.parts[1].parts[1].parts[1], Not)


def test_equal_parts_are_equal_wherever_they_stand() -> None:
    tree = parse("dns.qry.type == 0x1 or (dns.qry.type   eq 1)")
    assert isinstance(tree, Or) and tree.parts[0] == tree.parts[1] and len(set(tree.parts)) == 1
    assert [part.column for part in tree.parts] == [1, 25]
    assert tree.parts[0] == Compare(Operator.EQ, tree.parts[0].left, Literal(1, Type.INT))  # type: ignore[union-attr]


def test_what_a_tree_reads() -> None:
    tree = parse(
        'ip.src in $a and (dns.qry.type eq 1 or ip.src in {$b $a}) and any(http.request.cookies["x"][*] eq "1")'
    )
    assert [field.name for field in fields_of(tree)] == ["ip.src", "dns.qry.type", "http.request.cookies"]
    assert [one.name for one in lists_of(tree)] == ["a", "b"]


@pytest.mark.parametrize("text", ["(" * 128 + "ssl" + ")" * 128, "not " * 128 + "ssl", "not (" * 64 + "ssl" + ")" * 64])
def test_nesting_up_to_its_bound(text: str) -> None:
    parse(text)
    evaluate(parse(text), FACTS)


@pytest.mark.parametrize(
    "text, column",
    [
        ("(" * 129 + "ssl" + ")" * 129, 129),
        ("not " * 129 + "ssl", 513),
        ("(" * 4096, 129),
        ("!" * 4096, 129),
        ("not (" * 800, 64 * 5 + 1),
        ("lower(" * 600, 129 * 6),
    ],
)
def test_nesting_beyond_its_bound_is_told_where_it_begins(text: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.problems == (
        (column, f"nested deeper than {NESTING_MAX}; expected fewer parentheses and nots inside one another"),
    )


def test_many_parts_are_no_nesting() -> None:
    text = " or ".join(["ssl"] * 580)
    tree = parse(text)
    assert isinstance(tree, Or) and len(tree.parts) == 580 and parse(show(tree)) == tree


def test_length_is_bound_in_bytes() -> None:
    parse('http.host eq "' + "x" * (4096 - 15) + '"')
    with pytest.raises(ExpressionError, match=r"column 1: the expression has 4,097 bytes; expected at most 4,096"):
        parse('http.host eq "' + "x" * (4096 - 16) + '\u00e9"')


def test_a_text_is_parsed_once_while_anybody_has_its_tree() -> None:
    tree = parse("ip.src.asnum eq 64496")
    for number in range(1000):
        parse(f"dns.qry.type eq {number}")
    assert parse("ip.src.asnum eq 64496") is tree


@pytest.mark.process
def test_who_has_no_rules_does_not_wait_for_the_parser() -> None:
    program = (
        "import sys, lbdns.config.loading, lbdns.expressions.parse as p; p.parse(''); "
        "assert not {'lark', 're2'} & set(sys.modules); p.parse('ssl'); assert 'lark' in sys.modules; "
        "assert 're2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_text_of_a_mapped_address_is_the_same_on_every_python() -> None:
    facts: Facts = {"ip.src": ip_address("::ffff:192.0.2.1")}
    assert evaluate(parse('to_string(ip.src) eq "::ffff:c000:201"'), facts)


@pytest.mark.parametrize(
    "text",
    [
        'dns.qry.name eq "' + "\u00e9" * 2000 + '"',
        'dns.qry.name wildcard r"' + "\\\\" * 2000 + '"',
        "dns.qry.name eq " + ":".join(["ff"] * 1300),
        "&&".join(["ssl"] * 800),
        "^^".join(["!ssl"] * 600),
    ],
)
def test_what_is_shown_may_be_longer_than_what_was_read(text: str) -> None:
    tree = parse(text)
    assert len(show(tree)) > 4096 and parse_shown(show(tree)) == tree
    with pytest.raises(ExpressionError, match="expected at most 4,096"):
        parse(show(tree))
