"""How a zone's transfers stand, as it travels between processes."""

from __future__ import annotations

import json

import pytest

from lbdns.transfer.zone_transfer_status import COUNTS, TransferPeer, TransferRole, TransferState, ZoneTransferStatus

ALL = ZoneTransferStatus(
    zone="example.com",
    role=TransferRole.SECONDARY,
    state=TransferState.FAILING,
    since_s=1_700_000_000.0,
    serial=4_294_967_295,
    primaries=(
        TransferPeer("192.0.2.1:53", "transfer.example.com", False, 4_294_967_295, 1_700_000_000.0),
        TransferPeer("[2001:db8::1]:853", tls=True, problem="it did not answer in 5 s"),
    ),
    notified=(TransferPeer("198.51.100.1:53"),),
    last_check_s=1_700_000_100.0,
    next_check_s=1_700_000_200.0,
    last_transfer="ixfr",
    last_transfer_s=1_700_000_000.5,
    expires_s=1_700_604_800.0,
    last_error="no primary answered",
    last_error_s=1_700_000_100.0,
    warnings=("www.example.com: the primary has deleted it, and a load balancer stands there",),
    counts=dict.fromkeys(COUNTS, 3),
)


@pytest.mark.parametrize(
    "status", [ALL, ZoneTransferStatus("a.example", TransferRole.PRIMARY, TransferState.CURRENT)], ids=["all", "least"]
)
def test_json_and_back(status: ZoneTransferStatus) -> None:
    assert ZoneTransferStatus.from_json(json.loads(json.dumps(status.as_json()))) == status


@pytest.mark.parametrize(
    ("state", "last_error", "is_wrong"),
    [
        (TransferState.CURRENT, "", False),
        (TransferState.CURRENT, "an earlier one", False),
        (TransferState.PENDING, "", False),
        (TransferState.PENDING, "no primary answered", True),
        (TransferState.FAILING, "no primary answered", True),
        (TransferState.EXPIRED, "no primary answered", True),
    ],
)
def test_an_error_that_is_over_is_no_problem(state: TransferState, last_error: str, is_wrong: bool) -> None:
    status = ZoneTransferStatus("a.example", TransferRole.SECONDARY, state, last_error=last_error)
    assert status.is_wrong is is_wrong
    assert status.problem == (last_error if is_wrong else "")
