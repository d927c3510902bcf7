"""The dashboard's frame: signing in and out, sessions, themes, what every page has; in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.dashboard.conftest import Pages, signed_in
from tests.store.served import StoreServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PATHS = [
    "/",
    "/log",
    "/log/notifications",
    "/log/server",
    "/revisions",
    "/revisions/1",
    "/revisions/0/restore",
    "/tokens",
    "/nowhere",
]

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.mark.parametrize("path", PATHS)
def test_pages_suit_everybody(pages: Pages, path: str) -> None:
    pages.open(path)
    if path == "/nowhere":
        pages.problems.clear()  # the browser's own word for a 404
    pages.check(path.strip("/").replace("/", "-") or "overview")


def test_a_token_signs_in_and_revoking_it_signs_out(changed: StoreServer, browser: Browser) -> None:
    token = changed.token("read", "reader")
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{changed.api}/tokens")
    assert page.url == f"{changed.api}/sign-in?back=%2Ftokens"
    page.get_by_label("Token of the API").fill("x" * 43)
    page.get_by_role("button", name="Sign in").click()
    assert "Authentication error" in page.get_by_role("alert").inner_text()
    page.get_by_label("Token of the API").fill(token)
    page.get_by_role("button", name="Sign in").click()
    assert page.url == f"{changed.api}/tokens"
    assert "tokens are made and revoked on the server's own machine" in page.locator("main").inner_text()
    with changed.local as client:
        client.delete("/lbdns/v1/tokens/reader").raise_for_status()
    page.goto(f"{changed.api}/")
    assert page.url.startswith(f"{changed.api}/sign-in")
    context.close()


def test_a_link_signs_one_browser_in_once(changed: StoreServer, browser: Browser) -> None:
    with changed.local as client:
        url = client.post("/lbdns/v1/dashboard_links").json()["result"]["url"]
    for expected in ("/", "/sign-in"):
        context = browser.new_context()
        page = context.new_page()
        page.goto(url)
        assert page.url.removeprefix(changed.api).partition("?")[0] == expected
        context.close()


def test_tokens_are_made_shown_once_and_revoked(changing: Pages) -> None:
    page = changing.open("/tokens")
    page.get_by_label("Name").fill("ci")
    page.get_by_role("textbox", name="Scopes").fill("pools:wirte")
    page.get_by_role("button", name="Make token").click()
    scopes = page.get_by_role("textbox", name="Scopes")
    assert scopes.get_attribute("aria-invalid") == "true"
    assert "expected pools:read or pools:write" in page.locator("#field-scope-wrong").inner_text()
    assert page.get_by_label("Name").input_value() == "ci"
    changing.problems.clear()  # the browser's own word for a 400
    changing.check("tokens-wrong")
    scopes.fill("pools:write zones:read")
    page.get_by_role("button", name="Make token").click()
    secret = page.get_by_label("The secret").input_value()
    with httpx.Client(base_url=changing.address, headers={"Authorization": f"Bearer {secret}"}) as client:
        assert client.get("/client/v4/user/tokens/verify").status_code == 200
        changing.check("tokens-made")
        page.reload()
        assert page.get_by_label("The secret").count() == 0
        page.get_by_text("Revoke ci").first.click()
        page.get_by_role("button", name="Revoke ci").click()
        assert "is revoked" in page.get_by_role("status").inner_text()
        assert client.get("/client/v4/user/tokens/verify").status_code == 403


def test_all_works_without_javascript(changed: StoreServer, browser: Browser) -> None:
    pages = signed_in(changed, browser, java_script_enabled=False)
    page = pages.open("/tokens")
    page.get_by_role("button", name="Dark theme").click()
    assert page.url == f"{changed.api}/tokens"
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.set_viewport_size({"width": 390, "height": 844})
    assert not page.get_by_role("link", name="Overview").is_visible()
    page.locator("summary[aria-label=Menu]").click()
    page.get_by_role("link", name="Overview").click()
    page.locator("summary[aria-label=Menu]").click()
    page.get_by_role("button", name="Sign out").click()
    assert page.url == f"{changed.api}/sign-in"
    page.goto(f"{changed.api}/tokens")
    assert page.url.startswith(f"{changed.api}/sign-in")
    pages.context.close()


def test_the_sign_in_suits_everybody(looked_at: StoreServer, browser: Browser) -> None:
    context = browser.new_context()
    pages = Pages(looked_at, context, context.new_page())
    pages.check("sign-in", "/sign-in")
    context.close()
