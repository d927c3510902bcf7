"""Pages of objects in a real browser: what is made and changed by forms is what the server then answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lbdns.manage.dashboard.objects.drafts import draft_text
from lbdns.testing import write_files
from tests.dashboard.conftest import CONFIGURATION, Pages, expect, shows, signed_in
from tests.store.served import StoreServer, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.process, pytest.mark.slow]


def ids(server: StoreServer) -> dict[str, dict[str, str]]:
    """Return the ids of the server's objects, by kind and name."""
    with server.local as client:
        found: dict[str, dict[str, str]] = client.get("/lbdns/v1/names").json()["result"]
        return found


def balancer_path(server: StoreServer, name: str) -> str:
    """Return the path of a load balancer's page."""
    known = ids(server)
    return f"/load_balancers/{known['zone']['example.com']}/{known['load_balancer'][name]}"


def answered(server: StoreServer, name: str, wanted: list[str], rdtype: str = "A") -> None:
    """Wait until the server answers a name with these addresses."""

    def seen() -> list[str]:
        return sorted(server.addresses(name, rdtype))

    wait_until(lambda: seen() == sorted(wanted), lambda: f"{name}: {seen()}, not {wanted}")


def field(page: Page, pointer: str) -> Locator:
    """Return the input of a form by the JSON pointer to its value."""
    return page.locator(f'[name="{pointer}"]')


def review(page: Page) -> None:
    page.get_by_role("button", name="Review").last.click()


def save(page: Page) -> None:
    review(page)
    page.get_by_role("button", name="Save").click()


LOOKED_AT: dict[str, Callable[[StoreServer], str]] = {
    "load-balancers": lambda server: "/load_balancers",
    "load-balancer": lambda server: balancer_path(server, "geo.example.com"),
    "load-balancer-edit": lambda server: balancer_path(server, "geo.example.com") + "/edit",
    "pools": lambda server: "/pools",
    "pool": lambda server: f"/pools/{ids(server)['pool']['europe']}",
    "pool-edit": lambda server: f"/pools/{ids(server)['pool']['america']}/edit",
    "monitors": lambda server: "/monitors",
    "monitor": lambda server: f"/monitors/{ids(server)['monitor']['web']}",
    "monitor-new": lambda server: "/monitors/new",
    "groups": lambda server: "/monitors/groups",
    "zones": lambda server: "/zones",
    "records": lambda server: f"/zones/{ids(server)['zone']['example.com']}/records",
    "record-new": lambda server: f"/zones/{ids(server)['zone']['example.com']}/records/new?type=SRV",
    "import": lambda server: f"/zones/{ids(server)['zone']['example.com']}/import",
    "networks": lambda server: "/networks/virtual_networks",
    "routes": lambda server: "/networks/routes",
    "views": lambda server: "/networks/views",
    "pool-delete": lambda server: f"/pools/{ids(server)['pool']['america']}/delete",
}


@pytest.mark.parametrize("name", LOOKED_AT)
def test_pages_are_accessible_and_fit_a_phone(pages: Pages, name: str) -> None:
    pages.check(name, LOOKED_AT[name](pages.server))


def test_topology_is_drawn_and_told(pages: Pages) -> None:
    page = pages.open(balancer_path(pages.server, "geo.example.com"))
    drawing = page.locator(".topology svg")
    expect(drawing.get_by_text("Countries JP, SG", exact=True)).to_be_visible()
    expect(drawing.locator("a", has_text="europe")).to_have_attribute("aria-label", "pool europe: critical, 0 of 1 up")
    told = page.get_by_role("region", name="Which queries go where")
    shows(told, "Region WEU")
    chain = page.locator(".chain").inner_text()
    assert "america" in chain and "If all of these fail" in chain


def test_lists_are_searched_and_say_states(pages: Pages) -> None:
    page = pages.open("/load_balancers?search=WWW")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    shows(rows.first, "www.example.com")
    shows(rows.first, "degraded")
    (geo,) = pages.open("/load_balancers?search=geo").locator("tbody tr").all()
    expect(geo.locator("td.number").first).to_have_text("3", use_inner_text=True)
    page = pages.open("/pools?search=203.0.113")
    expect(page.locator("tbody tr")).to_have_count(1)
    pages.open("/pools?search=nowhere")
    expect(pages.page.get_by_text("Nothing is found")).to_be_visible()


@pytest.mark.parametrize("place", ["/pools", "/monitors", "/zones", "/zones/{zone}/records", "/load_balancers/{zone}"])
def test_a_draft_of_any_shape_is_shown(pages: Pages, place: str) -> None:
    zone = ids(pages.server)["zone"]["example.com"]
    strange = {"name": [1], "origins": {"a": []}, "rules": 7, "data": ""}
    drafts: list[dict[str, Any]] = [{"description": None}, {"type": None}, strange]
    for draft in drafts:
        query: dict[str, str | float | bool] = {"draft": draft_text(draft), "review": "1", "revision": "\u2603"}
        shown = pages.context.request.get(f"{pages.address}{place.format(zone=zone)}/new", params=query)
        assert shown.status == 200 and "<h1" in shown.text()


def test_a_list_asks_the_api_once(pages: Pages) -> None:
    for path in ("/load_balancers", "/pools", "/monitors", "/zones"):
        page = pages.open(path)
        expect(page.locator("footer.asked li")).to_have_count(1)


def test_pool_and_load_balancer_are_made_and_answer(changing: Pages) -> None:
    server, page = changing.server, changing.open("/pools/new")
    field(page, "/name").fill("fresh")
    page.get_by_role("button", name="Add endpoint").click()
    field(page, "/origins/0/name").fill("fresh-1")
    field(page, "/origins/0/address").fill("198.51.100.7")
    review(page)
    shows(page.locator("main"), "POST /client/v4/accounts/")
    shows(page.locator("main"), '"address": "198.51.100.7"')
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="fresh")).to_be_visible()

    changing.open("/load_balancers/new")  # the one zone is chosen already
    field(page, "/name").fill("app.example.com")
    page.get_by_role("button", name="Add default pool").click()
    field(page, "/default_pools/0").select_option("fresh")
    field(page, "/fallback_pool").select_option("america")
    save(page)
    expect(page.get_by_role("heading", name="app.example.com")).to_be_visible()
    answered(server, "app.example.com", ["198.51.100.7"])

    page.get_by_role("link", name="Change").click()
    field(page, "/default_pools/0").select_option("asia")
    review(page)
    assert page.locator("td.before").inner_text() != page.locator("td.after").inner_text()
    shared = page.url
    changing.open(shared.removeprefix(changing.address))  # the draft is in the address
    changing.check("review")
    page.get_by_role("button", name="Save").click()
    answered(server, "app.example.com", ["203.0.113.10"])
    assert changing.problems == []


def test_the_api_says_what_is_wrong_beside_the_field(changing: Pages) -> None:
    page = changing.open(balancer_path(changing.server, "www.example.com") + "/edit")
    field(page, "/ttl").fill("a while")
    page.get_by_role("button", name="Add rule").click()
    page.get_by_label("Condition").fill('ip.src.country == "DE" and nonsense')
    review(page)
    expect(page.get_by_role("alert")).to_be_visible()
    condition = page.get_by_label("Condition")
    expect(condition).to_have_attribute("aria-invalid", "true")
    about = condition.get_attribute("aria-describedby") or ""
    told = page.locator(f"#{about.split()[0]}").inner_text()
    assert "column 28" in told and "nonsense" in told
    expect(page.locator("pre.caret mark")).to_have_text("n", use_inner_text=True)
    ttl = field(page, "/ttl")
    expect(ttl).to_have_value("a while")
    expect(ttl).to_have_attribute("aria-invalid", "true")
    changing.check("form-errors")


def test_rules_are_edited(changing: Pages) -> None:
    server = changing.server
    page = changing.open(balancer_path(server, "www.example.com") + "/edit")
    page.get_by_role("button", name="Add rule").click()
    page.get_by_role("button", name="overrides").click()
    page.get_by_role("button", name="pools", exact=True).click()
    field(page, "/rules/0/overrides/pools/0").select_option("asia")
    changing.check("rule-edit")
    save(page)
    answered(server, "www.example.com", ["203.0.113.10"])
    expect(page.locator(".topology svg")).to_contain_text("asia")
    page.get_by_role("link", name="Change").click()
    page.get_by_role("button", name="Remove rule 1").click()
    save(page)
    wait_until(lambda: "203.0.113.10" not in server.addresses("www.example.com"), lambda: "the rule stays")


def test_what_others_use_is_not_deleted(changing: Pages) -> None:
    known = ids(changing.server)
    page = changing.open(f"/pools/{known['pool']['america']}/delete")
    shows(page.get_by_role("alert"), "used by")
    page = changing.open("/monitors/new")
    field(page, "/type").select_option("icmp_ping")
    field(page, "/description").fill("for a while")
    save(page)
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete for-a-while").click()
    expect(page.get_by_role("status").first).to_be_visible()
    assert len(ids(changing.server)["monitor"]) == 1


def test_monitors_probe_at_once(changing: Pages) -> None:
    page = changing.open(f"/monitors/{ids(changing.server)['monitor']['web']}")
    page.get_by_role("button", name="Probe now").click()
    expect(page.get_by_role("heading", name="Probes of monitor web")).to_be_visible()
    shows(page.locator("main"), "127.0.0.11")
    shows(page.locator("main"), "failed")
    changing.check("probe")


def test_a_change_made_meanwhile_is_told(changing: Pages) -> None:
    known = ids(changing.server)
    page = changing.open(f"/pools/{known['pool']['asia']}/edit")
    field(page, "/description").fill("far away")
    with changing.api() as client:
        account = client.get("/client/v4/accounts").json()["result"][0]["id"]
        path = f"/client/v4/accounts/{account}/load_balancers/pools/{known['pool']['asia']}"
        client.patch(path, json={"minimum_origins": 1, "latitude": 2, "longitude": 103}).raise_for_status()
    review(page)
    shows(page.get_by_role("alert"), "changed in revision")
    expect(field(page, "/description")).to_have_value("far away")
    save(page)
    shows(page.locator("main"), "far away")


@pytest.fixture
def scriptless(changed: StoreServer, browser: Browser) -> Iterator[Pages]:
    """A browser without JavaScript."""
    found = signed_in(changed, browser, java_script_enabled=False)
    yield found
    found.context.close()


def test_records_are_edited_without_javascript(scriptless: Pages) -> None:
    server = scriptless.server
    zone = ids(server)["zone"]["example.com"]
    page = scriptless.open(f"/zones/{zone}/records")
    page.get_by_role("link", name="New record").click()
    field(page, "/name").fill("host")
    field(page, "/content").fill("192.0.2.300")
    review(page)
    shows(page.locator(".wrong"), "192.0.2.300")
    field(page, "/content").fill("192.0.2.30")
    save(page)
    answered(server, "host.example.com", ["192.0.2.30"])
    scriptless.open(f"/zones/{zone}/records?search=host")
    page.get_by_role("link", name="Change host.example.com A").click()
    field(page, "/content").fill("192.0.2.31")
    field(page, "/tags").fill("owner:web\nteam:a, b")
    save(page)
    answered(server, "host.example.com", ["192.0.2.31"])
    scriptless.open(f"/zones/{zone}/records?search=host")
    shows(page.locator("main"), "team:a, b")
    page.get_by_role("link", name="Delete host.example.com A").click()
    page.get_by_role("button", name="Delete host.example.com").click()
    answered(server, "host.example.com", [])


def test_records_with_parts_and_imported_ones(changing: Pages) -> None:
    server = changing.server
    zone = ids(server)["zone"]["example.com"]
    page = changing.open(f"/zones/{zone}/records/new?type=SRV")
    field(page, "/name").fill("_sip._tcp")
    for key, value in (("priority", "1"), ("weight", "2"), ("port", "5060"), ("target", "sip.example.com")):
        field(page, f"/data/{key}").fill(value)
    save(page)
    shows(page.locator("main"), "1 2 5060 sip.example.com")
    changing.open(f"/zones/{zone}/import")
    page.get_by_label("or its text").fill("new 300 IN A 192.0.2.77\n")
    page.get_by_role("button", name="Try it").click()
    shows(page.locator("main"), "new.example.com")
    page.get_by_role("button", name="Add them").click()
    answered(server, "new.example.com", ["192.0.2.77"])
    with page.expect_download() as export:
        page.get_by_role("link", name="Export").click()
    assert "192.0.2.77" in export.value.path().read_text()


def test_a_record_is_made_by_keyboard_alone(changing: Pages) -> None:
    server, page = changing.server, changing.open(f"/zones/{ids(changing.server)['zone']['example.com']}/records")

    def tab_to(matches: str, most: int = 60) -> None:
        for _ in range(most):
            page.keyboard.press("Tab")
            if page.evaluate("([one]) => document.activeElement.matches(one)", [matches]):
                return
        raise AssertionError(f"no {matches} is reached by Tab")

    tab_to("a[href$='/records/new']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/records/new")
    tab_to("#f-name")
    page.keyboard.type("keys")
    tab_to("#f-content")
    page.keyboard.type("192.0.2.88")
    tab_to("button[value='review']")
    page.keyboard.press("Enter")
    page.wait_for_url("**draft=**")
    tab_to("button[value='save']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/records")
    answered(server, "keys.example.com", ["192.0.2.88"])


def test_networks_are_compared_before_saving(changing: Pages) -> None:
    page = changing.open(balancer_path(changing.server, "www.example.com") + "/edit")
    field(page, "/default_pools/1").select_option("asia")
    review(page)
    page.get_by_label("Networks of clients").fill("192.0.2.0/24 198.51.100.0/24")
    page.get_by_role("button", name="Compare").click()
    shows(page.locator("main"), "2 of 2 networks would get another pool")
    changing.check("what-if")


def answers_of(page: Page) -> Any:
    """Return what a page's JSON holds."""
    return page.evaluate("async () => (await fetch(location.pathname + '?format=json')).json()")


def test_a_list_is_had_as_json(pages: Pages) -> None:
    found = answers_of(pages.open("/pools"))
    assert {one["name"] for one in found[0]["answer"]["result"]} == {"europe", "america", "asia"}


class FilesServer(StoreServer):
    """A server of files, whose API and dashboard show them."""

    def __init__(self, work: Path) -> None:
        """Write what the other servers of these tests have as files."""
        super().__init__(work)
        listen = {"api": {"listen": self.api.removeprefix("http://")}}
        write_files({**CONFIGURATION, "settings": listen}, self.directory)

    def source(self) -> list[str]:
        """Say to serve them."""
        return [str(self.directory)]


def test_what_comes_from_files_is_shown_and_not_changed(browser: Browser, tmp_path: Path) -> None:
    server = FilesServer(tmp_path)
    with closing(server):
        server.start()
        server.wait_for_api()
        pages = signed_in(server, browser)
        page = pages.open("/pools")
        shows(page.locator("main"), "europe")
        expect(page.get_by_role("link", name="New pool")).to_have_count(0)
        page = pages.open(f"/pools/{ids(server)['pool']['europe']}/edit")
        shows(page.get_by_role("status"), "Nothing can be changed here")
        expect(page.get_by_role("button", name="Review").last).to_be_disabled()
        pages.context.close()


def test_health_is_asked_for_some_pools_alone(pages: Pages) -> None:
    with pages.api() as client:
        whole = client.get("/lbdns/v1/health").json()["result"]
        some = client.get("/lbdns/v1/health", params={"pool": ["asia", "nowhere"]}).json()["result"]
    assert [one["name"] for one in some["pools"]] == ["asia"]
    assert some["pools"][0]["state"] == next(one["state"] for one in whole["pools"] if one["name"] == "asia")
    assert some["load_balancers"] == [] != whole["load_balancers"]
