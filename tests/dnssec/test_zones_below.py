"""Zones below a signed one that are served here as well: whether they have a DS is for the zone above to say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lbdns.dnssec.signer.foresight import Verdict
from lbdns.dnssec.signer.request_check import RequestCheck
from lbdns.dnssec.signer.signed_content import SignedContent
from tests.dnssec.signed_views import DENIALS, asking_of, check, validator_of

ABOVE = "example.com"
ZONE = f"@ IN SOA ns.{ABOVE}. hostmaster 1 7200 900 1209600 60\n@ IN NS ns.{ABOVE}.\n"
BELOW = ("cut.example.com", "forgotten.example.com", "zone.apps.example.com")


def tree() -> dict[str, Any]:
    """Return a zone with three below it: one that it delegates, one that it does not, one below a load balancer."""
    return {
        "zones": {ABOVE: f"{ZONE}ns IN A 192.0.2.53\ncut IN NS ns\n"} | dict.fromkeys(BELOW, ZONE),
        "pools": {"main": {"origins": [{"name": "one", "address": "192.0.2.1"}]}},
        "load_balancers": [{"name": f"*.apps.{ABOVE}", "default_pools": ["main"], "fallback_pool": "main"}],
    }


@pytest.mark.parametrize("denial", DENIALS)
@pytest.mark.parametrize("zone", BELOW)
def test_the_signer_grants_what_denies_the_ds_of_a_zone_that_is_here_too(
    denial: str, zone: str, tmp_path: Path
) -> None:
    asking = asking_of(tree(), tmp_path, denial, ABOVE)
    reply = asking.ask(zone, "DS")
    assert check(validator_of(asking, ABOVE), reply, zone, "DS") in ("nodata", "nxdomain")
    judges = RequestCheck(SignedContent(asking.view.snapshot, asking.view.table))
    refused = [one for one in asking.given if judges.judge(one).verdict is Verdict.REFUSED]
    assert refused == []
    assert asking.given or denial != "compact"
