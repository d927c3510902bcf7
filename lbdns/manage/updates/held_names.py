"""Names at which load balancers hide records: what is added there would be stored, and nobody would be given it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lbdns.base.kinds import Kind
from lbdns.dns.name import encode_canonical
from lbdns.dns.rdata.record_types import HIDDEN_TYPES
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import Items, State

_DEFAULT_TYPE: Final = "A"


class HeldNames:
    """The enabled load balancers of zones, by name."""

    def __init__(self) -> None:
        self._read: Items | None = None
        self._by_name: Mapping[bytes, Sequence[Item]] = {}

    def why_not(self, owner: bytes, rdtype: int, view: str) -> str:
        """Return why no record of a type is to be added at a name in a view, "" where it may be."""
        for balancer in self._by_name.get(owner, ()):
            kind = str(balancer.body.get("type", _DEFAULT_TYPE))
            if balancer.view in ("", view) and rdtype in HIDDEN_TYPES[kind]:
                return "a load balancer answers there: the record would be stored, and not served"
        return ""

    def follow(self, state: State) -> None:
        """Go by the load balancers of a state."""
        balancers = state.all(Kind.LOAD_BALANCER)
        if balancers is self._read:
            return
        found: dict[bytes, list[Item]] = {}
        for item in balancers.values():
            if item.body.get("enabled", True) and item.body.get("on_ramps") is None:
                found.setdefault(encode_canonical(item.name), []).append(item)
        self._read, self._by_name = balancers, found
