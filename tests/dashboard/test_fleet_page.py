"""The fleet in a real browser: a row a machine, what is wrong above them; the server is played."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple, cast

import httpx
import pytest

from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.api.hosting import ApiServer
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.managing import Running
from lbdns.manage.store.sqlite import Store
from lbdns.model.fleet_report import FleetMode
from lbdns.model.settings import Settings
from tests.dashboard.conftest import Pages, expect, signed_in
from tests.fleet.played_fleet import AMS, PlayedFleet
from tests.loop_thread import LoopThread
from tests.store.served import StoreServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.process, pytest.mark.slow]


class Stage(NamedTuple):
    """A browser before a server whose fleet is played."""

    pages: Pages
    played: PlayedFleet


@pytest.fixture
def stage(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("fleet")
    settings = Settings.model_validate({"state": directory / "state", "api": {"listen": "127.0.0.1:0"}})
    with contextlib.ExitStack() as stack:
        loop = LoopThread()
        stack.callback(loop.stop)
        store = stack.enter_context(contextlib.closing(Store(settings.state_dir())))
        manager = StoreManager(store, settings)
        played = PlayedFleet()
        manager.running = cast(Running, played)
        server = ApiServer(ApiSite(manager, store, settings))
        loop.run(server.start())
        stack.callback(lambda: loop.run(server.close()))
        transport = httpx.HTTPTransport(uds=str(server.socket_path))
        local = stack.enter_context(httpx.Client(base_url="http://localhost", transport=transport, timeout=10))
        pages = signed_in(
            cast(StoreServer, SimpleNamespace(api=server.address, local=contextlib.nullcontext(local))), browser
        )
        stack.callback(pages.context.close)
        yield Stage(pages, played)


def test_machines_are_shown_and_what_is_wrong(stage: Stage) -> None:
    pages, played = stage
    page = pages.open("/fleet")
    rows = page.get_by_role("row")
    expect(rows).to_have_count(4)
    expect(rows.filter(has_text="AMS-1").get_by_text("this one")).to_have_count(1)
    expect(rows.filter(has_text="FRA-1").get_by_text("2 of 2")).to_have_count(1)
    expect(rows.filter(has_text="NYC-1").get_by_text("JFK ENAM")).to_have_count(1)
    pages.check("fleet")
    played.lose("NYC-1", 125.0)
    played.own = dataclasses.replace(AMS, mode=FleetMode.FILES, revision=None, cut_off_s=40.0, agreed_by=3, heard=())
    page.reload()
    expect(page.get_by_text("NYC-1 has not been heard for 2 min 5 s")).to_have_count(1)
    expect(rows.filter(has_text="NYC-1").get_by_text("not heard", exact=True)).to_have_count(1)
    expect(rows.filter(has_text="AMS-1").get_by_text("health as agreed 40 s ago by 3 of 3")).to_have_count(1)
    expect(rows.filter(has_text="AMS-1").get_by_text("health alone is shared")).to_have_count(1)
    pages.check("fleet-wrong")


def test_without_a_fleet_the_page_says_how_to_begin_one(stage: Stage) -> None:
    pages, played = stage
    played.is_in_fleet = False
    page = pages.open("/fleet")
    expect(page.get_by_text("This server is in no fleet")).to_have_count(1)
    pages.check("fleet-none")
