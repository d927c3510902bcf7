"""How a zone's DNSSEC stands: what the signer says arrives as it was said."""

from __future__ import annotations

import json

import pytest

from lbdns.dnssec.zone_status import KeyRole, KeyStatus, SigningState, ZoneStatus

KEY = KeyStatus("0123456789abcdef", KeyRole.CSK, 12345, 13, 257, "AAAA", "active", 1.5, "12345 13 2 AB", "retired", 9.0)


@pytest.mark.parametrize(
    "status",
    [
        ZoneStatus("example.com", SigningState.DISABLED, 0.0),
        ZoneStatus("example.com", SigningState.PENDING, 2.0, "nsec", (KEY,), ("12345 13 2 AB",), (), 3.0),
        ZoneStatus("example.com", SigningState.ERROR, 2.0, problem="no key", parent_ds=("1 13 2 CD", "2 13 2 EF")),
    ],
)
def test_what_the_signer_says_arrives_as_it_was_said(status: ZoneStatus) -> None:
    arrived = ZoneStatus.from_json(json.loads(json.dumps(status.as_json())))
    assert arrived == status and type(arrived.status) is SigningState
    assert all(type(key.role) is KeyRole for key in arrived.keys)


@pytest.mark.parametrize("state", SigningState)
def test_a_zone_is_signed_until_its_ds_is_gone(state: SigningState) -> None:
    is_signed = ZoneStatus("example.com", state, 0.0).is_signed
    assert is_signed is (state in ("active", "pending", "pending-disabled"))
