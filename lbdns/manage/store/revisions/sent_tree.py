"""Files as they are sent to be applied: a checked directory's configuration -> what the API takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lbdns.base.garbage import without_cyclic_collection
from lbdns.base.kinds import Kind
from lbdns.manage.store.item import Item
from lbdns.manage.store.private_balancers import as_served
from lbdns.manage.store.revisions.from_files import state_of
from lbdns.manage.store.revisions.to_files import in_short, name_first, tree_of
from lbdns.manage.store.revisions.wanted import balancer_bodies, named_bodies
from lbdns.model.configuration import Configuration


@without_cyclic_collection()
def sent_tree(configuration: Configuration) -> dict[str, Any]:
    """Return a configuration as the API takes it; files that others include are part of their zone's text there.

    It is what `tree_of` gives of a store with the same objects. Pools and load balancers, of which there are many, do
    not become those of a store first, with ids in the place of names.
    """
    pools, balancers = Configuration(pools=configuration.pools), configuration.load_balancers
    state = state_of(replace(configuration, pools={}, load_balancers=()), 0)
    tree = tree_of(state, has_private_views=True)
    tree[Kind.POOL.section] = {name: in_short(kind, body) for kind, name, body in named_bodies(pools)}
    bodies = (Item(Kind.LOAD_BALANCER, "", body) for body in balancer_bodies(balancers))
    tree[Kind.LOAD_BALANCER.section] = [
        name_first(as_served(item, state, has_private_views=True), item.kind) for item in bodies
    ]
    return tree
