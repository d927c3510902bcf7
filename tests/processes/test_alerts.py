"""The alert rules in docs/alerts.yaml: of metrics that there are, by the thresholds of `lbdns status`."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from lbdns.telemetry.thresholds import (
    CERTIFICATE_DAYS_MIN,
    CHANGE_WAITS_S,
    DEFERRED_WAITING_MAX,
    FREE_MIN,
    NOTIFICATION_WAITS_S,
    STALE_S,
)

DOCS = Path(__file__).parents[2] / "docs"
RULES = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load((DOCS / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}


def test_alerts_name_metrics_that_there_are() -> None:
    shown = set(re.findall(r"^\| `(lbdns_\w+)`", (DOCS / "metrics.md").read_text(), re.MULTILINE))
    asked = {name for expression in RULES.values() for name in re.findall(r"lbdns_\w+", expression)}
    assert len(asked) > 15 and asked <= shown


def test_alerts_have_the_thresholds_of_status() -> None:
    assert RULES["LbdnsProcessSilent"].endswith(f"> {STALE_S:g}")
    assert RULES["LbdnsMonitorSilent"].endswith(f"> {STALE_S:g}")
    assert RULES["LbdnsSlowPathBehind"].endswith(f"> {DEFERRED_WAITING_MAX}")
    assert RULES["LbdnsNotificationsStuck"].endswith(f"> {NOTIFICATION_WAITS_S:g}")
    assert RULES["LbdnsChangeStuck"].endswith(f"> {CHANGE_WAITS_S:g}")
    assert RULES["LbdnsRoomLow"].endswith(f"< {FREE_MIN:g}")
    assert RULES["LbdnsCertificateExpires"].endswith(f"< {CERTIFICATE_DAYS_MIN:g} * 86400")


@pytest.mark.process
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
def test_prometheus_takes_the_alerts() -> None:
    checked = subprocess.run(["promtool", "check", "rules", DOCS / "alerts.yaml"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
