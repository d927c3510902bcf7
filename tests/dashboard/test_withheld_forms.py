"""Tokens of few scopes see no form that the API would refuse: every link of every page is followed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx
import pytest

from tests.store.served import StoreServer

pytestmark = [pytest.mark.process, pytest.mark.slow]

LACKING = "needs a token of scope"
LEFT_OUT = "what this token may not do"
WRITES = re.compile(r"/(new|edit|delete|import)$")
"""Pages that are for those alone who may write."""
ALWAYS = ("/sign-out", "/theme")
"""Forms of every page."""


class Seen(HTMLParser):
    """The links and forms of a page: a form's method, its action and its fields that have a value."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[tuple[str, str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        if tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "form":
            self.forms.append((given.get("method", "get"), given.get("action", ""), {}))
        elif tag in ("input", "button") and self.forms and "name" in given:
            self.forms[-1][2].setdefault(given["name"], given.get("value", ""))


@dataclass
class Walk:
    """What somebody came by: the text of each page, by its path, and the forms that are sent by POST."""

    pages: dict[str, httpx.Response] = field(default_factory=dict)
    forms: dict[str, dict[str, str]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def lived_in(changed: StoreServer) -> StoreServer:
    """A server with a revision to go back to, and a state that is forced."""
    with changed.local as local:
        zone = local.get("/lbdns/v1/names").json()["result"]["zone"]["example.com"]
        record = {"type": "A", "name": "new", "content": "192.0.2.9"}
        local.post(f"/client/v4/zones/{zone}/dns_records", json=record).raise_for_status()
        forced = {"pattern": "asia", "state": "down", "for_s": 3600, "why": "maintenance"}
        local.post("/lbdns/v1/forced", json=forced).raise_for_status()
    return changed


@contextmanager
def session(server: StoreServer, scopes: str) -> Iterator[httpx.Client]:
    """Sign a client in by a new token of these scopes."""
    name = re.sub(r"\W", "-", scopes)
    with server.local as local:
        made = local.post("/lbdns/v1/tokens", json={"name": name, "scope": scopes.split()})
        made.raise_for_status()
    with httpx.Client(base_url=server.api, headers={"origin": server.api}, timeout=30) as client:
        signed = client.post("/sign-in", data={"token": made.json()["result"]["value"]})
        assert signed.status_code == 303, signed.text
        yield client


def walked(client: httpx.Client, *more: str) -> Walk:
    """Follow every link without a query from the overview on, and from more pages."""
    found = Walk()
    waiting = ["/", *more]
    while waiting:
        path = waiting.pop()
        answer = client.get(path, follow_redirects=True)
        assert answer.status_code < 500, f"{path}: {answer.status_code}"
        found.pages[path] = answer
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        seen = Seen(answer.text)
        for method, action, fields in seen.forms:
            if method == "post" and action not in ALWAYS:
                found.forms.setdefault(action or answer.url.path, fields)
        links = {link.partition("#")[0] for link in seen.links if link.startswith("/") and "?" not in link}
        waiting += sorted(link for link in links if link and link not in found.pages and link not in waiting)
    return found


SCOPES = {
    "read": (),
    "pools:read": (),
    "load_balancers:read zones:read": (),
    "notifications:read": (),
    "pools:write zones:read": ("/health/force", "/pools/new", "/monitors/new", "/networks/routes/new"),
    "zones:write:example.com": ("/zones/ZONE/records/new", "/zones/ZONE/edit", "/zones/ZONE/import"),
    "load_balancers:write:example.com pools:read": ("/load_balancers/ZONE/new",),
}
"""Scopes of a token, and some of the forms that it sees."""


@pytest.mark.parametrize("scopes", SCOPES)
def test_no_form_is_shown_that_the_api_refuses_for_lack_of_scope(lived_in: StoreServer, scopes: str) -> None:
    with lived_in.local as local:
        zone = local.get("/lbdns/v1/names").json()["result"]["zone"]["example.com"]
    wanted = {path.replace("ZONE", zone) for path in SCOPES[scopes]}
    with session(lived_in, scopes) as client:
        found = walked(client, *wanted)
        refused = [path for path, answer in found.pages.items() if WRITES.search(path) and LACKING in answer.text]
        assert refused == [], "links lead to forms that may be sent"
        for action, fields in found.forms.items():
            if action.endswith("/delete"):  # it was tried for its page; sent, it would be gone for the next test
                continue
            answer = client.post(action, data=fields)
            assert answer.status_code != 403 and LACKING not in answer.text, (action, answer.status_code)
    assert wanted <= found.forms.keys()
    if not wanted:
        assert found.forms == {}


def test_pages_say_which_scope_what_is_left_out_takes(lived_in: StoreServer) -> None:
    with session(lived_in, "read pools:read") as client:
        for path, scope in {
            "/health": "write or pools:write.",
            "/health/europe": "write or pools:write.",
            "/pools": "write or pools:write.",
            "/zones": "write or zones:write",
            "/load_balancers": "write or load_balancers:write",
            "/what-if": "scope write.",
            "/revisions": "scope write.",
            "/revisions/0/restore": "scope write.",
        }.items():
            text = client.get(path).text
            assert LEFT_OUT in text and f"token read-pools-read may only read; it {LACKING}" in text, path
            assert scope in text, path
        for path in ("/pools/new", "/zones/new", "/load_balancers/new"):
            assert client.get(path).status_code == 403, path


def test_who_may_write_everything_sees_every_form(lived_in: StoreServer) -> None:
    with session(lived_in, "write") as client:
        found = walked(client)
    assert not any(LEFT_OUT in answer.text for answer in found.pages.values())
    assert {"/health/force", "/what-if", "/pools/new", "/zones/new"} <= found.forms.keys()
    for last in ("/edit", "/import", "/probe", "/restore"):
        assert any(path.endswith(last) for path in found.forms), last
