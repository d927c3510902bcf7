"""What a whole configuration says, as bodies that can be stored: checked, canonical, references by name.

It is JSON throughout, so that one process can make it and another take it over without checking anything again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from lbdns.base.kinds import BALANCING, Kind
from lbdns.manage.store.records.record_bodies import GIVEN
from lbdns.manage.store.zones.own_servers import marked_servers
from lbdns.manage.store.zones.zone_bodies import SECONDARY, overlay_bodies, zone_bodies
from lbdns.manage.store.zones.zone_soa import default_soa
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.kind_models import NAMED_BESIDE
from lbdns.model.view_names import VIEW, labelled

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WantedZone:
    """A zone's body and its records' bodies, those of its own name servers marked, those of views behind them."""

    body: Body
    records: list[Body]

    @property
    def label(self) -> str:
        """Its name, with its view where it is of one."""
        return labelled(str(self.body["name"]), self.body.get(VIEW, ""))

    def labels(self) -> dict[str, None]:
        """Return what the files are called that say it: its own, and those of what views see in it."""
        views = dict.fromkeys(record[VIEW] for record in self.records if VIEW in record)
        return dict.fromkeys([self.label, *(labelled(str(self.body["name"]), view) for view in views)])


@dataclass(frozen=True, slots=True)
class Wanted:
    """The objects of a configuration, load balancers and zones by themselves, the others as (kind, name, body) in the
    order of reference."""

    named: list[tuple[Kind, str, Body]] = field(default_factory=list)
    balancers: list[Body] = field(default_factory=list)
    zones: list[WantedZone] = field(default_factory=list)


def wanted_of(configuration: Configuration) -> Wanted:
    """Return what a checked configuration says."""
    return Wanted(
        list(named_bodies(configuration)),
        list(balancer_bodies(configuration.load_balancers)),
        list(zones_of(configuration)),
    )


def named_bodies(configuration: Configuration) -> Iterator[tuple[Kind, str, Body]]:
    """Yield the objects but load balancers."""
    for kind in BALANCING:
        if kind is Kind.LOAD_BALANCER:
            continue
        table: Mapping[str, BaseModel] | Sequence[BaseModel] = getattr(configuration, kind.section)
        rows = table.items() if isinstance(table, Mapping) else ((getattr(one, kind.called_by), one) for one in table)
        for name, model in rows:
            body = model.model_dump(mode="json", exclude_defaults=True)
            yield kind, name, {"name": name, **body} if kind in NAMED_BESIDE else body


def balancer_bodies(balancers: Iterable[LoadBalancer]) -> Iterator[Body]:
    """Yield load balancers."""
    for balancer in balancers:
        yield balancer.model_dump(mode="json", exclude_defaults=True)


def zones_of(configuration: Configuration) -> Iterator[WantedZone]:
    """Yield the zones with their records."""
    overlays: dict[bytes, list[Body]] = {}
    for overlay in configuration.overlays:
        overlays.setdefault(overlay.apex, []).extend(overlay_bodies(overlay))
    for zone in configuration.zones:
        body, records = zone_bodies(zone)
        records = marked_servers(records, str(body["name"]), GIVEN)
        yield WantedZone(body, records if zone.view else records + overlays.get(zone.apex, []))
    for name in configuration.incoming:
        body = {"name": name, "soa": default_soa(name), "serial": 1, "type": SECONDARY}
        yield WantedZone(body, [])
