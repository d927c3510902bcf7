"""Pages elsewhere reach nothing of a dashboard on loopback: forms, requests, pictures, frames, names of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.dashboard.conftest import ELSEWHERE, Pages, expect, shows, signed_in
from tests.store.served import StoreServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.fixture
def other() -> Iterator[int]:
    """A web server of somebody else's on this machine: each path is an empty page. Its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = b"<!doctype html><title>other</title><body>other"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def victim(looked_at: StoreServer, browser: Browser) -> Iterator[Pages]:
    """A browser that is signed in, whose user then looks at other pages."""
    found = signed_in(looked_at, browser)
    yield found
    found.context.close()


def tokens(server: StoreServer) -> list[str]:
    with server.local as client:
        return [one["name"] for one in client.get("/lbdns/v1/tokens").json()["result"]]


SEND_FORM = """([action, fields]) => {
  const form = document.createElement("form");
  Object.assign(form, {action, method: "post"});
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement("input");
    Object.assign(input, {name, value, type: "hidden"});
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}"""
FETCH = """async ([url, options]) => {
  try {
    const answer = await fetch(url, options);
    return [answer.status, await answer.text()];
  } catch (error) { return [0, String(error)]; }
}"""
LOADS = """([tag, attribute, url]) => new Promise((resolve) => {
  const element = document.createElement(tag);
  element.onload = () => resolve("loaded");
  element.onerror = () => resolve("refused");
  if (tag === "link") element.rel = "stylesheet";
  element[attribute] = url;
  document.body.append(element);
})"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ELSEWHERE])
def test_forms_of_other_pages_do_nothing(victim: Pages, other: int, host: str) -> None:
    """127.0.0.1 with another port is of the same site: the browser sends the strict cookie along."""
    page = victim.page
    page.goto(f"http://{host}:{other}/")
    with page.expect_navigation() as done:
        page.evaluate(SEND_FORM, [f"{victim.address}/tokens", {"/name": "theirs", "/scope:words": "write"}])
    assert done.value is not None and done.value.status == 403
    shows(page.locator("body"), "not sent by a page of this server")
    page.goto(f"http://{host}:{other}/")
    with page.expect_navigation() as done:
        page.evaluate(SEND_FORM, [f"{victim.address}/sign-out", {}])
    assert done.value is not None and done.value.status == 403
    victim.open("/tokens")
    assert page.url == f"{victim.address}/tokens", "still signed in"
    assert tokens(victim.server) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ELSEWHERE])
def test_requests_of_other_pages_are_told_nothing(victim: Pages, other: int, host: str) -> None:
    page = victim.page
    page.goto(f"http://{host}:{other}/")
    for path in ("/", "/tokens?format=json", "/lbdns/v1/health", "/client/v4/accounts"):
        for options in ({"credentials": "include"}, {"credentials": "include", "mode": "no-cors"}):
            status, text = page.evaluate(FETCH, [victim.address + path, options])
            assert status == 0 and "pools" not in text, path


def test_pictures_scripts_and_frames_of_it_are_refused(victim: Pages, other: int) -> None:
    page = victim.page
    links = victim.open("/").locator("link")
    paths = {one: str(links.nth(at).get_attribute("href")) for at, one in enumerate(("icon", "style"))}
    page.goto(f"http://localhost:{other}/")
    for tag, attribute, path in (
        ("img", "src", paths["icon"]),
        ("script", "src", "/tokens?format=json"),
        ("link", "href", paths["style"]),
    ):
        assert page.evaluate(LOADS, [tag, attribute, victim.address + path]) == "refused", tag
    page.evaluate(LOADS, ["iframe", "src", f"{victim.address}/"])
    assert all("Overview" not in text_of(frame) for frame in page.frames)


def text_of(frame: Any) -> str:
    return str(frame.evaluate("document.documentElement.innerText"))


def test_a_name_that_was_pointed_here_is_told_nothing(victim: Pages, browser: Browser) -> None:
    """DNS rebinding: the attacker's name leads to our address, so that its page is of our origin."""
    page = victim.page
    theirs = victim.address.replace("127.0.0.1", ELSEWHERE)
    answer = page.goto(f"{theirs}/")
    assert answer is not None and answer.status == 421
    for path in ("/", "/tokens", "/sign-in", "/static/0/style.css"):
        status, text = page.evaluate(FETCH, [theirs + path, {"credentials": "include"}])
        assert status == 421 and "api.names" in text
    for path in ("/lbdns/v1/health", "/client/v4/accounts"):
        status, text = page.evaluate(FETCH, [theirs + path, {"credentials": "include"}])
        assert status == 400 and "Missing X-Auth-Key" in text


def test_a_link_elsewhere_leads_to_the_page_it_names(victim: Pages, other: int) -> None:
    """The strict cookie stays back at first: our own page leads on, and then it comes along."""
    page = victim.page
    page.goto(f"http://{ELSEWHERE}:{other}/")
    link(page, f"{victim.address}/tokens")
    page.wait_for_url(f"{victim.address}/tokens")
    expect(page.get_by_role("heading", level=1)).to_have_text("Tokens", use_inner_text=True)


def link(page: Page, url: str) -> None:
    """Have the page link somewhere, and follow the link."""
    made = "(url) => { const a = document.createElement('a'); a.href = url; a.append('go'); document.body.append(a); }"
    page.evaluate(made, url)
    page.get_by_text("go", exact=True).click()


def test_a_form_needs_the_token_of_its_session(looked_at: StoreServer) -> None:
    with looked_at.local as client:
        url = client.post("/lbdns/v1/dashboard_links").json()["result"]["url"]
    fields = {"/name": "theirs", "/scope:words": "write"}
    with httpx.Client(base_url=looked_at.api) as client:
        assert client.get(url).status_code == 303
        for headers in (
            {},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"},
            {"Origin": f"{looked_at.api}.example"},
        ):
            assert client.post("/tokens", data=fields, headers=headers).status_code == 403
        own = {"Origin": looked_at.api}
        refused = client.post("/tokens", data=fields, headers=own)
        assert refused.status_code == 403 and "none of this session" in refused.text
        refused = client.post("/tokens", data={**fields, "form_token": "x" * 43}, headers=own)
        assert refused.status_code == 403
    assert tokens(looked_at) == []


def test_the_cookie_opens_no_api(looked_at: StoreServer) -> None:
    with looked_at.local as client:
        url = client.post("/lbdns/v1/dashboard_links").json()["result"]["url"]
    with httpx.Client(base_url=looked_at.api) as client:
        client.get(url)
        assert client.get("/tokens").status_code == 200
        for path in ("/lbdns/v1/tokens", "/client/v4/accounts", "//lbdns/v1/tokens", "/lbdns//v1/tokens", "/lbdns/v1"):
            assert client.get(looked_at.api + path).status_code == 400, path
        assert client.post("/lbdns/v1/dashboard_links").status_code == 400


def test_no_page_has_a_script_or_style_of_its_own(victim: Pages) -> None:
    """What the policy forbids would be told in the console; here is that nothing is there to forbid."""
    for path in ("/", "/log", "/revisions", "/tokens"):
        answer = victim.page.goto(victim.address + path)
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy and "default-src 'none'" in policy
        text = answer.text()
        assert " style=" not in text and " onclick=" not in text
        assert text.count("<script") == text.count("<script src=")
