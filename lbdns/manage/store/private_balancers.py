"""Private load balancers as the store keeps them: the account's, of no zone.

Which of the account's load balancers are private:

| its body                                  | it is served                                                       |
|-------------------------------------------|--------------------------------------------------------------------|
| has on_ramps, an empty list too           | to these views, to all private ones                                |
| has none, its name is in a zone           | as the zone's, to everybody: who made it had no private view       |
| has none, its name is an address, or in   | to all private views; where there is none, to nobody, which is told: |
| no zone                                   | an earlier release stored it                                       |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lbdns.base.kinds import Kind
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import State
from lbdns.model.placements import private_views
from lbdns.model.private_names import as_address, name_mistake
from lbdns.model.views import ViewSettings

ON_RAMPS: Final = "on_ramps"


def is_unplaced(item: Item, state: State) -> bool:
    """Tell whether a load balancer is one of the account's that names no views and stands in no zone."""
    is_open = item.kind is Kind.LOAD_BALANCER and not item.zone_id and item.body.get(ON_RAMPS) is None
    return is_open and not item.view and state.zone_of(item.name) is None


def is_misnamed(name: str) -> bool:
    """Tell whether a name is one that no private load balancer can have; earlier releases took any."""
    return bool(name_mistake(name))


def is_left_out(item: Item, state: State, has_private_views: bool) -> bool:
    """Tell whether a load balancer is one that nobody could ask for, so that files cannot hold it."""
    return is_unplaced(item, state) and (is_misnamed(item.name) or not has_private_views)


def as_served(item: Item, state: State, has_private_views: bool) -> Mapping[str, Any]:
    """Return the body of a load balancer, with the on_ramps that it has for want of a zone."""
    is_named = as_address(item.name) is None
    return {**item.body, ON_RAMPS: []} if has_private_views and is_named and is_unplaced(item, state) else item.body


def private_body(body: Mapping[str, Any], edit: Edit, views: Mapping[str, ViewSettings]) -> dict[str, Any]:
    """Return the body of a new load balancer of the account: with an address where it names none, and with its on_ramps
    unless its zone is to serve it to everybody, for want of a private view. May raise LbdnsError."""
    made = dict(body)
    if made.get("name") in (None, ""):  # clients that must send one send ""
        made["name"] = edit.give_address()
    name = str(made["name"]).lower().rstrip(".")
    is_private = private_views(views) or as_address(name) is not None or edit.state.zone_of(name) is None
    if made.get(ON_RAMPS) is None and not made.get("view") and is_private:
        made[ON_RAMPS] = []
    return made


def what_is_answered(item: Item, state: State, views: Mapping[str, ViewSettings]) -> str:
    """Return what to say of a new private load balancer or override: who is answered what; "" of any other object."""
    target = item if item.kind is Kind.LOAD_BALANCER else state.get(Kind.LOAD_BALANCER, item.body["load_balancer"])
    if target is None or target.body.get(ON_RAMPS) is None:
        return ""
    seen = [*(target.body[ON_RAMPS] or private_views(views))]
    places = f"the view {seen[0]}" if len(seen) == 1 else f"the views {', '.join(seen)}"
    return (
        f"no proxy here carries traffic for {target.name}: in {places}, {item.name} is answered with the address "
        "of the endpoint that is chosen"
    )
