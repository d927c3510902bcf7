"""The management API in this process, for commands where no server runs: the store is changed by the same code."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
from typing import Final

import httpx

from lbdns.manage.api.app import local_app
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.store.offline_manager import OfflineManager
from lbdns.mapped.ownership import keep_owner
from lbdns.model.settings import Settings

BASE_URL: Final = "http://lbdns"


class InProcess(httpx.BaseTransport):
    """Sends requests to an ASGI application, which runs while a request is under way."""

    def __init__(self, application: httpx.ASGITransport) -> None:
        self._application = application
        self._runner = asyncio.Runner()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the whole answer."""
        return self._runner.run(self._answer(request))

    def close(self) -> None:
        """End the loop."""
        self._runner.close()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        sent = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        answer = await self._application.handle_async_request(sent)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


def open_offline(settings: Settings, cleanup: contextlib.ExitStack) -> httpx.Client:
    """Return a client over the store of a state directory, whose lock is held until `cleanup`; raises LbdnsError."""
    cleanup.callback(keep_owner, settings.state_dir())  # where root changes it, the server's user must be able to
    manager = OfflineManager(settings)
    cleanup.callback(manager.close)
    application = local_app(ApiSite(manager, manager.store, settings), getpass.getuser())
    transport = InProcess(httpx.ASGITransport(application))
    return cleanup.enter_context(httpx.Client(base_url=BASE_URL, transport=transport))
