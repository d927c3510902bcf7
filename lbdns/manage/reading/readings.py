"""The kinds of large bodies by name, and what came of reading one as frames: told by one process, heard by another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol, TypeVar

from lbdns.base.errors import ConfigError
from lbdns.manage.reading.body_refused import BadBody, BodyRefused
from lbdns.manage.reading.configuration_reading import ConfigurationReading
from lbdns.manage.reading.frames import Frame, problem_of, told_problem
from lbdns.manage.reading.zone_reading import ZoneReading

MISTAKES_MAX: Final = 100
"""Of those in objects that are told; the rest are counted."""
READINGS: Final[dict[str, type[Any]]] = {kind.__name__: kind for kind in (ConfigurationReading, ZoneReading)}
_DONE, _BAD, _REFUSED, _MISTAKES = "done", "bad", "refused", "mistakes"
_Read = TypeVar("_Read")
_Told = TypeVar("_Told", covariant=True)


class Reading(Protocol[_Told]):
    """What is to be read of a body: a dataclass whose fields are JSON."""

    def may_grow(self, body: bytearray) -> bool:
        """Tell whether a body may say much more than it is long."""

    def tell(self, body: bytes) -> Iterator[Frame]:
        """Yield what a body says, in parts; raises BadBody, BodyRefused and ConfigError."""

    def hear(self, frames: Iterable[Frame]) -> _Told:
        """Return what `tell` told."""


class Unfinished(Exception):
    """What was told breaks off: the process that told it has ended."""


def read_here(reading: Reading[_Read], body: bytes) -> _Read:
    """Return what a body says; raises BadBody, BodyRefused and ConfigError."""
    return reading.hear(reading.tell(body))


def outcome(reading: Reading[Any], body: Callable[[], bytes]) -> Iterator[Frame]:
    """Read a body and yield what came of it; the last frame says that it is all, or why it is refused."""
    try:
        yield from reading.tell(body())
        yield [_DONE]
    except BadBody as error:
        yield [_BAD, str(error), error.is_too_large]
    except BodyRefused as error:
        yield [_REFUSED, error.found[:MISTAKES_MAX], max(0, len(error.found) - MISTAKES_MAX) + error.more]
    except ConfigError as error:
        told = error.problems[:MISTAKES_MAX]
        yield [_MISTAKES, list(map(told_problem, told)), len(error.problems) - len(told) + error.more]


def take_over(reading: Reading[_Read], frames: Iterable[Frame]) -> _Read:
    """Return what another process has read, or raise what it refused; raises Unfinished where it broke off."""
    return reading.hear(_sound(frames))


def _sound(frames: Iterable[Frame]) -> Iterator[Frame]:
    for frame in frames:
        if frame[0] == _DONE:
            return
        if frame[0] == _BAD:
            raise BadBody(frame[1], frame[2])
        if frame[0] == _REFUSED:
            raise BodyRefused(*((message, at) for message, at in frame[1]), more=frame[2])
        if frame[0] == _MISTAKES:
            raise ConfigError(map(problem_of, frame[1]), frame[2])
        yield frame
    raise Unfinished
