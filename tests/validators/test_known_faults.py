"""A rule explains what was seen, and nothing that lies beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.validators.known_faults import BELOW_ASTERISK, NSEC3_BELOW_DNAME, KnownFault, known_fault
from tests.validators.questions import Question
from tests.validators.trial import Report

FINDINGS = Path(__file__).parents[2] / "findings"


@pytest.mark.parametrize(
    ("resolver", "name", "rcode", "is_alias_wanted", "fault"),
    [
        ("powerdns", "yB93.AWAY.hASHed.exAMple.", "NXDOMAIN", True, NSEC3_BELOW_DNAME),
        ("powerdns", "a.b.old.hashed.example.", "NXDOMAIN", True, NSEC3_BELOW_DNAME),
        ("powerdns", "a.old.hashed.example.", "NXDOMAIN", False, None),
        ("powerdns", "a.old.hashed.example.", "SERVFAIL", True, None),
        ("powerdns", "a.old.signed.example.", "NXDOMAIN", True, None),
        ("powerdns", "old.hashed.example.", "NXDOMAIN", True, None),
        ("powerdns", "a.apps.hashed.example.", "NXDOMAIN", True, None),
        ("bind", "a.old.hashed.example.", "NXDOMAIN", True, None),
        ("unbound", "4k0km7.2e94b8q9.*.old.compact.example.", "SERVFAIL", True, BELOW_ASTERISK),
        ("unbound", "a.*.b.steered.compact.example.", "SERVFAIL", True, BELOW_ASTERISK),
        ("unbound", "ps7.*.oRl.sTeered.sIgned.example.", "SERVFAIL", True, BELOW_ASTERISK),
        ("unbound", "ps7.*.orl.steered.hashed.example.", "SERVFAIL", True, None),
        ("unbound", "*.old.compact.example.", "SERVFAIL", True, None),
        ("unbound", "a.b.old.compact.example.", "SERVFAIL", True, None),
        ("unbound", "a.*.old.signed.example.", "SERVFAIL", True, None),
        ("unbound", "a.*.old.compact.example.", "NXDOMAIN", True, None),
        ("unbound", "example.", "SERVFAIL", True, None),
    ],
)
def test_rules_are_narrow(
    resolver: str, name: str, rcode: str, is_alias_wanted: bool, fault: KnownFault | None
) -> None:
    assert known_fault(resolver, Question(name, "A", "", True, False, False), rcode, is_alias_wanted) is fault


def test_what_a_rule_explains_is_counted_and_told() -> None:
    report = Report(asked=2, known=[(NSEC3_BELOW_DNAME, "one"), (NSEC3_BELOW_DNAME, "two")])
    assert "0 wrong, 2 by a fault of its own: NXDOMAIN below a DNAME" in str(report)


@pytest.mark.parametrize("fault", [NSEC3_BELOW_DNAME, BELOW_ASTERISK])
def test_each_has_a_finding(fault: KnownFault) -> None:
    assert (FINDINGS / f"{fault.finding}.sh").is_file()
