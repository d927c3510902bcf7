"""The ways into all virtual networks, watched: a fault shows at once, and so does its end.

    unknown, up, down <-- look --+-- the kernel's news: an interface, address or route changed
                                 |-- a probe met what may be the way's fault
                                 '-- a second has passed (namespaces are deleted without news; a way that is down)

A proxy is looked at while it is down, or suspected: it is asked by connections only that it has to carry anyway.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Final

from lbdns.health.way_faults import WayFault
from lbdns.model.targets_document import NetworkTarget
from lbdns.monitor.ways.kernel_news import KernelNews
from lbdns.monitor.ways.opener_client import Opening
from lbdns.monitor.ways.proxy_way import ProxyWay
from lbdns.monitor.ways.way import Way, WayDown

LOOK_S: Final = 1.0

log = logging.getLogger("lbdns.monitor")


class Ways:
    """The ways of one generation; for the loop's thread."""

    def __init__(self, opening: Opening, changed: Callable[[Way], None]) -> None:
        """Begin with none; `changed` hears of each way whose fault is another than before, and of what is first known
        of it."""
        self._opening = opening
        self._changed = changed
        self._by_name: dict[str, Way] = {}
        self._looking: dict[Way, asyncio.Task[None]] = {}
        self._again: set[Way] = set()
        self._news: dict[str, _Stack] = {}  # by namespace
        self._timer: asyncio.Task[None] | None = None

    def adopt(self, networks: Sequence[NetworkTarget], resolvers: Sequence[str] = ()) -> None:
        """Take a generation's networks: a way that leads as before goes on. `resolvers` look up proxies' names."""
        former, self._by_name = self._by_name, {}
        for target in networks:
            way = former.get(target.name)
            if way is None or _leads(way.target) != _leads(target):
                way = ProxyWay(target, self._opening) if target.proxy else Way(target, self._opening)
            way.target = target
            if isinstance(way, ProxyWay):
                way.resolvers = tuple(resolvers)
            way.watcher = self.suspect
            self._by_name[target.name] = way
        kept = set(self._by_name.values())
        for gone in self._looking.keys() - kept:
            self._looking[gone].cancel()
        namespaces = {way.target.namespace for way in kept if not way.target.proxy}
        for namespace in self._news.keys() - namespaces:
            self._news.pop(namespace).close()
        for namespace in namespaces - self._news.keys():
            self._news[namespace] = _Stack()
        if self._by_name and self._timer is None:
            self._timer = asyncio.create_task(self._keep_looking())

    def of(self, name: str) -> Way | None:
        """Return the way into a network; None for "", and for one that is not configured."""
        return self._by_name.get(name)

    @property
    def all(self) -> Sequence[Way]:
        """All ways."""
        return tuple(self._by_name.values())

    def begin(self) -> None:
        """Look at all ways: the ends behind them are known now."""
        for way in self._by_name.values():
            self._look_soon(way)

    async def suspect(self, way: Way) -> WayFault:
        """Look at a way on which a probe failed as it would by the way's fault; returns what is found."""
        looking = self._looking.get(way)
        if looking is not None:  # it may have looked before what the probe met
            await asyncio.wait({looking})
        if not way.fault:
            await asyncio.wait({self._look_soon(way)})
        return way.fault

    async def close(self) -> None:
        """Watch no more."""
        tasks = [*self._looking.values(), *([self._timer] if self._timer else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stack in self._news.values():
            stack.close()
        self._news.clear()
        self._opening.close()

    def _look_soon(self, way: Way) -> asyncio.Task[None]:
        looking = self._looking.get(way)
        if looking is not None:
            self._again.add(way)
            return looking
        task = self._looking[way] = asyncio.create_task(self._look(way))
        task.add_done_callback(lambda done: self._looked(way, done))
        return task

    def _looked(self, way: Way, task: asyncio.Task[None]) -> None:
        if self._looking.get(way) is task:
            del self._looking[way]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("virtual network %s cannot be looked at: %r", way.name, error)
        if way in self._again:
            self._again.discard(way)
            if self._by_name.get(way.name) is way:
                self._look_soon(way)

    async def _look(self, way: Way) -> None:
        if not way.target.proxy:
            await self._hear(way)
        fault = way.steadiness.judge(await way.look(), asyncio.get_running_loop().time())
        if self._by_name.get(way.name) is not way or (way.is_known and fault == way.fault):
            return
        way.fault, way.is_known = fault, True
        self._changed(way)

    async def _hear(self, way: Way) -> None:
        """Have the kernel tell of changes in the way's stack, before it is looked at: nothing falls between."""
        stack, namespace = self._news[way.target.namespace], way.target.namespace
        if stack.news is not None and way.namespace in (None, stack.identity):
            return
        if stack.tried and not namespace:
            return  # netlink is closed to this process: a look a second it is
        stack.close()
        stack.tried = True
        try:
            sock = await way.open(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            stack.close()  # another network of that namespace may have been first
            stack.news = KernelNews(sock, lambda: self._changed_in(namespace))
            stack.identity = way.namespace
        except WayDown:
            return
        except OSError as error:
            log.info("changes of interfaces and routes are seen a second late: %s", error.strerror)

    def _changed_in(self, namespace: str) -> None:
        for way in self._by_name.values():
            if way.target.namespace == namespace and not way.target.proxy:
                self._look_soon(way)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for way in self.all:
                if way not in self._looking and (way.fault or not way.target.proxy):
                    self._look_soon(way)
            self._let_go()

    def _let_go(self) -> None:
        """Let go of the stack of a namespace that is not there any more under its name: that ends it."""
        for way in self.all:
            if way.fault is WayFault.NAMESPACE_GONE:
                self._news[way.target.namespace].close()


class _Stack:
    """What tells of changes in a namespace ("": this process's own), and which one that is."""

    def __init__(self) -> None:
        self.news: KernelNews | None = None
        self.identity: tuple[int, int] | None = None
        self.tried = False

    def close(self) -> None:
        if self.news is not None:
            self.news.close()
            self.news = None


def _leads(target: NetworkTarget) -> tuple[str, ...]:
    return target.source, target.device, target.namespace, target.proxy
