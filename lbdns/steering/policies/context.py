"""What a policy may look at beside what steers, and what it did look at: the two are one thing.

A plan is kept from one compile to the next while all that it read reads the same. Nobody lists what that is: a policy
gets pools through its `Context` alone, and every field that it takes is noted with its value. Site and units are not
noted: where they change, every plan is made anew.

What takes long to work out hangs on less than a plan does: on which list stands where, say, and not on what is in it. A
policy has it made from that alone, by `Context.part`, and all plans that need the same share it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from lbdns.base.memo import ByValue
from lbdns.model.pool import Pool
from lbdns.places.place import Place
from lbdns.steering.policies.units import Units

UNKNOWN_PLACE = Place()


@dataclass(frozen=True, slots=True)
class Site:
    """Where this server stands: the PoP's code, place and region ("" and an empty place where unknown)."""

    code: str = ""
    place: Place = UNKNOWN_PLACE
    region: str = ""


class Part(Protocol):
    """Something that plans share."""

    @property
    def size(self) -> int:
        """Bytes, near enough."""
        ...


OnePart = TypeVar("OnePart", bound=Part)
AllThat = TypeVar("AllThat", bound=Hashable)


class PlanParts:
    """What plans share, by who makes it and all that it is made from beside site and units; kept from one compile to
    the next as long as each asks for it."""

    def __init__(self, has_room: Callable[[int], bool]) -> None:
        """Begin with none; `has_room` says whether a part of so many bytes may be kept."""
        self._has_room = has_room
        self._kept: ByValue[Hashable, Part] = ByValue()

    def round(self) -> AbstractContextManager[None]:
        """Begin a compile with what the last one left, and drop what it does not use."""
        return self._kept.round()

    def clear(self) -> None:
        """Drop everything: site or units have changed."""
        self._kept.clear()

    def find(
        self, make: Callable[[AllThat, Site, Units], OnePart], made_from: AllThat, site: Site, units: Units
    ) -> OnePart:
        """Return what `make` gives, the same object for all that is equal."""
        key = (make, made_from)
        part = self._kept.find(key)
        if part is None:
            part = make(made_from, site, units)
            if self._has_room(part.size):
                self._kept.keep(key, part)
        return cast(OnePart, part)


class PoolRead(NamedTuple):
    """A pool that a plan looked at, and the values of the fields that it took."""

    pool: Pool
    values: tuple[tuple[str, Any], ...]

    def holds(self, pool: Pool | None) -> bool:
        """Return whether a plan would read the same from this pool."""
        return pool is self.pool or (
            pool is not None and all(getattr(pool, field) == value for field, value in self.values)
        )


class Reads(NamedTuple):
    """All that one plan read: pools, and whether there were many partitions (None: it did not ask)."""

    pools: tuple[tuple[str, PoolRead], ...]
    many_partitions: bool | None

    def hold(self, context: Context) -> bool:
        """Return whether a plan would read the same now, and so be the same."""
        if self.many_partitions is not None and self.many_partitions is not context.many_partitions():
            return False
        return not self.pools or context.pools.read_as(self.pools)


NOTHING_READ = Reads((), None)


class Context:
    """What policies see while they plan, one load balancer after the other.

    `site` and `units` are those of the whole compile. `many_partitions` says whether there are many by now, to whoever
    compiles; policies ask `has_many_partitions`.
    """

    __slots__ = ("_partitions_asked", "_parts", "many_partitions", "pools", "site", "units")

    def __init__(
        self,
        site: Site,
        units: Units,
        pools: Mapping[str, Pool],
        parts: PlanParts,
        many_partitions: Callable[[], bool],
    ) -> None:
        """Begin with nothing read."""
        self.site = site
        self.units = units
        self.pools = WatchedPools(pools)
        self._parts = parts
        self.many_partitions = many_partitions
        self._partitions_asked = False

    @property
    def has_many_partitions(self) -> bool:
        """Whether so many ways to tell places apart are in use already that no more are worked out ahead."""
        self._partitions_asked = True
        return self.many_partitions()

    def part(self, make: Callable[[AllThat, Site, Units], OnePart], made_from: AllThat) -> OnePart:
        """Return what is made from a value, from site and units alone, once for all plans that need the same."""
        return self._parts.find(make, made_from, self.site, self.units)

    def take_reads(self) -> Reads:
        """Return what has been read since this was asked last."""
        pools = self.pools.take_reads()
        if not self._partitions_asked:
            return Reads(pools, None) if pools else NOTHING_READ
        self._partitions_asked = False
        return Reads(pools, self.many_partitions())


class WatchedPools:
    """The pools by name, to read fields of; there is no other way to look at them."""

    __slots__ = ("_pools", "_watched")

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self._pools = pools
        self._watched: dict[str, _WatchedPool] = {}

    def __getitem__(self, name: str) -> Pool:
        """Return a pool that notes what is taken from it; it is good for fields and properties alone."""
        watched = self._watched.get(name)
        if watched is None:
            watched = self._watched[name] = _WatchedPool(self._pools[name])
        return cast(Pool, watched)

    def take_reads(self) -> tuple[tuple[str, PoolRead], ...]:
        """Return what has been taken from which pool since this was asked last."""
        if not self._watched:
            return ()
        watched, self._watched = self._watched, {}
        return tuple([(name, PoolRead(pool.watched, tuple(vars(pool).items()))) for name, pool in watched.items()])

    def read_as(self, reads: tuple[tuple[str, PoolRead], ...]) -> bool:
        """Return whether the pools say what was read once."""
        pools = self._pools
        return all([read.holds(pools.get(name)) for name, read in reads])


class _WatchedPool:
    """Stands for a pool: what is taken from it becomes an attribute, so that its attributes are what was taken."""

    __slots__ = ("__dict__", "watched")

    def __init__(self, pool: Pool) -> None:
        self.watched = pool

    def __getattr__(self, field: str) -> Any:
        value = getattr(self.watched, field)
        setattr(self, field, value)
        return value

    def __eq__(self, other: object) -> bool:
        raise TypeError("policies compare fields of pools, not pools: what a plan rests on is noted field by field")

    __hash__ = None  # type: ignore[assignment]
