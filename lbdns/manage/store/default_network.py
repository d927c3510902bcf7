"""What a change of a virtual network or a route takes along: one network is the default, and a route is in one."""

from __future__ import annotations

from collections.abc import Container, Iterator

from lbdns.base.errors import Problem
from lbdns.base.kinds import Kind
from lbdns.base.words import STORED
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.refusals import InUse
from lbdns.manage.store.state import State
from lbdns.model.virtual_network import is_network_id


def default_network(state: State) -> Item | None:
    """Return the network that is the default one, None where none is."""
    return next((one for one in state.all(Kind.VIRTUAL_NETWORK).values() if one.body.get("is_default_network")), None)


def settled(edit: Edit, item: Item, fields: Container[str]) -> Item:
    """Return an object of which some fields were given, once what follows from them is done in the same edit.

    A network that is made the default takes that from the one that was; a route that names no network is put into the
    default one, and stays there when another becomes the default, as the v4 API has it. Endpoints that are sent name
    networks that there are, once there is any.
    """
    if edit.problems:
        return item
    if item.kind is Kind.POOL and "origins" in fields and edit.state.all(Kind.VIRTUAL_NETWORK):
        edit.problems.extend(_astray(edit.state, item))
    if item.kind is Kind.VIRTUAL_NETWORK and item.body.get("is_default_network"):
        for other in [*edit.state.all(Kind.VIRTUAL_NETWORK).values()]:
            if other.id != item.id and other.body.get("is_default_network"):
                edit.patch(Kind.VIRTUAL_NETWORK, other.id, {"is_default_network": None})
    if item.kind is Kind.ROUTE and "virtual_network_id" not in item.body:
        default = default_network(edit.state)
        if default is not None:
            return edit.patch(Kind.ROUTE, item.id, {"virtual_network_id": default.id})
    return item


def _astray(state: State, pool: Item) -> Iterator[Problem]:
    """Yield what the checks of a configuration leave to whoever sends it: ids of networks that there are not; of names
    they tell themselves."""
    known = state.all(Kind.VIRTUAL_NETWORK)
    for index, origin in enumerate(pool.body["origins"]):
        id = origin.get("virtual_network_id")
        if id is not None and id not in known and is_network_id(id):
            at = (Kind.POOL.section, pool.name, "origins", index, "virtual_network")
            yield Problem(STORED, 0, f"pools.{pool.name}", f'unknown virtual network "{id}"; none has this id', at=at)


def check_not_default(edit: Edit, id: str) -> None:
    """Raise InUse where a network is the default one: addresses and routes that name none are in it."""
    network = edit.get(Kind.VIRTUAL_NETWORK, id)
    if network.body.get("is_default_network"):
        raise InUse(
            f'the virtual network "{network.name}" is the default one; make another the default, or set '
            "is_default_network to false, before it is deleted"
        )
