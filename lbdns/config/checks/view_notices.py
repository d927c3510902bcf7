"""What of views is meant to be so, and worth knowing: networks of one view that lie within those of another, and names
that resolvers which several views share are refused for some of their clients."""

from __future__ import annotations

from collections.abc import Iterator

from lbdns.base.errors import Problem
from lbdns.base.wording import listed
from lbdns.config.yaml.source import Placed
from lbdns.dns.name import encode_canonical, longest_match, show_name
from lbdns.model.configuration import Configuration
from lbdns.model.named_lists import Network
from lbdns.model.placements import made_apex, private_placements
from lbdns.model.settings import Settings
from lbdns.model.view_names import view_numbers

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


def refusal_notice(settings: Placed[Settings], configuration: Configuration) -> Iterator[Problem]:
    """Yield one notice where a trusted resolver is refused a zone for some of its clients: unbound 1.17 then answers
    SERVFAIL to all of them (findings/unbound-refused-for-one-subnet.sh)."""
    if not settings.item.trusted_resolvers:
        return
    apexes: dict[str, dict[bytes, bool]] = {view: {} for view in ("", *view_numbers(settings.item.views))}
    for zone in configuration.zones:
        apexes[zone.view][zone.apex] = True
    everybodys = apexes.pop("")
    for placement in private_placements(configuration):
        apexes[placement.view][made_apex(encode_canonical(placement.owner))] = True
    refused = [
        show_name(name)
        for name in sorted(set().union(*apexes.values()))
        if longest_match(name, everybodys) is None
        and any(longest_match(name, seen) is None for seen in apexes.values())
    ]
    if refused:
        message = (
            f"for clients whose view lacks {listed(refused, 3)} these resolvers are refused it, and may then answer "
            "SERVFAIL to all others for some seconds; an empty zone of that name for everybody makes it NXDOMAIN"
        )
        yield settings.source.warning(("trusted_resolvers",), message)
