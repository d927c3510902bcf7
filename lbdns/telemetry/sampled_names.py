"""Who has the slots that samples name: by generation, from what the publisher wrote for each.

A slot that fell free rests for some generations before somebody else has it (snapshot/slots.py). So where the document
of a sample's generation is gone, one of those behind it names the same, or nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.snapshot_file import VIEWS, MappedPart
from lbdns.model.view_names import parted
from lbdns.places.place import UNKNOWN, Place
from lbdns.publish.slots_document import decode_slots
from lbdns.snapshot.slots import QUARANTINE, Slots

if TYPE_CHECKING:
    from lbdns.model.pool import EndpointKey

GENERATIONS_HELD: Final = 3


class SampledBalancer(NamedTuple):
    """A load balancer: its name, type ("A", "MX", "SRV") and the view that it is of, "" for everybody's."""

    name: str
    type: str
    view: str


@dataclass(frozen=True, slots=True, eq=False)
class SampledNames:
    """The names of one generation, by slot, and where it was served: PoP, its region and place; views by number."""

    load_balancers: Mapping[int, SampledBalancer] = field(default_factory=dict)
    pools: Mapping[int, str] = field(default_factory=dict)
    endpoints: Mapping[int, EndpointKey] = field(default_factory=dict)
    rules: Mapping[int, str] = field(default_factory=dict)
    views: tuple[str, ...] = ("",)
    pop: str = ""
    pop_region: str = ""
    pop_place: Place = UNKNOWN

    def view(self, number: int) -> str:
        """Return what the view of a number is called."""
        return self.views[number] if number < len(self.views) else ""


NO_NAMES: Final = SampledNames()


def names_of(slots: Slots, meta: Mapping[str, Any]) -> SampledNames:
    """Return the names of slots; `meta`: of their snapshot."""
    country, subdivision, latitude, longitude = meta["place"]
    return SampledNames(
        load_balancers={
            slot: SampledBalancer((named := parted(label))[0], kind, named[1])
            for (label, kind), slot in slots.load_balancer.items()
        },
        pools={slot: name for name, slot in slots.pool.items()},
        endpoints={slot: key for key, slot in slots.endpoint.items()},
        rules={slot: word for (_, _, word), slot in slots.rule.items()},
        views=tuple(meta.get(VIEWS, ("",))),
        pop=str(meta["pop"]),
        pop_region=str(meta["region"]),
        pop_place=Place(country, subdivision, latitude, longitude),
    )


class NamesByGeneration:
    """The names of the last generations that there were; they are made when samples of one come."""

    def __init__(self, run: RunDirectory) -> None:
        """Look in a run directory."""
        self._run = run
        self._found: dict[int, tuple[IO[str], Mapping[str, Any]]] = {}
        self._names: dict[int, SampledNames] = {}

    def look(self) -> None:
        """Take hold of what is new, so that it can be read when its file is removed; let go of what is old."""
        for path in self._run.path.glob("slots-*.json"):
            number = path.stem.rpartition("-")[2]
            if number.isdecimal() and int(number) not in self._found:
                # Of a generation that is just being written, or removed: it is there in the next look, or no more.
                with contextlib.suppress(OSError, ValueError, KeyError, LbdnsError):
                    meta = MappedPart(self._run.snapshot(int(number))).meta
                    self._found[int(number)] = path.open(), meta
        for old in sorted(self._found)[:-GENERATIONS_HELD]:
            self._found.pop(old)[0].close()
            self._names.pop(old, None)

    def of(self, generation: int) -> SampledNames:
        """Return the names of a generation, or of one behind it that has the same; NO_NAMES where there is none."""
        for number in range(generation, generation + QUARANTINE + 1):
            if number in self._found:
                return self._named(number)
        return NO_NAMES

    def _named(self, generation: int) -> SampledNames:
        found = self._names.get(generation)
        if found is None:
            file, meta = self._found[generation]
            file.seek(0)
            try:
                found = names_of(decode_slots(file.read()), meta)
            except (OSError, ValueError, KeyError, TypeError):  # another release wrote it
                found = NO_NAMES
            self._names[generation] = found
        return found

    def close(self) -> None:
        """Let go of all."""
        for file, _ in self._found.values():
            file.close()
        self._found.clear()
