"""What of views is meant to be so, and worth knowing: networks of one view that lie within those of another."""

from __future__ import annotations

from collections.abc import Iterator

from lbdns.base.errors import Problem
from lbdns.config.yaml.source import Placed
from lbdns.model.named_lists import Network
from lbdns.model.settings import Settings

_Named = tuple[str, int, Network]
"""A network, its view and where it stands there."""


def view_notices(settings: Placed[Settings]) -> Iterator[Problem]:
    """Yield a notice for each pair of views of which one has a network within another's: the first there is."""
    named = [
        (name, index, network)
        for name, view in settings.item.views.items()
        for index, network in enumerate(view.networks)
    ]
    named.sort(key=lambda one: (one[2].version, int(one[2].network_address), one[2].prefixlen))
    around: list[_Named] = []
    told: set[tuple[str, str]] = set()
    for inner in named:
        name, index, network = inner
        while around and not _holds(around[-1][2], network):
            around.pop()
        for outer, _, larger in around:
            if outer != name and (name, outer) not in told:
                told.add((name, outer))
                message = f'{network} lies within {larger} of the view "{outer}"; whoever is in both is in "{name}"'
                yield settings.source.warning(("views", name, "networks", index), message)
        around.append(inner)


def _holds(outer: Network, inner: Network) -> bool:
    if outer.version != inner.version:
        return False
    shift = outer.max_prefixlen - outer.prefixlen
    return int(outer.network_address) >> shift == int(inner.network_address) >> shift
