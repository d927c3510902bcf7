"""When full collections happen in a process that holds a large configuration."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import platform
import resource
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.garbage import (
    SELDOM,
    WALKED_MAX,
    collect_when_quiet,
    give_back_memory,
    still_until_quiet,
    without_cyclic_collection,
)
from lbdns.config.loading import examine_tree, parse
from lbdns.places.geodata import Geodata
from lbdns.processes.responder.responder import settle
from lbdns.snapshot.compile.compile_memo import CompileMemo
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots

QUIET_S = 1.0
PAUSE_S = 0.02


class Loop:
    """An object that refers to itself."""

    def __init__(self) -> None:
        self.itself = self


def old_garbage() -> weakref.ref[Loop]:
    """Return a cycle that nobody refers to any more, of the oldest generation."""
    cycle = Loop()
    gc.collect(1)
    return weakref.ref(cycle)


@pytest.fixture
def nothing_aside() -> Iterator[None]:
    """Nothing but what the test itself leads to is kept from being walked."""
    gc.unfreeze()
    gc.collect()
    yield
    gc.unfreeze()


@pytest.mark.slow
def test_what_is_old_is_collected_once_changes_have_ceased() -> None:
    async def watch() -> None:
        changed = asyncio.Event()
        task = asyncio.create_task(collect_when_quiet(changed, QUIET_S))
        await asyncio.sleep(0)
        found = old_garbage()
        young = [[number] for number in range(100_000)]
        assert found() is not None and len(young) == 100_000, "young objects alone were walked"
        for _ in range(4):
            changed.set()
            await asyncio.sleep(PAUSE_S)
            assert found() is not None
        while found() is not None:
            await asyncio.sleep(PAUSE_S)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    before = gc.get_threshold()
    asyncio.run(asyncio.wait_for(watch(), 10))
    assert gc.get_threshold() == before


def test_a_batch_of_work_that_is_thrown_away_is_not_walked() -> None:
    """As that of a batch of dynamic updates: thousands of objects, for some milliseconds."""

    async def walks() -> int:
        task = asyncio.create_task(collect_when_quiet(asyncio.Event(), QUIET_S))
        await asyncio.sleep(0)
        before = gc.get_stats()[0]["collections"]
        for _ in range(20):
            batch = [[number] for number in range(SELDOM[0] // 2)]
            del batch
        found: int = gc.get_stats()[0]["collections"] - before
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return found

    assert asyncio.run(walks()) == 0


@pytest.mark.usefixtures("nothing_aside")
def test_a_responder_that_has_started_collects_seldom() -> None:
    before = gc.get_threshold()
    settle()
    try:
        assert gc.get_threshold() == SELDOM
    finally:
        gc.set_threshold(*before)


def test_nothing_is_collected_within() -> None:
    with without_cyclic_collection():
        assert not gc.isenabled()
    assert gc.isenabled()


@pytest.mark.usefixtures("nothing_aside")
def test_many_objects_that_were_made_at_once_are_never_walked() -> None:
    with without_cyclic_collection():
        few = [[number] for number in range(1000)]
    assert gc.get_freeze_count() == 0
    with without_cyclic_collection():
        many = [[number] for number in range(WALKED_MAX + 1000)]
    assert gc.get_freeze_count() > len(many) > len(few)


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_aside")
def test_many_objects_are_walked_once() -> None:
    async def watch() -> int:
        changed = asyncio.Event()
        task = asyncio.create_task(collect_when_quiet(changed, PAUSE_S))
        await asyncio.sleep(0)
        at_start = gc.get_freeze_count()
        assert at_start > 0, "what was there at the start is not walked"
        cycle, many = old_garbage(), [[number] for number in range(2 * WALKED_MAX)]
        changed.set()
        while cycle() is not None:
            await asyncio.sleep(PAUSE_S)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return gc.get_freeze_count() - at_start - len(many)

    assert asyncio.run(asyncio.wait_for(watch(), 20)) > -WALKED_MAX


@pytest.mark.parametrize("address", ["192.0.2.1", "x y"])
def test_what_is_read_leaves_no_cycles(address: str) -> None:
    """Nobody would look for them: an error that its own frame keeps would keep all that was being read."""
    pools = {f"p{number}": {"origins": [{"name": "a", "address": address}], "x": 1} for number in range(20)}
    tree: dict[str, Any] = {"pools": pools, "zones": {"example.com": f"$TTL 1\n@ SOA a b 1 2 3 4 5\nh A {address}\n"}}

    def read() -> None:
        examine_tree(tree, Path(), "test", keeps_all=False, records_max=100)

    read()
    gc.collect()
    with without_cyclic_collection():
        read()
        assert gc.collect() == 0


def test_what_is_compiled_leaves_no_cycles() -> None:
    """Whoever compiles very many load balancers never looks for them: a third of what they take had stayed so."""
    pools = {f"p{number}": {"origins": [{"name": "a", "address": f"192.0.2.{number}"}]} for number in range(20)}
    listed = [
        {
            "name": f"w{number}.example.com",
            "default_pools": [f"p{number}"],
            "fallback_pool": "p0",
            "country_pools": {"DE": ["p1"]},
        }
        for number in range(20)
    ]
    zones = {"example.com": "$TTL 1\n@ SOA a b 1 2 3 4 5\n@ NS a.example.net.\n"}
    configuration = parse({"zones": zones, "pools": pools, "load_balancers": listed}, Path()).configuration
    geodata, kept = Geodata.open(), list[CompileMemo]()

    def compile_all() -> None:
        kept.append(CompileMemo())
        compile_snapshot(configuration, geodata, Slots().assign(configuration), 1, memo=kept[-1])

    compile_all()
    gc.collect()
    with without_cyclic_collection():
        compile_all()
        assert gc.collect() == 0


def test_nothing_is_walked_while_a_server_starts() -> None:
    async def watch() -> None:
        task = asyncio.create_task(collect_when_quiet(asyncio.Event(), PAUSE_S))
        assert not gc.isenabled()
        await asyncio.sleep(0)
        assert gc.isenabled()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    with still_until_quiet():
        asyncio.run(watch())
    with pytest.raises(ValueError, match="a start that fails"), still_until_quiet():
        raise ValueError("a start that fails")
    assert gc.isenabled()


ON_GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc_trim is glibc's")
GIVEN_BACK = 20_000_000


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def free_memory() -> bytes:
    """Leave 50 MB free in the heap, below what is returned: they do not go back by themselves."""
    held = [bytes(100_000) for _ in range(500)]  # each is too small for a mapping of its own
    return held[-1]


@ON_GLIBC
def test_free_memory_goes_back_to_the_system() -> None:
    above = free_memory()
    before = resident()
    assert give_back_memory()
    assert before - resident() > GIVEN_BACK
    assert above


@ON_GLIBC
@pytest.mark.usefixtures("nothing_aside")
def test_what_changes_took_goes_back_once_they_have_ceased() -> None:
    async def watch() -> None:
        changed = asyncio.Event()
        task = asyncio.create_task(collect_when_quiet(changed, PAUSE_S))
        await asyncio.sleep(0)
        above, before = free_memory(), resident()
        changed.set()
        while before - resident() < GIVEN_BACK:
            await asyncio.sleep(PAUSE_S)
        assert above
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(watch(), 10))


HEAPS = """
import ctypes, sys, threading
from lbdns.base.garbage import hold_one_heap

if sys.argv[1] == "held":
    hold_one_heap()

def work():
    made = [bytes(20_000) for _ in range(100)]
    barrier.wait()

barrier = threading.Barrier(4)
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fopen.restype, libc.malloc_info.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
libc.fclose.argtypes = [ctypes.c_void_p]
file = libc.fopen(sys.argv[2].encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
"""


def heaps(how: str, path: Path) -> int:
    """How many heaps four threads leave."""
    subprocess.run([sys.executable, "-c", HEAPS, how, str(path)], check=True)
    return path.read_text().count("<heap ")


@pytest.mark.process
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_threads_share_a_heap(tmp_path: Path) -> None:
    assert heaps("held", tmp_path / "held") == 1
    assert heaps("left", tmp_path / "left") > 1
