"""What is read from a history: lines, counts by dimensions, samples, changes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.telemetry.history.history_reader import HistoryReader
from lbdns.telemetry.history.history_words import DAY_S, MINUTE_S, QUARTER_S
from tests.history.filled import LOAD_BALANCER, POOLS, REPLIES, fill, sample

UNTIL_S: Final = 1_700_000_000 // DAY_S * DAY_S + 10 * 3600  # ten in the morning, UTC
HOUR_S: Final = 3600


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> HistoryReader:
    """A history of ninety minutes."""
    state_dir = tmp_path_factory.mktemp("state")
    fill(state_dir, UNTIL_S, 90)
    return HistoryReader(state_dir)


def test_nothing_is_there_where_nobody_ever_wrote(tmp_path: Path) -> None:
    """A reader needs no file."""
    reader = HistoryReader(tmp_path)
    assert reader.series("queries", UNTIL_S - HOUR_S, UNTIL_S).lines == ()
    assert reader.cells(UNTIL_S - HOUR_S, UNTIL_S, ["pool"]) == []
    assert reader.samples(UNTIL_S - HOUR_S, UNTIL_S) == []
    assert reader.events(UNTIL_S - HOUR_S, UNTIL_S) == []
    assert reader.round_trips(UNTIL_S - HOUR_S, UNTIL_S) == []
    assert not reader.status()["exists"]
    assert list(tmp_path.iterdir()) == []


def test_lines_are_rates_of_a_second(reader: HistoryReader) -> None:
    """Each value is what was counted in its span, by the seconds that were counted."""
    series = reader.series("queries", UNTIL_S - HOUR_S, UNTIL_S, points=60)
    assert (series.step_s, len(series.times), series.exact) == (MINUTE_S, 60, True)
    assert [line.name for line in series.lines] == ["queries"]
    assert series.lines[0].values == pytest.approx([REPLIES / 60] * 60)
    pools = reader.series("pools", UNTIL_S - HOUR_S, UNTIL_S, points=4)
    assert pools.step_s == QUARTER_S
    assert {line.name: line.values[0] for line in pools.lines} == pytest.approx(
        {pool: count / 60 for pool, count in POOLS.items()}
    )


@pytest.mark.parametrize(
    ("what", "name", "names"),
    [
        ("rcodes", None, ["NOERROR", "NXDOMAIN"]),
        ("rcodes", "NXDOMAIN", ["NXDOMAIN"]),
        ("types", None, ["A"]),
        ("sources", None, ["ecs"]),
        ("load_balancers", None, [LOAD_BALANCER]),
        ("load_balancers", "other.example.com", []),
        ("pools", "us", ["us"]),
        ("endpoints", None, ["eu/eu1", "us/us1"]),
        ("endpoints", "us", ["us/us1"]),
        ("endpoints", "us/us1", ["us/us1"]),
        ("rules", LOAD_BALANCER, [f"{LOAD_BALANCER}/night"]),
        ("rtt", "eu", ["eu WEU"]),
        ("checks", "eu", ["eu/eu1"]),
    ],
)
def test_lines_by_what_and_name(reader: HistoryReader, what: str, name: str | None, names: list[str]) -> None:
    """`what` says of what there is a line each, `name` which of them."""
    series = reader.series(what, UNTIL_S - HOUR_S, UNTIL_S, points=10, name=name)
    assert [line.name for line in series.lines] == names


def test_round_trips_are_means_and_checks_shares(reader: HistoryReader) -> None:
    """RTTs are ms, checks the share that failed."""
    assert reader.series("rtt", UNTIL_S - HOUR_S, UNTIL_S, points=2).lines[0].values == pytest.approx([12.5, 12.5])
    assert reader.series("checks", UNTIL_S - HOUR_S, UNTIL_S, points=2).lines[0].values == pytest.approx([0.25, 0.25])
    found = reader.round_trips(UNTIL_S - 2 * MINUTE_S, UNTIL_S, "us")
    assert [(one.pool, one.region, one.rtt_ms) for one in found] == [("us", "WEU", 12.5)] * 2


def test_a_load_balancer_by_pool_comes_from_samples(reader: HistoryReader) -> None:
    """Two samples of three say eu: so do two thirds of what was counted."""
    series = reader.series("load_balancers", UNTIL_S - HOUR_S, UNTIL_S, points=1, name=LOAD_BALANCER, by="pool")
    assert not series.exact
    assert {line.name: line.values[0] for line in series.lines} == pytest.approx({"eu": 40 / 60, "us": 20 / 60})


def test_what_is_not_known_is_refused(reader: HistoryReader) -> None:
    """Words that mean nothing, and spans that are none."""
    for what, by in (("colours", None), ("rcodes", "pool"), ("load_balancers", "colour"), ("rtt", "pool")):
        with pytest.raises(LbdnsError):
            reader.series(what, UNTIL_S - HOUR_S, UNTIL_S, by=by)
    with pytest.raises(LbdnsError, match="no dimension"):
        reader.cells(UNTIL_S - HOUR_S, UNTIL_S, ["colour"])
    with pytest.raises(LbdnsError, match="begins before"):
        reader.cells(UNTIL_S, UNTIL_S - 1, ["pool"])


def test_what_was_not_counted_is_no_value(reader: HistoryReader) -> None:
    """Before the history begins nothing is known, which is not 0."""
    series = reader.series("queries", UNTIL_S - 3 * HOUR_S, UNTIL_S, points=12)
    assert series.lines[0].values[:6] == (None,) * 6
    assert None not in series.lines[0].values[6:]


@pytest.mark.parametrize(
    ("by", "where", "rows", "is_exact"),
    [
        ((), {}, {(): 6000}, True),
        (("rcode",), {}, {("NOERROR",): 5400, ("NXDOMAIN",): 600}, True),
        (("load_balancer", "type"), {}, {(LOAD_BALANCER, "A"): 3600}, True),
        (("view",), {}, {("",): 3600}, True),
        (("pool",), {}, {("eu",): 2400, ("us",): 1200}, True),
        (("endpoint",), {"pool": "us"}, {("us1",): 1200}, True),
        (("rule",), {"load_balancer": LOAD_BALANCER}, {("night",): 360}, True),
        (("pool",), {"load_balancer": LOAD_BALANCER}, {("eu",): 2400, ("us",): 1200}, False),
        (("country",), {"load_balancer": [LOAD_BALANCER]}, {("DE",): 1200, ("FR",): 1200, ("US",): 1200}, False),
        (("endpoint", "region"), {"pool": ("eu", "us")}, {("eu1", "WEU"): 2400, ("us1", "ENAM"): 1200}, False),
        (("resolver_network",), {}, {("192.0.2.0/24",): 1800}, False),
    ],
)
def test_counts_by_dimensions(
    reader: HistoryReader,
    by: tuple[str, ...],
    where: dict[str, str],
    rows: dict[tuple[str, ...], int],
    is_exact: bool,
) -> None:
    """What the counters tell apart is exact; else each load balancer's cells add up to its count."""
    found = reader.cells(UNTIL_S - HOUR_S, UNTIL_S, by, where)
    assert {tuple(row.dimensions.values()): row.count for row in found} == rows
    assert all(row.exact is is_exact for row in found)
    assert all(bool(row.samples) is not is_exact for row in found)


def test_counts_over_time(reader: HistoryReader) -> None:
    """Time is a dimension, in steps of so many minutes."""
    found = reader.cells(UNTIL_S - HOUR_S, UNTIL_S, ("time", "pool"), {"pool": "eu"}, step_s=1800)
    assert [(row.dimensions["time"], row.count) for row in found] == [(UNTIL_S - 3600, 1200), (UNTIL_S - 1800, 1200)]


def test_spans_are_read_to_the_minute(reader: HistoryReader) -> None:
    """However a span lies to quarter hours and days."""
    for since_s, until_s in ((7, 13), (14, 61), (3, 88), (0, 90), (16, 17)):
        found = reader.cells(UNTIL_S - 90 * 60 + since_s * 60, UNTIL_S - 90 * 60 + until_s * 60, ["pool"])
        assert {row.dimensions["pool"]: row.count for row in found} == {
            pool: count * (until_s - since_s) for pool, count in POOLS.items()
        }


def test_samples_and_changes_come_back_as_they_were(reader: HistoryReader) -> None:
    """Newest samples first, changes in their order."""
    found = reader.samples(UNTIL_S - 2 * MINUTE_S, UNTIL_S, limit=4)
    assert found[0] == sample(UNTIL_S - MINUTE_S + 3, "us", "US", "ENAM", number=3)
    assert [one.number for one in found] == [3, 2, 1, 3]
    changes = reader.events(UNTIL_S - 2 * MINUTE_S, UNTIL_S)
    assert [(one.at_s, one.name, one.after) for one in changes] == [
        (UNTIL_S - 116.0, "eu", "critical"),
        (UNTIL_S - 56.0, "eu", "critical"),
    ]


def test_status_says_what_is_kept(reader: HistoryReader) -> None:
    """Rows, bytes and since when."""
    status = reader.status()
    assert status["exists"] and status["rows"] > 90 and status["bytes"] > 4096
    assert status["steps"] == {"60": UNTIL_S - 5400, "900": UNTIL_S - 5400}
    assert (status["samples"]["rows"], status["events"]["rows"]) == (270, 90)


def test_a_young_history_is_shown_finely_on_its_second_day(tmp_path: Path) -> None:
    """The roll-up of its first day begins before anything was counted: that is no reason to read by it."""
    midnight_s = 1_700_006_400
    fill(tmp_path, midnight_s + 1200, 60)
    found = HistoryReader(tmp_path).series("queries", midnight_s - 6000, midnight_s + 1200, 200)
    assert found.step_s == 60
    assert HistoryReader(tmp_path).status()["since"] == midnight_s - 2400
