"""Validating resolvers of other people before signed zones that steer: nothing bogus, nothing that was not decided."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lbdns.testing import LbdnsServer
from tests.validators.naive_signer import NaiveSigner, signing
from tests.validators.resolvers import Bind, KnotResolver, PowerDns, Resolver, Unbound
from tests.validators.signed_world import SIGNED
from tests.validators.stage import Scene, prepare, signed_server, trial_of, unsigned_server
from tests.validators.trial import Report

pytestmark = pytest.mark.process
SEED = 13
QUESTIONS, FLIPS = 350, 40  # each endpoint goes down and comes up again
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
