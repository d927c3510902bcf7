"""The time of day decides nothing: each place that reads it is listed with what it is for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import lbdns

HOUSE: Final = Path(lbdns.__file__).parent
WALL: Final = re.compile(r"time\.time\b|time_ns\(|datetime\.(now|today|utcnow)|CLOCK_REALTIME|(localtime|gmtime)\(\)")
RECORDS: Final = "when something happened, for people or for the record"
SERIALS: Final = "SOA serials are dates"
SHOWN: Final = "how long ago something was that has a date"
ORDERS: Final = "ends of forced states, which their file puts into today's time of day (health/forced.py)"
SPANS: Final = "spans of the past end now"
DATED: Final = "signatures and keys have dates (RFC 4034 section 3.1.5, RFC 7583)"
PLACES: Final = {
    "base/clocks.py": "what is ahead of what",
    "cli/commands/dnssec_command.py": SHOWN,
    "cli/commands/events_command.py": SHOWN,
    "cli/commands/health_command.py": SHOWN,
    "cli/commands/top_command.py": SHOWN,
    "cli/commands/zone_command.py": SHOWN,
    "cli/frame/fleet_setup.py": "certificates have dates",
    "dnssec/signer/signer_worker.py": DATED,
    "fastpath/rounds.pyx": RECORDS,
    "fastpath/system_calls.pxd": RECORDS,
    "manage/api/graphql/graphql_errors.py": RECORDS,
    "manage/api/graphql/query_execution.py": SPANS,
    "manage/api/own/dashboard_links.py": "until when a link holds, for people",
    "manage/api/own/history_routes.py": SPANS,
    "manage/api/own/what_if_routes.py": SPANS,
    "manage/api/v4/destination_routes.py": RECORDS,
    "manage/api/v4/silence_routes.py": "a silence that says no start begins now",
    "manage/api/v4/teamnet.py": RECORDS,
    "manage/api/v4/zone_routes.py": SERIALS,
    "manage/dashboard/health_matrix.py": SHOWN,
    "manage/dashboard/rendering.py": SHOWN,
    "manage/dashboard/words_shown.py": SHOWN,
    "manage/store/manager.py": RECORDS,
    "manage/updates/update_queue.py": RECORDS,
    "manage/store/proposing.py": RECORDS,
    "manage/store/revisions/from_files.py": f"{RECORDS}; {SERIALS}",
    "manage/store/revisions/restore.py": SERIALS,
    "manage/store/restoring.py": RECORDS,
    "manage/store/tokens.py": RECORDS,
    "manage/store/versions.py": RECORDS,
    "monitor/cut_offs.py": RECORDS,
    "monitor/joined/fleet_part.py": f"{RECORDS}; forced states have dates; who was known outlives a boot",
    "monitor/network_states.py": RECORDS,
    "monitor/notify/mail.py": RECORDS,
    "monitor/notify/notifier.py": f"{RECORDS}, and silences, which have dates",
    "monitor/notify/outbox.py": RECORDS,
    "monitor/worker.py": f"{RECORDS}, and round-trip times that outlive a boot",
    "processes/responder/fast_streams.py": "cookies have a date (RFC 9018 section 4.3)",
    "processes/responder/view_answerer.py": "signatures have a date (TSIG, RFC 8945 section 5.2.3)",
    "processes/supervisor/beginning.py": RECORDS,
    "processes/supervisor/cookie_secrets.py": "how old a secret is outlives a boot",
    "processes/supervisor/fleet_seen.py": "how long ago a machine was heard outlives a boot",
    "processes/supervisor/nats_child.py": "certificates have dates",
    "processes/supervisor/operations.py": ORDERS,
    "processes/supervisor/resigning.py": "signatures have dates (RFC 4034 section 3.1.5)",
    "processes/supervisor/server_life.py": "tells runs of the counters apart, and when they began",
    "processes/supervisor/supervisor.py": RECORDS,
    "publish/explaining.py": ORDERS,
    "publish/first_rows.py": ORDERS,
    "publish/last_served.py": "a name that is new",
    "publish/replay/two_views.py": ORDERS,
    "publish/replay/what_if_question.py": SPANS,
    "transfer/inward/notify_sender.py": f"{RECORDS}; signatures have a date (TSIG, RFC 8945 section 5.2.3)",
    "transfer/inward/primary_client.py": "signatures have a date (TSIG, RFC 8945 section 5.2.3)",
    "transfer/inward/transfer_at_work.py": f"how old a copy is outlives a boot; {RECORDS}",
    "processes/supervisor/transfer_child.py": f"how old a copy is outlives a boot; {RECORDS}",
    "telemetry/dnstap/frame_sink.py": "a name that is new",
    "telemetry/history/history_status.py": SHOWN,
    "telemetry/history/history_worker.py": "which minute something is counted in",
    "telemetry/machine.py": f"when a certificate ends; {ORDERS}",
    "telemetry/report.py": ORDERS,
    "telemetry/shown_samples.py": RECORDS,
    "telemetry/standing.py": SHOWN,
}


def test_who_reads_the_time_of_day() -> None:
    found = {
        str(path.relative_to(HOUSE))
        for suffix in ("py", "pyx", "pxd")
        for path in HOUSE.rglob(f"*.{suffix}")
        if WALL.search(path.read_text())
    }
    assert found == PLACES.keys(), "durations, expiries and deadlines go by base/clocks.py or time.monotonic()"
