"""Ask, Map and Health in a real browser: what they say is what a resolver is answered."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.dashboard.conftest import CONFIGURATION, Pages, expect, shows, signed_in, violations
from tests.store.served import StoreServer, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.process, pytest.mark.slow]

WORLD: dict[str, Any] = {
    "pools": {
        "frankfurt": {
            "monitor": "web",
            "latitude": 50.1,
            "longitude": 8.7,
            "origins": [{"name": "fra-1", "address": "127.0.0.31"}, {"name": "fra-2", "address": "127.0.0.32"}],
        },
        "virginia": {
            "latitude": 38.9,
            "longitude": -77.4,
            "origins": [{"name": "iad-1", "address": "192.0.2.41"}, {"name": "iad-2", "address": "192.0.2.42"}],
        },
        "singapore": {"latitude": 1.35, "longitude": 103.8, "origins": [{"name": "sin-1", "address": "203.0.113.51"}]},
        "saopaulo": {"latitude": -23.5, "longitude": -46.6, "origins": [{"name": "gru-1", "address": "203.0.113.61"}]},
    },
    "load_balancers": [
        {
            "name": "world.example.com",
            "default_pools": ["virginia"],
            "fallback_pool": "virginia",
            "steering_policy": "geo",
            "country_pools": {"JP": ["singapore"], "BR": ["saopaulo", "virginia"]},
            "region_pools": {"SEAS": ["singapore"], "OC": ["singapore"], "SSAM": ["saopaulo"], "NSAM": ["saopaulo"]},
            "location_strategy": {"prefer_ecs": "always", "region_from": "location"},
            "rules": [
                {
                    "name": "half-of-india",
                    "condition": 'ip.src.country eq "IN" and ip.src in {1.0.0.0/8 49.0.0.0/8 117.0.0.0/8}',
                    "overrides": {"default_pools": ["singapore"]},
                },
                {"name": "holiday", "condition": 'ip.src.country eq "FR"', "fixed_response": {}, "disabled": True},
            ],
        }
    ],
}
NAME = "world.example.com"


@pytest.fixture(scope="module")
def world(changed: StoreServer) -> StoreServer:
    """The server with a load balancer that decides by country."""
    with changed.local as client:
        merged = {
            "zones": CONFIGURATION["zones"],
            "monitors": CONFIGURATION["monitors"],
            "pools": {**CONFIGURATION["pools"], **WORLD["pools"]},
            "load_balancers": [*CONFIGURATION["load_balancers"], *WORLD["load_balancers"]],
        }
        answer = client.post("/lbdns/v1/apply", json={"configuration": merged})
        assert answer.is_success, answer.text
    wait_until(lambda: dig(changed, "") != [], lambda: changed.log)
    return changed


@pytest.fixture
def shown(world: StoreServer, changing: Pages) -> Pages:
    """A browser that is signed in there."""
    return changing


def dig(server: StoreServer, network: str) -> list[str]:
    """Return the addresses that a resolver is given for a client's network, in order; "": it tells none."""
    return server.addresses(NAME, ecs=network or None)


def asked(page: Page) -> list[str]:
    """Return the addresses that the Ask page shows."""
    return sorted(page.locator("#answer li").all_inner_texts())


def network_of(server: StoreServer, country: str) -> str:
    with server.local as client:
        rows = client.get("/lbdns/v1/countries").json()["result"]
    return str(next(one["ipv4"] for one in rows if one["country"] == country))


def test_ask_answers_as_dig_does_and_supposes_without_changing_it(world: StoreServer, shown: Pages) -> None:
    page = shown.open("/ask")
    page.fill("#ask-name", NAME)
    page.select_option("#ask-country", "BR")
    page.click("#ask-form button.main")
    network = network_of(world, "BR")
    expect(page.locator("#ask-ecs")).to_have_value(network)
    before = dig(world, network)
    assert asked(page) == before == ["203.0.113.61"]
    expect(page.locator("#answer-pool")).to_have_text("saopaulo", use_inner_text=True)
    assert page.inner_text("#answer-scope").startswith("/")
    row = page.locator("tr", has_text="pool saopaulo is down")
    shows(row, "virginia")
    shows(row, "192.0.2.41")
    row.locator("a").click()
    shows(page.locator("main"), "As it is: 203.0.113.61")
    assert asked(page) == ["192.0.2.41", "192.0.2.42"]
    assert dig(world, network) == before
    shown.check("ask")
    page.reload()
    assert asked(page) == ["192.0.2.41", "192.0.2.42"]
    page.click("text=As it is >> nth=0")
    assert asked(page) == before


def test_ask_supposes_rules_and_tells_mistakes_beside_their_fields(world: StoreServer, shown: Pages) -> None:
    france = network_of(world, "FR")
    page = shown.open(f"/ask?name={NAME}&ecs={france}")
    assert asked(page) == dig(world, france)
    page.click("text=rule holiday is on")
    shows(page.locator("#answer"), "No records")
    assert asked(page) == []
    assert dig(world, france) != []
    shown.open(f"/ask?name={NAME}&ecs=192.0.2.0%2F99&resolver=nowhere&pop=ZZZ")
    shows(page.locator("#ask-ecs-told"), "network")
    expect(page.locator("#ask-ecs")).to_have_attribute("aria-invalid", "true")
    shows(page.locator("#ask-resolver-told"), "address")
    shown.open(f"/ask?name={NAME}&pop=ZZZ")
    shows(page.locator("#ask-pop-told"), "IATA")
    shown.problems.clear()  # the browser's own word for a 400
    assert violations(page) == []


def test_the_map_equals_explain_and_leads_to_it(world: StoreServer, shown: Pages) -> None:
    page = shown.open(f"/map?load_balancer={NAME}")
    shown.check("map", f"/map?load_balancer={NAME}&pool=saopaulo")  # axe-core takes long over 250 rows
    shown.open(f"/map?load_balancer={NAME}")
    for country, pool in (
        ("Germany", "virginia"),
        ("Japan", "singapore"),
        ("Brazil", "saopaulo"),
        ("Malta", "virginia"),
    ):
        row = page.locator("tbody tr:not(.part)", has=page.locator(f"th:text-matches('^{country}')"))
        shows(row.first, pool)
        with page.expect_navigation():
            row.first.locator("a").first.click()
        expect(page.locator("#answer-pool")).to_have_text(pool, use_inner_text=True)
        assert asked(page) == dig(world, page.input_value("#ask-ecs"))
        page.go_back()
    india = page.locator("tbody tr", has=page.locator("th:text-matches('^India')")).first
    shows(india, "singapore")
    shows(india, "the network within the country")
    page.locator("svg.world a[aria-label='Brazil: saopaulo']").click()
    page.wait_for_selector("#answer-pool")
    expect(page.locator("#answer-pool")).to_have_text("saopaulo", use_inner_text=True)
    shown.open(f"/map?load_balancer={NAME}&pool=singapore")
    shows(page.locator("#content table"), "Japan")
    expect(page.locator("#content table")).not_to_contain_text("Germany", use_inner_text=True)
    shown.open(f"/map?load_balancer={NAME}&by=latency&pool=saopaulo")
    assert violations(page) == []
    shown.open("/map?load_balancer=nobody.example.com")
    shows(page.locator("[role=alert]"), "no load balancer answers")
    shown.problems.clear()


def test_a_forced_state_with_an_end_is_in_the_answers_until_it_is_taken_back(world: StoreServer, shown: Pages) -> None:
    spain = network_of(world, "ES")
    before = dig(world, spain)
    page = shown.open("/health")
    shown.check("health")
    page.fill("#force-pattern", "virginia/iad-1")
    page.select_option("#force-state", "down")
    page.select_option("#force-for", "3600")
    page.fill("#force-why", "a drill")
    page.click("#force-form button")
    shows(page.locator("main"), "virginia/iad-1 is forced down")
    wait_until(lambda: dig(world, spain) == ["192.0.2.42"], lambda: world.log)
    page.reload()
    told = page.locator("section", has=page.locator("#orders-heading")).inner_text()
    assert "a drill" in told and "in 59 minutes" in told
    shown.open("/health/virginia")
    assert violations(page) == []
    page.get_by_role("button", name="Take back").first.click()
    wait_until(lambda: dig(world, spain) == before, lambda: world.log)
    assert page.url.endswith("/health/virginia")
    shown.open("/health")
    page.fill("#force-pattern", "nobody/*")
    page.click("#force-form button")
    shows(page.locator("#force-pattern-told"), "nobody")
    expect(page.locator("#force-pattern")).to_have_value("nobody/*")
    shown.problems.clear()


def test_health_tells_what_is_down_seen_from_where_and_why(world: StoreServer, shown: Pages) -> None:
    page = shown.open("/health")
    wait_until(lambda: "TCP connection failed" in shown.open("/health").inner_text(".matrix"), lambda: world.log)
    first = page.locator(".matrix tbody tr").first.inner_text()
    assert "critical" in first and "0 of" in first
    shows(page.locator(".matrix thead"), "From AMS")
    shown.open("/health?show=poor&search=fra-2")
    expect(page.locator(".matrix tbody tr")).to_have_count(1)
    page.click("text=frankfurt")
    shows(page.locator("main"), "fra-2")
    shows(page.locator("#events"), "went down")
    shown.check("health-pool")


def test_health_keeps_itself_current(world: StoreServer, shown: Pages) -> None:
    page = shown.open("/health?search=singapore")
    expect(page.locator(".matrix")).not_to_contain_text("degraded", use_inner_text=True)
    with world.local as client:
        order = {"pattern": "singapore/sin-1", "state": "down", "for_s": 60, "why": "seen without a reload"}
        client.post("/lbdns/v1/forced", json=order).raise_for_status()
        page.wait_for_selector("text=seen without a reload")
        client.post("/lbdns/v1/forced", json={**order, "state": "auto"}).raise_for_status()
    page.wait_for_selector("text=seen without a reload", state="detached")


def test_what_if_says_what_recorded_queries_would_move(world: StoreServer, shown: Pages) -> None:
    networks = {country: network_of(world, country) for country in ("BR", "ES")}
    for _ in range(10):
        assert [dig(world, network) for network in networks.values()] != []
    page = shown.open("/what-if")
    assert violations(page) == []
    change = {"pools": {"saopaulo": {**WORLD["pools"]["saopaulo"], "enabled": False}}}

    def has_moved() -> bool:
        page.fill("#what-text", json.dumps(change))
        page.click("#configuration-form button.main")
        return page.locator("#moved-share").count() > 0 and page.inner_text("#moved-share") not in ("unknown", "0 %")

    wait_until(has_moved, lambda: page.inner_text("main"))
    row = page.locator("tbody tr", has=page.locator("th", has_text=NAME)).first.inner_text()
    assert "saopaulo" in row and "virginia" in row and "BR 100 %" in row
    shown.check("what-if")
    assert dig(world, networks["BR"]) == ["203.0.113.61"]
    page.locator("a", has_text=NAME).first.click()
    expect(page.locator("#answer-pool")).to_have_text("saopaulo", use_inner_text=True)
    page = shown.open("/what-if")
    page.fill("#what-text", "{")
    page.click("#configuration-form button.main")
    shows(page.locator("[role=alert]"), "no JSON")
    shown.problems.clear()
    page = shown.open("/what-if?revision=1")
    expect(page.locator("#moved-share")).to_have_count(1)
    expect(page.locator("#what-revision")).to_have_value("1")


@pytest.fixture
def without_scripts(world: StoreServer, browser: Browser) -> Iterator[Pages]:
    found = signed_in(world, browser, java_script_enabled=False)
    yield found
    found.context.close()


def test_everything_works_without_javascript(world: StoreServer, without_scripts: Pages) -> None:
    page = without_scripts.open(f"/map?load_balancer={NAME}")
    page.locator("svg.world a[aria-label='Brazil: saopaulo']").click()
    expect(page.locator("#answer-pool")).to_have_text("saopaulo", use_inner_text=True)
    page.fill("#ask-ecs", "")
    page.click("#ask-form button.main")
    assert asked(page) == dig(world, "")
    page = without_scripts.open("/health")
    page.fill("#force-pattern", "singapore/sin-1")
    page.click("#force-form button")
    shows(page.locator("main"), "is forced down")
    page.get_by_role("button", name="Take back").first.click()
    shows(page.locator("main"), "goes by what is measured again")


def test_the_keyboard_alone_asks(world: StoreServer, shown: Pages) -> None:
    page = shown.open("/ask")
    page.focus("#ask-name")
    page.keyboard.type(NAME)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type(network_of(world, "JP"))
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer-pool")
    expect(page.locator("#answer-pool")).to_have_text("singapore", use_inner_text=True)
    change = page.locator("a", has_text="pool singapore is down").first
    change.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".chip")
    expect(page.locator("#answer-pool")).to_have_text("virginia", use_inner_text=True)


def test_pages_are_small(shown: Pages) -> None:
    for path in ("/ask", f"/map?load_balancer={NAME}", "/health"):
        answer = shown.context.request.get(shown.address + path)
        assert answer.ok and len(answer.body()) < 250_000, path
        assert len(gzip.compress(answer.body())) < 50_000, path
