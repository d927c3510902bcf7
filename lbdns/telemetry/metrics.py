"""Metrics for Prometheus: the counters of all responders, health, and the supervisor's own state."""

from __future__ import annotations

import contextlib
import itertools
import platform
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from lbdns import __version__
from lbdns.base.words import Health
from lbdns.dns.codes import FORMERR, NOERROR, NOTIMP, NXDOMAIN, RCODE_NAMES, REFUSED, SERVFAIL
from lbdns.dnssec.zone_status import SigningState
from lbdns.mapped.counter_words import (
    BATCH_BOUNDS_US,
    BATCH_NS,
    BATCH_TIMES_FIRST,
    DATAGRAMS,
    DEFERRED_COUNT,
    DROPPED_COUNT,
    OVERFLOWS,
    SEND_ERRORS,
    SIGNATURES_ASKED,
    SIGNATURES_FAILED,
    SIGNATURES_SENT,
    TCP_MESSAGES,
)
from lbdns.mapped.level_words import DEFERRED_WAITING, TCP_IDLE, TCP_WAITING
from lbdns.mapped.xdp_words import XDP_LOST
from lbdns.publish.network_health import NetworkHealth
from lbdns.telemetry.fleet_metrics import fleet_samples
from lbdns.telemetry.guard_metrics import guard_counts
from lbdns.telemetry.history.history_status import HistoryUnreadable, history_status
from lbdns.telemetry.machine import certificates, forced_count, rooms, store_bytes
from lbdns.telemetry.report import endpoint_row, endpoint_word, pool_word, silent_s
from lbdns.telemetry.ring_counts import RingCounts, ring_counts
from lbdns.telemetry.server_facts import ServerFacts
from lbdns.telemetry.signature_ends import first_expiry
from lbdns.telemetry.tally import Sample, Tally
from lbdns.telemetry.transfer_metrics import transfer_samples

# Shown from the start, so that the first one counts in a rate.
RCODES_ALWAYS = frozenset(RCODE_NAMES[code] for code in (NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED))
TYPES_ALWAYS = ("A", "AAAA", "CNAME", "MX", "NS", "SOA", "SRV", "TXT")
HEALTH_VALUES = {
    Health.HEALTHY: 1.0,
    Health.DEGRADED: 0.5,
    Health.CRITICAL: 0.0,
    Health.UNHEALTHY: 0.0,
    Health.UNRESOLVED: 0.0,
    Health.UP: 1.0,
    Health.DOWN: 0.0,
}
"""Other states have no sample."""

Rows = Iterable[tuple[tuple[str, ...], float]]
ENDPOINT_LABELS = ("pool", "endpoint", "address", "virtual_network")
"""What an endpoint is known by; the last of those that name a virtual network: no label is the same as an empty one."""


class ServerCollector(Collector):
    """All metrics, collected anew for each scrape."""

    def __init__(self, tally: Tally, facts: Callable[[], ServerFacts]) -> None:
        """Show what `tally` reads and what `facts` returns; both are asked from the scrape's thread."""
        self._tally = tally
        self._facts = facts

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        facts, sample = self._facts(), self._tally.read()
        yield from _traffic(sample)
        yield from _decisions(sample)
        yield from _health(facts)
        yield from _server(facts)
        yield from _queues(facts, sample)
        yield from _signing(facts)
        yield from _transfers(facts)
        yield from _fleet(facts)
        yield from _history(facts)
        yield from _rings(ring_counts(facts.run_dir))


def _traffic(sample: Sample) -> Iterator[Metric]:
    transports = (("udp",), sample.word(DATAGRAMS)), (("tcp",), sample.word(TCP_MESSAGES))
    yield _counter("queries", "Messages received, by transport.", ("transport",), transports)
    rcodes = [((name,), count) for name, count in sample.rcodes().items() if count or name in RCODES_ALWAYS]
    yield _counter("responses", "Replies, by RCODE.", ("rcode",), rcodes)
    paths = (("fast",), sample.fast_replies), (("slow",), sample.replies - sample.fast_replies)
    yield _counter("responses_by_path", "Replies, by the path that gave them.", ("path",), paths)
    types = dict.fromkeys(TYPES_ALWAYS, 0) | sample.types()
    yield _counter(
        "queries_by_type", "Queries that were replied to, by the type asked for.", ("type",), _labelled(types)
    )
    yield _counter(
        "location_source", "Decisions, by what told the client's place.", ("source",), _labelled(sample.sources())
    )
    yield _batches(sample)
    for name, word, text in (
        ("deferred", DEFERRED_COUNT, "Queries that the fast path left to the slow path."),
        ("dropped", DROPPED_COUNT, "Messages that deserved no reply."),
        ("overflows", OVERFLOWS, "Queries that found no room in the slow path's queues."),
        ("send_errors", SEND_ERRORS, "Replies that the system refused to send."),
        ("xdp_lost", XDP_LOST, "Queries that found no room in the rings of their queue (XDP)."),
        ("signatures_sent", SIGNATURES_SENT, "Signatures of steered answers that the fast path found in the table."),
        ("signatures_asked", SIGNATURES_ASKED, "Signatures that answers lacked and responders asked the signer for."),
        ("signatures_lacking", SIGNATURES_FAILED, "Those of them that were not had, or not in time: SERVFAIL."),
    ):
        yield _counter(name, text, (), [((), sample.word(word))])
    for one in guard_counts(sample):
        yield _counter(*one)


def _batches(sample: Sample) -> Metric:
    counts = itertools.accumulate(sample.word(BATCH_TIMES_FIRST + number) for number in range(len(BATCH_BOUNDS_US) + 1))
    bounds = [*(str(bound / 1e6) for bound in BATCH_BOUNDS_US), "+Inf"]
    family = HistogramMetricFamily("lbdns_batch_seconds", "From reading a batch of queries to having sent its replies.")
    family.add_metric((), list(zip(bounds, counts, strict=True)), sample.word(BATCH_NS) / 1e9)
    return family


def _decisions(sample: Sample) -> Iterator[Metric]:
    for name, text, labels, counted in (
        ("decisions", "Decisions of a load balancer.", ("load_balancer", "type"), sample.load_balancers),
        ("pool_answers", "Decisions that chose a pool.", ("pool",), sample.pools),
        ("endpoint_answers", "Decisions that chose an endpoint.", ENDPOINT_LABELS, sample.endpoints),
        ("rule_hits", "Decisions that a rule or pool set matched.", ("load_balancer", "type", "rule"), sample.rules),
    ):
        yield _counter(name, text, labels, zip(counted.names.keys, counted.counts.tolist(), strict=True))


def _health(facts: ServerFacts) -> Iterator[Metric]:
    published = facts.published
    columns = published.table.columns
    pools: list[tuple[tuple[str, ...], float]] = []
    endpoints: list[tuple[tuple[str, ...], float]] = []
    checks: list[tuple[tuple[str, ...], float]] = []
    round_trips: list[tuple[tuple[str, ...], float]] = []
    for pool in published.configuration.pools.values():
        value = HEALTH_VALUES.get(pool_word(pool, published))
        if value is not None:
            pools.append(((pool.name,), value))
        for endpoint in pool.origins:
            labels = pool.endpoint_key(endpoint)
            row = endpoint_row(pool, endpoint, published)
            value = HEALTH_VALUES.get(endpoint_word(pool, endpoint, row.state))
            if value is not None:
                endpoints.append((labels, value))
            if row.checks:
                for result, count in (("passed", row.passed), ("failed", max(row.checks - row.passed, 0))):
                    checks.append(((*labels[:3], result, *labels[3:]), count))
                round_trips.append((labels, row.rtt_us / 1e6))
    yield _gauge("pool_healthy", "1 healthy, 0.5 degraded, 0 critical; absent where not known.", ("pool",), pools)
    yield _gauge("endpoint_healthy", "1 healthy, 0 unhealthy; absent where not known.", ENDPOINT_LABELS, endpoints)
    names = (*ENDPOINT_LABELS[:3], "result", *ENDPOINT_LABELS[3:])
    yield _counter("endpoint_checks", "Checks of an endpoint, by result.", names, checks)
    yield _gauge("endpoint_rtt_seconds", "How long the last check took to be answered.", ENDPOINT_LABELS, round_trips)
    ways: Rows = [
        ((row.name,), HEALTH_VALUES[row.state])
        for row in NetworkHealth(published).rows.values()
        if row.state in HEALTH_VALUES
    ]
    told = "1 where the way into it works, 0 where it is down; absent where not known."
    yield _gauge("virtual_network_up", told, ("virtual_network",), ways)
    age_s = silent_s(columns)
    ages: Rows = [] if age_s is None else [((), age_s)]
    yield _gauge("monitor_heartbeat_age_seconds", "Since the monitor worker's last sign of life.", (), ages)


def _server(facts: ServerFacts) -> Iterator[Metric]:
    for name, value, text in (
        ("snapshot_generation", facts.published.generation, "Number of the configuration in force."),
        ("snapshot_loaded_timestamp_seconds", facts.published_at, "When that configuration was put in force."),
        ("start_timestamp_seconds", facts.started_at, "When the supervisor started."),
        ("workers", facts.responder_count, "Responder processes."),
        ("configuration_refused", float(facts.not_served is not None), "1 while what was served last is served on."),
        ("zones_unready", len(facts.published.configuration.unready), "Zones that a mistake keeps from being served."),
        ("configuration_timestamp_seconds", facts.served_at, "When what is served was first put in force."),
        ("configuration_kept", float(not facts.keeping), "0 where it cannot be kept for a restart."),
        ("run_directory_whole", float(not facts.run_problem), "0 where it was removed and cannot be rebuilt."),
        ("fast_path_enabled", float(facts.is_fast), "1 where responders have the compiled fast path."),
    ):
        yield _gauge(name, text, (), [((), value)])
    restarts = [((child.kind,), child.restarts) for child in facts.children]
    yield _counter("worker_restarts", "Processes that died and were started again.", ("worker",), restarts)
    hangs = [((child.kind,), child.hangs) for child in facts.children]
    yield _counter("worker_hangs", "Processes that gave no sign of life and were killed.", ("worker",), hangs)
    yield _counter("reloads", "Configurations put in force after the first.", (), [((), facts.reload_count)])
    yield _counter("reload_failures", "Configurations that were refused.", (), [((), facts.reload_failures)])
    rebuilds = "How often the run directory was rebuilt, having been removed or replaced."
    yield _counter("run_directory_rebuilds", rebuilds, (), [((), facts.run_rebuilds)])
    yield from _standing(facts)
    build = ((__version__, platform.python_version()), 1)
    yield _gauge("build_info", "The release, as labels; always 1.", ("version", "python"), [build])


def _standing(facts: ServerFacts) -> Iterator[Metric]:
    ages = [
        ((child.kind, str(number)), age_s)
        for child in facts.children
        for number, age_s in enumerate(child.beat_ages_s)
        if age_s is not None
    ]
    yield _gauge("worker_beat_age_seconds", "Since a process's last sign of life.", ("worker", "number"), ages)
    spares = [((child.kind,), float(child.is_spared)) for child in facts.children if child.kind == "responder"]
    yield _gauge("worker_spare", "1 while a process waits to stand in for one that dies.", ("worker",), spares)
    columns = facts.published.table.columns
    for name, text in (
        ("started", "Probes that were begun."),
        ("late", "Probes begun 250 ms after their time or more."),
    ):
        yield _counter(f"probes_{name}", text, (), [((), columns[f"probes_{name}"][0])])
    yield _gauge("probes_in_flight", "Probes that are under way.", (), [((), columns["probes_in_flight"][0])])
    yield _gauge("forced_states", "States that operators force.", (), [((), forced_count(facts))])
    found = rooms(facts)
    sizes = "Bytes of the file system of the state directory, and of the run directory."
    yield _gauge("filesystem_size_bytes", sizes, ("directory",), [((one.where,), one.size) for one in found])
    free = "Bytes that are free there."
    yield _gauge("filesystem_free_bytes", free, ("directory",), [((one.where,), one.free) for one in found])
    store = store_bytes(facts)
    yield _gauge(
        "store_bytes", "Bytes of the store and its write-ahead log.", (), [] if store is None else [((), store)]
    )
    expiries = [((str(one.path),), one.expiry) for one in certificates(facts) if one.expiry is not None]
    yield _gauge("certificate_expiry_timestamp_seconds", "When a certificate expires.", ("file",), expiries)
    xdp = [((facts.xdp.interface, facts.xdp.mode), facts.xdp.queues)] if facts.xdp and facts.xdp.mode else []
    yield _gauge("xdp_queues", "Queues whose queries go past the sockets.", ("interface", "mode"), xdp)
    yield _gauge("management_troubles", "Things that are wrong with management.", (), [((), len(facts.troubles))])


def _queues(facts: ServerFacts, sample: Sample) -> Iterator[Metric]:
    deferred = [((str(number),), levels[DEFERRED_WAITING]) for number, levels in sample.levels.items()]
    yield _gauge("slow_path_waiting", "Queries that wait for a responder's slow path.", ("responder",), deferred)
    connections = [
        ((str(number), stage), levels[word])
        for number, levels in sample.levels.items()
        for stage, word in (("waiting", TCP_WAITING), ("idle", TCP_IDLE))
    ]
    text = "DNS over TCP: connections that wait for a message to be whole, and those that say nothing now."
    yield _gauge("tcp_connections", text, ("responder", "stage"), connections)
    waiting = facts.waiting
    for name, text, value in (
        ("notifications_waiting", "Alerts that have not gone out, once for each receiver.", waiting.notifications),
        ("notification_wait_seconds", "For how long the first of them has waited.", waiting.notification_s),
        ("changes_waiting", "Changes that are not in force yet and not refused.", waiting.changes),
        ("change_wait_seconds", "For how long the first of them has waited.", waiting.change_s),
    ):
        yield _gauge(name, text, (), [((), value)])
    store = facts.store
    revisions: Rows = [] if store is None or store.revision is None else [((), store.revision)]
    yield _gauge("store_revision", "The revision of the store; absent where files are served.", (), revisions)
    writable: Rows = [] if store is None else [((), float(not store.problem))]
    yield _gauge("store_writable", "0 where nothing can be stored; absent where files are served.", (), writable)
    refused: Rows = [] if store is None else [((), store.refused)]
    told = "Changes by API or command that were refused; absent where files are served."
    yield _counter("changes_refused", told, (), refused)


def _signing(facts: ServerFacts) -> Iterator[Metric]:
    signing, counts = facts.signing, facts.signing.counts
    states = [((str(state),), signing.states()[state]) for state in SigningState if signing.zones]
    yield _gauge("dnssec_zones", "Zones that have keys, by how they stand.", ("status",), states)
    keys = [(role_state, count) for role_state, count in sorted(signing.keys().items())]
    yield _gauge("dnssec_keys", "Keys, by what they sign and their state.", ("role", "state"), keys)
    up = [((), float(child.alive > 0)) for child in facts.children if child.kind == "signer" and child.process_count]
    yield _gauge("signer_up", "1 while the signer runs; absent where no zone is signed.", (), up)
    following, expiry = signing.next_step(), first_expiry(facts)
    step_s = None if following is None else following.next_at_s
    renewal_s, ends_s = (None, None) if expiry is None else expiry
    for name, text, value in (
        (
            "dnssec_next_step_timestamp_seconds",
            "When the next step of a key that time brings is due.",
            step_s,
        ),
        ("signature_renewal_timestamp_seconds", "When a signature of what is published is next made anew.", renewal_s),
        ("signature_expiry_timestamp_seconds", "When the first of these signatures ends.", ends_s),
        ("signature_table_slots", "Places for signatures of steered answers.", counts.get("table_slots")),
        ("signature_table_used", "Those of them that are taken.", counts.get("table_used")),
    ):
        yield _gauge(name, text, (), [] if value is None else [((), value)])
    made = [((how,), counts[name]) for how, name in (("demand", "made"), ("publish", "bulk")) if name in counts]
    text = "Signatures made: of steered answers and denials, on demand and ahead of it; of what is published."
    yield _counter("signatures_made", text, ("how",), made)
    words = ("found", "refused", "failed", "evicted", "no_place")
    text = (
        "Signatures of steered answers that were there already, asked for without right, not to be made, that gave way "
        "to others, and that found no place."
    )
    results = [((word,), counts[word]) for word in words if word in counts]
    yield _counter("signatures_not_made", text, ("result",), results)


def _transfers(facts: ServerFacts) -> Iterator[Metric]:
    for samples in transfer_samples(facts.transfers):
        make = _counter if samples.is_counter else _gauge
        yield make(samples.name, samples.text, samples.labels, samples.rows)


def _fleet(facts: ServerFacts) -> Iterator[Metric]:
    for samples in fleet_samples(facts.fleet):
        yield _gauge(samples.name, samples.text, samples.labels, samples.rows)


def _history(facts: ServerFacts) -> Iterator[Metric]:
    found = None
    if facts.published.configuration.settings.history.enabled:
        with contextlib.suppress(HistoryUnreadable):  # then there is no sample, as `lbdns status` says
            found = history_status(facts.state_dir)
    for name, key, text in (
        ("bytes", "bytes", "Bytes of the history's file and its write-ahead log; absent where none is kept."),
        ("rows", "rows", "Rows of the history: counts by name, in spans of a minute and more."),
        ("age_seconds", "age_s", "Since the history was written last."),
    ):
        rows: Rows = [] if found is None or found[key] is None else [((), found[key])]
        yield _gauge(f"history_{name}", text, (), rows)
    lost = [] if found is None else [((what,), count) for what, count in found["lost"].items()]
    yield _counter("history_lost", "What is not in the history, by what was lost.", ("what",), lost)


def _rings(counts: RingCounts) -> Iterator[Metric]:
    yield _counter("samples", "Replies that were sampled.", (), [((), counts.samples)])
    missed = "Replies that samples over the bound of a second would have stood for."
    yield _counter("samples_missed", missed, (), [((), counts.missed)])
    intervals = [(tuple(name.split("-", 1)), value) for name, value in counts.intervals.items()]
    text = "One in how many replies a thread samples just now; 0 where it samples none."
    yield _gauge("sample_interval", text, ("responder", "part"), intervals)
    yield _counter("dnstap_exchanges", "Exchanges that dnstap's worker told of.", (), [((), counts.told)])
    lost = "Exchanges that found no room in dnstap's rings."
    yield _counter("dnstap_lost", lost, (), [((), counts.not_told)])


def _counter(name: str, text: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    family = CounterMetricFamily(f"lbdns_{name}", text, labels=labels)
    for values, count in rows:
        family.add_metric(values, count)
    return family


def _gauge(name: str, text: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    family = GaugeMetricFamily(f"lbdns_{name}", text, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def _labelled(counts: dict[str, int]) -> Rows:
    return [((name,), count) for name, count in counts.items()]
