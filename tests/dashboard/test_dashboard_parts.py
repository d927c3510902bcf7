"""What the pages are made of, without a browser: forms, charts, words, sessions, files that others wrote."""

from __future__ import annotations

import asyncio
import fnmatch
import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from lbdns.manage.api.frame.auth import SignedIn
from lbdns.manage.dashboard import words_shown as words
from lbdns.manage.dashboard.charts import chart_of
from lbdns.manage.dashboard.forms import body_of, form_of
from lbdns.manage.dashboard.page_calls import ask_api
from lbdns.manage.dashboard.page_router import local_path
from lbdns.manage.dashboard.served_names import is_served_as
from lbdns.manage.dashboard.sessions import LINK_S, LINKS_MAX, SESSION_S, SESSIONS_MAX, Sessions, SignInLinks
from lbdns.manage.dashboard.static_files import FOLDER, StaticFiles

ROOT = Path(__file__).resolve().parent.parent.parent
VENDOR = FOLDER / "vendor"


class Clock:
    """A clock that is set by hand."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


# --- forms ---


@pytest.mark.parametrize(
    "fields, body",
    [
        ({"/name": "eu", "form_token": "x"}, {"name": "eu"}),
        (
            {"/ttl:number": "30", "/weight:number": "0.5", "/port:number": "many"},
            {"ttl": 30, "weight": 0.5, "port": "many"},
        ),
        ({"/ttl:number?": " ", "/description!": "", "/monitor?": ""}, {"description": None}),
        ({"/enabled:flag": "true", "/proxied:flag": ""}, {"enabled": True, "proxied": False}),
        ({"/pools:lines": "a\r\n\r\n b \r\n"}, {"pools": ["a", "b"]}),
        ({"/scope:words": "read,  pools:write\nzones:read"}, {"scope": ["read", "pools:write", "zones:read"]}),
        ({"/rules:json": '[{"name": "r"}]', "/header:json": "{"}, {"rules": [{"name": "r"}], "header": "{"}),
        (
            {"/origins/7/address": "b", "/origins/0/name": "a", "/origins/7/weight:number": "1"},
            {"origins": [{"name": "a"}, {"address": "b", "weight": 1}]},
        ),
        ({"/country_pools/JP:words": "asia", "/a~1b": "1"}, {"country_pools": {"JP": ["asia"]}, "a/b": "1"}),
        ({"/text": "one\r\ntwo"}, {"text": "one\ntwo"}),
        ({"no pointer": "1", "": "2", "x/y": "3"}, {}),
        ({"/a": "1", "/a/b": "2"}, {"a": "1"}),
        ({"/a" * 5000: "1", "/0" * 5000: "2", "/b": "3"}, {"b": "3"}),
    ],
)
def test_fields_make_the_body(fields: dict[str, str], body: dict[str, Any]) -> None:
    assert body_of(fields) == body


def test_errors_stand_beside_the_fields_they_are_about() -> None:
    fields = {"/name": "", "/origins/0/address": "a", "/origins/4/address": "b", "/scope:words": "x"}

    def error(pointer: str | None, message: str) -> dict[str, Any]:
        return {"code": 1002, "message": message, **({"source": {"pointer": pointer}} if pointer is not None else {})}

    form = form_of(
        fields,
        [
            error("/name", "name: needed: validation failed"),
            error("/origins/1/address", "no address: validation failed"),  # the second, which is the form's place 4
            error("/scope/0", "no scope"),
            error("/origins", "too few"),
            error("/elsewhere", "unknown"),
            error(None, "in general"),
        ],
    )
    assert form.errors_at("/name") == ["name: needed"]
    assert form.errors_at("/origins/4/address") == ["no address"]
    assert form.errors_at("/scope") == ["no scope"]
    assert form.errors_at("/origins/0/address") == ["too few"]
    assert form.others == ("unknown", "in general")
    assert form.value("/origins/4/address") == "b" and form.value("/lacking", "otherwise") == "otherwise"


# --- charts and words ---


def series(**lines: list[float | None]) -> dict[str, Any]:
    count = max(map(len, lines.values()), default=0)
    times = [1_700_000_000 + 60 * at for at in range(count)]
    return {"times": times, "step_s": 60, "series": [{"name": n, "values": v} for n, v in lines.items()]}


def test_lines_break_off_where_nothing_is_known() -> None:
    chart = chart_of("Queries", series(a=[1.0, 2.0, None, 4.0, None]), "q/s")
    (line,) = chart.lines
    assert line.path.count("M") == 2 and line.last == "4 q/s"
    assert line.path.startswith("M0 75L250 50M750 0")
    assert [tick.label for tick in chart.y] == ["1 q/s", "2 q/s", "3 q/s", "4 q/s"]


def test_stacked_areas_stand_on_each_other_and_shares_add_up() -> None:
    chart = chart_of("Shares", series(a=[1.0, 0.0], b=[3.0, 2.0]), "%", stacked=True, share=True)
    assert [line.path for line in chart.lines] == ["M0 75L1000 100", "M0 0L1000 0"]
    assert chart.lines[1].area == "M0 0L1000 0L1000 100L0 75Z"
    assert [line.last for line in chart.lines] == ["0 %", "100 %"]
    assert [line["values"] for line in json.loads(chart.data)["lines"]] == [[25.0, 0.0], [75.0, 100.0]]


def test_more_lines_than_colours_are_told_together() -> None:
    chart = chart_of("Pools", series(**{f"p{at}": [float(20 - at), None] for at in range(12)}), "q/s")
    assert [line.name for line in chart.lines] == [*(f"p{at}" for at in range(7)), "others"]
    assert json.loads(chart.data)["lines"][-1]["values"] == [sum(20 - at for at in range(7, 12)), None]


@pytest.mark.parametrize("found", [series(), series(a=[None, None]), series(a=[0.0, 0.0]), series(a=[5.0])])
def test_little_is_drawn_as_well(found: dict[str, Any]) -> None:
    chart = chart_of("Queries", found, "q/s", stacked=True)
    assert chart.is_empty is (not any(one["values"][0] is not None for one in found["series"]))
    assert "nan" not in repr(chart) and "inf" not in repr(chart)


@pytest.mark.parametrize(
    "value, told",
    [
        (None, "-"), (0, "0"), (0.126, "0.13"), (12.34, "12.3"), (1234.5, "1,234"), (99_999, "99,999"),
        (123_456, "123 k"), (12_345_678, "12.3 M"), (-3, "-3"), (float("nan"), "-"),
    ],
)  # fmt: skip
def test_numbers_have_the_digits_that_count(value: float | None, told: str) -> None:
    assert words.number(value) == told


@pytest.mark.parametrize(
    "value, told", [(None, "-"), ("", "-"), (8.44, "8.4 ms"), ("8.4ms", "8.4 ms"), (301.3, "301 ms")]
)
def test_round_trip_times_are_told_alike(value: float | str | None, told: str) -> None:
    assert words.milliseconds(value) == told


def test_what_is_counted_has_its_plural() -> None:
    """`counted("retry")` would say "0 retrys"."""
    templates = Path(words.__file__).parent / "templates"
    named = {
        noun for path in templates.rglob("*.html") for noun in re.findall(r'counted\("([^"]+)"\)', path.read_text())
    }
    assert "endpoint" in named
    assert not [noun for noun in named if re.search(r"([^aeiou]y|s|x|z|ch|sh)$", noun)]


def test_times_are_relative_and_absolute() -> None:
    at = "2026-11-28T10:00:00Z"
    now_s = 1_795_860_000.0 + 90
    assert words.ago(at, now_s) == "1 minute ago" and words.ago(now_s + 7200, now_s) == "in 2 hours"
    assert words.age(now_s - 3 * 86400, now_s) == "3 days" and words.ago(None) == "-"
    assert words.absolute(at) == "Sat 28 Nov 2026, 10:00:00 UTC" and words.iso_time(now_s) == "2026-11-28T10:01:30Z"


# --- calls ---


def test_a_call_carries_what_no_header_can_hold_to_the_api() -> None:
    seen: list[bytes] = []

    async def api(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(dict(scope["headers"])[b"if-match"])
        await JSONResponse({"result": None})(scope, receive, send)

    asked_by = {"scheme": "http"}
    asyncio.run(ask_api(api, asked_by, None, "PATCH", "/lbdns/v1/x", headers={"if-match": '"☃"'}))
    assert seen == ['"☃"'.encode()]


# --- who may come in ---


@pytest.mark.parametrize(
    "authority, is_good",
    [
        ("127.0.0.1:8053", True), ("[::1]:8053", True), ("192.0.2.7", True), ("LOCALHOST:1", True),
        ("dns.localhost", True), ("dns.example.com:443", True), ("dns.example.com.", True),
        ("evil.example", False), ("127.0.0.1.evil.example", False), ("", False), ("x.dns.example.com", False),
        ("localhost.evil.example:8053", False), ("[::1", False),
        ("[::1].evil.example", False), ("127.0.0.1:80:80", False), ("127.0.0.1:evil", False),
    ],
)  # fmt: skip
def test_names_that_are_not_ours_are_known(authority: str, is_good: bool) -> None:
    assert is_served_as(authority, ("dns.example.com",)) is is_good


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\nb", "javascript:1"]
)
def test_the_way_back_leads_nowhere_else(path: str) -> None:
    assert local_path(path) == "/"
    assert local_path("/pools?page=2") == "/pools?page=2"


def test_sessions_end_in_time_and_are_bounded() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    first = sessions.begin(SignedIn(user="ann"))
    found = sessions.find(first)
    assert found is not None and found.who.user == "ann" and sessions.find("other") is None
    for _ in range(SESSIONS_MAX - 1):
        last = sessions.begin(SignedIn(user="ben"))
        assert sessions.find(first) is found, "the one that is used stays"
    sessions.begin(SignedIn(user="ben"))
    assert sessions.find(first) is not None
    clock.now_s += SESSION_S
    assert sessions.find(first) is None and sessions.find(last) is None


def test_links_are_good_once_and_soon() -> None:
    clock = Clock()
    links = SignInLinks(clock)
    code = links.make(SignedIn(user="ann"))
    assert links.take(code) == SignedIn(user="ann") and links.take(code) is None
    late = links.make(SignedIn(user="ann"))
    clock.now_s += LINK_S
    assert links.take(late) is None
    codes = [links.make(SignedIn(user="ann")) for _ in range(LINKS_MAX + 1)]
    assert links.take(codes[0]) is None and links.take(codes[-1]) is not None


# --- files ---


def test_what_others_wrote_is_listed_with_its_licence() -> None:
    rows = json.loads((VENDOR / "vendored.json").read_text())
    known = {"vendored.json"}
    for row in rows:
        assert hashlib.sha256((VENDOR / row["file"]).read_bytes()).hexdigest() == row["sha256"], row["file"]
        assert (VENDOR / row["licence_file"]).read_text().strip(), row["file"]
        assert row["licence"] in ("0BSD", "MIT", "BSD-3-Clause", "ISC", "CC0-1.0")
        assert row["version"] and row["package"] and row["source"]
        known |= {row["file"], row["licence_file"]}
    assert {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()} == known


def test_packages_carry_templates_and_static_files() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["lbdns"]
    for folder in (FOLDER, FOLDER.parent / "templates"):
        for path in (path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(ROOT / "lbdns").as_posix()
            assert any(fnmatch.fnmatch(name, pattern.replace("/**/", "/*")) for pattern in patterns), name
        assert f"graft {folder.relative_to(ROOT).as_posix()}" in (ROOT / "MANIFEST.in").read_text()


def test_static_files_are_kept_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("x" * 5000)
    (tmp_path / "a.LICENSE").write_text("none of a browser's business")
    files = StaticFiles(tmp_path)
    before = files.path("a.css")
    _, _, digest, name = before.split("/")
    found = files.find(digest, name)
    assert found is not None and "immutable" in found.response("").headers["cache-control"]
    assert found.response("gzip, br").headers["content-encoding"] == "gzip"
    assert files.find("0" * 16, name) is None and files.find(digest, "a.LICENSE") is None
    (tmp_path / "a.css").write_text("y")
    assert StaticFiles(tmp_path).path("a.css") != before
