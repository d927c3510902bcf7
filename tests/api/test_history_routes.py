"""The history by HTTP: shapes, spans in words, mistakes, and a file that cannot be read."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from lbdns.base.words import HISTORY_FILE
from lbdns.manage.api.own.history_routes import span_of
from tests.api.conftest import Api
from tests.history.filled import LOAD_BALANCER, POOLS, REPLIES, fill

PATH = "/lbdns/v1/history"


@pytest.fixture
def until_s(api: Api) -> int:
    """When a history of an hour ends, which is not long ago."""
    until_s = int(time.time()) // 60 * 60
    fill(api.manager.settings.state_dir(), until_s, 60)
    return until_s


def ask(api: Api, path: str, **query: Any) -> httpx.Response:
    """Ask for something of the history."""
    with api.client(api.read_token) as client:
        return client.get(httpx.URL(f"{api.server.address}{PATH}{path}"), params=query)


def result(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["result"]


def test_lines_over_time(api: Api, until_s: int) -> None:
    """By what, name and dimension; a value for each time."""
    found = result(ask(api, "/series", what="queries", since=until_s - 3600, until=until_s, points=60))
    assert found["since"] == until_s - 3600 and found["step_s"] == 60 and found["exact"]
    assert len(found["times"]) == 60
    (line,) = found["series"]
    assert line == {"name": "queries", "values": pytest.approx([REPLIES / 60] * 60)}
    found = result(ask(api, "/series", what="load_balancers", name=LOAD_BALANCER, by="pool", since="-120min"))
    assert not found["exact"]
    assert {line["name"] for line in found["series"]} == set(POOLS)
    assert None in found["series"][0]["values"]


def test_counts_by_dimensions(api: Api, until_s: int) -> None:
    """Exact ones and sampled ones, and of what is named alone."""
    found = result(ask(api, "/cells", by="pool", since=until_s - 600, until=until_s))
    assert found["rows"] == [
        {"pool": pool, "count": count * 10, "exact": True, "samples": 0} for pool, count in POOLS.items()
    ]
    found = result(ask(api, "/cells", by="country, pool", pool="eu", since=until_s - 600, until=until_s, limit=1))
    assert found["total_rows"] == 2
    assert found["rows"] == [{"country": "DE", "pool": "eu", "count": 200, "exact": False, "samples": 10}]


def test_how_it_stands(api: Api, until_s: int) -> None:
    """Since when, how large, how old."""
    found = result(ask(api, "/status"))
    assert found["exists"] and found["steps"]["60"] == until_s - 3600
    assert found["age_s"] < 120


def test_nothing_is_there_yet(api: Api) -> None:
    """A server whose history has not begun."""
    assert result(ask(api, "/series"))["series"] == []
    assert result(ask(api, "/cells", by="pool"))["rows"] == []
    assert not result(ask(api, "/status"))["exists"]


@pytest.mark.parametrize(
    ("path", "query", "told"),
    [
        ("/series", {"what": "colours"}, "what"),
        ("/series", {"what": "rcodes", "by": "pool"}, "does not go with"),
        ("/series", {"since": "yesterday"}, '"yesterday" is no time'),
        ("/series", {"since": "-1h", "until": "-2h"}, "before until"),
        ("/series", {"since": "-99999999w", "until": "1e400"}, '"1e400" is no time'),
        ("/series", {"points": 0}, "points"),
        ("/cells", {"by": "pool,colour"}, '"colour" is no dimension'),
        ("/cells", {"by": "endpoints"}, '"endpoints" is no dimension'),
        ("/cells", {"by": "pool", "step_s": 5}, "step_s"),
    ],
)
def test_mistakes_are_told(api: Api, path: str, query: dict[str, Any], told: str) -> None:
    """Each with what would be right."""
    response = ask(api, path, **query)
    assert response.status_code == 400, response.text
    assert told in response.json()["errors"][0]["message"]


def test_a_file_that_cannot_be_read_is_told(api: Api) -> None:
    """The rest of the API goes on."""
    (api.manager.settings.state_dir() / HISTORY_FILE).write_bytes(b"no database" * 1000)
    response = ask(api, "/series")
    assert response.status_code == 503
    assert "the history cannot be read" in response.json()["errors"][0]["message"]
    with api.client(api.read_token) as client:
        assert client.get("/zones").status_code == 200


def test_a_token_needs_scopes_of_what_is_counted(api: Api) -> None:
    """Load balancers and pools."""
    narrow, _ = api.store.tokens.create("narrow", "pools:read")
    wide, _ = api.store.tokens.create("wide", "pools:read", "load_balancers:read")
    for token, status in ((narrow, 403), (wide, 200)):
        with api.client(token) as client:
            assert client.get(httpx.URL(f"{api.server.address}{PATH}/status")).status_code == status


@pytest.mark.parametrize(
    ("since", "until", "span"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:06+00:00", (1767323045.0, 1767323046.0)),
        ("2026-01-02T03:04:05", "2026-01-02T05:04:06+02:00", (1767323045.0, 1767323046.0)),
        ("100", "200.5", (100.0, 200.5)),
        (None, "7200", (3600.0, 7200.0)),
        (None, "60", (0.0, 60.0)),
    ],
)
def test_spans_in_words(since: str | None, until: str, span: tuple[float, float]) -> None:
    """RFC 3339, UTC where it says no offset, or unix seconds; an hour where no beginning is named."""
    assert span_of(since, until) == span
