"""`lbdns rule check`: trees, what folds, mistakes."""

from __future__ import annotations

import re
import shlex
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbdns.expressions.evaluate import Facts, evaluate
from lbdns.expressions.expression_error import ExpressionError
from lbdns.expressions.parse import parse
from lbdns.expressions.remainder import remaining
from tests.cli.commands import run

MIXED = 'ip.src in {0.0.0.0/1} and not (dns.qry.name contains "www" and dns.qry.type eq 28)'


def test_a_tree_with_types_and_what_decides() -> None:
    done = run("rule", "check", MIXED)
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "and                                Bool",
        "  ip.src in {0.0.0.0/1}            Bool    the address, by networks",
        "    ip.src                         IP",
        "    0.0.0.0/1                      IP",
        "  not                              Bool",
        "    and                            Bool",
        '      dns.qry.name contains "www"  Bool    the name, which varies under a wildcard alone',
        "        dns.qry.name               Bytes",
        '        "www"                      Bytes',
        "      dns.qry.type eq 28           Bool    the message",
        "        dns.qry.type               Int",
        "        28                         Int",
        "",
        f"left    {MIXED}",
    ]


@pytest.mark.parametrize(
    "arguments, left",
    [
        (["--name", "www.example.com"], "ip.src in {0.0.0.0/1} and not dns.qry.type eq 28"),
        (["--name", "WWW.example.com."], "ip.src in {0.0.0.0/1} and not dns.qry.type eq 28"),
        (["--name", "ftp.example.com"], "ip.src in {0.0.0.0/1}"),
        (["--name", "*.www.example.com"], MIXED),
        (["--name", "www.example.com", "--wildcard"], MIXED),
        (["--wildcard"], MIXED),
    ],
)
def test_what_is_left_for_a_load_balancer(arguments: list[str], left: str) -> None:
    assert run("rule", "check", MIXED, "--json", *arguments).json["left"] == left


@pytest.mark.parametrize(
    "expression, arguments, left",
    [
        ("", [], True),
        ("not dns.qry.qu", [], False),
        ("dns.qry.qu xor dns.rr.opt.client", [], "not dns.rr.opt.client"),
        ('cf.load_balancer.region eq "WEU"', ["--region", "weu"], True),
        ('cf.load_balancer.region eq "WEU"', [], 'cf.load_balancer.region eq "WEU"'),
        ('cf.load_balancer.name eq "*.example.com"', ["--name", "*.example.com"], True),
    ],
)
def test_what_folds(expression: str, arguments: list[str], left: bool | str) -> None:
    assert run("rule", "check", expression, "--json", *arguments).json["left"] == left


PARTS = ["dns.qry.qu", "dns.rr.opt.client", "ssl", "dns.qry.type eq 1", 'dns.qry.name ne "a."', "ip.src in $office"]


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.sampled_from(PARTS),
        lambda inner: (
            st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or", "xor"]), inner)
            | st.builds("not {}".format, inner)
        ),
        max_leaves=8,
    ),
    st.dictionaries(
        st.sampled_from(["dns.rr.opt.client", "ssl", "dns.qry.name"]), st.sampled_from([None, True, b"a."])
    ),
)
def test_what_is_left_is_as_true_as_the_whole(expression: str, known: Facts) -> None:
    known = {
        name: value for name, value in known.items() if (name == "dns.qry.name") is (value == b"a.") or value is None
    }
    tree = parse(expression)
    left = remaining(tree, known)
    for there, kind in product((True, False), (1, 2)):
        facts = {"dns.qry.qu": True, "dns.rr.opt.client": there, "ssl": not there, "dns.qry.type": kind, **known}
        assert evaluate(tree, facts) is (left if isinstance(left, bool) else evaluate(left, facts))


@pytest.mark.parametrize("verb", ["check"])
@pytest.mark.parametrize(
    "expression, problems",
    [
        ("ip.scr eq 1 and dns.qry.type eq A", 2),
        ('http.host eq "a" or ssl', 2),
        ("(" * 200, 1),
    ],
)
def test_mistakes(verb: str, expression: str, problems: int) -> None:
    done = run("rule", verb, expression)
    assert (done.status, done.out) == (2, "")
    assert len(done.err.splitlines()) == problems and all(
        line.startswith("lbdns: column ") for line in done.err.splitlines()
    )
    told = run("rule", verb, expression, "--json")
    assert told.status == 2 and [set(one) for one in told.json["problems"]] == [{"column", "message"}] * problems


def test_an_error_has_its_problems_in_order() -> None:
    with pytest.raises(ExpressionError, match=r"column 1: .*\ncolumn 16: "):
        parse("ip.scr eq 1 or ip.scr eq 2")


DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^    \$ lbdns (.*)\n((?:    .*\n|\n(?=    ))*)", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize("command, output", SHOWN, ids=[command for command, _ in SHOWN])
def test_the_document_shows_what_is_printed(command: str, output: str) -> None:
    done = run(*shlex.split(command))
    assert [line.removeprefix("    ").rstrip() for line in output.splitlines()] == (done.out + done.err).splitlines()


def test_the_document_shows_each_command() -> None:
    assert {command.split()[1] for command, _ in SHOWN} == {"check"}
