"""Some differences come while a server is asked: scripts/transfer-load, with fewer of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transfer.under_load import run

pytestmark = pytest.mark.process

SOME = 10


def test_no_query_is_lost_and_load_balancers_always_answer(tmp_path: Path) -> None:
    outcome = run(tmp_path, SOME)
    assert outcome.transfers == {"ixfr": SOME, "axfr": 1, "transfers_failed": 0}
    assert outcome.lost == outcome.wrong == 0 and "SERVFAIL" not in outcome.codes
    assert outcome.sent > 0 and outcome.looked_at > 0
