"""What is said of generic data, of numbers in quotes and of an SRV's parts; many mistakes of one kind are one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lbdns.base.errors import ConfigError, Problem, in_order
from lbdns.base.repeats import gathered
from lbdns.cli.commands.check_command import check
from lbdns.dns.name import ROOT
from lbdns.dns.rdata.master_form import BadRdata, encode_rdata
from lbdns.dns.rdata.record_types import parse_type
from lbdns.manage.store.records.record_reading import canonical_record
from lbdns.manage.store.zones.zone_bodies import canonical_zone

FORM = r"\# OCTETS HEX, such as \# 4 c0000201 (RFC 3597)"
NO_FORM = f"the type has no form of its own here; expected {FORM}"
NO_COUNT = f"the number of octets is missing; expected {FORM}"
FEW = "4 octets are announced, and 6 hexadecimal digits follow, which is two for each"


@pytest.mark.parametrize(
    ("rdtype", "text", "reason"),
    [
        ("TYPE65500", "foo", f'"foo" is not data of type TYPE65500: {NO_FORM}'),
        ("MD", "x", f'"x" is not data of type MD: {NO_FORM}'),
        ("NULL", '"x"', f'"x" is not data of type NULL: {NO_FORM}'),
        ("TYPE65500", "", f"the data is missing; expected {FORM}"),
        ("TYPE65500", r"\# 4 010203", rf'"\# 4 010203" is not data of type TYPE65500: {FEW}'),
        ("A", r"\# 4 01 02 03", rf'"\# 4 01 02 03" is not data of type A: {FEW}'),
        ("A", r"\# 3 010203", r'"\# 3 010203" is not data of type A: the 3 octets are no such data'),
        ("TLSA", r"\# 2 0102", r'"\# 2 0102" is not data of type TLSA: the 2 octets are no such data'),
        (
            "TYPE65500",
            r"\# 2 01zz",
            rf'"\# 2 01zz" is not data of type TYPE65500: what follows the number of octets is not hexadecimal; '
            f"expected {FORM}",
        ),
        *(
            ("TYPE65500", text, f'"{text}" is not data of type TYPE65500: {NO_COUNT}')
            for text in (r"\#", r"\# x 01", r"\#4 01020304", r"\# -1 01", r"\# 123456 00")
        ),
        ("TLSA", "3 1 1 zz", '"3 1 1 zz" is not data of type TLSA: Non-hexadecimal digit found'),
    ],
)
def test_generic_data_is_told_in_our_words(rdtype: str, text: str, reason: str) -> None:
    with pytest.raises(BadRdata) as refused:
        encode_rdata(parse_type(rdtype), text.split(), ROOT)
    assert str(refused.value) == reason


def told_of(**fields: Any) -> list[str]:
    """Return what is wrong with a record."""
    problems: list[Problem] = []
    canonical_record({"name": "a", "type": "A", "content": "192.0.2.1", **fields}, "example.com", problems, ())
    return [problem.message for problem in problems]


SECONDS = "expected seconds from 0 to 2147483647, or 1 for automatic"
PRIORITY = "expected a whole number from 0 to 65535"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ttl": "120"}, f'"120" is a text; {SECONDS}, without quotes'),
        ({"ttl": "soon"}, SECONDS),
        ({"ttl": -1}, SECONDS),
        ({"ttl": ["120"]}, SECONDS),
        ({"type": "MX", "content": "a", "priority": "10"}, f'"10" is a text; {PRIORITY}, without quotes'),
    ],
)
def test_a_number_in_quotes_is_told_as_one(fields: dict[str, Any], message: str) -> None:
    assert told_of(**fields) == [message]


def test_numbers_in_quotes_of_zones_are_told_as_such() -> None:
    problems: list[Problem] = []
    canonical_zone({"name": "example.com", "serial": "7", "soa": {"minimum": "60"}}, problems, ())
    assert [problem.message for problem in problems] == [
        '"7" is a text; expected a whole number from 0 to 4294967295, without quotes',
        '"60" is a text; expected seconds from 0 to 4294967295, without quotes',
    ]


def test_parts_of_a_service_s_name_are_told_to_stand_there() -> None:
    data = {"priority": 1, "weight": 1, "port": 443, "target": "a.example.com"}
    where = "stands in the record's name, not in its data: SERVICE.PROTO.NAME, such as _sip._udp.example.com"
    for key, what in (("proto", "protocol"), ("service", "service"), ("name", "name")):
        record = {"name": "_s._tcp", "type": "SRV", "content": None, "data": {**data, key: "_tcp"}}
        assert told_of(**record) == [f"an SRV's {what} {where}"]
    record = {"name": "_s._tcp", "type": "SRV", "content": None, "data": {**data, "prot": 1}}
    assert told_of(**record) == ['unknown field "prot"; did you mean "port"?']


def test_many_problems_of_one_kind_are_one() -> None:
    outside = [Problem("f", line, f"{line}", f'the owner "x{line}.net" is outside') for line in range(1, 101)]
    others = [Problem("f", 200, "", "no TTL"), Problem("f", 201, "", 'the owner "x" is outside', "warning")]
    assert [one.message for one in gathered([*outside, *others])] == [
        'the owner "x1.net" is outside (and 99 more like it, the last in line 100)',
        "no TTL",
        'the owner "x" is outside',
    ]
    assert gathered(outside[:5]) == outside[:5]


def test_numbers_in_paths_and_messages_are_sorted_by_their_value() -> None:
    columns = [Problem("f", 3, "rules[0]", f'rule "x", column {column}: wrong') for column in (1, 5, 13, 113)]
    rules = [Problem("f", 3, f"rules[{index}]", "wrong") for index in (2, 10)]
    long = [Problem("f", 3, "rules[11]", f"{'9' * size} is too many") for size in (5, 6, 5000)]
    ordered = [Problem("f", 2, "z", "wrong"), *columns, *rules, *long, Problem("g", 1, "", "wrong")]
    assert in_order(reversed(ordered)) == ordered
    assert list(ConfigError(reversed(ordered)).problems) == ordered


def test_check_shows_some_of_a_kind_and_counts_the_rest(tmp_path: Path) -> None:
    head = "$TTL 300\n@ SOA a b 1 2 3 4 5\n@ NS ns.example.net.\n"
    lines = "".join(f"a{number} A 192.0.2.{300 + number}\n" for number in range(100))
    (tmp_path / "example.com.zone").write_text(f"{head}{lines}b MXX 1\n")
    shown = CliRunner().invoke(check, [str(tmp_path)]).stderr.splitlines()
    assert len(shown) == 8
    assert shown[6].startswith('95 more problems such as: "192.0.2.300" is not an IPv4 address')
    assert shown[7].startswith("101 problems")
