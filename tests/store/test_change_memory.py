"""What a large change leaves in the server's memory, and what it takes beside it while it is made, object by object."""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from collections.abc import Callable, Sized
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.kinds import Kind
from lbdns.config.examined import Loaded
from lbdns.config.loading import parse
from lbdns.manage.reading.configuration_reading import ConfigurationReading
from lbdns.manage.reading.frames import read_frames, write_frame
from lbdns.manage.reading.readings import outcome, take_over
from lbdns.manage.store.item import Item
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.records.record_bodies import record_rrset
from lbdns.manage.store.revisions.from_files import apply
from lbdns.manage.store.sqlite import Store
from lbdns.manage.store.zones.zone_bodies import export_zone, zone_bodies
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.model.configuration_document import encode_configuration
from lbdns.model.settings import Settings
from lbdns.publish.publisher import Published, Publisher

pytestmark = pytest.mark.slow

COUNT = 4000
ZONE = "$TTL 300\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
POOLS = {f"p{number}": {"origins": [{"name": "a", "address": f"192.0.2.{number}"}]} for number in range(10)}


def records(count: int) -> dict[str, Any]:
    return {"zones": {"example.com": ZONE + "".join(f"host{n} A 192.0.{n >> 8}.{n & 255}\n" for n in range(count))}}


def pools(count: int) -> dict[str, Any]:
    return {
        "pools": {
            f"p{number}": {"origins": [{"name": "a", "address": f"192.0.{number >> 8}.{number & 255}"}]}
            for number in range(count)
        }
    }


def balancers(count: int) -> dict[str, Any]:
    made = [
        {"name": f"w{n}.example.com", "default_pools": [f"p{n % 10}"], "fallback_pool": f"p{n % 10}", "ttl": 60}
        for n in range(count)
    ]
    return {"zones": {"example.com": ZONE}, "pools": POOLS, "load_balancers": made}


def by_places(count: int) -> dict[str, Any]:
    tree = balancers(count)
    for n, one in enumerate(tree["load_balancers"]):
        one["country_pools"] = {code: [f"p{(n + at) % 10}"] for at, code in enumerate(("DE", "FR", "GB", "US"))}
    return tree


class Serving:
    """A server as far as a change is compiled, tried, stored and put in force."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def change(self, loaded: Loaded, cause: str, commit: Callable[[], None]) -> None:
        prepared = self._publisher.prepare(loaded.configuration)
        commit()
        self._publisher.publish(prepared)

    async def reload(self, cause: str) -> str:
        raise AssertionError(cause)

    async def operate(self, op: str, request: Any) -> Any:
        raise AssertionError(op)

    def in_force(self) -> Published:
        assert self._publisher.current is not None
        return self._publisher.current


@pytest.mark.parametrize(
    ("make", "stays", "beside"),
    [(records, 1200, 1500), (pools, 4500, 1500), (balancers, 2500, 1700), (by_places, 3200, 3100)],
    ids=["records", "pools", "LBs", "LBs by places"],
)
def test_what_a_large_change_takes(
    make: Callable[[int], dict[str, Any]], stays: int, beside: int, tmp_path: Path
) -> None:
    """`stays`, `beside`: octets of an object, in what is kept and in what is not."""
    settings = Settings.model_validate({"state": tmp_path / "state"})
    store = Store(settings.state_dir())
    run = RunDirectory(settings.state_dir())
    control = Control.create(run.control)
    manager = StoreManager(store, settings)
    manager.running = Serving(Publisher(control, run))
    told = tmp_path / "told"

    def change(tree: dict[str, Any]) -> None:
        with told.open("wb") as out:
            body = json.dumps({"configuration": tree}).encode()
            for frame in outcome(ConfigurationReading(), lambda: body):
                write_frame(out, frame)
        tracemalloc.start()
        with told.open("rb") as source:
            read = take_over(ConfigurationReading(), read_frames(source))
        asyncio.run(manager.change("t", "t", lambda edit: apply(edit, read.wanted)))

    change(make(20))
    tracemalloc.stop()
    change(make(COUNT))
    _, peak = tracemalloc.get_traced_memory()
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    control.close()
    run.remove()
    store.close()
    assert kept < stays * COUNT
    assert peak - kept < beside * COUNT


def test_what_is_kept_of_a_large_zone_is_encoded_in_parts() -> None:
    configuration = parse(records(COUNT), Path()).configuration
    zone, bodies = zone_bodies(configuration.zones[0])
    items = [Item(Kind.RECORD, str(number), body, "z") for number, body in enumerate(bodies)]
    for item in items:
        record_rrset(item)
    ways: list[tuple[Callable[[], Sized], int]] = [
        (lambda: encode_configuration(configuration), 3),
        (lambda: export_zone(Item(Kind.ZONE, "z", zone), items), 8),
    ]
    for encode, most in ways:
        encode()
        tracemalloc.start()
        text = encode()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < most * len(text)
