"""Validating resolvers of other people before signed zones that steer: nothing bogus, nothing that was not decided."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from lbdns.testing import LbdnsServer
from tests.validators.naive_signer import NaiveSigner, signing
from tests.validators.resolvers import RESOLVERS, Bind, KnotResolver, PowerDns, Resolver, Unbound
from tests.validators.signed_world import HASHED, SIGNED
from tests.validators.stage import Scene, order, prepare, resolvers_of, signed_server, trial_of, unsigned_server
from tests.validators.trial import Report

pytestmark = pytest.mark.process
SEED = 13
QUESTIONS, FLIPS = 350, 40  # each endpoint goes down and comes up again
CHAIN_QUESTIONS = 250  # a zone of 80 hashes has the most of its gaps shown by so many names
BELOW_QUESTIONS = 15
ANSWER_S = 15.0
QUESTIONS_TO_FAULTS = 300  # the rarest shows in 240, whatever the seed


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Addresses, and the zones below cuts."""
    return prepare()


@pytest.fixture(scope="module")
def unsigned(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LbdnsServer]:
    """The world, unsigned."""
    with unsigned_server(tmp_path_factory.mktemp("unsigned"), scene) as server:
        yield server


def anchors_of(signer: NaiveSigner) -> dict[str, list[str]]:
    """Return the zones' DS by apex."""
    return {apex: [signer.ds(f"{apex}.")] for apex in SIGNED}


def told(reports: dict[str, Report]) -> str:
    """Return what is wrong, for people."""
    return "\n".join(line for report in reports.values() for line in (str(report), *report.wrong[:20]))


def test_what_is_signed_naively_holds(scene: Scene, unsigned: LbdnsServer, tmp_path: Path) -> None:
    """Else what these tests find would be no fault of the server's."""
    with (
        signing(scene.server, unsigned.port, SIGNED) as signer,
        trial_of(tmp_path, scene, unsigned, anchors_of(signer), SEED, compact=SIGNED) as trial,
    ):
        trial.run(questions=60, flips=6)
    assert not any(report.wrong for report in trial.reports.values()), told(trial.reports)
    assert all(report.asked == 60 and report.secure > 30 for report in trial.reports.values()), told(trial.reports)


def test_nothing_is_bogus_and_nothing_differs(scene: Scene, tmp_path: Path) -> None:
    with (
        signed_server(tmp_path, scene) as (server, anchors),
        trial_of(tmp_path, scene, server, anchors, SEED) as trial,
    ):
        trial.run(questions=QUESTIONS, flips=FLIPS)
    assert not any(report.wrong for report in trial.reports.values()), told(trial.reports)
    assert all(report.secure > QUESTIONS / 2 for report in trial.reports.values()), told(trial.reports)


@pytest.fixture(scope="module")
def hashed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Resolver]]:
    """Resolvers by name before the signed server, which has no AAAA below *.ruled-apps just now; they know the chain of
    the zone with NSEC3. It stays to the end of the module, on addresses that no other test wants meanwhile."""
    scene, folder = prepare(), tmp_path_factory.mktemp("hashed")
    with (
        signed_server(folder, scene) as (server, anchors),
        resolvers_of(folder, scene, anchors) as resolvers,
    ):
        for endpoint in ("three/e1", "three/e2"):
            order(server, endpoint, up=False)
        for resolver in resolvers:
            for number in range(CHAIN_QUESTIONS):
                ask(resolver, f"nothing-{number}.{HASHED}.", "A")
        yield {resolver.name: resolver for resolver in resolvers}


def ask(resolver: Resolver, name: str, rtype: str) -> dns.message.Message:
    """Ask a resolver, by TCP where its reply is too long."""
    query = dns.message.make_query(name, rtype, want_dnssec=True, payload=1232)
    return dns.query.udp_with_fallback(query, "127.0.0.1", ANSWER_S, resolver.port)[0]


@pytest.mark.parametrize("kind", RESOLVERS)
@pytest.mark.parametrize("rtype", ["AAAA", "PTR"])
def test_a_denial_below_a_wildcard_balancer_denies_no_name_below_it(
    hashed: dict[str, Resolver], kind: type[Resolver], rtype: str
) -> None:
    """PowerDNS Recursor took the NSEC3 record that matches the name for a closest encloser, of which the chain denies
    whatever is below; also where the record had a TTL of 0, which it keeps for a second."""
    for number in range(BELOW_QUESTIONS):
        name = f"{rtype.lower()}{number}.ruled-apps.{HASHED}."
        denied = ask(hashed[kind.name], name, rtype)
        assert (denied.rcode(), denied.answer) == (dns.rcode.NOERROR, []), denied
        below = ask(hashed[kind.name], f"below.{name}", "A")
        assert below.answer, f"{kind.name}: {below}"


def test_what_is_denied_on_the_way_denies_nothing_below_a_dname(hashed: dict[str, Resolver]) -> None:
    """unbound asks label by label, takes along the NSEC3 record of the name that begins with an asterisk, and held that
    to be the closest encloser of the name that was asked; which has a record of its own, that it looks at first."""
    reply = ask(hashed[Unbound.name], f"x.*.y.steered.{HASHED}.", "PTR")
    assert reply.rcode() == dns.rcode.NOERROR, reply


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("unsigned", KnotResolver),
        ("as a wildcard", PowerDns),
        ("bitmap", Unbound),
        ("NXDOMAIN", Bind),
    ],
)
def test_a_fault_is_found(
    fault: str, kind: type[Resolver], scene: Scene, unsigned: LbdnsServer, tmp_path: Path
) -> None:
    with (
        signing(scene.server, unsigned.port, SIGNED, fault) as signer,
        trial_of(tmp_path, scene, unsigned, anchors_of(signer), SEED, compact=SIGNED, kinds=[kind]) as trial,
    ):
        trial.run(questions=QUESTIONS_TO_FAULTS, flips=2)
    assert trial.reports[kind.name].wrong, told(trial.reports)
