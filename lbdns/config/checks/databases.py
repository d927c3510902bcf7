"""The geolocation databases that the settings name: read whole, as the server does that serves with them.

That takes seconds for a large one, so it is for who asks for a check; a server says the same when it starts.
"""

from __future__ import annotations

from collections.abc import Iterator

from lbdns.base.errors import LbdnsError, Problem
from lbdns.config.yaml.source import Placed
from lbdns.model.settings import Settings


def check_databases(placed: Placed[Settings]) -> Iterator[Problem]:
    """Yield what is wrong with the databases that settings name, and warnings of what they lack."""
    settings, source = placed.item.geodata, placed.source
    if settings.city is None and settings.asn is None:
        return
    from lbdns.places.geodata import Geodata, check_asn

    if settings.city is not None:
        try:
            yield from (source.warning(("geodata", "city"), one) for one in Geodata.open(settings.city).lacks())
        except LbdnsError as error:
            yield source.problem(("geodata", "city"), str(error))
    if settings.asn is not None:
        try:
            check_asn(settings.asn)
        except LbdnsError as error:
            yield source.problem(("geodata", "asn"), str(error))
