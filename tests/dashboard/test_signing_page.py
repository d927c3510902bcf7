"""A zone's DNSSEC in a real browser: the DS to copy, keys and what comes next, signing, rolls; the signer is played."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import httpx
import pytest

from lbdns.base.kinds import Kind
from lbdns.dnssec.zone_status import SigningState
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.api.hosting import ApiServer
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.managing import Running
from lbdns.manage.store.sqlite import Store
from lbdns.manage.store.zones.zone_bodies import new_zone_records
from lbdns.model.settings import Settings
from tests.dashboard.conftest import Pages, expect, signed_in
from tests.dnssec.played_signer import DIGEST, PlayedServer
from tests.loop_thread import LoopThread
from tests.store.served import StoreServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.process, pytest.mark.slow]


@dataclasses.dataclass
class Stage:
    """A browser before a server whose signer is played, and the path of the zone's page."""

    pages: Pages
    server: PlayedServer
    path: str


def made_zone(edit: Edit, settings: Settings) -> Item:
    """Make example.com with a name server."""
    soa, records = new_zone_records("example.com", settings)
    zone = edit.create(Kind.ZONE, {"name": "example.com", "soa": soa})
    for record in records:
        edit.create(Kind.RECORD, record, zone.id)
    return zone


@pytest.fixture
def stage(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("signing")
    settings = Settings.model_validate({"state": directory / "state", "api": {"listen": "127.0.0.1:0"}})
    with contextlib.ExitStack() as stack:
        loop = LoopThread()
        stack.callback(loop.stop)
        store = stack.enter_context(contextlib.closing(Store(settings.state_dir())))
        manager = StoreManager(store, settings)
        zone = loop.run(manager.change("test", "test", lambda edit: made_zone(edit, settings))).result
        played = PlayedServer(manager)
        manager.running = cast(Running, played)
        server = ApiServer(ApiSite(manager, store, settings))
        loop.run(server.start())
        stack.callback(lambda: loop.run(server.close()))
        transport = httpx.HTTPTransport(uds=str(server.socket_path))
        local = stack.enter_context(httpx.Client(base_url="http://localhost", transport=transport, timeout=10))
        shim = SimpleNamespace(api=server.address, local=contextlib.nullcontext(local))
        pages = signed_in(cast(StoreServer, shim), browser)
        stack.callback(pages.context.close)
        yield Stage(pages, played, f"/zones/{zone.id}/dnssec")


def test_a_zone_is_signed_rolled_and_unsigned_by_buttons(stage: Stage) -> None:
    page, signer = stage.pages.open(stage.path), stage.server.signer
    expect(page.get_by_text("Not signed", exact=True)).to_have_count(1)
    stage.pages.check("dnssec-unsigned")
    page.get_by_label("Keys").select_option("split")
    page.get_by_role("button", name="Sign example.com").click()
    assert signer.asked[-2][0] == "enable" or ("enable" in [verb for verb, _ in signer.asked])
    expect(page.get_by_label("DS record 1")).to_have_value(f"example.com. 3600 IN DS 12345 13 2 {DIGEST}")
    expect(page.get_by_text("give the DS to the zone above").first).to_be_attached()
    expect(page.get_by_role("row").filter(has_text="23456").get_by_text("the zone (ZSK)")).to_have_count(1)
    stage.pages.check("dnssec-pending")
    page.get_by_text("It cannot be asked").click()
    page.get_by_role("button", name="The zone above has these").click()
    assert signer.zones["example.com"].status == SigningState.ACTIVE
    page.get_by_label("Key", exact=True).select_option("zsk")
    page.get_by_role("button", name="Begin the roll").click()
    expect(page.get_by_role("row").filter(has_text="34567").get_by_text("published")).to_have_count(1)
    asked = {verb: said for verb, said in signer.asked if verb != "status"}
    assert asked["enable"] == {"zone": "example.com", "algorithm": None, "keys": "split"}
    assert asked["roll"] == {"zone": "example.com", "role": "zsk", "algorithm": None, "emergency": None}
    stage.pages.check("dnssec-roll")
    page.get_by_text("Stop signing", exact=True).last.click()
    page.get_by_role("button", name="Stop signing example.com").click()
    expect(page.get_by_text("have its DS taken out of the zone above").first).to_be_attached()
    page.goto(stage.pages.address + stage.path.replace("dnssec", "records"))
    expect(page.get_by_role("link", name="pending-disabled")).to_have_count(1)
    stage.pages.check("dnssec-records")


def test_what_the_signer_refuses_and_what_is_wrong_is_shown(stage: Stage) -> None:
    page, signer = stage.pages.open(stage.path), stage.server.signer
    page.get_by_role("button", name="Sign example.com").click()
    before = signer.zones["example.com"]
    signer.zones["example.com"] = dataclasses.replace(before, status=SigningState.ERROR, problem="no key fits the DS")
    page.reload()
    expect(page.get_by_role("alert").get_by_text("no key fits the DS")).to_have_count(1)
    stage.pages.check("dnssec-error")
    signer.zones.clear()
    page.get_by_role("button", name="Begin the roll").click()
    expect(page.get_by_text("example.com has no CSK")).to_have_count(1)
