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


WRONG = {
    "LbdnsDown": {'up{job="lbdns"}': "0"},
    "LbdnsProcessSilent": {'lbdns_worker_beat_age_seconds{worker="responder"}': "3"},
    "LbdnsMonitorSilent": {"lbdns_monitor_heartbeat_age_seconds": "3"},
    "LbdnsProcessesDie": {"lbdns_worker_restarts_total": "rises"},
    "LbdnsNoSpare": {"lbdns_worker_spare": "0"},
    "LbdnsConfigurationRefused": {"lbdns_configuration_refused": "1"},
    "LbdnsZonesUnready": {"lbdns_zones_unready": "2"},
    "LbdnsNotKept": {"lbdns_configuration_kept": "0"},
    "LbdnsManagementTroubles": {"lbdns_management_troubles": "1"},
    "LbdnsRunDirectoryRebuilt": {"lbdns_run_directory_whole": "0"},
    "LbdnsPoolCritical": {'lbdns_pool_healthy{pool="eu"}': "0"},
    "LbdnsVirtualNetworkDown": {'lbdns_virtual_network_up{virtual_network="eu"}': "0"},
    "LbdnsProbesLate": {"lbdns_probes_late_total": "rises", "lbdns_probes_started_total": "rises"},
    "LbdnsQueriesLost": {"lbdns_overflows_total": "rises"},
    "LbdnsSlowPathBehind": {"lbdns_slow_path_waiting": "201"},
    "LbdnsNotificationsStuck": {"lbdns_notification_wait_seconds": "61"},
    "LbdnsChangeStuck": {"lbdns_change_wait_seconds": "61"},
    "LbdnsStoreNotWritable": {"lbdns_store_writable": "0"},
    "LbdnsRoomLow": {"lbdns_filesystem_free_bytes": "4", "lbdns_filesystem_size_bytes": "100"},
    "LbdnsCertificateExpires": {"lbdns_certificate_expiry_timestamp_seconds": "86400"},
}
"""What metrics say while each alert is to be there; all others stay silent then."""
RIGHT = {
    'up{job="lbdns"}': "1",
    'lbdns_worker_beat_age_seconds{worker="responder"}': "0.4",
    "lbdns_monitor_heartbeat_age_seconds": "0.4",
    "lbdns_worker_restarts_total": "1",
    "lbdns_worker_spare": "1",
    "lbdns_configuration_refused": "0",
    "lbdns_zones_unready": "0",
    "lbdns_configuration_kept": "1",
    "lbdns_management_troubles": "0",
    "lbdns_run_directory_whole": "1",
    "lbdns_run_directory_rebuilds_total": "0",
    'lbdns_pool_healthy{pool="eu"}': "0.5",
    'lbdns_virtual_network_up{virtual_network="eu"}': "1",
    "lbdns_probes_late_total": "1",
    "lbdns_probes_started_total": "rises",
    "lbdns_overflows_total": "0",
    "lbdns_send_errors_total": "0",
    "lbdns_slow_path_waiting": "200",
    "lbdns_notification_wait_seconds": "60",
    "lbdns_change_wait_seconds": "60",
    "lbdns_store_writable": "1",
    "lbdns_filesystem_free_bytes": "6",
    "lbdns_filesystem_size_bytes": "100",
    "lbdns_certificate_expiry_timestamp_seconds": "9000000",
}
"""What they say of a server that is well, close to the thresholds where there are some."""
MINUTES = 20


def scene(values: dict[str, str]) -> list[dict[str, str]]:
    """Return series as promtool takes them."""
    shown = {"rises": f"0+100x{MINUTES}"}
    return [{"series": name, "values": shown.get(value, f"{value}x{MINUTES}")} for name, value in values.items()]


@pytest.mark.process
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
def test_each_alert_is_there_for_what_it_tells_of_and_for_nothing_else(tmp_path: Path) -> None:
    assert WRONG.keys() == RULES.keys()
    tests = []
    for name, wrong in {"": {}, **WRONG}.items():
        silent = [other for other in RULES if other != name]
        asked = [{"eval_time": f"{MINUTES}m", "alertname": other, "exp_alerts": []} for other in silent]
        fires = f'count(ALERTS{{alertstate="firing",alertname=~"{name or ".*"}"}})'
        samples = [{"labels": "{}", "value": 1}] if name else []
        tests.append(
            {
                "interval": "1m",
                "name": name or "well",
                "input_series": scene({**RIGHT, **wrong}),
                "alert_rule_test": asked,
                "promql_expr_test": [{"expr": fires, "eval_time": f"{MINUTES}m", "exp_samples": samples}],
            }
        )
    path = tmp_path / "tests.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(DOCS / "alerts.yaml")], "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
