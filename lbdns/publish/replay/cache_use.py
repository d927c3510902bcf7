"""What the scopes of answers mean to resolvers: how many entries they keep of them, how often one answers again.

A resolver keeps an answer for the network that its scope names, at most the one that it told (RFC 7871 section 7.3.1),
until the TTL is over. Queries are those that came here, so that the rates are those of what its cache let through: two
configurations compare by them, and neither is what the resolver's own clients see.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_network
from typing import Any

from lbdns.places.place import Address, Network
from lbdns.publish.replay.replayed import CameTo, Replayed

_Entry = tuple[Address, bytes, int, Network | None]


class CacheUse:
    """The caches of all resolvers, by one configuration; queries come in the order of their times."""

    def __init__(self) -> None:
        self._good_until: dict[_Entry, float] = {}
        self._weight = self._hits = 0.0
        self._bits = {4: 0.0, 6: 0.0}
        self._told = {4: 0.0, 6: 0.0}

    def take(self, asked: Replayed, outcome: CameTo) -> None:
        """Answer one query from its resolver's cache, or have it kept there."""
        kept_for = None
        if asked.ecs is not None and asked.ecs.prefixlen:
            version = asked.ecs.version
            self._bits[version] += asked.weight * outcome.scope
            self._told[version] += asked.weight
            bits = min(outcome.scope, asked.ecs.prefixlen)
            if bits:
                kept_for = ip_network((asked.ecs.network_address, bits), strict=False)
        entry = asked.resolver, asked.name, asked.qtype, kept_for
        self._weight += asked.weight
        if self._good_until.get(entry, -1.0) > asked.at_s:
            self._hits += asked.weight
        else:
            self._good_until[entry] = asked.at_s + outcome.ttl_s

    def as_dict(self) -> dict[str, Any]:
        """Return `entries`, how many differ; `hit_rate`, the share of queries that an entry would have answered; and
        the mean scopes by family, None where no query told a network."""
        return {
            "entries": len(self._good_until),
            "hit_rate": round(self._hits / self._weight, 6) if self._weight else None,
            "mean_scope_ipv4": self._mean(4),
            "mean_scope_ipv6": self._mean(6),
        }

    def _mean(self, version: int) -> float | None:
        return round(self._bits[version] / self._told[version], 3) if self._told[version] else None


class ScopeChanges:
    """How often an answer's scope changes, from which to which."""

    def __init__(self) -> None:
        self._weights: Counter[tuple[int, int, int]] = Counter()

    def take(self, asked: Replayed, before: CameTo, after: CameTo) -> None:
        """Note one query's scopes."""
        if asked.ecs is not None and before.scope != after.scope:
            self._weights[asked.ecs.version, before.scope, after.scope] += asked.weight  # type: ignore[assignment]

    def as_list(self, most: int, total: float) -> list[dict[str, Any]]:
        """Return the largest changes: `family` (4 or 6), `before` and `after` in bits, `share` of all queries."""
        return [
            {"family": family, "before": old, "after": new, "share": round(weight / total, 6)}
            for (family, old, new), weight in self._weights.most_common(most)
        ]
