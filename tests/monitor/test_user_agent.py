"""How probes name themselves: with the beginning of a pool's id where a check serves that one pool alone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from lbdns import __version__
from lbdns.base.kinds import Kind
from lbdns.manage.api.v4 import preview
from lbdns.manage.store.builder import Builder
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import State
from lbdns.model.monitors import Monitor
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings
from lbdns.monitor.probes.http import HttpProbe
from lbdns.monitor.probes.result import Target
from lbdns.publish.monitor_targets import TargetsMemo
from lbdns.snapshot.slots import Slots
from tests.monitor import peers
from tests.monitor.documents import endpoint, pool
from tests.monitor.stage import Stage, adopted, hurry, until
from tests.whole_targets import encode_targets

FIRST, SECOND = "17b5962d775c646f3f9725cbc7a53df4", "9290f38c5d07c2e2f4df57b1f61d4196"
OWN = f"lbdns/{__version__} (health check)"
FIRSTS = f"lbdns/{__version__} (health check; pool-id: 17b5962d775c646f)"


def agents(heads: list[bytes]) -> list[str]:
    lines = [line for head in heads for line in head.decode().split("\r\n")]
    return [line.removeprefix("User-Agent: ") for line in lines if line.startswith("User-Agent: ")]


@pytest.mark.slow
def test_a_check_of_one_pool_says_its_id_and_one_that_is_shared_says_none(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def main() -> None:
        async with peers.saying(peers.answer()) as peer, peers.saying(peers.answer()) as bare:
            one = pool("a", endpoint("e", port=peer.port), id=FIRST)
            two = pool("b", endpoint("e", port=peer.port), id=SECOND)
            stage.publish(one, pool("files", endpoint("e", port=bare.port)))
            async with stage.running() as running:
                await until(lambda: len(peer.received) == len(bare.received) == 1)
                assert (agents(peer.received), agents(bare.received)) == ([FIRSTS], [OWN])
                stage.publish(one, two)
                await adopted(stage, 2)
                hurry(running)
                await until(lambda: len(peer.received) == 2)
                stage.publish(one)
                await adopted(stage, 3)
                hurry(running)
                await until(lambda: len(peer.received) == 3)
                assert agents(peer.received) == [FIRSTS, OWN, FIRSTS]

    asyncio.run(main())


def test_a_redirect_and_a_preview_say_it_too() -> None:
    async def main() -> list[str]:
        async with peers.saying(peers.answer(code=302, fields=b"Location: /there\r\n")) as peer:
            deadline_s = asyncio.get_running_loop().time() + 2
            target = Target("127.0.0.1", peer.port, "app.example", pool_id=FIRST)
            await HttpProbe(follow_redirects=True).run(target, deadline_s)
            one = Pool.model_validate({"name": "p", "origins": [{"name": "o", "address": "127.0.0.1"}]})
            previews = preview.Previews()
            monitor = Monitor(port=peer.port, timeout=1, retries=0)
            await previews.result(previews.start(monitor, {FIRST: one}, Settings(), is_local=True))
            return agents(peer.received)

    assert asyncio.run(main()) == [FIRSTS] * 5


def test_a_pools_id_goes_from_the_store_to_the_monitor_worker() -> None:
    body = {"name": "p", "origins": [{"name": "o", "address": "192.0.2.1"}]}
    state = State.of([Item(Kind.POOL, FIRST, body)], 1)
    configuration = Builder().examine(state, Settings()).configuration
    assert configuration is not None
    document = json.loads(encode_targets(configuration, Slots().assign(configuration), 1, Path("t"), TargetsMemo()))
    assert [one["id"] for one in document["pools"]] == [FIRST]
