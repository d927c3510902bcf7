"""Regular expressions and wildcards of rules: bytes, linear time, silence, and where a mistake stands."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdns.expressions.patterns import PatternError, check_wildcard, is_like, searcher
from lbdns.expressions.tree import wildcard_parts


@pytest.mark.parametrize(
    "pattern, text, found",
    [
        (rb".", b"\xff", True),  # a byte that is no UTF-8
        (rb"^.$", "\u00e9".encode(), False),  # two bytes
        (rb"^..$", "\u00e9".encode(), True),
        ("\u00e9".encode(), "x\u00e9y".encode(), True),
        (rb"\xff", b"\xff", True),
        (b"a.b", b"a\x00b", True),
        (rb"\w", b"\xe9", False),
        (rb"\d", b"5", True),
        (rb".", b"\n", False),
        (rb"(?s).", b"\n", True),
        (rb"^a$", b"a\n", False),
        (rb"(?i)WWW", b"www", True),
        (rb"b", b"abc", True),
        (rb"", b"", True),
        (rb"a{,3}", b"aaa", False),  # no repetition in RE2's syntax, but these characters
        (rb"a{,3}", b"a{,3}", True),
    ],
)
def test_what_a_regular_expression_finds(pattern: bytes, text: bytes, found: bool) -> None:
    assert (searcher(pattern)(text) is not None) is found


def test_re2_says_nothing_by_itself(capfd: pytest.CaptureFixture[str]) -> None:
    for pattern in (rb"(", rb"\1", rb"a{1001}"):
        with pytest.raises(PatternError):
            searcher(pattern)
    searcher(rb"[ab]*a[ab]{900}x")(b"abbabaab" * 500)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "pattern, offset",
    [
        (rb"()()(a))", 7),
        (rb"(a)(b", 5),
        (rb"\d\1\1", 2),
        (rb"a\\1\1", 4),
        (rb"[a-z][z-a]", 6),
        (rb"x{1000}y{1001}", 8),
        (rb"a(?i)b(?=c)", 6),
        (b"x" * 40 + b"\\", 40),
        (b".{1000}" * 200, 0),
    ],
)
def test_a_mistake_is_told_where_it_stands(pattern: bytes, offset: int) -> None:
    with pytest.raises(PatternError) as caught:
        searcher(pattern)
    assert caught.value.offset == offset


@given(st.binary(max_size=30))
def test_any_bytes_are_a_pattern_or_a_mistake_inside_them(pattern: bytes) -> None:
    try:
        searcher(pattern)(pattern)
    except PatternError as error:
        assert 0 <= error.offset <= len(pattern)


def test_threads_share_a_pattern() -> None:
    search = searcher(rb"^(www|ftp)\.[a-z]+\.com\.$")
    wrong: list[int] = []

    def look() -> None:
        for index in range(500):
            if (search(b"www.example%d.com." % index) is None) is not True or search(b"ftp.a.com.") is None:
                wrong.append(index)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    "pattern, text, alike",
    [
        (b"*", b"", True),
        (b"", b"", True),
        (b"", b"a", False),
        (b"a", b"A", True),
        (b"*.com", b"x.COM", True),
        (b"a*a", b"a", False),
        (b"a*a", b"aa", True),
        (b"a*b*c", b"axbxbxc", True),
        (b"a*bc*bc", b"abc", False),
        (rb"\*.com", b"*.com", True),
        (rb"\*.com", b"x.com", False),
        (rb"a\\*", rb"a\b", True),
        (b"*\xe9*", b"\xc9", False),  # upper and lower case are those of A-Z
    ],
)
def test_what_is_like_a_wildcard(pattern: bytes, text: bytes, alike: bool) -> None:
    check_wildcard(pattern)
    assert is_like(text, pattern, strict=False) is alike


@given(st.text(alphabet="ab*", max_size=8), st.text(alphabet="ab", max_size=10))
def test_wildcards_agree_with_regular_expressions(pattern: str, text: str) -> None:
    while "**" in pattern:
        pattern = pattern.replace("**", "*")
    expression = "^" + "(?s:.*)".join(part.decode() for part in wildcard_parts(pattern.encode())) + "$"
    assert is_like(text.encode(), pattern.encode(), strict=True) is (
        searcher(expression.encode())(text.encode()) is not None
    )
