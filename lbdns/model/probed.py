"""What of a monitor and an endpoint reaches the wire or the clock: all that tells one check from another."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, Final

from lbdns.base.probe_types import PROBE_TYPES, acts
from lbdns.model.monitor_terms import NOT_PROBED, MonitorTerms

IN_TARGET: Final = frozenset({"port"})
"""Fields of a monitor that a check's target holds: where they are not set, the endpoint's own stands in."""

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})


def probed_port(monitor: MonitorTerms, endpoint_port: int) -> int:
    """Return the port that is probed: the endpoint's own is the service's, and stands in where the monitor has none."""
    return monitor.port or endpoint_port or PROBE_TYPES[monitor.type].default_port


def probe_settings(monitor: MonitorTerms) -> tuple[object, ...]:
    """Return all that a monitor says of its probes and their rhythm, save the port, which the target holds."""
    kind: Any = type(monitor)
    values = _settings_getter(kind, monitor.type)(monitor)
    return tuple(map(_hashable, values))


@functools.cache
def _settings_getter(model: Any, type_: str) -> Callable[[MonitorTerms], tuple[object, ...]]:
    """Return what reads the fields that tell checks of a type apart: all that act with it, save those declared."""
    passed_over = NOT_PROBED | IN_TARGET
    names = (one.name for one in fields(model))
    return operator.attrgetter(*(name for name in names if name not in passed_over and acts(type_, name)))


def _hashable(value: object) -> object:
    """Return a field's value in a shape that can be part of a key; dictionaries in their order, which probes keep."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, dict):
        return tuple((name, _hashable(one)) for name, one in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_hashable, value))
    if is_dataclass(value):
        return tuple(_hashable(getattr(value, one.name)) for one in fields(value))
    return value
