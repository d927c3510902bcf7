"""Comparisons of a message's texts -> tests of its bytes: the name under a wildcard, and the text of the ECS address.

What is no test of bytes (a regular expression, functions in functions) is asked of Python: `asked`.
"""

from __future__ import annotations

from dataclasses import replace

from lbdns.expressions.tree import (
    Call,
    Compare,
    Comparison,
    Field,
    In,
    Literal,
    Operator,
    Span,
    Truth,
    Value,
    Wildcard,
    fields_of,
)
from lbdns.steering.kernel.numbers import (
    SUBJECT_ECS_TEXT,
    SUBJECT_END,
    SUBJECT_NAME,
    TEST_ANY_CASE,
    TEST_ASKED,
    TEST_CONTAINS,
    TEST_ENDS,
    TEST_EQUALS,
    TEST_GREATER,
    TEST_GREATER_EQUAL,
    TEST_LENGTH_BITS,
    TEST_LENGTH_EQUALS,
    TEST_LENGTH_GREATER,
    TEST_LENGTH_GREATER_EQUAL,
    TEST_LENGTH_LESS,
    TEST_LENGTH_LESS_EQUAL,
    TEST_LENGTH_ONE_OF,
    TEST_LESS,
    TEST_LESS_EQUAL,
    TEST_ONE_OF,
    TEST_STARTS,
    TEST_UPPER,
    TEST_WILDCARD,
)
from lbdns.steering.rules.formulas import TestAtom

SUBJECTS = {"dns.qry.name": SUBJECT_NAME, "dns.rr.opt.client.addr": SUBJECT_ECS_TEXT}
_TEXT_OPS = {
    Operator.EQ: TEST_EQUALS,
    Operator.LT: TEST_LESS,
    Operator.LE: TEST_LESS_EQUAL,
    Operator.GT: TEST_GREATER,
    Operator.GE: TEST_GREATER_EQUAL,
    Operator.CONTAINS: TEST_CONTAINS,
}
_LENGTH_OPS = {
    Operator.EQ: TEST_LENGTH_EQUALS,
    Operator.LT: TEST_LENGTH_LESS,
    Operator.LE: TEST_LENGTH_LESS_EQUAL,
    Operator.GT: TEST_LENGTH_GREATER,
    Operator.GE: TEST_LENGTH_GREATER_EQUAL,
    Operator.BITWISE_AND: TEST_LENGTH_BITS,
}
_BY_CALL = {"starts_with": TEST_STARTS, "ends_with": TEST_ENDS}
_NO_TEST = TestAtom(SUBJECT_NAME, TEST_ASKED)


def text_test(comparison: Comparison) -> TestAtom | None:
    """Return the test that a comparison of a name or of an ECS text comes to, None where there is none such."""
    if isinstance(comparison, Truth):
        return _call_test(comparison.value)
    value, is_length = comparison.left, False
    if isinstance(value, Call) and value.name == "len" and isinstance(value.arguments[0], Field | Call):
        value, is_length = value.arguments[0], True
    elif isinstance(value, Field) and value.name == "dns.qry.name.len":
        value, is_length = Field("dns.qry.name", value.type), True
    subject = _subject(value)
    if subject is None:
        return None
    return _length_test(subject, comparison) if is_length else _compared_test(subject, comparison)


def asked(comparison: Comparison, text: str) -> TestAtom:
    """Return the test that Python makes by evaluating `text`, which is the comparison written out."""
    fields = {one.name for one in fields_of(comparison)}
    reads_name = any(name.startswith("dns.qry.name") for name in fields)
    reads_address = any(name.startswith(("ip.src", "dns.rr.opt.client")) for name in fields)
    return replace(_NO_TEST, operand=text.encode(), reads_name=reads_name, reads_address=reads_address)


def _call_test(value: Value) -> TestAtom | None:
    if not isinstance(value, Call) or value.name not in _BY_CALL:
        return None
    text, literal = value.arguments
    subject = _subject(text) if isinstance(text, Field | Call) else None
    if subject is None or not isinstance(literal, Literal):
        return None
    return replace(subject, op=_BY_CALL[value.name], operand=_bytes(literal))


def _subject(value: Value) -> TestAtom | None:
    """Return a test of nothing yet about a text: which one, which part of it, in which case."""
    case: str | None = None
    start, end, is_cut = 0, SUBJECT_END, False
    while isinstance(value, Call):
        inner = value.arguments[0]
        if not isinstance(inner, Field | Call):
            return None
        if value.name in ("lower", "upper"):
            case = case or value.name  # the outermost one decides
        elif value.name == "substring" and not is_cut:
            start, end, is_cut = _bound(value.arguments[1]), SUBJECT_END, True
            if len(value.arguments) > 2:
                end = _bound(value.arguments[2])
        elif value.name != "concat" or len(value.arguments) > 1:
            return None
        value = inner
    if not isinstance(value, Field) or value.name not in SUBJECTS:
        return None
    flags = TEST_UPPER if case == "upper" else 0  # both texts are in lower case as they are
    return TestAtom(SUBJECTS[value.name], TEST_EQUALS, flags, start, end)


def _bound(literal: object) -> int:
    assert isinstance(literal, Literal) and isinstance(literal.value, int)
    return max(-SUBJECT_END, min(literal.value, SUBJECT_END))


def _bytes(literal: Literal) -> bytes:
    assert isinstance(literal.value, bytes)
    return literal.value


def _compared_test(subject: TestAtom, comparison: Comparison) -> TestAtom | None:
    if isinstance(comparison, Compare) and comparison.operator in _TEXT_OPS:
        return replace(subject, op=_TEXT_OPS[comparison.operator], operand=_bytes(comparison.right))
    if isinstance(comparison, Wildcard):
        flags = subject.flags | (0 if comparison.strict else TEST_ANY_CASE)
        return replace(subject, op=TEST_WILDCARD, flags=flags, operand=comparison.pattern)
    if isinstance(comparison, In):
        texts = [one.value for one in comparison.items if isinstance(one, Literal) and isinstance(one.value, bytes)]
        if len(texts) == len(comparison.items):
            listed = b"".join(len(text).to_bytes(2, "little") + text for text in texts)
            return replace(subject, op=TEST_ONE_OF, operand=listed)
    return None


def _length_test(subject: TestAtom, comparison: Comparison) -> TestAtom | None:
    if isinstance(comparison, Compare) and comparison.operator in _LENGTH_OPS:
        assert isinstance(comparison.right.value, int)
        return replace(subject, op=_LENGTH_OPS[comparison.operator], number=comparison.right.value)
    if isinstance(comparison, In):
        ends = [(one.low, one.high) if isinstance(one, Span) else (one.value, one.value)
                for one in comparison.items if isinstance(one, Span | Literal)]  # fmt: skip
        listed = b"".join(number.to_bytes(8, "little", signed=True) for pair in ends for number in pair
                          if isinstance(number, int))  # fmt: skip
        return replace(subject, op=TEST_LENGTH_ONE_OF, operand=listed)
    return None
