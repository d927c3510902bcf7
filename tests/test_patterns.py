"""No regular expression of the package takes more than time in proportion to its text: what outside sends meets them.

Each pattern is tried on texts that make a backtracking matcher work: something in front, a short piece many times over,
and an end at which it fails, all of the pattern's own characters. Twenty pieces show what doubles with each of them,
thousands what grows with their square.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import re
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest

from tests.work import grows_in_proportion, least_s

constants = importlib.import_module("re._constants")  # how `re` itself reads a pattern; typeshed does not know them
parser = importlib.import_module("re._parser")

PACKAGE = Path(__file__).resolve().parent.parent / "lbdns"
SEARCHING = {"search", "findall", "finditer", "sub", "subn", "split"}
MATCHING = {"match", "fullmatch"}
FEW, MANY = 20, 4096
BEARABLE_S = 0.005  # of processor time; a linear pattern takes less than a tenth: what takes more is looked at closer
ENDLESS_S = 100.0  # for all texts of a pattern, which take a second: only a match without an end takes so long
ALPHABET_MAX = 10
ANYTHING = "a0 \n"
OF_A_PACKAGE = {"lbdns/places/airports.py"}  # reads the table of a package, nothing from outside


class Used(NamedTuple):
    """A pattern of the package: where it stands, and how it is used."""

    where: str
    pattern: re.Pattern[Any]
    methods: frozenset[str]


@cache
def used_patterns() -> list[Used]:
    """Return every pattern that a module of the package holds or writes at its place of use."""
    return [used for path in sorted(PACKAGE.rglob("*.py")) for used in _patterns_in(path)]


def _patterns_in(path: Path) -> Iterator[Used]:
    tree = ast.parse(path.read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    named: dict[str, set[str]] = {}
    for call in calls:
        assert isinstance(call.func, ast.Attribute)
        if isinstance(call.func.value, ast.Name):
            named.setdefault(call.func.value.id, set()).add(call.func.attr)
    where = path.relative_to(PACKAGE.parent)
    if "re.compile(" in path.read_text():
        module = importlib.import_module(".".join(where.with_suffix("").parts))
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                yield Used(f"{where}:{name}", value, _methods(named.get(name, set())))
    for call in calls:
        assert isinstance(call.func, ast.Attribute)
        on_re = isinstance(call.func.value, ast.Name) and call.func.value.id == "re"
        if on_re and call.func.attr in SEARCHING | MATCHING:
            text = ast.literal_eval(call.args[0]) if isinstance(call.args[0], ast.Constant) else None
            assert text is not None or str(where) in OF_A_PACKAGE, f"{where}:{call.lineno}: made when it is used"
            if text is None:
                continue
            yield Used(f"{where}:{call.lineno}", re.compile(text), _methods({call.func.attr}))


def _methods(seen: set[str]) -> frozenset[str]:
    methods = {"search" if name in SEARCHING else name for name in seen & (SEARCHING | MATCHING)}
    return frozenset(methods or {"search", "fullmatch"})


def alphabet(pattern: re.Pattern[Any]) -> list[str]:
    """Return characters that a pattern tells apart: its literals and one or two of each of its sets."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    found: dict[str, None] = {}
    for character in _characters(parser.parse(text, pattern.flags & ~re.UNICODE & ~re.DEBUG)):
        found[character] = None
    return list(found)[:ALPHABET_MAX] + [one for one in ANYTHING if one not in list(found)[:ALPHABET_MAX]]


def _characters(tree: Any) -> Iterator[str]:
    """Yield them as they stand in what `re` makes of a pattern; see its module _parser."""
    for operation, argument in tree:
        if operation in (constants.LITERAL, constants.NOT_LITERAL):
            yield chr(argument)
        elif operation is constants.RANGE:
            yield chr(argument[0])
        elif operation is constants.IN:
            yield from _characters(argument)
        elif operation is constants.CATEGORY:
            yield {constants.CATEGORY_DIGIT: "0", constants.CATEGORY_SPACE: " "}.get(argument, "a")
        elif isinstance(argument, (tuple, list)):
            for part in argument:
                if isinstance(part, parser.SubPattern):
                    yield from _characters(part)
                elif isinstance(part, list):
                    for branch in part:
                        yield from _characters(branch)
        elif isinstance(argument, parser.SubPattern):
            yield from _characters(argument)


def beginnings(pattern: re.Pattern[Any]) -> list[str]:
    """Return texts that lead into a pattern: nothing, and its literals up to each repetition."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    found = [""]
    led = ""
    for operation, argument in parser.parse(text, pattern.flags & ~re.UNICODE & ~re.DEBUG):
        if operation in (constants.MAX_REPEAT, constants.MIN_REPEAT):
            found.append(led)
            continue
        led += next(_characters([(operation, argument)]), "")
    return list(dict.fromkeys([*found, led]))


def hard_texts(pattern: re.Pattern[Any]) -> Iterator[Any]:
    """Yield the parts of texts: a beginning, a piece to repeat, of one character or of two, and an end."""
    letters = alphabet(pattern)
    pieces = [*letters, *("".join(pair) for pair in itertools.permutations(letters, 2))]
    for parts in itertools.product(beginnings(pattern), pieces, ("", "\x00", *letters)):
        yield parts if isinstance(pattern.pattern, str) else tuple(one.encode("latin-1", "replace") for one in parts)


@pytest.fixture
def endless() -> Iterator[None]:
    """End a match that would go on for hours."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError("a match without an end")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, ENDLESS_S)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def check_linear(used: Used) -> None:
    """Fail where a pattern takes long for a text that is hard for it, and out of proportion to its length."""
    for count in (FEW, MANY):
        for name in used.methods:
            method = getattr(used.pattern, name)
            for begin, piece, end in hard_texts(used.pattern):
                text = begin + piece * count + end
                if least_s(lambda: method(text), BEARABLE_S) > BEARABLE_S:  # noqa: B023
                    is_linear = grows_in_proportion(lambda many: method(begin + piece * many + end), count)  # noqa: B023
                    assert is_linear, f"{used.where}.{name}: {text[:60]!r} ..."


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize("used", used_patterns(), ids=lambda used: used.where)
def test_patterns_take_time_in_proportion_to_their_text(used: Used) -> None:
    check_linear(used)


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"(?:[0-9]{1,10}[wdhms]?)+", "fullmatch"),
        (rb"([!-~]+):[ \t]*([^\r\n]*?)[ \t]*", "fullmatch"),
        (r"(?:a|b|ab)*c", "match"),
        (r"\s*=", "search"),
        (r"[a-z]+@", "search"),
    ],
)
def test_the_texts_find_patterns_that_are_slow(pattern: Any, method: str) -> None:
    slow = Used("here", re.compile(pattern), frozenset({method}))
    with pytest.raises((AssertionError, TimeoutError)):
        check_linear(slow)
