"""Which view a query is answered in, and how many bits of its ECS address that hangs on.

| who asks                                         | view                            | scope                  |
|--------------------------------------------------|---------------------------------|------------------------|
| by a key or at a listener that is of a view      | that                            | 0                      |
| a trusted resolver, with ECS (SOURCE over 0)     | of the smallest network that    | of the shortest prefix |
|                                                  | the ECS prefix lies within      | with that outcome      |
| a trusted resolver that tells no client          | the public one                  | 0                      |
| anybody else                                     | of the smallest network that    | 0                      |
|                                                  | the source address lies within  |                        |

In no network: the public view, number 0. An ECS prefix that is shorter than a network says only that its client may be
in it: it is in those that hold the whole prefix. Private addresses decide like any other. A trusted resolver speaks for
others: where it tells none, its own address says nothing, and resolvers that are refused with ECS ask again without.

Runs interpreted and compiled (types in the `.pxd`): both paths of the responder ask here and nowhere else.
"""

from __future__ import annotations

from lbdns.steering.kernel.decide import walk
from lbdns.steering.kernel.numbers import *
from lbdns.steering.kernel.view import Query, View


def view_of(view: View, query: Query, known: int) -> int:
    """Return view number << 8 | ECS scope of a query whose addresses are known.

    `known`: the number of the view that its key or listener is of, 0 for none.
    """
    if known:
        return known << 8
    trie = view.view_trie[0]
    if trie == NO_TRIE:
        return 0
    if not is_trusted(view, query):
        found = walk(view, trie, query.resolver_version, query.resolver_high, query.resolver_low)
        return view.view_number[found >> 8] << 8
    if not query.ecs_bits:
        return 0
    found = walk(view, trie, query.ecs_version, query.ecs_high, query.ecs_low)
    row = found >> 8
    depth = found & 0xFF
    while depth > query.ecs_bits and view.view_bits[row] > query.ecs_bits:
        row = view.view_around[row]
    return view.view_number[row] << 8 | (depth if depth > 1 else 1)


def is_trusted(view: View, query: Query) -> bool:
    """Return whether the resolver that a query comes from is believed in what it says of its client."""
    trie = view.trust_trie[0]
    if trie == NO_TRIE:
        return False
    return walk(view, trie, query.resolver_version, query.resolver_high, query.resolver_low) >> 8 != 0
