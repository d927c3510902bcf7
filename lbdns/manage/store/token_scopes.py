"""What a token may do: a union of scopes, each a text.

    read, write                     everything
    AREA:read, AREA:write           what belongs to an area; whoever may write it may read it
    AREA:read:ZONE, AREA:write:ZONE of one zone alone, where the area is divided by zones; of a zone of a view NAME@VIEW

| area           | what belongs to it                                              | by zone |
|----------------|-----------------------------------------------------------------|---------|
| load_balancers | load balancers, of zones and of the account                     | yes     |
| pools          | pools, monitors, monitor groups, health checks, health          | no      |
| zones          | zones, their records and settings                               | yes     |
| notifications  | policies, destinations, silences, what was sent                 | no      |

What stands in no area, such as whole configurations and revisions, takes a scope of everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import nearest
from lbdns.dns.name import BadName, encode_canonical, show_name
from lbdns.model.view_names import labelled, parted

Verb = Literal["read", "write"]
READ: Final = "read"
WRITE: Final = "write"
LOAD_BALANCERS: Final = "load_balancers"
POOLS: Final = "pools"
ZONES: Final = "zones"
NOTIFICATIONS: Final = "notifications"
AREAS: Final = {LOAD_BALANCERS: True, POOLS: False, ZONES: True, NOTIFICATIONS: False}
"""Every area, and whether it is divided by zones."""
EVERYTHING: Final = ""
"""Stands for the area of what takes a scope of everything."""
SCOPES_MAX: Final = 100
"""Scopes of one token."""
FORMS: Final = f"read, write, or AREA:read, AREA:write and AREA:write:ZONE, where AREA is one of {', '.join(AREAS)}"


class TokenScope(NamedTuple):
    """One scope: of an area or of everything, of a zone or of all.

    `zone` is a zone's name in A-labels, lower case, with its view where it is of one: example.com@office.
    """

    verb: Verb
    area: str = EVERYTHING
    zone: str = ""

    def __str__(self) -> str:
        return ":".join(filter(None, (self.area, self.verb, self.zone)))

    def covers(self, verb: Verb, area: str, zone: str) -> bool:
        """Tell whether this scope allows to read or write in an area; `zone` is "" for what belongs to none."""
        return self.verb in (verb, WRITE) and self.area in (EVERYTHING, area) and self.zone in ("", zone)


def parse_scope(text: str) -> TokenScope:
    """Return the scope that a text says; raises LbdnsError."""
    if text in (READ, WRITE):
        return TokenScope(READ if text == READ else WRITE)
    area, _, rest = text.partition(":")
    verb, colon, zone = rest.partition(":")
    if area not in AREAS:
        near = nearest(area, (*AREAS, READ, WRITE))
        raise LbdnsError(f'"{text}" is no scope; {f"""did you mean "{near}"?""" if near else f"expected {FORMS}"}')
    if verb not in (READ, WRITE):
        raise LbdnsError(f'"{text}" is no scope; expected {area}:read or {area}:write')
    if colon and not AREAS[area]:
        raise LbdnsError(f'"{text}" is no scope: {area} belong to no zone; expected {area}:{verb}')
    if colon and not zone:
        raise LbdnsError(f'"{text}" is no scope; expected a zone at its end, or {area}:{verb} for all')
    try:
        name, view = parted(zone)
        label = labelled(show_name(encode_canonical(name)), view) if colon else ""
    except BadName as error:
        raise LbdnsError(f'"{text}" is no scope: {error}') from None
    return TokenScope(READ if verb == READ else WRITE, area, label)


class TokenScopes(tuple[TokenScope, ...]):
    """What a token may do: what any of its scopes allows."""

    __slots__ = ()

    @staticmethod
    def parse(texts: Iterable[str]) -> TokenScopes:
        """Return the scopes that texts say, each once; raises LbdnsError."""
        found = TokenScopes(dict.fromkeys(parse_scope(text) for text in texts))
        if not 0 < len(found) <= SCOPES_MAX:
            raise LbdnsError(f"a token has 1 to {SCOPES_MAX} scopes")
        return found

    def __str__(self) -> str:
        return " ".join(map(str, self))

    def allow(self, verb: Verb, area: str = EVERYTHING, zone: str = "") -> bool:
        """Tell whether they allow to read or write in an area; `zone` is "" for what belongs to none."""
        return any(scope.covers(verb, area, zone) for scope in self)

    def allow_somewhere(self, verb: Verb, area: str) -> bool:
        """Tell whether they allow to read or write some of an area: all of it, or a zone's."""
        return any(scope.covers(verb, area, scope.zone) for scope in self)
