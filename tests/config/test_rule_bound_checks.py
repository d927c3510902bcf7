"""Rules that exceed a bound are told before anything is made of them, with the rule that costs most."""

from __future__ import annotations

from typing import Any

import pytest

from lbdns.model import bounds
from lbdns.snapshot.compile import rule_bounds
from tests.config.test_rule_checks import examined, told


def rules(*conditions: str) -> list[dict[str, Any]]:
    return [{"condition": condition, "overrides": {"pools": ["eu"]}} for condition in conditions]


def test_more_tests_than_there_are_bits_for() -> None:
    tests = [f'dns.qry.name contains "{letter}"' for letter in "abcdefghi"]
    many = " or ".join(tests[1:4])
    ((path, message),) = told(examined(name="*.example.com", rules=rules(tests[0], many, *tests[4:])))
    assert path.endswith("rules[1].condition")
    assert message.startswith(f"its rules make {bounds.MAX_TESTS + 1} tests of names and texts, more than 8; this rule")
    assert told(examined(name="*.example.com", rules=rules(many, *tests[4:]))) == []
    assert told(examined(rules=rules(*tests))) == []  # the name is known: nothing is asked of it


def test_cells_are_counted_as_the_databases_have_them() -> None:
    tests = [f'dns.qry.name contains "{letter}"' for letter in "abcdefgh"]
    networks = [f"ip.src in {{20.{number}.0.0/16}}" for number in range(90)]
    ((path, message),) = told(examined(name="*.example.com", rules=rules(*networks, " or ".join(tests))))
    assert path.endswith("rules[90].condition") and "cells, more than 65,536; this rule costs most" in message


def test_many_comparisons_are_bounded_before_they_are_worked_out() -> None:
    # A hundred and twenty addresses one by one in each of a hundred rules: a table of 12,000 by 24,000.
    def one_by_one(rule: int, count: int) -> str:
        return " or ".join(f"ip.src eq 20.{rule}.{number}.1" for number in range(count))

    wide = [one_by_one(rule, 120 if rule != 7 else 130) for rule in range(bounds.MAX_RULES)]
    ((path, message),) = told(examined(rules=rules(*wide)))
    assert path.endswith("rules[7].condition")
    assert "truths of comparisons of addresses, more than 134,217,728; this rule" in message


def test_the_rule_that_costs_most_is_found_without_a_table_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> int:
        raise AssertionError("the table is worked out once more")

    monkeypatch.setattr(rule_bounds, "cell_count", fail)
    tests = " or ".join(f'dns.qry.name contains "{letter}"' for letter in "abcdefgh")
    wide = [" or ".join(f"ip.src eq 20.{rule}.{number}.1" for number in range(20)) for rule in range(80)]
    ((path, message),) = told(examined(name="*.example.com", rules=rules(*wide, tests)))
    assert path.endswith("rules[80].condition") and "cells, more than 65,536; this rule costs most" in message


def test_as_many_rules_as_there_may_be_are_no_matter() -> None:
    kinds = ("ip.src in {{20.{0}.0.0/16}}", "ip.src in {{2a00:{0}::/32}}", 'ip.src.country eq "{1}{2}"')
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    made = [kinds[at % 3].format(at, letters[at % 26], letters[at // 4]) for at in range(bounds.MAX_RULES)]
    assert told(examined(rules=rules(*made))) == []


def test_variants_are_bounded() -> None:
    # Thirteen sets, of which each address is in those that its bits say: every combination occurs.
    sets = []
    for bit in range(13):
        blocks = [number for number in range(1 << bit + 1) if number & 1]
        sets.append("ip.src in {" + " ".join(f"{block << 7 - bit}.0.0.0/{bit + 1}" for block in blocks) + "}")
        if bit == 7:
            break
    kinds = [f"dns.qry.type eq {number} or dns.rr.opt.client" for number in (1, 28, 5)]
    names = [f'dns.qry.name contains "{letter}"' for letter in "abcde"]
    ((_, message),) = told(examined(name="*.example.com", rules=rules(*sets, *kinds, *names)))
    assert "variants, more than 4,096" in message


@pytest.mark.parametrize(
    ("condition", "column"),
    [('dns.qry.type eq 1 and concat(ip.src.country, dns.qry.name) eq "x"', 23)],
)
def test_what_no_table_can_hold_is_refused_at_its_column(condition: str, column: int) -> None:
    ((path, message),) = told(examined(name="*.example.com", rules=rules(condition)))
    assert path.endswith("rules[0].condition") and message.startswith(f"column {column}: compares at once")
    assert told(examined(rules=rules(condition))) == []
