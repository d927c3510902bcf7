"""What the first answers from a generation need to know of its configuration beside the snapshot: a start that begins
with what was served last reads no more of it before these."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

from lbdns.model.configuration import Configuration
from lbdns.model.needed_names import needed_hostnames
from lbdns.publish.canary import Canary, few_canaries
from lbdns.snapshot.slots import Slots

_NUMBERS: Final = ("probed", "named")


@dataclass(frozen=True, slots=True)
class FirstNeeds:
    """`probed`: the slots of the endpoints that have a result before anybody is answered, `named`: of hostnames that
    nobody probes, looked up before. `canaries`: what is asked first, few of all."""

    probed: tuple[int, ...]
    named: tuple[int, ...]
    canaries: tuple[Canary, ...] = ()

    @classmethod
    def of(cls, configuration: Configuration, slots: Slots, generation: int) -> FirstNeeds:
        """Return those of a configuration; which canaries goes by the `generation`."""
        return cls(*awaited(configuration, slots), tuple(few_canaries(configuration, generation)))

    def encode(self) -> bytes:
        """Return it as JSON."""
        canaries = [[one.view, one.owner.hex(), one.kind, one.must_answer] for one in self.canaries]
        return json.dumps({**asdict(self), "canaries": canaries}).encode()

    @staticmethod
    def decode(data: bytes) -> FirstNeeds:
        """Return what JSON says; raises ValueError, KeyError or TypeError."""
        document = json.loads(data)
        probed, named = (tuple(map(int, document[name])) for name in _NUMBERS)
        canaries = (
            Canary(int(view), bytes.fromhex(owner), int(kind), bool(must_answer))
            for view, owner, kind, must_answer in document["canaries"]
        )
        return FirstNeeds(probed, named, tuple(canaries))


def awaited(configuration: Configuration, slots: Slots) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the slots that FirstNeeds has as `probed` and `named`."""
    return tuple(_probed(configuration, slots)), tuple(_named(configuration, slots))


def _probed(configuration: Configuration, slots: Slots) -> Iterator[int]:
    for pool in configuration.pools.values():
        if pool.enabled and pool.is_monitored:
            yield from (slots.endpoint[pool.endpoint_key(one)] for one in pool.origins if one.is_used)


def _named(configuration: Configuration, slots: Slots) -> Iterator[int]:
    for pool, endpoint in needed_hostnames(configuration):
        if not pool.is_monitored:
            yield slots.endpoint[pool.endpoint_key(endpoint)]
