"""A zone's surroundings in virtual time: its server, the zone above and every cache there could be; and a validator
that knows only what those caches may hold.

Nothing here reads the states of lbdns: what is served is what ZoneKeys say, and DS are compared as a parent would.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

from lbdns.dnssec.zone_keys import CDS_DELETE, ZoneKeys, ds_rdata

Rdatas = frozenset[bytes]


@dataclass(slots=True)
class Served:
    """What was served of one thing: each content with its TTL and until when, None for what is served now."""

    spans: list[tuple[object, int, float | None]] = field(default_factory=list)

    def put(self, content: object, ttl_s: int, now_s: float) -> None:
        """Serve something in place of what was served."""
        if self.spans and self.spans[-1][2] is None:
            before, ttl_before_s, _ = self.spans[-1]
            if before == content:
                self.spans[-1] = before, max(ttl_before_s, ttl_s), None
                return
            self.spans[-1] = before, ttl_before_s, now_s
        self.spans.append((content, ttl_s, None))

    def now(self) -> object:
        """Return what is served now."""
        return self.spans[-1][0]

    def cached(self, now_s: float) -> list[object]:
        """Return every content that a cache may hold."""
        self.spans = [one for one in self.spans if one[2] is None or one[2] + one[1] >= now_s]
        return [content for content, _, _ in self.spans]


@dataclass(frozen=True, slots=True)
class Keyset:
    """A DNSKEY RRset as a resolver has it, with who signed it."""

    dnskeys: Rdatas
    signers: Rdatas


def algorithm(dnskey: bytes) -> int:
    """Return a DNSKEY's algorithm."""
    return dnskey[3]


def is_bogus(apex: bytes, ds: Rdatas, keyset: Keyset, signers: Rdatas) -> bool:
    """Tell whether a strict validator refuses the zone that it holds these of; `signers`: who signed the data."""
    if not ds:
        return False
    for wanted in {one[2] for one in ds}:  # each algorithm that the DS promises
        named = {key for key in keyset.dnskeys if algorithm(key) == wanted and ds_rdata(apex, key, 2) in ds}
        if not named & keyset.signers:
            return True
    for wanted in {algorithm(key) for key in keyset.dnskeys}:  # each algorithm that the zone promises
        if not any(algorithm(key) == wanted for key in signers & keyset.dnskeys):
            return True
    return False


@dataclass(slots=True)
class World:
    """One zone, its parent and all caches. `now_s` is the true time, which no machine of it knows for sure."""

    apex: bytes
    zone_ttl_s: int
    ds_ttl_s: int
    now_s: float
    keysets: Served = field(default_factory=Served)
    data: Served = field(default_factory=Served)
    parents: list[Served] = field(default_factory=list)
    published: ZoneKeys | None = None
    checks: int = 0
    next_look_s: float = 0.0
    """When something may be bogus that was not: at once after a change, else when a cache loses something."""

    def __post_init__(self) -> None:
        """Begin unsigned, without a DS."""
        self.parents = [Served() for _ in range(2)]
        for parent in self.parents:
            parent.put(frozenset(), self.ds_ttl_s, self.now_s)
        self.publish(None, 3600)

    def publish(self, keys: ZoneKeys | None, dnskey_ttl_s: int) -> None:
        """Serve what a zone's keys say from now on."""
        self.published = keys
        dnskeys = frozenset(keys.dnskeys) if keys else frozenset()
        signers = frozenset(key.dnskey for key in keys.key_signers) if keys else frozenset()
        data = frozenset(key.dnskey for key in keys.zone_signers) if keys else frozenset()
        self.next_look_s = 0.0
        self.keysets.put(Keyset(dnskeys, signers), dnskey_ttl_s, self.now_s)
        self.data.put(data, self.zone_ttl_s, self.now_s)

    def asked_ds(self) -> Rdatas | None:
        """Return what CDS asks for, None where there is none."""
        if self.published is None or not self.published.cds:
            return None
        return frozenset() if self.published.cds == (CDS_DELETE,) else frozenset(self.published.cds)

    def set_ds(self, server: int, ds: Rdatas) -> None:
        """Have one of the parent's servers serve a DS RRset."""
        self.next_look_s = 0.0
        self.parents[server].put(ds, self.ds_ttl_s, self.now_s)

    def transfer_ds(self) -> None:
        """Have the parent's other servers serve what its first one does."""
        ds = self.parents[0].now()
        assert isinstance(ds, frozenset)
        for server in range(1, len(self.parents)):
            self.set_ds(server, ds)

    def mixtures(self) -> Iterator[tuple[Rdatas, Keyset, Rdatas]]:
        """Yield each thing that a resolver may hold at once."""
        ds = {one for parent in self.parents for one in parent.cached(self.now_s)}
        yield from product(ds, self.keysets.cached(self.now_s), self.data.cached(self.now_s))

    def bogus(self) -> str:
        """Return what a resolver may hold that is bogus; "" where there is nothing."""
        for ds, keyset, signers in self.mixtures():
            if is_bogus(self.apex, ds, keyset, signers):
                tags = [sorted(int.from_bytes(one[:2], "big") for one in ds)]
                return f"DS {tags}, {len(keyset.dnskeys)} DNSKEYs, {len(keyset.signers)} sign, zone by {len(signers)}"
        return ""

    def fault(self) -> str:
        """Return what is bogus at this minute. What resolvers may hold is gone through where it may have changed."""
        if self.now_s < self.next_look_s:
            return ""
        self.checks += 1
        found = self.bogus()
        served = (*self.parents, self.keysets, self.data)
        ends = [end + ttl_s for one in served for _, ttl_s, end in one.spans if end is not None]
        self.next_look_s = min(ends, default=float("inf"))
        return found
