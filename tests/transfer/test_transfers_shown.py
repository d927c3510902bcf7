"""What `lbdns status` and the metrics show of zones that are transferred."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import cast

from lbdns.telemetry import metrics, standing
from lbdns.telemetry.server_facts import ServerFacts
from lbdns.transfer.zone_transfer_status import COUNTS, TransferPeer, TransferState, ZoneTransferStatus
from tests.transfer.played_transfers import BEGAN_S, primary, secondary

LOST = "www.example.com: the primary has deleted it, and a load balancer stands there"


def facts(*zones: ZoneTransferStatus) -> ServerFacts:
    """Return a server's facts, of which only what transfers show is there."""
    return cast(ServerFacts, SimpleNamespace(transfers=zones))


def samples(*zones: ZoneTransferStatus) -> dict[tuple[str, ...], float]:
    return {
        (sample.name.removeprefix("lbdns_"), *sample.labels.values()): sample.value
        for family in metrics._transfers(facts(*zones))
        for sample in family.samples
    }


def test_a_server_without_transfers_shows_no_row_and_no_sample() -> None:
    assert standing._transfers(facts()).text == "" and samples() == {}


def test_a_row_says_how_many_stand_how_and_what_is_wrong() -> None:
    late = secondary("late.example", state=TransferState.FAILING, last_error="no primary answered")
    soon = secondary(next_check_s=time.time() + 90.5, warnings=(LOST,))
    row = standing._transfers(facts(soon, late, primary()))
    assert row.text.startswith("2 secondary zones, 1 zone to transfer (2 current, 1 failing), next check in 1 min 30 s")
    assert row.problems == ("late.example: no primary answered", f"example.com: {LOST}")
    alone = standing._transfers(facts(primary()))
    assert alone.text == "1 zone to transfer (1 current)" and alone.problems == ()
    silent = secondary(state=TransferState.EXPIRED)
    assert standing._transfers(facts(silent)).problems == ("example.com: expired",)


def test_metrics_have_states_serials_times_and_counts() -> None:
    shown = samples(
        secondary(warnings=(LOST,), counts=dict.fromkeys(COUNTS, 4)),
        primary(notified=(TransferPeer("198.51.100.1:53", serial=6), TransferPeer("198.51.100.2:53"))),
    )
    assert shown["transfer_zones", "secondary", "current"] == shown["transfer_zones", "primary", "current"] == 1
    assert shown["transfer_zones", "secondary", "expired"] == 0
    assert shown["zone_serial", "example.com", "secondary"] == 2026112901
    assert shown["peer_serial", "example.com", "primary", "192.0.2.1:53"] == 2026112901
    assert shown["peer_serial", "example.net", "notified", "198.51.100.1:53"] == 6
    assert ("peer_serial", "example.net", "notified", "198.51.100.2:53") not in shown
    assert shown["zone_expiry_timestamp_seconds", "example.com"] == BEGAN_S + 604_800
    assert shown["zone_checked_timestamp_seconds", "example.com"] == BEGAN_S
    assert ("zone_checked_timestamp_seconds", "example.net") not in shown
    assert shown["zone_warnings", "example.com"] == 1
    assert shown["zone_transfer_failing", "example.com"] == shown["zone_transfer_failing", "example.net"] == 0
    assert samples(secondary(state=TransferState.EXPIRED))["zone_transfer_failing", "example.com"] == 1
    assert all(shown[f"zone_{word}_total", "example.com"] == 4 for word in COUNTS)
