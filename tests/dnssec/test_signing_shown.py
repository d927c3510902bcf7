"""What `lbdns status` and the metrics show of signed zones: states, keys, the next step, ends of signatures."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lbdns.dnssec.signing_facts import SigningFacts
from lbdns.dnssec.zone_status import KeyRole, SigningState, ZoneStatus
from lbdns.mapped.snapshot_file import RENEWAL
from lbdns.model.settings import Settings
from lbdns.telemetry import metrics, standing
from lbdns.telemetry.child_facts import ChildFacts
from lbdns.telemetry.server_facts import ServerFacts
from tests.dnssec.played_signer import key

WEEK_S = 7 * 86400
COUNTS = {
    "table_slots": 65536,
    "table_used": 1234,
    "made": 7,
    "bulk": 100,
    "found": 5,
    "refused": 0,
    "failed": 2,
    "evicted": 1,
    "no_place": 0,
    "problem": "",
}


def facts(*zones: ZoneStatus, renewal_s: float = 0, alive: int = 1, counts: Mapping[str, Any] = COUNTS) -> ServerFacts:
    """Return a server's facts, of which only what signing shows is there."""
    published = SimpleNamespace(
        snapshot=SimpleNamespace(meta={RENEWAL: int(renewal_s)}),
        configuration=SimpleNamespace(settings=Settings.model_validate({})),
    )
    child = ChildFacts("signer", 1, 0, 0, alive, "signer")
    signing = SigningFacts(zones, counts)
    return cast(ServerFacts, SimpleNamespace(published=published, children=(child,), signing=signing))


def zone(name: str, status: SigningState = SigningState.ACTIVE, **more: Any) -> ZoneStatus:
    return dataclasses.replace(ZoneStatus(name, status, 1.0, "nsec", (key(), key(KeyRole.ZSK, 7))), **more)


def samples(found: ServerFacts) -> dict[tuple[str, ...], float]:
    return {
        (sample.name.removeprefix("lbdns_"), *sample.labels.values()): sample.value
        for family in metrics._signing(found)
        for sample in family.samples
    }


def test_a_server_without_signed_zones_shows_no_row_and_no_sample() -> None:
    nothing = cast(ServerFacts, SimpleNamespace(**{**vars(facts(counts={})), "children": ()}))
    assert standing._signing(nothing).text == "" and samples(nothing) == {}


def test_states_keys_table_and_what_comes_next_are_shown() -> None:
    now_s = time.time()
    later = zone("b.example", SigningState.PENDING, next_at_s=now_s + 7200.5, next_step="x")
    row = standing._signing(facts(zone("a.example"), later, renewal_s=now_s + 3600))
    assert row.problems == () and row.text.startswith("2 zones with keys (1 active, 1 pending), 1,234 of 65,536 places")
    assert "next step in 2 h (b.example)" in row.text and "the first signature ends 2" in row.text
    shown = samples(facts(zone("a.example"), later, renewal_s=1_000_000))
    assert (
        shown["dnssec_zones", "active"] == shown["dnssec_zones", "pending"] == 1 and shown["dnssec_zones", "error"] == 0
    )
    assert shown["dnssec_keys", "csk", "active"] == shown["dnssec_keys", "zsk", "active"] == 2
    assert shown["signature_renewal_timestamp_seconds",] == 1_000_000
    assert shown["signature_expiry_timestamp_seconds",] == 1_000_000 + WEEK_S
    assert shown["dnssec_next_step_timestamp_seconds",] == later.next_at_s
    assert (shown["signature_table_used",], shown["signature_table_slots",], shown["signer_up",]) == (1234, 65536, 1)
    assert (shown["signatures_made_total", "demand"], shown["signatures_made_total", "publish"]) == (7, 100)
    assert (shown["signatures_not_made_total", "failed"], shown["signatures_not_made_total", "evicted"]) == (2, 1)
    assert samples(facts(zone("a.example"), alive=0))["signer_up",] == 0


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (facts(zone("a.example", SigningState.ERROR, problem="no key fits")), "a.example: no key fits"),
        (facts(zone("a.example"), counts={**COUNTS, "problem": "no room"}), "the signer: no room"),
        (
            facts(zone("a.example"), renewal_s=time.time() - 0.2 * WEEK_S),
            "were to be made anew 1 d 9 h ago; the first ends",
        ),
        (facts(zone("a.example"), renewal_s=time.time() - 0.6 * WEEK_S), "; the first ends soon, 2"),
        (facts(zone("a.example"), renewal_s=time.time() - 0.05 * WEEK_S), None),
    ],
    ids=["error", "signer", "late", "near", "in time"],
)
def test_what_is_wrong_makes_the_server_degraded(found: ServerFacts, told: str | None) -> None:
    problems = standing._signing(found).problems
    assert len(problems) == (told is not None) and (told or "") in "".join(problems)
