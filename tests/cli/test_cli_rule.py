"""`lbdns rule check` and `lbdns rule test`: trees, what folds, what holds, the part that failed, mistakes."""

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
from tests.places.databases import write_database

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


def test_a_condition_that_holds(tmp_path: Path) -> None:
    asn = write_database(tmp_path / "asn.mmdb", [("192.0.2.0/24", {"autonomous_system_number": 64496})])
    expression = (
        "ip.src.asnum eq 64496 and ip.src eq 192.0.2.0 and dns.qry.type eq 28 and "
        'dns.qry.name eq "www.example.com." and dns.rr.opt.client.addr eq "192.0.2.0" and ip.src.country ne "ZZ"'
    )
    query = ["--name", "WWW.example.com", "--type", "aaaa", "--ecs", "192.0.2.0/24", "--asn", str(asn)]
    done = run("rule", "test", expression, *query)
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "true",
        "  ip.src.asnum            64496",
        "  ip.src                  192.0.2.0",
        "  dns.qry.type            28",
        "  dns.qry.name            www.example.com.",
        "  dns.rr.opt.client.addr  192.0.2.0",
        "  ip.src.country          missing",
    ]
    assert run("rule", "test", expression, *query, "--json").json["holds"] is True


def test_a_condition_that_does_not_hold() -> None:
    arguments = ["rule", "test", "not dns.rr.opt.client and ip.src in {10.0.0.0/8}", "--resolver", "::ffff:192.0.2.1"]
    done = run(*arguments)
    assert done.status == 1
    assert done.out.splitlines() == [
        "false: ip.src in {10.0.0.0/8} (column 27)",
        "  dns.rr.opt.client  false",
        "  ip.src             192.0.2.1",
    ]
    told = run(*arguments, "--json")
    assert told.status == 1 and told.json["failed"] == {"part": "ip.src in {10.0.0.0/8}", "column": 27}


def test_what_is_missing_for_want_of_a_database_is_said() -> None:
    done = run("rule", "test", "ip.src.lat gt 40 or ip.src.asnum ne 64496", "--resolver", "192.0.2.1")
    assert done.status == 0
    assert done.out.splitlines() == [
        "true",
        "  ip.src.lat    missing",
        "  ip.src.asnum  missing (no AS number database)",
    ]
    assert "ip.src.lat gt 40\n" in run("rule", "test", "ip.src.lat gt 40", "--resolver", "192.0.2.1").out.replace(
        " (", "\n("
    )


def test_the_condition_that_always_holds() -> None:
    assert run("rule", "check", "").out.splitlines() == ['""  Bool', "", "left    nothing: always true"]


def test_ecs_of_length_zero_is_none() -> None:
    done = run(
        "rule", "test", "dns.rr.opt.client or ip.src eq 0.0.0.0", "--ecs", "0.0.0.0/0", "--resolver", "192.0.2.1"
    )
    assert done.status == 1


@pytest.mark.parametrize("verb", ["check", "test"])
@pytest.mark.parametrize(
    "expression, problems",
    [
        ("ip.scr eq 1 and dns.qry.type eq A", 2),
        ('http.host eq "a" or ssl', 2),
        ("(" * 200, 1),
        ('ip.src in {192.0.2.1/24} and http.host eq "x"', 2),
        ('http.host eq "x" and not any(http.request.uri.args["a"][*] eq 1) and ssl eq', 5),
        ('http.host eq 1 and http.host eq "x"', 2),
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


def test_lists_and_region_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "lbdns.yaml").write_text("pop: {code: FRA}\nlists: {home: [198.51.100.0/24]}\n")
    (tmp_path / "office.yaml").write_text("lists: {office: [192.0.2.0/24]}\n")
    (tmp_path / "example.com.zone").write_text("$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.53\n")
    expression = 'ip.src in $office and cf.load_balancer.region eq "WEU"'
    assert run("rule", "test", expression, "--resolver", "192.0.2.9", "--config", str(tmp_path)).status == 0
    assert run("rule", "test", expression, "--resolver", "198.51.100.9", "--config", str(tmp_path)).status == 1
    unknown = run("rule", "test", "ip.src in $ofice", "--config", str(tmp_path))
    assert (unknown.status, unknown.err) == (2, 'lbdns: column 11: unknown list "$ofice"; did you mean "$office"?\n')


def test_rule_check_takes_lists_and_region_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "lbdns.yaml").write_text("pop: {code: FRA}\nlists: {home: [198.51.100.0/24]}\n")
    (tmp_path / "example.com.zone").write_text("$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.53\n")
    config = ["--config", str(tmp_path)]
    known = run("rule", "check", 'ip.src in $home and cf.load_balancer.region eq "WEU"', "--json", *config)
    assert (known.status, known.json["left"], known.json["lists"]) == (0, "ip.src in $home", ["home"])
    elsewhere = run("rule", "check", 'cf.load_balancer.region eq "WEU"', "--json", "--region", "OC", *config)
    assert elsewhere.json["left"] is False
    unknown = run("rule", "check", "ip.src in $hme and ssl", *config)
    assert unknown.status == 2
    assert [line[:44] for line in unknown.err.splitlines()] == [
        'lbdns: column 11: unknown list "$hme"; did y',
        'lbdns: column 20: "ssl" is a field of proxie',
    ]
    assert run("rule", "check", "ip.src in $any").status == 0


@pytest.mark.parametrize("verb", ["check", "test"])
def test_what_cannot_be_served_is_told(verb: str) -> None:
    both = 'concat(to_string(ip.src), ip.src.country) eq "192.0.2.1DE"'
    words = "lbdns: column 1: compares at once what databases know of an address and what a query says; "
    done = run("rule", verb, both)
    assert (done.status, done.out) == (2, "") and done.err.startswith(words)
    of_name = 'concat(dns.qry.name, ip.src.country) eq "a.DE"'
    assert run("rule", verb, of_name, "--name", "*.example.com").status == 2
    assert run("rule", verb, of_name, "--name", "www.example.com").status != 2


@pytest.mark.parametrize(
    "said", [["AAAA"], ["aaaa"], ["--type", "AAAA"], ["--type", "aaaa"], ["AAAA", "--type", "aaaa"]]
)
def test_the_type_is_an_argument_or_an_option(said: list[str]) -> None:
    assert run("rule", "test", "dns.qry.type eq 28", *said).status == 0
    assert run("rule", "test", "dns.qry.type eq 1").status == 0


def test_types_that_mean_nothing_are_refused() -> None:
    two = run("rule", "test", "", "A", "--type", "AAAA")
    assert two.status == 2 and "two types, A and --type AAAA: leave one out" in two.err
    other = run("rule", "test", "", "TXT")
    assert other.status == 2 and "no load balancer is asked for TXT; expected one of A, AAAA, CNAME, MX" in other.err


def test_a_list_that_is_not_there_is_told_with_what_only_a_proxy_sees() -> None:
    told = run("rule", "test", "ip.src in $shop and ssl").err.splitlines()
    assert [line[:19] for line in told] == ["lbdns: column 11: u", 'lbdns: column 21: "']


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["check", "", "--region", "europe"], 'unknown region "EUROPE"; expected one of EEU, '),
        (["test", "", "--region", "wue"], 'unknown region "WUE"; expected one of EEU, '),
        (["test", "", "--region", "wue"], 'did you mean "WEU"?'),
        (["test", "", "--ecs", "192.0.2.0/33"], "'192.0.2.0/33' is not an IPv4 or IPv6 network, such as 192.0.2.0/24"),
        (["test", "", "--resolver", "192.0.2"], "'192.0.2' is not an IPv4 or IPv6 address, such as 192.0.2.1"),
    ],
)
def test_options_that_mean_nothing_are_refused(arguments: list[str], words: str) -> None:
    done = run("rule", *arguments)
    assert (done.status, done.out) == (2, "") and words in done.err and f"'{arguments[2]}'" in done.err


def test_an_error_has_its_problems_in_order() -> None:
    with pytest.raises(ExpressionError, match=r"column 1: .*\ncolumn 16: "):
        parse("ip.scr eq 1 or ip.scr eq 2")


DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^    \$ lbdns (rule .*)\n((?:    .*\n|\n(?=    ))*)", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize("command, output", SHOWN, ids=[command for command, _ in SHOWN])
def test_the_document_shows_what_is_printed(command: str, output: str) -> None:
    done = run(*shlex.split(command))
    assert [line.removeprefix("    ").rstrip() for line in output.splitlines()] == (done.out + done.err).splitlines()


def test_the_document_shows_each_command() -> None:
    assert {command.split()[1] for command, _ in SHOWN} == {"check", "test"}


def test_a_text_that_no_name_is_like_is_warned_of() -> None:
    done = run("rule", "check", 'ends_with(dns.qry.name, ".example.com")')
    words = (
        '".example.com" finds nothing: dns.qry.name is in lower case, with the final dot; did you mean ".example.com."?'
    )
    assert (done.status, done.err) == (0, f"warning: column 25: {words}\n")
    told = run("rule", "check", 'ends_with(dns.qry.name, ".example.com")', "--json").json
    assert told["warnings"] == [{"column": 25, "message": words}]
    assert run("rule", "check", 'ends_with(dns.qry.name, ".example.com.")').err == ""


def test_a_named_list_is_shown_as_it_is_written() -> None:
    assert run("rule", "check", "not ip.src in $office").out.splitlines()[-1] == "left    not ip.src in $office"
    assert run("rule", "check", "ip.src in {$office}").out.splitlines()[-1] == "left    ip.src in $office"
    mixed = "ip.src in {$office 192.0.2.1}"
    assert run("rule", "check", mixed).out.splitlines()[-1] == f"left    {mixed}"
