"""What rules ask of a message's texts: the kernel says what slices, comparisons and patterns of Python say, in both
forms."""

from __future__ import annotations

import importlib
import re
from array import array
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbdns.mapped.columns import COLUMNS, HEALTH_COLUMNS
from lbdns.steering.kernel import numbers
from lbdns.steering.kernel.numbers import (
    SUBJECT_BYTES,
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
from tests.interpreted import standing_in

KERNEL = ("mapped.typed_columns", "steering.kernel.view", "steering.kernel.message_tests")
LENGTHS: dict[int, Callable[[int, int], bool]] = {
    TEST_LENGTH_EQUALS: lambda length, number: length == number,
    TEST_LENGTH_LESS: lambda length, number: length < number,
    TEST_LENGTH_LESS_EQUAL: lambda length, number: length <= number,
    TEST_LENGTH_GREATER: lambda length, number: length > number,
    TEST_LENGTH_GREATER_EQUAL: lambda length, number: length >= number,
    TEST_LENGTH_BITS: lambda length, number: length & number != 0,
}
TEXTS: dict[int, Callable[[bytes, bytes], bool]] = {
    TEST_EQUALS: lambda text, operand: text == operand,
    TEST_LESS: lambda text, operand: text < operand,
    TEST_LESS_EQUAL: lambda text, operand: text <= operand,
    TEST_GREATER: lambda text, operand: text > operand,
    TEST_GREATER_EQUAL: lambda text, operand: text >= operand,
    TEST_CONTAINS: lambda text, operand: operand in text,
    TEST_STARTS: bytes.startswith,
    TEST_ENDS: bytes.endswith,
}


@dataclass(frozen=True)
class Test:
    """A row of the test_* columns, and what is said of it in Python."""

    __test__ = False

    op: int
    operand: bytes = b""
    number: int = 0
    flags: int = 0
    start: int = 0
    end: int = SUBJECT_END
    subject: int = SUBJECT_NAME

    def holds(self, text: bytes | None) -> bool:
        if text is None:
            return False
        part = text[self.start : None if self.end == SUBJECT_END else self.end]
        if self.flags & TEST_UPPER:
            part = part.upper()
        if self.op in LENGTHS:
            return LENGTHS[self.op](len(part), self.number)
        if self.op == TEST_LENGTH_ONE_OF:
            bounds = array("q", self.operand)
            return any(bounds[at] <= len(part) <= bounds[at + 1] for at in range(0, len(bounds), 2))
        if self.op == TEST_ONE_OF:
            return part in unpacked(self.operand)
        if self.op == TEST_WILDCARD:
            return pattern(self.operand, bool(self.flags & TEST_ANY_CASE)).fullmatch(part) is not None
        return TEXTS[self.op](part, self.operand)


def pattern(operand: bytes, any_case: bool) -> re.Pattern[bytes]:
    """Return a wildcard as a regular expression."""
    parts = re.findall(rb"\\.|.", operand, re.DOTALL)
    return re.compile(
        b"".join(b".*" if part == b"*" else re.escape(part[-1:]) for part in parts),
        re.DOTALL | (re.IGNORECASE if any_case else 0),
    )


def packed(*texts: bytes) -> bytes:
    return b"".join(len(text).to_bytes(2, "little") + text for text in texts)


def unpacked(operand: bytes) -> list[bytes]:
    found = []
    while operand:
        size = int.from_bytes(operand[:2], "little")
        found.append(operand[2 : 2 + size])
        operand = operand[2 + size :]
    return found


def text_of(labels: list[bytes]) -> bytes:
    return b"".join(label + b"." for label in labels) or b"."


@dataclass(frozen=True)
class Form:
    """The kernel's module in one of its forms, with the nouns that go with it."""

    name: str
    module: Any
    nouns: Any

    def bits(
        self, *tests: Test, name: list[bytes] | None = None, ecs: tuple[str, int] | None = None, asked: int = 0
    ) -> int:
        columns = {column: array(code) for column, code in COLUMNS.items()}
        columns["rules_test_start"].append(0)
        columns["rules_test_count"].append(len(tests))
        columns["blob"].frombytes(b"before")
        for test in tests:
            columns["test_subject"].append(test.subject)
            columns["test_op"].append(test.op)
            columns["test_flags"].append(test.flags)
            columns["test_from"].append(test.start)
            columns["test_to"].append(test.end)
            columns["test_operand"].append(len(columns["blob"]))
            columns["test_operand_length"].append(len(test.operand))
            columns["test_number"].append(test.number)
            columns["blob"].frombytes(test.operand)
        columns["blob"].frombytes(b"behind")
        health = {column.name: memoryview(array(column.code)) for column in HEALTH_COLUMNS}
        view = self.nouns.View({column: memoryview(data) for column, data in columns.items()}, health, -1)
        query, decision = self.nouns.Query(), self.nouns.Decision()
        wire = b"".join(bytes([len(label)]) + label for label in name or []) + b"\0"
        query.name = memoryview(bytearray(wire))
        query.asked_bits = asked
        if ecs is not None:
            address = ip_address(ecs[0])
            whole = address.packed.ljust(16, b"\0")
            query.ecs_version, query.ecs_bits = address.version, ecs[1]
            query.ecs_high, query.ecs_low = int.from_bytes(whole[:8], "big"), int.from_bytes(whole[8:], "big")
        return int(self.module.bits_of(view, query, decision, 0))

    def address(self, address: IPv4Address | IPv6Address) -> str:
        decision = self.nouns.Decision()
        whole = address.packed.ljust(16, b"\0")
        high, low = int.from_bytes(whole[:8], "big"), int.from_bytes(whole[8:], "big")
        length = self.module.put_address(address.version, high, low, decision)
        return bytes(decision.subject[:length]).decode()


def interpreted() -> Form:
    with ExitStack() as stack:
        modules = {name: stack.enter_context(standing_in(name)) for name in KERNEL}
    return Form("interpreted", modules[KERNEL[-1]], modules[KERNEL[1]])


def compiled() -> Form | None:
    modules = {name: importlib.import_module(f"lbdns.{name}") for name in KERNEL}
    if any(str(module.__file__).endswith(".py") for module in modules.values()):
        return None
    return Form("compiled", modules[KERNEL[-1]], modules[KERNEL[1]])


FORMS = [form for form in (interpreted(), compiled()) if form is not None]


@pytest.fixture(params=FORMS, ids=lambda form: form.name)
def form(request: pytest.FixtureRequest) -> Form:
    found: Form = request.param
    return found


LABELS = st.lists(st.binary(min_size=1, max_size=4), min_size=0, max_size=5)
FEW = st.sampled_from([b"", b"a", b"b", b"a.", b".", b"ab", b"ba", b"A", b"a.b.", b"\xff", b"*", b"aab"])
PATTERNS = st.lists(st.sampled_from([b"*", b"a", b"b", b".", b"A", rb"\*", rb"\\", b"ab"]), max_size=8).map(b"".join)
PLACES = st.integers(-12, 12)


@st.composite
def texts_tested(draw: st.DrawFn) -> Test:
    op = draw(st.sampled_from([*TEXTS, *LENGTHS, TEST_ONE_OF, TEST_LENGTH_ONE_OF, TEST_WILDCARD]))
    operand, number = draw(FEW), draw(st.integers(-3, 12))
    flags = draw(st.sampled_from([0, TEST_UPPER]))
    if op == TEST_ONE_OF:
        operand = packed(*draw(st.lists(FEW, max_size=3)))
    elif op == TEST_LENGTH_ONE_OF:
        bounds = draw(st.lists(st.integers(-3, 12), max_size=3))
        operand = array("q", [bound for first in bounds for bound in (first, first + 2)]).tobytes()
    elif op == TEST_WILDCARD:
        operand = draw(PATTERNS)
        flags |= draw(st.sampled_from([0, TEST_ANY_CASE]))
    return Test(op, operand, number, flags, draw(PLACES), draw(PLACES | st.just(SUBJECT_END)))


@settings(max_examples=400, deadline=None)
@given(
    tests=st.lists(texts_tested(), max_size=8),
    name=st.lists(st.sampled_from([b"a", b"b", b"ab", b"aab", b"\xff", b"*", b"x.y"]), max_size=5) | LABELS,
)
def test_each_test_says_what_python_says(tests: list[Test], name: list[bytes]) -> None:
    name = [label.lower() for label in name]
    wanted = sum(test.holds(text_of(name)) << index for index, test in enumerate(tests))
    for each in FORMS:
        assert each.bits(*tests, name=name) == wanted, each.name


@pytest.mark.parametrize(
    ("operand", "flags", "name", "wanted"),
    [
        (b"*", 0, "www.example.com", True),
        (b"*.example.com.", 0, "www.example.com", True),
        (b"*.example.com", 0, "www.example.com", False),
        (b"*.EXAMPLE.*", TEST_ANY_CASE, "www.example.com", True),
        (b"*.EXAMPLE.*", 0, "www.example.com", False),
        (b"w*w*.*e*.com.", 0, "www.example.com", True),
        (b"w*x*w.example.com.", 0, "www.example.com", False),
        (rb"\*.example.com.", 0, "*.example.com", True),
        (rb"\*.example.com.", 0, "www.example.com", False),
        (rb"a\\b.*", 0, "a\\b.example.com", True),
        (b"www.example.com.*", 0, "www.example.com", True),
        (b"", 0, "www.example.com", False),
    ],
)
def test_a_wildcard_is_of_the_whole_name(form: Form, operand: bytes, flags: int, name: str, wanted: bool) -> None:
    labels = [label.encode() for label in name.split(".")]
    assert form.bits(Test(TEST_WILDCARD, operand, flags=flags), name=labels) == int(wanted)


def test_a_wildcard_takes_no_longer_for_being_nasty() -> None:
    """The compiled kernel alone: 20,000 times the worst that a backtracking matcher could meet, once."""
    each = next((one for one in FORMS if one.name == "compiled"), None)
    if each is None:
        pytest.skip("the compiled kernel is not installed")
    name = [b"a" * 63] * 3 + [b"a" * 60]
    nasty = (b"*a" * 60 + b"*b") * 16
    assert each.bits(*[Test(TEST_WILDCARD, nasty)] * 8, name=name) == 0
    assert each.bits(*[Test(TEST_WILDCARD, b"*a" * 120 + b"*.")] * 8, name=name) == 255


def test_a_name_at_its_longest_is_read_to_its_end(form: Form) -> None:
    name = [b"x" * 63, b"y" * 63, b"z" * 63, b"w" * 60 + b"q"]
    assert sum(len(label) + 1 for label in name) + 1 == 255 < SUBJECT_BYTES
    tests = (
        Test(TEST_LENGTH_EQUALS, number=254),
        Test(TEST_ENDS, b"wwq."),
        Test(TEST_EQUALS, text_of(name)),
        Test(TEST_EQUALS, b"x", start=0, end=1),
    )
    assert form.bits(*tests, name=name) == 0b1111


def test_bytes_of_a_name_stay_what_they_are(form: Form) -> None:
    tests = (Test(TEST_EQUALS, b"a.b\0\xff."), Test(TEST_LENGTH_EQUALS, number=6), Test(TEST_GREATER, b"a.b\0\xfe"))
    assert form.bits(*tests, name=[b"a.b\0\xff"]) == 0b111


def test_upper_changes_letters_alone(form: Form) -> None:
    tests = (
        Test(TEST_EQUALS, b"A{\xe4Z@[.", flags=TEST_UPPER),
        Test(TEST_ONE_OF, packed(b"no", b"A{\xe4Z@[."), flags=TEST_UPPER),
        Test(TEST_CONTAINS, b"z", flags=TEST_UPPER),
    )
    assert form.bits(*tests, name=[b"a{\xe4z@["]) == 0b011


def test_without_ecs_no_test_of_it_holds(form: Form) -> None:
    ops = [*TEXTS, *LENGTHS, TEST_ONE_OF, TEST_WILDCARD]
    tests = [Test(op, b"*", subject=SUBJECT_ECS_TEXT) for op in ops]
    for first in range(0, len(tests), 8):
        assert form.bits(*tests[first : first + 8], name=[b"a"]) == 0


def test_subjects_may_stand_in_any_order(form: Form) -> None:
    tests = (
        Test(TEST_STARTS, b"www."),
        Test(TEST_STARTS, b"192.0.", subject=SUBJECT_ECS_TEXT),
        Test(TEST_ENDS, b".com."),
        Test(TEST_EQUALS, b"192.0.2.0", subject=SUBJECT_ECS_TEXT),
    )
    assert form.bits(*tests, name=[b"www", b"example", b"com"], ecs=("192.0.2.0", 24)) == 0b1111


def test_what_python_tests_is_taken_from_the_query(form: Form) -> None:
    tests = (Test(TEST_ASKED, b"x"), Test(TEST_STARTS, b"a"), Test(TEST_ASKED, b"y"), Test(TEST_ASKED, b"z"))
    assert form.bits(*tests, name=[b"a"], asked=0b1111_0100) == 0b0110


@pytest.mark.parametrize(
    "text",
    [
        *("0.0.0.0", "255.255.255.255", "10.200.3.40", "192.0.2.1"),
        *("::", "::1", "1::", "2001:db8::", "2001:db8::1", "2001:0:0:1::1", "2001:db8:0:1:1:1:1:1", "1:0:0:2:0:0:0:3"),
        *(
            "0:0:1::",
            "0:1::2:0:0:3",
            "fe80::abcd:ef01:2345:6789",
            "a:b:c:d:e:f:0:0",
            "0:a:b:c:d:e:f:1",
            "::2:3:4:5:6:7:8",
        ),
    ],
)
def test_an_address_is_written_as_rfc_5952_has_it(form: Form, text: str) -> None:
    address = ip_address(text)
    assert form.address(address) == str(address)


def test_an_ipv4_mapped_address_is_written_without_dots(form: Form) -> None:
    """As all others are; Python writes it otherwise from 3.13 on."""
    assert form.address(ip_address("::ffff:192.0.2.1")) == "::ffff:c000:201"
    assert form.address(ip_address("::fffe:192.0.2.1")) == "::fffe:c000:201"


def test_random_addresses_are_written_as_python_writes_them(form: Form) -> None:
    chance = Random("addresses")
    for _ in range(2000):
        groups = [chance.choice([0, 0, 0, chance.getrandbits(chance.choice([4, 8, 12, 16]))]) for _ in range(8)]
        address = IPv6Address(b"".join(group.to_bytes(2, "big") for group in groups))
        if address.ipv4_mapped is None:
            assert form.address(address) == str(address)
        assert form.address(IPv4Address(address.packed[:4])) == str(IPv4Address(address.packed[:4]))


def test_every_test_has_a_number_of_its_own() -> None:
    found = [value for name, value in vars(numbers).items() if name.startswith("TEST_")]
    flags = [TEST_UPPER, TEST_ANY_CASE]
    assert len(set(found)) == len(found) - len(flags)
