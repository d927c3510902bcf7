"""The dashboard in a real browser: one server over a store with objects for all tests that only look, one Chromium.

    def test_a_page(pages: Pages) -> None:
        pages.open("/tokens")                       # signed in; a page of the browser is pages.page
        pages.check("tokens")                       # axe-core finds nothing, no error in the console, screenshots

`LBDNS_SCREENSHOTS` names a folder for screenshots: each page at 1440 and 390 px, light and dark. Without Chromium on
the machine, or playwright in the environment, the tests are skipped by name. `changing` is `pages` on a server of its
own, for tests that change objects: one for a module.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from tests.store.served import StoreServer, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page
    from playwright.sync_api._generated import LocatorAssertions

LONGEST_WAIT: Final = 20_000
"""How long a page may take to show what it should, in milliseconds."""
SCREENSHOTS: Final = "LBDNS_SCREENSHOTS"
WIDTHS: Final = {1440: 900, 390: 844}
AXE_AT: Final = ((1440, "light"), (390, "dark"))
"""Where axe-core looks: each width and each theme once, which together are all rules there are."""
ELSEWHERE: Final = "elsewhere.example"
"""A name of somebody else's, which the browser finds at 127.0.0.1."""
SETTINGS: Final = """
resolvers: ["127.0.0.1:9"]
probe_networks: {allow: ["127.0.0.0/8"]}
pop: {code: AMS}
"""
ZONE: Final = """@ 300 IN SOA ns1 hostmaster 1 7200 900 1209600 60
@ IN NS ns1
ns1 IN A 192.0.2.53
mail IN A 192.0.2.25
@ IN MX 10 mail
@ IN TXT "v=spf1 mx -all"
docs IN CNAME www
"""
CONFIGURATION: Final[dict[str, Any]] = {
    "zones": {"example.com": ZONE},
    "monitors": {
        "web": {"type": "tcp", "port": 9, "interval": 5, "timeout": 1, "retries": 0},
    },
    "pools": {
        "europe": {"monitor": "web", "origins": [{"name": "ams-1", "address": "127.0.0.11"}]},
        "america": {
            "origins": [
                {"name": "iad-1", "address": "192.0.2.21"},
                {"name": "iad-2", "address": "192.0.2.22", "weight": 0.5},
            ],
        },
        "asia": {"origins": [{"name": "sin-1", "address": "203.0.113.10"}], "latitude": 1.35, "longitude": 103.8},
    },
    "load_balancers": [
        {"name": "www.example.com", "default_pools": ["europe", "america"], "fallback_pool": "america"},
        {
            "name": "geo.example.com",
            "default_pools": ["america"],
            "fallback_pool": "america",
            "steering_policy": "geo",
            "country_pools": {"JP": ["asia"], "SG": ["asia"]},
            "region_pools": {"WEU": ["europe", "america"]},
        },
        {
            "name": "spread.example.com",
            "default_pools": ["america", "asia"],
            "fallback_pool": "asia",
            "steering_policy": "random",
            "random_steering": {"default_weight": 0.5, "pool_weights": {"asia": 0.2}},
        },
    ],
}
"""What the server has: every kind of object, one pool that is down, two that nobody probes."""


def chromium() -> str:
    """Return the path of the machine's Chromium; skips the test where it has none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium on this machine (on Debian: apt-get install chromium)")
    return found


@dataclass
class Pages:
    """A browser that is signed in to a server's dashboard."""

    server: StoreServer
    context: BrowserContext
    page: Page
    problems: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where the dashboard is."""
        return self.server.api

    def open(self, path: str) -> Page:
        """Go to a page and return it."""
        self.page.goto(self.address + path)
        return self.page

    def check(self, name: str, path: str | None = None) -> None:
        """Check the page that is shown, or another one: accessible, nothing in the console, fits a phone; picture it.

        Both widths, both themes; the browser is left wide and light.
        """
        if path is not None:
            self.open(path)
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)
            for width, height in WIDTHS.items():
                self.page.set_viewport_size({"width": width, "height": height})
                self._picture(f"{name}-{width}-{scheme}")
                if (width, scheme) in AXE_AT:
                    assert violations(self.page) == [], f"{name} at {width} px, {scheme}"
                wide = self.page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, f"{name} is {wide} px wide at {width} px"
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size({"width": 1440, "height": 900})
        assert self.problems == []

    def _picture(self, name: str) -> None:
        folder = os.environ.get(SCREENSHOTS)
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)

    def api(self) -> httpx.Client:
        """Return a client of the API by the UNIX socket; close it."""
        return self.server.local


def expect(what: Locator) -> LocatorAssertions:
    """Return what can be said of a part of a page, each waiting until it holds: a click returns before the page that it
    leads to is there, so nothing is read from a page by plain looks."""
    from playwright.sync_api import expect as expected

    expected.set_options(timeout=LONGEST_WAIT)
    return expected(what)


def shows(what: Locator, text: str) -> None:
    """Wait until a part of a page shows a text."""
    expect(what).to_contain_text(text, use_inner_text=True)


def violations(page: Page) -> list[str]:
    """Return what axe-core finds on a page: each rule with the elements that break it."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}: {[node['html'] for node in one['nodes'][:4]]}" for one in found]


@pytest.fixture(scope="module")
def browser(starts_processes: None) -> Iterator[Browser]:
    """One Chromium for the tests of a module. While it is there this thread has an event loop that runs: no test that
    runs one of its own may come between."""
    path = chromium()
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        made = running.chromium.launch(
            executable_path=path, args=["--no-sandbox", f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"]
        )
        yield made
        made.close()


@pytest.fixture(scope="session")
def looked_at(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    """One server for all tests that only look."""
    yield from _served(tmp_path_factory.mktemp("dashboard"))


@pytest.fixture(scope="module")
def changed(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    """A server for the tests of one module, which change what it has."""
    yield from _served(tmp_path_factory.mktemp("changed"))


def _served(work: Path) -> Iterator[StoreServer]:
    server = StoreServer(work, SETTINGS)
    try:
        server.start()
        server.wait_for_api()
        with server.local as client:
            client.post("/lbdns/v1/apply", json={"configuration": CONFIGURATION}).raise_for_status()
        wait_until(lambda: server.addresses("geo.example.com") != [], lambda: server.log)
        yield server
    finally:
        server.close()


def signed_in(server: StoreServer, browser: Browser, **options: Any) -> Pages:
    """Return a browser context of its own that is signed in by a link; close `context`. `options` are Playwright's."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light", **options)
    page = context.new_page()
    page.set_default_timeout(15_000)
    pages = Pages(server, context, page)
    page.on("console", lambda said: pages.problems.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: pages.problems.append(str(error)))
    with server.local as client:
        made = client.post("/lbdns/v1/dashboard_links")
        made.raise_for_status()
    page.goto(made.json()["result"]["url"])
    return pages


@pytest.fixture
def pages(looked_at: StoreServer, browser: Browser) -> Iterator[Pages]:
    """A signed-in browser on the server that tests only look at."""
    found = signed_in(looked_at, browser)
    yield found
    found.context.close()


@pytest.fixture
def changing(changed: StoreServer, browser: Browser) -> Iterator[Pages]:
    """A signed-in browser on a server that this module's tests change."""
    found = signed_in(changed, browser)
    yield found
    found.context.close()
