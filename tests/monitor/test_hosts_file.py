"""The hosts file and nsswitch.conf: what they say, who is asked first, and that a change is seen."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lbdns.monitor.hosts_file import DEFAULT_ORDER, DNS, FILES, Step, SystemNames, parse_hosts, parse_order
from lbdns.monitor.resolving import NameSources, Outcome
from tests.monitor.test_monitor_names import NameServer

HOSTS = """\
# a comment
127.0.0.1\tlocalhost
192.0.2.1  App.Example.net app\t# the first
192.0.2.2  app.example.net.
2001:db8:0::1 app.example.net
192.0.2.1  app.example.net
fe80::1%eth0 link.example.net
not-an-address bad.example.net
192.0.2.9
"""


def test_a_name_has_all_its_lines_in_order_each_address_once() -> None:
    found = parse_hosts(HOSTS)
    assert found["app.example.net"] == (("192.0.2.1", "192.0.2.2"), ("2001:db8::1",))
    assert found["app"] == (("192.0.2.1",), ())
    assert found["localhost"] == (("127.0.0.1",), ())
    assert sorted(found) == ["app", "app.example.net", "localhost"]


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("hosts: files dns", [Step(FILES), Step(DNS)]),
        ("hosts:dns files", [Step(DNS), Step(FILES)]),
        ("HOSTS: files # dns", [Step(FILES)]),
        ("hosts: files [NOTFOUND=return] dns", [Step(FILES, frozenset({"notfound"})), Step(DNS)]),
        ("hosts: dns [!UNAVAIL=return] files", [Step(DNS, frozenset({"notfound", "tryagain"})), Step(FILES)]),
        ("hosts: dns [!UNAVAIL=return NOTFOUND=continue] files", [Step(DNS, frozenset({"tryagain"})), Step(FILES)]),
        (
            "hosts: files myhostname resolve [!UNAVAIL=return] dns",
            [Step(FILES), Step(DNS, frozenset({"notfound", "tryagain"}))],
        ),
        ("hosts: files mdns4_minimal [NOTFOUND=return] dns", [Step(FILES), Step(DNS)]),
        ("hosts: resolve", [Step(FILES), Step(DNS)]),
        ("hosts: dns\nhosts: files", [Step(FILES)]),
        ("passwd: files", list(DEFAULT_ORDER)),
        ("hosts: sss", list(DEFAULT_ORDER)),
        ("", list(DEFAULT_ORDER)),
    ],
)
def test_who_is_asked_in_which_order(line: str, order: list[Step]) -> None:
    assert list(parse_order(f"passwd: db\n{line}\n")) == order


def test_changes_are_seen_and_files_may_come_and_go(tmp_path: Path) -> None:
    hosts, order = tmp_path / "hosts", tmp_path / "nsswitch.conf"
    system = SystemNames(hosts, order)
    assert (system.find("app"), system.order, system.refresh()) == (((), ()), DEFAULT_ORDER, False)
    hosts.write_text("192.0.2.1 app\n")
    order.write_text("hosts: dns files\n")
    before = system.content
    assert system.refresh() and not system.refresh()
    assert (system.find("APP"), system.order) == ((("192.0.2.1",), ()), (Step(DNS), Step(FILES)))
    assert system.differs(before, "app")
    before = system.content
    fresh = tmp_path / "fresh"
    fresh.write_text("192.0.2.2 app\n192.0.2.3 other\n")
    os.replace(fresh, hosts)
    assert system.refresh() and system.differs(before, "app") and not system.differs(before, "third")
    hosts.unlink()
    assert system.refresh() and system.find("app") == ((), ())


@contextlib.asynccontextmanager
async def sources(folder: Path, order: str, hosts: str) -> AsyncIterator[tuple[NameSources, NameServer]]:
    """Yield who is asked, and the name server that stands for DNS; every name has 198.51.100.1 there."""
    (folder / "hosts").write_text(hosts)
    (folder / "nsswitch.conf").write_text(f"hosts: {order}\n")
    server = NameServer()
    server.v4, server.ttl_s = ["198.51.100.1"], 60
    async with server.running() as resolver:
        system = SystemNames(folder / "hosts", folder / "nsswitch.conf")
        yield NameSources([resolver], None, system), server


def look_up(folder: Path, name: str, order: str, hosts: str = "", mode: str = "answer") -> tuple[Outcome, set[str]]:
    """Return what a look-up comes to, and which names DNS was asked for."""

    async def main() -> tuple[Outcome, set[str]]:
        async with sources(folder, order, hosts) as (names, server):
            server.mode = mode
            return await names.look_up(name, 1000.0), server.asked

    return asyncio.run(main())


def test_the_hosts_file_goes_first_and_dns_is_not_asked(tmp_path: Path) -> None:
    outcome, asked = look_up(tmp_path, "app.example.net", "files dns", "192.0.2.1 app.example.net\n")
    assert outcome.resolved is not None and outcome.resolved.addresses == ("192.0.2.1",)
    assert asked == set() and not outcome.resolved.may_be_stale
    assert outcome.resolved.expiry_s - 1000 == 3600 and outcome.resolved.again_s < outcome.resolved.expiry_s


def test_what_it_has_not_is_asked_of_dns(tmp_path: Path) -> None:
    outcome, asked = look_up(tmp_path, "app.example.net", "files dns", "192.0.2.1 other.example.net\n")
    assert outcome.resolved is not None and outcome.resolved.addresses == ("198.51.100.1",)
    assert asked == {"app.example.net."} and outcome.resolved.may_be_stale


def test_dns_goes_first_where_nsswitch_says_so(tmp_path: Path) -> None:
    hosts = "192.0.2.1 app.example.net\n"
    outcome, _ = look_up(tmp_path, "app.example.net", "dns files", hosts)
    assert outcome.resolved is not None and outcome.resolved.addresses == ("198.51.100.1",)
    outcome, _ = look_up(tmp_path, "app.example.net", "dns files", hosts, mode="nxdomain")
    assert outcome.resolved is not None and outcome.resolved.addresses == ("192.0.2.1",)
    outcome, _ = look_up(tmp_path, "app.example.net", "dns [NOTFOUND=return] files", hosts, mode="nxdomain")
    assert outcome == Outcome(None, "no such name")


def test_configured_resolvers_are_asked_whatever_nsswitch_says(tmp_path: Path) -> None:
    outcome, _ = look_up(tmp_path, "app.example.net", "files", "")
    assert outcome.resolved is not None and outcome.resolved.addresses == ("198.51.100.1",)


@pytest.mark.parametrize("name", ["localhost", "app.localhost"])
def test_localhost_is_this_machine_and_no_question_for_dns(tmp_path: Path, name: str) -> None:
    outcome, asked = look_up(tmp_path, name, "files dns")
    assert outcome.resolved is not None and outcome.resolved.addresses == ("127.0.0.1", "::1")
    assert asked == set()
    outcome, _ = look_up(tmp_path, name, "files dns", f"127.0.0.9 {name}\n")
    assert outcome.resolved is not None and outcome.resolved.addresses == ("127.0.0.9",)


def test_that_dns_is_silent_is_no_final_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lbdns.monitor.resolving.QUERY_S", 0.1)
    for order in ("dns files", "files dns"):
        outcome, _ = look_up(tmp_path, "app.example.net", order, mode="silent")
        assert outcome == Outcome(None, "no resolver answers")
