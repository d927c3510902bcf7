"""The Rules language: what it takes, what it means, and that a tree shown is the same tree when read again."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from lbdns.expressions.evaluate import Facts, evaluate, first_failure
from lbdns.expressions.expression_error import ExpressionError
from lbdns.expressions.parse import parse
from lbdns.expressions.showing import show
from lbdns.expressions.tree import NESTING_MAX, And, Compare, Literal, Not, Operator, Or, Type, Xor, fields_of, lists_of

FACTS: Facts = {
    "cf.load_balancer.name": b"www.example.com",
    "cf.load_balancer.region": b"WEU",
    "dns.qry.name": b"www.example.com.",
    "dns.qry.name.len": 16,
    "dns.qry.qu": True,
    "dns.qry.type": 28,
    "dns.rr.opt.client": True,
    "dns.rr.opt.client.addr": b"192.0.2.0",
    "ip.src": ip_address("192.0.2.0"),
    "ip.src.asnum": 13335,
    "ip.src.country": b"DE",
    "ip.src.lat": 48.5,
    "ip.src.lon": None,
    "http.request.headers": {b"a": (b"one", b"two"), b"none": ()},
}
LISTS = {"office": frozenset({ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")})}

TRUE = [
    "",
    " \r\n",
    "ip.src in {0.0.0.0/0}",
    "not ip.src in {0.0.0.0/1}",
    "ip.src in {10.0.0.1 192.0.2.0..192.0.2.9}",
    "ip.src in $office",
    "ip.src in {198.51.100.0/24 $office}",
    "not ip.src in $elsewhere",
    "ip.src gt 10.0.0.0",
    "ip.src ne 2001:db8::1",
    "not ip.src eq 2001:db8::1",
    "not ip.src lt 2001:db8::1 and not ip.src gt 2001:db8::1",
    "not ip.src in {::/0}",
    "cidr(ip.src, 16, 32) eq 192.0.0.0",
    "cidr6(ip.src, 32) == 192.0.2.0",
    "ip.src.asnum eq 13335",
    "ip.src.asnum == 0x3417 && ip.src.asnum == 032027",
    "ip.src.asnum > -1 and ip.src.asnum <= 9223372036854775807 and ip.src.asnum >= -9223372036854775808",
    "ip.src.asnum & 1",
    "not ip.src.asnum bitwise_and 0x8000",
    "dns.qry.type in {1 28}",
    "dns.qry.type in {2..0x1c}",
    'dns.qry.name contains "example"',
    'dns.qry.name eq "www.example.com."',
    "dns.qry.name ne 77:77:77",
    'dns.qry.name ge "www" and dns.qry.name lt "wwx"',
    r'dns.qry.name contains "\x65\170a\x6dple"',
    r'dns.qry.name matches r"^w{3}\.ex.*\.$"',
    r'dns.qry.name matches "^w{3}\.ex.*\.$"',
    'dns.qry.name ~ "ple"',
    'dns.qry.name wildcard "*.EXAMPLE.com."',
    'not dns.qry.name strict wildcard "*.EXAMPLE.com."',
    'dns.qry.name strict wildcard "www.*.com."',
    'not dns.qry.name wildcard "www.example"',
    'dns.qry.name.len eq 16 and len(dns.qry.name) eq 16 and len(concat("a", dns.qry.name)) eq 17',
    'starts_with(dns.qry.name, "www.") and ends_with(upper(dns.qry.name), "COM.")',
    'substring(dns.qry.name, 0, 3) eq "www" and substring(dns.qry.name, -4) eq "com."',
    'to_string(dns.qry.type) eq "28" and to_string(ip.src) eq "192.0.2.0" and to_string(dns.qry.qu) eq "true"',
    "dns.qry.qu and dns.rr.opt.client",
    'dns.rr.opt.client.addr in {"192.0.2.0" "192.0.2.1"}',
    'any(http.request.headers["a"][*] eq "two") and not all(http.request.headers["a"][*] eq "two")',
    'all(http.request.headers["none"][*] eq "two")',
    'any(upper(http.request.headers["a"][*])[*] in {"TWO"})',
    'any(starts_with(http.request.headers["a"][*], "t"))',
    'http.request.headers["a"][1] eq "two"',
    "ip.src.lat gt 48 and ip.src.lat in {48.25..49} and ip.src.lat == 48.5",
    # Missing values: only `ne` holds.
    "ip.src.lon ne 1 and not ip.src.lon lt 1 and not ip.src.lon ge 1",
    'not http.host contains "" and not http.host matches "" and not http.host wildcard "*"',
    'http.host ne "x" and not len(http.host) lt 5 and not starts_with(http.host, "")',
    'http.request.headers["a"][2] ne "two" and not any(http.request.headers["b"][*] ne "x")',
    # not before and before xor before or.
    "not ssl and dns.qry.qu",
    "dns.qry.qu or dns.qry.qu xor dns.qry.qu",
    "dns.qry.qu or dns.qry.qu and ssl",
    "dns.qry.qu xor dns.qry.qu and ssl",
    "dns.qry.qu ^^ dns.qry.qu ^^ dns.qry.qu",
    "!ssl||ssl",
]


@pytest.mark.parametrize("text", TRUE)
def test_what_holds(text: str) -> None:
    tree = parse(text)
    assert evaluate(tree, FACTS, LISTS)
    assert first_failure(tree, FACTS, LISTS) is None
    assert not text.strip() or not evaluate(parse(f"not ({text})"), FACTS, LISTS)


@pytest.mark.parametrize("text", TRUE)
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
