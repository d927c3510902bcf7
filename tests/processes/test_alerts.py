"""What docs/monitoring ships: alert rules and a dashboard, of metrics that there are, by the thresholds of `status`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from lbdns.fleet.fleet_problems import LAGS_S
from lbdns.telemetry.thresholds import (
    CERTIFICATE_DAYS_MIN,
    CHANGE_WAITS_S,
    DEFERRED_WAITING_MAX,
    EXPIRY_NEAR,
    FREE_MIN,
    NOTIFICATION_WAITS_S,
    RENEWAL_LATE,
    STALE_S,
)

DOCS = Path(__file__).parents[2] / "docs"
MONITORING = DOCS / "monitoring"
RULES = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}

DASHBOARD = json.loads((MONITORING / "grafana-dashboard.json").read_text())


def shown() -> dict[str, set[str]]:
    """Return the series that a server shows, which docs/metrics.md has from its code, and the labels of each."""
    rows = re.findall(r"^\| `(lbdns_\w+)` \| (\w+) \| (.*?) \|", (DOCS / "metrics.md").read_text(), re.MULTILINE)
    found = {}
    for name, kind, labels in rows:
        words = {*re.findall(r"`(\w+)`", labels), "job", "instance"}
        for end in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
            found[f"{name}{end}"] = words | ({"le"} if end == "_bucket" else set())
    return found


def asked(expressions: Iterable[str]) -> dict[str, set[str]]:
    """Return the series that expressions ask for, and the labels that each picks by."""
    found: dict[str, set[str]] = {}
    for expression in expressions:
        for name, picked in re.findall(r"(lbdns_\w+)(?:\{([^}]*)\})?", expression):
            found.setdefault(name, set()).update(re.findall(r"(\w+)(?==|!)", picked))
    return found


def test_alerts_name_metrics_that_there_are() -> None:
    there, wanted = shown(), asked(RULES.values())
    assert len(wanted) > 15 and wanted.keys() <= there.keys()
    assert all(labels <= there[name] for name, labels in wanted.items())


def test_the_dashboard_names_metrics_and_labels_that_there_are() -> None:
    panels = DASHBOARD["panels"]
    targets = [target for panel in panels for target in panel.get("targets", ())]
    queries = [row["definition"] for row in DASHBOARD["templating"]["list"] if row["type"] == "query"]
    there, wanted = shown(), asked([*(target["expr"] for target in targets), *queries])
    assert len(wanted) > 30 and wanted.keys() <= there.keys()
    assert all(labels <= there[name] for name, labels in wanted.items())
    for target in targets:
        grouped = {word.strip() for part in re.findall(r"by \(([^)]*)\)", target["expr"]) for word in part.split(",")}
        legend = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert legend <= grouped, "a legend shows what the query groups by"
        labels = set().union(*(there[name] for name in asked([target["expr"]])))
        assert grouped <= labels
    assert len({panel["id"] for panel in panels}) == len(panels) and DASHBOARD["uid"] == "lbdns"
    variables = {row["name"] for row in DASHBOARD["templating"]["list"]} | {"__rate_interval", "__all"}
    assert set(re.findall(r"\$\{?(\w+)\}?", json.dumps(DASHBOARD))) <= variables


def test_no_two_panels_of_the_dashboard_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken
        taken |= cells


@pytest.mark.process
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
def test_prometheus_takes_the_dashboards_queries(tmp_path: Path) -> None:
    """Each is read as a recording rule would be, with Grafana's variables put in."""
    rules = []
    for panel in DASHBOARD["panels"]:
        for number, target in enumerate(panel.get("targets", ())):
            expression = re.sub(r"\$__rate_interval", "5m", target["expr"])
            rules.append({"record": f"panel:{panel['id']}_{number}", "expr": re.sub(r"\$(\w+)", ".*", expression)})
    path = tmp_path / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    checked = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_alerts_have_the_thresholds_of_status() -> None:
    assert RULES["LbdnsProcessSilent"].endswith(f"> {STALE_S:g}")
    assert RULES["LbdnsMonitorSilent"].endswith(f"> {STALE_S:g}")
    assert RULES["LbdnsSlowPathBehind"].endswith(f"> {DEFERRED_WAITING_MAX}")
    assert RULES["LbdnsNotificationsStuck"].endswith(f"> {NOTIFICATION_WAITS_S:g}")
    assert RULES["LbdnsChangeStuck"].endswith(f"> {CHANGE_WAITS_S:g}")
    assert RULES["LbdnsRoomLow"].endswith(f"< {FREE_MIN:g}")
    assert RULES["LbdnsCertificateExpires"].endswith(f"< {CERTIFICATE_DAYS_MIN:g} * 86400")
    assert RULES["LbdnsSignaturesLate"].endswith(f"> {RENEWAL_LATE:g} <= {EXPIRY_NEAR:g}")
    assert RULES["LbdnsRevisionsLate"].endswith(f"> {LAGS_S:g}")
    assert RULES["LbdnsSignaturesExpire"].endswith(f"> {EXPIRY_NEAR:g}")


@pytest.mark.process
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not installed")
def test_prometheus_takes_the_alerts() -> None:
    checked = subprocess.run(["promtool", "check", "rules", MONITORING / "alerts.yaml"], capture_output=True, text=True)
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
    "LbdnsServfail": {'lbdns_responses_total{rcode="SERVFAIL"}': "rises"},
    "LbdnsChecksFail": {'lbdns_endpoint_checks_total{result="failed"}': "rises twice"},
    "LbdnsSlowPathBehind": {"lbdns_slow_path_waiting": "201"},
    "LbdnsNotificationsStuck": {"lbdns_notification_wait_seconds": "61"},
    "LbdnsChangeStuck": {"lbdns_change_wait_seconds": "61"},
    "LbdnsStoreNotWritable": {"lbdns_store_writable": "0"},
    "LbdnsRoomLow": {"lbdns_filesystem_free_bytes": "4", "lbdns_filesystem_size_bytes": "100"},
    "LbdnsCertificateExpires": {"lbdns_certificate_expiry_timestamp_seconds": "86400"},
    "LbdnsSignerDown": {"lbdns_signer_up": "0"},
    "LbdnsDnssecError": {'lbdns_dnssec_zones{status="error"}': "1"},
    "LbdnsSignaturesLate": {
        "lbdns_signature_renewal_timestamp_seconds": "1000",
        "lbdns_signature_expiry_timestamp_seconds": "2000",
    },
    "LbdnsSignaturesExpire": {
        "lbdns_signature_renewal_timestamp_seconds": "600",
        "lbdns_signature_expiry_timestamp_seconds": "1600",
    },
    "LbdnsSignaturesFail": {'lbdns_signatures_not_made_total{result="failed"}': "rises"},
    "LbdnsZoneTransferFails": {'lbdns_zone_transfer_failing{zone="a"}': "1"},
    "LbdnsZoneExpiresSoon": {
        'lbdns_zone_transfer_failing{zone="a"}': "1",
        'lbdns_zone_expiry_timestamp_seconds{zone="a"}': "80000",
    },
    "LbdnsZoneExpired": {'lbdns_transfer_zones{role="secondary",state="expired"}': "1"},
    "LbdnsZoneToLookAt": {'lbdns_zone_warnings{zone="a"}': "1"},
    "LbdnsMachineLost": {'lbdns_fleet_machine_heard{machine="a"}': "0"},
    "LbdnsCutOff": {"lbdns_fleet_cut_off": "1"},
    "LbdnsBusAway": {"lbdns_fleet_bus_up": "0"},
    "LbdnsRevisionRefused": {'lbdns_fleet_revision_refused{machine="a"}': "1"},
    "LbdnsRevisionsLate": {'lbdns_fleet_lag_seconds{machine="a"}': "11"},
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
    'lbdns_responses_total{rcode="NOERROR"}': "rises",
    'lbdns_responses_total{rcode="SERVFAIL"}': "0",
    'lbdns_endpoint_checks_total{result="passed"}': "rises",
    'lbdns_endpoint_checks_total{result="failed"}': "rises",
    "lbdns_slow_path_waiting": "200",
    "lbdns_notification_wait_seconds": "60",
    "lbdns_change_wait_seconds": "60",
    "lbdns_store_writable": "1",
    "lbdns_filesystem_free_bytes": "6",
    "lbdns_filesystem_size_bytes": "100",
    "lbdns_certificate_expiry_timestamp_seconds": "9000000",
    "lbdns_signer_up": "1",
    'lbdns_dnssec_zones{status="error"}': "0",
    "lbdns_signature_renewal_timestamp_seconds": "1150",
    "lbdns_signature_expiry_timestamp_seconds": "2150",
    'lbdns_signatures_not_made_total{result="failed"}': "1",
    'lbdns_zone_transfer_failing{zone="a"}': "0",
    'lbdns_zone_expiry_timestamp_seconds{zone="a"}': "90000",
    'lbdns_transfer_zones{role="secondary",state="expired"}': "0",
    'lbdns_zone_warnings{zone="a"}': "0",
    'lbdns_fleet_machine_heard{machine="a"}': "1",
    "lbdns_fleet_cut_off": "0",
    "lbdns_fleet_bus_up": "1",
    'lbdns_fleet_revision_refused{machine="a"}': "0",
    'lbdns_fleet_lag_seconds{machine="a"}': "9",
}
"""What they say of a server that is well, close to the thresholds where there are some."""
MINUTES = 20


def scene(values: dict[str, str]) -> list[dict[str, str]]:
    """Return series as promtool takes them."""
    shown = {"rises": f"0+100x{MINUTES}", "rises twice": f"0+200x{MINUTES}"}
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
    path.write_text(yaml.safe_dump({"rule_files": [str(MONITORING / "alerts.yaml")], "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
