"""Checks of what notification policies need of the server, and of how many there may be.

| what                                                       | how      |
|------------------------------------------------------------|----------|
| more policies, destinations or silences than there may be  | mistake  |
| a policy that tells mail addresses, and no `mail` to do so | warning  |
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lbdns.base.errors import Problem
from lbdns.base.kinds import ALERTING, BALANCING, Kind
from lbdns.config.yaml.objects import Objects
from lbdns.model import bounds
from lbdns.model.settings import Settings

_MOST: Final = {Kind.SILENCE: bounds.MAX_SILENCES}


def check_alerting(objects: Objects, settings: Settings | None) -> Iterator[Problem]:
    """Yield what is wrong with policies, destinations and silences; `settings`: of the server that will have them, None
    where they are not known."""
    for kind in BALANCING:
        most = _MOST.get(kind, bounds.MAX_ALERTING_OBJECTS)
        if kind.area.startswith(ALERTING) and len(objects.keyed[kind]) > most:
            source = [*objects.keyed[kind].values()][most].source
            yield source.problem((), f"{len(objects.keyed[kind]):,} {kind.plural}; expected at most {most:,}")
    if settings is None or settings.mail is not None:
        return
    for placed in objects.keyed[Kind.POLICY].values():
        if placed.knows("mechanisms") and placed.item.mechanisms.email and placed.item.enabled:
            why = "no mail address is told: lbdns.yaml has no mail, which says the mail server and who sends"
            yield placed.source.warning(("mechanisms", "email"), why)
