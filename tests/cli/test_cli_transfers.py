"""`lbdns zone transfers`, `refresh` and `notify`: what they ask of the running server, and what they tell of it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lbdns.processes.supervisor.control_socket import ControlServer
from lbdns.transfer.zone_transfer_status import TransferPeer, TransferState
from tests.cli.commands import Outcome, run
from tests.loop_thread import LoopThread
from tests.transfer.played_transfers import PRIMARY, PlayedTransfers, primary, secondary

Lbdns = Callable[..., Outcome]
ERROR = "192.0.2.1:53: it did not answer in 5 s"


@pytest.fixture
def played() -> PlayedTransfers:
    return PlayedTransfers(secondary(), primary())


@pytest.fixture
def zone(played: PlayedTransfers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lbdns]:
    """Return `lbdns zone` of a server whose transfers are played, at 2027-01-15 08:05 UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr("lbdns.cli.commands.zone_command.time.time", lambda: 1_800_000_300.0)
    operations = ("zone_transfers", "zone_refresh", "zone_notify")
    table = {op: functools.partial(played.operate, op) for op in operations}
    server = ControlServer(tmp_path / "control.sock", table)
    loop = LoopThread()
    loop.run(server.start())
    try:
        yield lambda *arguments: run("zone", *arguments, "--control", str(server.path))
    finally:
        loop.run(server.close())
        loop.stop()
        monkeypatch.undo()
        time.tzset()


def test_a_row_a_zone_and_all_of_one(zone: Lbdns, played: PlayedTransfers) -> None:
    outcome = zone("transfers")
    assert outcome.status == 0
    heading, _, first, second = [line.split() for line in outcome.out.splitlines() if line.strip()]
    assert heading == ["zone", "role", "state", "serial", "last", "check", "next", "check", "last", "error"]
    assert first == ["example.com", "secondary", "current", "2026112901", "5", "min", "ago", "in", "10", "min", "-"]
    assert second == ["example.net", "primary", "current", "7", "-", "-", "-"]
    assert zone("transfers", "Example.COM.").out.splitlines() == [
        "example.com: secondary, current since 2027-01-15 07:00:00",
        "  serial        2026112901",
        "  transferred   by IXFR, 2027-01-15 07:00:00 (1 h 5 min ago)",
        "  last check    2027-01-15 08:00:00 (5 min ago)",
        "  next check    2027-01-15 08:15:00 (in 10 min)",
        "  expires       2027-01-22 08:00:00 (in 6 d 23 h)",
        "  primary       192.0.2.1:53 (key transfer.example.com), has 2026112901 as of 2027-01-15 08:00:00 (5 min ago)",
        "  since start   5 checks, 1 AXFR, 2 IXFR",
    ]
    assert zone("transfers", "--json").json == [one.as_json() for one in played.zones.values()]


def test_what_is_wrong_is_told_and_is_the_exit_status(zone: Lbdns, played: PlayedTransfers) -> None:
    peer = TransferPeer("[2001:db8::1]:853", tls=True, problem="its certificate is of another name")
    wrong = secondary(state=TransferState.FAILING, last_error=ERROR, last_error_s=PRIMARY.heard_s, primaries=(peer,))
    lost = "www.example.net: the primary has deleted it, and a load balancer stands there"
    played.zones |= {"example.com": wrong, "example.net": secondary("example.net", last_error=ERROR, warnings=(lost,))}
    outcome = zone("transfers", "example.com")
    assert outcome.status == 1
    assert f"  last error    {ERROR} (5 min ago)" in outcome.out
    assert "  primary       [2001:db8::1]:853 (TLS): its certificate is of another name" in outcome.out
    assert zone("transfers").status == 1
    over = zone("transfers", "example.net")
    assert over.status == 0 and f"  look at       {lost}" in over.out


def test_refresh_and_notify_are_done_now(zone: Lbdns, played: PlayedTransfers) -> None:
    assert "last check    2027-01-15 08:00:05" in zone("refresh", "EXAMPLE.com").out
    assert zone("refresh", "example.com", "--force", "--json").json["state"] == "current"
    assert zone("notify", "example.net").status == 0
    assert [(op, said["zone"], said.get("force")) for op, said in played.asked] == [
        ("zone_refresh", "example.com", False),
        ("zone_refresh", "example.com", True),
        ("zone_notify", "example.net", None),
    ]
    refused = zone("refresh", "example.net")
    assert refused.status != 0 and "no secondary zone" in refused.err


def test_where_no_zone_is_transferred_it_says_what_to_set(zone: Lbdns, played: PlayedTransfers) -> None:
    played.zones.clear()
    outcome = zone("transfers")
    assert (outcome.status, outcome.out) == (0, "") and "`zones` and `access`" in outcome.err
