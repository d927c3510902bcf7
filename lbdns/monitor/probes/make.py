"""From a monitor to the probe that it asks for: each type's row names the module whose `make` returns it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final

from lbdns.base.probe_types import PROBE_TYPES, ProbeType
from lbdns.model.monitor_terms import MonitorTerms
from lbdns.monitor.probes.result import Probe


def maker_of(row: ProbeType) -> Callable[[MonitorTerms], Probe]:
    """Return what makes the probes of a type; raises ImportError where the row's module is missing or makes none."""
    module = import_module(f"{__package__}.{row.module}")
    made: Callable[[MonitorTerms], Probe] | None = getattr(module, "make", None)
    if made is None:
        raise ImportError(
            f"{module.__name__} has no function `make`, which type {row.name} needs", name=module.__name__
        )
    return made


# Here and not at the first probe, so that a type without a maker ends the start and no worker later.
MAKERS: Final = {name: maker_of(row) for name, row in PROBE_TYPES.items()}


def probe_of(monitor: MonitorTerms) -> Probe:
    """Return the probe for a monitor; the model has checked its settings."""
    return MAKERS[monitor.type](monitor)
