"""The dashboard's frame: signing in and out, sessions, themes, what every page has; in a real browser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from lbdns.manage.store.token_scopes import AREAS, READ, WRITE
from lbdns.testing import running_server
from tests.dashboard.conftest import CONFIGURATION, Pages, expect, shows, signed_in
from tests.store.served import StoreServer, free_port, wait_until

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
    shows(page.get_by_role("alert"), "not known here")
    page.get_by_label("Token of the API").fill(token)
    page.get_by_role("button", name="Sign in").click()
    assert page.url == f"{changed.api}/tokens"
    shows(page.locator("main"), "tokens are made and revoked on the server's own machine")
    with changed.local as client:
        client.delete("/lbdns/v1/tokens/reader").raise_for_status()
    page.goto(f"{changed.api}/")
    assert page.url.startswith(f"{changed.api}/sign-in")
    context.close()


def test_a_link_signs_one_browser_in_once(changed: StoreServer, browser: Browser) -> None:
    with changed.local as client:
        url = client.post("/lbdns/v1/dashboard_links").json()["result"]["url"]
    assert httpx.head(url).status_code == 503  # who only looks ahead does not use it up
    for expected in ("/", "/sign-in"):
        context = browser.new_context()
        page = context.new_page()
        page.goto(url)
        assert page.url.removeprefix(changed.api).partition("?")[0] == expected
        context.close()


def test_tokens_are_made_shown_once_and_revoked(changing: Pages) -> None:
    page = changing.open("/tokens")
    told = page.locator("dl").inner_text()
    assert all(f"{area}:{verb}" in told for area in AREAS for verb in (READ, WRITE)), "every scope that there is"
    page.get_by_label("Name").fill("ci")
    page.get_by_role("textbox", name="Scopes").fill("pools:wirte")
    page.get_by_role("button", name="Make token").click()
    scopes = page.get_by_role("textbox", name="Scopes")
    expect(scopes).to_have_attribute("aria-invalid", "true")
    shows(page.locator("#field-scope-wrong"), "expected pools:read or pools:write")
    expect(page.get_by_label("Name")).to_have_value("ci")
    changing.problems.clear()  # the browser's own word for a 400
    changing.check("tokens-wrong")
    scopes.fill("pools:write zones:read")
    page.get_by_role("button", name="Make token").click()
    secret = page.get_by_label("The secret").input_value()
    with httpx.Client(base_url=changing.address, headers={"Authorization": f"Bearer {secret}"}) as client:
        assert client.get("/client/v4/user/tokens/verify").status_code == 200
        changing.check("tokens-made")
        page.reload()
        expect(page.get_by_label("The secret")).to_have_count(0)
        page.get_by_text("Revoke ci").first.click()
        page.get_by_role("button", name="Revoke ci").click()
        shows(page.get_by_role("status"), "is revoked")
        assert client.get("/client/v4/user/tokens/verify").status_code == 403


def test_all_works_without_javascript(changed: StoreServer, browser: Browser) -> None:
    pages = signed_in(changed, browser, java_script_enabled=False)
    page = pages.open("/tokens")
    page.get_by_role("button", name="Dark theme").click()
    assert page.url == f"{changed.api}/tokens"
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.get_by_role("link", name="Overview")).not_to_be_visible()
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


def test_the_overview_tells_what_is_disabled_and_leads_to_what_is_wrong(changing: Pages) -> None:
    with changing.api() as client:
        (one,) = client.get("/lbdns/v1/load_balancers", params={"search": "spread"}).json()["result"]
        path = f"/client/v4/zones/{one['zone_id']}/load_balancers/{one['id']}"
        client.patch(path, json={"enabled": False}).raise_for_status()
        wait_until(lambda: changing.open("/").get_by_text("1 disabled").count(), lambda: changing.server.log)
        shows(changing.page.locator(".tile").first, "of 2 available")
        wait_until(lambda: changing.open("/").get_by_role("link", name="www.example.com").count(), lambda: "")
        changing.page.get_by_role("link", name="www.example.com").click()
        expect(changing.page.locator("tbody tr")).to_have_count(1)
        changing.open("/").get_by_role("link", name="europe/ams-1").click()
        assert changing.page.url == f"{changing.address}/health/europe"
        client.patch(path, json={"enabled": True}).raise_for_status()
        state = changing.open("/log/server").locator("dl .badge")
        assert ("good" in (state.get_attribute("class") or "")) == (state.inner_text() == "good"), "green as it is good"


def test_a_revision_is_shown_and_restored(changing: Pages) -> None:
    with changing.api() as client:
        account = client.get("/client/v4/accounts").json()["result"][0]["id"]
        made = client.post(
            f"/client/v4/accounts/{account}/load_balancers/pools",
            json={"name": "spare", "origins": [{"name": "one", "address": "192.0.2.99"}]},
        )
        made.raise_for_status()
        number = client.get("/lbdns/v1/revisions", params={"limit": 1}).json()["result"][0]["revision"]
        page = changing.open(f"/revisions/{number}")
        shows(page.locator("main"), "spare")
        expect(page.get_by_text("192.0.2.99")).to_have_count(1)
        page.get_by_role("link", name="Undo").click()
        assert page.url == f"{changing.address}/revisions/{number - 1}/restore"
        expect(page.get_by_role("columnheader", name="Before").first).to_be_attached()
        expect(page.get_by_role("columnheader", name="After")).to_have_count(0)
        changing.check("revision-restore")
        page.get_by_role("link", name="What would it move").click()
        assert page.url == f"{changing.address}/what-if?revision={number - 1}"
        page.go_back()
        client.patch(made.request.url.path + f"/{made.json()['result']['id']}", json={"description": "meanwhile"})
        page.get_by_role("button", name=f"Restore revision {number - 1}").click()
        shows(page.get_by_role("alert"), "Nothing was changed")
        page.goto(f"{changing.address}/revisions/{number - 1}/restore")
        page.get_by_label("Message").fill("no spare")
        page.get_by_role("button", name=f"Restore revision {number - 1}").click()
        shows(page.get_by_role("status"), f"as it was at revision {number - 1}")
        expect(page.get_by_role("heading", level=1)).to_have_text("no spare", use_inner_text=True)
        names = client.get("/lbdns/v1/names", params={"kind": "pool"}).json()["result"]["pool"]
        assert "spare" not in names


def test_the_log_shows_who_saw_what_and_filters(pages: Pages) -> None:
    page = pages.open("/log?pool_name=europe")
    wait_until(lambda: page.reload() and page.get_by_text("Monitor web saw it down").count(), lambda: pages.server.log)
    page.get_by_label("Pool became").select_option("up")
    page.get_by_role("button", name="Show").click()
    assert "pool_healthy=true" in page.url
    expect(page.get_by_text("No change of health")).to_have_count(1)


def test_pages_keep_themselves_current(changing: Pages) -> None:
    page = changing.open("/")
    with changing.api() as client:
        client.post("/lbdns/v1/forced", json={"pattern": "asia", "state": "down"}).raise_for_status()
        page.get_by_text("asia", exact=True).first.wait_for(timeout=15_000)
        client.post("/lbdns/v1/forced", json={"pattern": "asia", "state": "auto"}).raise_for_status()
    assert changing.problems == []


def test_a_phones_menu_opens_where_it_stands(pages: Pages) -> None:
    pages.page.set_viewport_size({"width": 390, "height": 844})
    menu = pages.open("/").locator(".menu > summary")
    before = menu.bounding_box()
    menu.click()
    expect(pages.page.get_by_role("link", name="Pools").first).to_be_visible()
    assert menu.bounding_box() == before
    pages.page.set_viewport_size({"width": 1440, "height": 900})


def test_keyboard_alone_leads_everywhere(pages: Pages) -> None:
    page = pages.open("/tokens")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
    page.goto(f"{pages.address}/")
    for _ in range(2 + len(page.get_by_role("navigation", name="Pages").get_by_role("link").all())):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Tokens"
    page.keyboard.press("Enter")
    page.wait_for_url(f"{pages.address}/tokens")


def test_files_are_shown_and_not_changed(browser: Browser, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    files = {**CONFIGURATION, "settings": {"api": {"listen": address}}}
    with running_server(files, tmp_path) as server:
        command = [sys.executable, "-P", "-m", "lbdns", "dashboard", "--no-open", "--state", str(server.state_dir)]
        url = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
        assert url.startswith(f"http://{address}/sign-in?code=")
        context = browser.new_context()
        page = context.new_page()
        page.goto(url)
        assert page.get_by_role("link", name="Load balancers").first.inner_text().split()[:2] == ["Load", "balancers"]
        assert "3 available" in " ".join(page.locator(".tiles").inner_text().split())
        page.goto(f"http://{address}/revisions")
        shows(page.locator("main"), "revisions are kept of a store")
        context.close()
