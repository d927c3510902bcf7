"""The text of all load balancers in the targets document, altered where they are others, held to one made anew."""

from __future__ import annotations

from random import Random

from lbdns.base.memo import KeyCounts
from lbdns.dns.name import encode_canonical
from lbdns.model.balancer import LoadBalancer
from lbdns.model.needed_names import answered_pools
from lbdns.model.targets_document import join_parts
from lbdns.publish.balancer_parts import BalancerParts

ROUNDS = 400
APEXES = ("example.com", "example.net")


def encode(balancer: LoadBalancer) -> bytes:
    return f"{balancer.name} {balancer.fallback_pool}".encode()


def drawn(draw: Random) -> LoadBalancer:
    name = draw.choice((*APEXES, *(f"w{number}.example.com" for number in range(20))))
    return LoadBalancer(
        name=name,
        default_pools=tuple(draw.sample("abcd", draw.randint(1, 3))),
        fallback_pool=draw.choice("abcd"),
        enabled=draw.random() < 0.8,
        ttl=draw.randint(10, 12),
    )


def keys_and_counts(counts: KeyCounts[str]) -> dict[str, int]:
    return dict(counts._counts)


def test_what_is_altered_is_what_would_be_made_anew() -> None:
    draw, kept, balancers = Random(16), BalancerParts(encode), list[LoadBalancer]()
    for _ in range(ROUNDS):
        for _ in range(draw.randint(0, 3)):
            at = draw.randint(0, len(balancers))
            if balancers and draw.random() < 0.4:
                del balancers[min(at, len(balancers) - 1)]
            elif balancers and draw.random() < 0.5:
                balancers[min(at, len(balancers) - 1)] = drawn(draw)
            else:
                balancers.insert(at, drawn(draw))
        if draw.random() < 0.02:
            balancers = []
        apexes = frozenset(encode_canonical(name) for name in draw.sample(APEXES, draw.randint(0, 2)))
        before = kept.text
        kept.see(tuple(balancers), apexes)
        assert kept.text.whole() == join_parts([encode(one) for one in balancers if one.enabled])
        assert kept.text is before or kept.text.whole() != before.whole()
        anew = BalancerParts(encode)
        anew.see(tuple(balancers), apexes)
        assert keys_and_counts(kept.flattened) == keys_and_counts(anew.flattened)
        assert keys_and_counts(kept.at_apex) == keys_and_counts(anew.at_apex)
        assert {*kept.flattened.keys} == {pool for one in balancers for pool in answered_pools(one)}
