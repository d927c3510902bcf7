"""A root, zones below cuts, a server of signed zones and validating resolvers: one machine's loopback, in a `with`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dns.dnssec
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm

from lbdns.testing import LbdnsServer, running_server
from tests.validators import signed_world
from tests.validators.addresses import DNS_PORT, dns_addresses
from tests.validators.decisions import Decisions
from tests.validators.resolvers import RESOLVERS, Resolver, Surroundings, running
from tests.validators.signed_world import BELOW_TEXT, COMPACT, DENIALS, INSECURE_CUT, OPEN, SECURE_CUT, SIGNED
from tests.validators.trial import Below, Trial
from tests.validators.upstream import answering, zone_of

ORDER_S = SIGNED_S = ANSWER_S = 120.0  # what lasts so long comes never, however busy the machine is
LIFE_S = 30 * 86400
POLL_S = 0.005


@dataclass(frozen=True, slots=True)
class Scene:
    """What a stage has: addresses, zones below cuts by apex, the DS of the signed ones by the zone above."""

    root: str
    server: str
    below: str
    zones: Mapping[str, dns.zone.Zone]
    safe_ds: Mapping[str, str]

    def root_zone(self, anchors: Mapping[str, Sequence[str]]) -> dns.zone.Zone:
        """Return the root, which delegates every zone under test, with the DS that a signed one has."""
        lines = [". SOA a.root. hostmaster.root. 1 7200 900 1209600 60", ". NS a.root.", f"a.root. A {self.root}"]
        for apex in (*SIGNED, OPEN):
            lines += [f"{apex}. NS ns1.{apex}.", f"ns1.{apex}. A {self.server}"]
            lines += [f"{apex}. DS {ds}" for ds in anchors.get(apex, ())]
        return zone_of(".", "\n".join(lines))


def prepare() -> Scene:
    """Return a scene on addresses that are free; the test is skipped by name where port 53 may not be had."""
    root, server, below = dns_addresses(3)
    zones, safe_ds = {}, {}
    for apex in SIGNED:
        for label in (SECURE_CUT, INSECURE_CUT):
            zones[f"{label}.{apex}."] = zone_of(f"{label}.{apex}.", BELOW_TEXT.format(below=below))
        safe_ds[apex] = sign(f"{SECURE_CUT}.{apex}.", zones[f"{SECURE_CUT}.{apex}."])
    return Scene(root, server, below, zones, safe_ds)


def sign(apex: str, zone: dns.zone.Zone) -> str:
    """Sign a zone with a key of its own and return its DS."""
    key = ec.generate_private_key(ec.SECP256R1())
    dnskey = dns.dnssec.make_dnskey(key.public_key(), Algorithm.ECDSAP256SHA256, flags=257)
    now_s = int(time.time())
    dns.dnssec.sign_zone(zone, keys=[(key, dnskey)], inception=now_s - 3600, expiration=now_s + LIFE_S)
    return str(dns.dnssec.make_ds(dns.name.from_text(apex), dnskey, "SHA256"))


@contextlib.contextmanager
def unsigned_server(folder: Path, scene: Scene) -> Iterator[LbdnsServer]:
    """Serve the world unsigned, on a port of 127.0.0.1; `folder` is an empty one for its files."""
    tree = signed_world.tree(folder, scene.server, scene.below, scene.safe_ds)
    with running_server(tree, folder / "server") as server:
        yield server


@contextlib.contextmanager
def signed_server(folder: Path, scene: Scene) -> Iterator[tuple[LbdnsServer, dict[str, list[str]]]]:
    """Serve the world signed, where resolvers look for it; yield the server and the zones' DS by apex."""
    tree = signed_world.tree(folder, scene.server, scene.below, scene.safe_ds)
    tree["settings"]["dnssec"] = {
        "zones": {apex: {"denial": denial} for apex, denial in zip(SIGNED, DENIALS, strict=True)},
        "parent": [f"{scene.root}:{DNS_PORT}"],
    }
    with running_server(tree, folder / "server", override=False) as server:
        for apex in SIGNED:
            server.ask("dnssec", verb="enable", zone=apex)
        yield server, {apex: [_ds_of(server, apex)] for apex in SIGNED}


def _ds_of(server: LbdnsServer, apex: str) -> str:
    """Return the DS of the key that a zone is served with, once it is."""
    name = dns.name.from_text(apex)
    query = dns.message.make_query(name, dns.rdatatype.DNSKEY, want_dnssec=True)
    deadline = time.monotonic() + SIGNED_S
    while True:
        reply = dns.query.tcp(query, server.host, ANSWER_S, server.port)
        found = [rdata for rrset in reply.answer if rrset.rdtype == dns.rdatatype.DNSKEY for rdata in rrset]
        if found:
            return str(dns.dnssec.make_ds(name, found[0], "SHA256"))
        assert time.monotonic() < deadline, f"{apex} is not signed:\n{server.log}"
        time.sleep(POLL_S)


def order(server: LbdnsServer, endpoint: str, up: bool) -> None:
    """Order an endpoint (POOL/NAME) down, or take that back, and wait until it is so."""
    server.ask("force", pattern=endpoint, state="auto" if up else "down")
    deadline = time.monotonic() + ORDER_S
    while (server.endpoint_state(endpoint) != "unhealthy") != up:
        assert time.monotonic() < deadline, f"{endpoint} does not follow an order:\n{server.log}"
        time.sleep(POLL_S)


@contextlib.contextmanager
def trial_of(
    folder: Path,
    scene: Scene,
    server: LbdnsServer,
    anchors: Mapping[str, Sequence[str]],
    seed: int,
    compact: Collection[str] = (COMPACT,),
    kinds: Sequence[type[Resolver]] = RESOLVERS,
    tell: Callable[[str], None] = lambda line: None,
) -> Iterator[Trial]:
    """Run resolvers before a server of signed zones, whose DS are `anchors` by apex, with what lies around these.

    `tell` hears how it goes.
    """
    decisions_folder = folder / "decisions"
    decisions_folder.mkdir(parents=True)
    tree = signed_world.tree(decisions_folder, scene.server, scene.below, scene.safe_ds)
    with resolvers_of(folder, scene, anchors, kinds) as resolvers:
        decisions, below = Decisions(tree, decisions_folder), Below(scene.zones)
        yield Trial(decisions, below, resolvers, partial(order, server), compact, seed, tell)


@contextlib.contextmanager
def resolvers_of(
    folder: Path, scene: Scene, anchors: Mapping[str, Sequence[str]], kinds: Sequence[type[Resolver]] = RESOLVERS
) -> Iterator[list[Resolver]]:
    """Run resolvers, and the root and the zones below cuts, which no server under test has."""
    with contextlib.ExitStack() as stack:
        root = scene.root_zone(anchors)
        surroundings = Surroundings(scene.root, sign(".", root), [scene.server])
        stack.enter_context(answering(scene.root, {".": root}))
        stack.enter_context(answering(scene.below, scene.zones))
        resolvers = []
        for kind in kinds:
            (folder / kind.name).mkdir()
            resolvers.append(stack.enter_context(running(kind, folder / kind.name, surroundings)))
        yield resolvers
