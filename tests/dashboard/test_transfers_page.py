"""Zones' transfers in a real browser: how each stands, and checks by buttons; the server is played."""

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
from lbdns.model.settings import Settings
from lbdns.transfer.zone_transfer_status import TransferState
from tests.dashboard.conftest import Pages, expect, signed_in
from tests.loop_thread import LoopThread
from tests.store.served import StoreServer
from tests.transfer.played_transfers import PlayedTransfers, primary, secondary

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.process, pytest.mark.slow]


class Stage(NamedTuple):
    """A browser before a server whose transfers are played."""

    pages: Pages
    played: PlayedTransfers


@pytest.fixture
def stage(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("transfers")
    settings = Settings.model_validate({"state": directory / "state", "api": {"listen": "127.0.0.1:0"}})
    with contextlib.ExitStack() as stack:
        loop = LoopThread()
        stack.callback(loop.stop)
        store = stack.enter_context(contextlib.closing(Store(settings.state_dir())))
        manager = StoreManager(store, settings)
        played = PlayedTransfers()
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


def test_zones_are_shown_and_checked_by_buttons(stage: Stage) -> None:
    pages, played = stage
    page = pages.open("/transfers")
    expect(page.get_by_text("No zone is transferred")).to_have_count(1)
    lost = "www.example.com: the primary has deleted it, and a load balancer stands there"
    failing = secondary(
        "late.example", state=TransferState.FAILING, last_error="192.0.2.1:53: it did not answer in 5 s"
    )
    for one in (secondary(warnings=(lost,)), primary(), failing):
        played.zones[one.zone] = one
    page.reload()
    rows = page.get_by_role("row")
    assert [rows.nth(number).get_by_role("rowheader").inner_text() for number in (1, 2, 3)] == [
        "late.example",
        "example.com",
        "example.net",
    ], "those to be looked at come first"
    expect(rows.nth(1).get_by_text("it did not answer in 5 s")).to_have_count(1)
    expect(rows.nth(2).get_by_text(lost)).to_have_count(1)
    pages.check("transfers")
    page.get_by_role("link", name="example.com").click()
    expect(page.get_by_role("row").filter(has_text="192.0.2.1:53").get_by_text("transfer.example.com")).to_have_count(1)
    pages.check("transfers-secondary")
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("example.com was checked: serial 2026112901.")).to_have_count(1)
    page.get_by_role("button", name="Transfer all of it").click()
    forced = [said["force"] for op, said in played.asked if op == "zone_refresh"]
    assert forced == [False, True]
    page.goto(f"{pages.address}/transfers/example.net")
    page.get_by_role("button", name="Send NOTIFY").click()
    expect(page.get_by_text("was told of serial 7")).to_have_count(1)


def test_what_the_server_refuses_is_shown(stage: Stage) -> None:
    pages, played = stage
    expired = secondary(state=TransferState.EXPIRED, last_error="no primary was reached for 7 d")
    played.zones["example.com"] = expired
    page = pages.open("/transfers/example.com")
    expect(page.get_by_role("alert").get_by_text("no primary was reached for 7 d")).to_have_count(1)
    played.zones["example.com"] = dataclasses.replace(expired, serial=None)
    page.reload()
    expect(page.get_by_text("serial none yet")).to_have_count(1)
