"""Serials that others go by: they rise with what is transferred, never go backwards, and lead through journals."""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.dns.name import encode_canonical
from lbdns.dns.serial import is_newer
from lbdns.dns.zone import RRset, Zone
from lbdns.dnssec.snapshot_signing import SnapshotSigner
from lbdns.dnssec.zone_keys import ZoneKeys
from lbdns.mapped import zone_journal
from lbdns.model.dnssec_settings import DnssecSettings
from lbdns.snapshot.compile.signed_zones import BalancerStanding
from lbdns.snapshot.lookup.name_rows import TRANSFER_STEERED
from lbdns.transfer.content.serials_in_force import SerialsInForce
from lbdns.transfer.content.transfer_content import newest_of
from tests.dnssec.in_process import NOW_S, InProcessSigning, Policy, SomeKeys, signs
from tests.transfer.publications import FOLLOWED, Publications, Transferred, flattening

APEX = encode_canonical("example.com")
HEAD = "$TTL 300\n@ SOA ns1 hostmaster {serial} 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"
POOLS: Mapping[str, Any] = {
    "eu": {"monitor": "web", "origins": [{"name": "a", "address": "192.0.2.10"}]},
    "us": {
        "monitor": "web",
        "origins": [{"name": "b", "address": "192.0.2.20"}, {"name": "c", "address": "2001:db8::1"}],
    },
}
MONITORS = {"web": {"type": "tcp", "port": 80}}
BALANCER = {"default_pools": ["eu"], "fallback_pool": "us"}


def tree(serial: int, *records: str, settings: Mapping[str, Any] = FOLLOWED, balancers: tuple[str, ...] = ()) -> Any:
    """Return a configuration of one zone."""
    return {
        "settings": dict(settings),
        "zones": {"example.com": HEAD.format(serial=serial) + "".join(f"{record}\n" for record in records)},
        "pools": dict(POOLS),
        "monitors": MONITORS,
        "load_balancers": [{"name": name, **BALANCER} for name in balancers],
    }


def served(server: Publications, configured: Any) -> int:
    """Publish, and return the zone's serial."""
    server.publish(server.read(configured))
    return server.transferred("example.com").serial


def test_the_serial_rises_when_the_content_does_and_only_then(tmp_path: Path) -> None:
    server = Publications(tmp_path)
    assert served(server, tree(7)) == 7
    assert served(server, tree(7)) == 7
    assert served(server, tree(7, "www A 192.0.2.1")) == 8
    assert served(server, tree(3, "www A 192.0.2.1")) == 8, "put back to an older serial"
    assert served(server, tree(3, "www A 192.0.2.2")) == 9
    assert served(server, tree(100, "www A 192.0.2.2")) == 100
    assert served(server, tree(100, "www 60 A 192.0.2.2")) == 101, "a TTL is content"


def test_what_an_soa_says_beside_its_serial_is_content(tmp_path: Path) -> None:
    server = Publications(tmp_path)
    served(server, tree(7))
    changed = tree(7)
    changed["zones"]["example.com"] = changed["zones"]["example.com"].replace("1209600 60", "1209600 61")
    assert served(server, changed) == 8


@pytest.mark.parametrize("last", [0xFFFFFFFF, 0x7FFFFFFF, 1])
def test_serials_go_round(tmp_path: Path, last: int) -> None:
    server = Publications(tmp_path)
    served(server, tree(last))
    assert served(server, tree(last, "www A 192.0.2.1")) == (last + 1) % 2**32


def test_a_zone_that_nobody_follows_is_served_as_it_says(tmp_path: Path) -> None:
    server = Publications(tmp_path)
    for configured in (tree(7, settings={}), tree(7, "www A 192.0.2.1", settings={}), tree(3, settings={})):
        wanted = 3 if " 3 7200" in str(configured) else 7
        assert served(server, configured) == wanted
    assert not (tmp_path / "transfers").exists()


def test_neither_a_restart_nor_an_older_file_takes_a_serial_back(tmp_path: Path) -> None:
    server = Publications(tmp_path)
    served(server, tree(7))
    served(server, tree(7, "www A 192.0.2.1"))
    server.restart()
    assert served(server, tree(7, "www A 192.0.2.1")) == 8
    server.restart()
    assert served(server, tree(7)) == 9
    server.restart()
    assert served(server, tree(2)) == 9
    assert server.differences("example.com", 8) is None, "what was before the restart is not known"


def test_the_journal_goes_on_over_a_restart(tmp_path: Path) -> None:
    server = Publications(tmp_path)
    served(server, tree(7))
    before = server.transferred("example.com")
    served(server, tree(7, "www A 192.0.2.1"))
    server.restart()
    served(server, tree(7, "www A 192.0.2.1"))
    served(server, tree(7, "www A 192.0.2.1", "other A 192.0.2.2"))
    changes = server.differences("example.com", 7)
    assert changes is not None
    assert before.after(changes) == server.transferred("example.com").records


def test_a_log_that_breaks_off_midway_says_what_it_says_up_to_there(tmp_path: Path) -> None:
    server = Publications(tmp_path)
    served(server, tree(7))
    served(server, tree(7, "www A 192.0.2.1"))
    path = server.content.log.path
    path.write_bytes(path.read_bytes()[:-5])
    server.restart()
    assert [one.serial for one in server.content.log.served.values()] == [7]
    assert served(server, tree(7, "www A 192.0.2.1")) == 8
    path.write_bytes(path.read_bytes() + b"\0" * 100)
    server.restart()
    assert served(server, tree(7, "www A 192.0.2.1")) == 8


def test_what_is_given_up_was_never_served(tmp_path: Path) -> None:
    server = Publications(tmp_path)
    served(server, tree(7))
    first = server.transferred("example.com")
    served(server, tree(7, "a A 192.0.2.1"))
    server.publish(server.read(tree(7, "b A 192.0.2.1")), is_abandoned=True)
    assert served(server, tree(7, "c A 192.0.2.1")) == 9
    changes = server.differences("example.com", 7)
    assert changes is not None and first.after(changes) == server.transferred("example.com").records
    server.publish(server.read(tree(7, "b A 192.0.2.1")), is_abandoned=True)
    server.restart()
    assert served(server, tree(7, "c A 192.0.2.1")) == 9


def test_load_balancers_flip_and_the_serial_rises_when_it_is_their_turn(tmp_path: Path) -> None:
    server = Publications(tmp_path)
    configuration = server.read(tree(7, settings=flattening("example.com"), balancers=("www.example.com",)))
    server.slots = server.slots.assign(configuration)
    server.set_health("eu", True)
    server.set_health("us", True)
    server.publish(configuration)
    up = server.transferred("example.com")
    server.set_health("eu", False)
    assert server.content.has_other_answers(server.view.snapshot, server.table)
    server.publish(configuration)
    assert server.transferred("example.com").records == up.records, "before its turn"
    server.content.is_flat_due = True
    server.publish(configuration)
    down = server.transferred("example.com")
    assert down.serial == 8
    assert not server.content.has_other_answers(server.view.snapshot, server.table)
    changes = server.differences("example.com", 7)
    assert changes is not None and up.after(changes) == down.records
    assert (len(changes.deleted), len(changes.added)) == (1, 2)


def test_a_step_never_costs_more_than_the_zone_or_a_thousand_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zone_journal, "STEPS_MAX", 10)
    server = Publications(tmp_path)
    for number in range(30):
        served(server, tree(7, f"www A 192.0.2.{number}"))
        [*journals] = (tmp_path / "transfers" / "journals").glob("*.journal")
        assert sum(len(one._steps) for one in server.content.journals.values()) <= 10
    assert server.differences("example.com", 7) is None
    assert server.differences("example.com", 35) is not None
    monkeypatch.setattr(zone_journal, "BYTES_MIN", 2000)
    for number in range(30):
        served(server, tree(7, f"www A 192.0.2.{number + 100}"))
        assert journals[0].stat().st_size <= 2000


def test_views_that_see_a_zone_in_other_ways_begin_anew(tmp_path: Path) -> None:
    """What one view's secondary has is no part of another's journal."""
    settings = {**FOLLOWED, "views": {"office": {"networks": ["10.0.0.0/8"]}}}
    server = Publications(tmp_path)
    configured = tree(7, settings=settings)
    assert served(server, configured) == 7
    viewed = tree(7, settings=settings)
    viewed["zones"]["example.com@office"] = "$TTL 60\nwww A 10.0.0.1\n"
    server.publish(server.read(viewed))
    serials = {server_serial(server, zone) for zone in range(2)}
    assert serials == {8}
    viewed["zones"]["example.com@office"] = "$TTL 60\nwww A 10.0.0.2\n"
    server.publish(server.read(viewed))
    assert {server_serial(server, zone) for zone in range(2)} == {8, 9}
    assert served(server, configured) == 10, "above what any of its views had"
    assert server.differences("example.com", 8) is None


def test_the_serial_in_force_is_the_one_that_a_view_is_answered(tmp_path: Path) -> None:
    viewed = tree(7, settings={**FOLLOWED, "views": {"office": {"networks": ["10.0.0.0/8"]}}})
    server = Publications(tmp_path)
    for last in (1, 2):
        viewed["zones"]["example.com@office"] = f"$TTL 60\nwww A 10.0.0.{last}\n"
        server.publish(server.read(viewed))
    serials, apex = SerialsInForce(server.view.snapshot), encode_canonical("example.com")
    assert [serials.of(apex, view) for view in ("office", "public", "", "gone")] == [8, 7, 7, 7]
    assert serials.of(encode_canonical("www.example.com"), "office") is None
    assert serials.of(encode_canonical("example.org"), "") is None


def server_serial(server: Publications, zone: int) -> int:
    from tests.transfer.publications import walked

    return Transferred(walked(server.view, zone)).serial


def test_signatures_that_are_made_anew_are_content(tmp_path: Path) -> None:
    signing = signs(SomeKeys.make("example.com"))
    server = Publications(tmp_path, signing)
    assert served(server, tree(7)) == 7
    assert served(server, tree(7)) == 7
    server.signing = replace(signing, now_s=NOW_S + 10 * 86_400)
    before = server.transferred("example.com")
    assert served(server, tree(7)) == 8
    changes = server.differences("example.com", 7)
    assert changes is not None and before.after(changes) == server.transferred("example.com").records
    server.restart()
    assert served(server, tree(7)) == 9, "nobody has the signature that its SOA has now"


def test_a_start_takes_what_load_balancers_answered_until_health_is_known(tmp_path: Path) -> None:
    server = Publications(tmp_path)
    configuration = server.read(tree(7, settings=flattening("example.com"), balancers=("www.example.com",)))
    server.slots = server.slots.assign(configuration)
    server.set_health("eu", True)
    server.publish(configuration)
    before = server.transferred("example.com")
    server.restart()
    for state in ("pool_state", "endpoint_state"):
        server.table.columns[state][:] = memoryview(bytes(len(server.table.columns[state])))
    server.publish(configuration)
    assert server.transferred("example.com").records == before.records
    for damaged in (
        '{"',
        "[1]",
        '{"076578616d706c6503636f6d00 public": {"03777777076578616d706c6503636f6d00 A": [1]}}',
    ):
        (tmp_path / "transfers" / "answers.json").write_text(damaged)
        server.restart()
        server.publish(configuration)
        assert server.transferred("example.com").serial in (before.serial, before.serial + 1)
    before = server.transferred("example.com")
    server.set_health("eu", True)
    server.table.columns["endpoint_checks"][0] = 1
    server.publish(configuration)
    server.content.is_flat_due = True
    server.publish(configuration)
    assert server.transferred("example.com").serial == before.serial + 1, "it is known to be up"


class _Keyless(InProcessSigning):
    """A signer whose keys are gone: zones come back as they were signed last."""

    def sign(self, zones: Sequence[Zone], standing: Sequence[Sequence[BalancerStanding]]) -> tuple[Zone, ...]:
        return self.zone_signing.sign(zones, standing, {}, lambda _: self.policy, self.hand, self.now_s, {APEX: "gone"})

    def seal(self, zones: Sequence[Zone], at: int, rrsets: Sequence[RRset], kept: Sequence[RRset]) -> Sequence[RRset]:
        signer = SnapshotSigner(self.zone_signing, {}, DnssecSettings(), _NoKeys(), self.now_s)
        return signer.seal(zones, at, rrsets, kept)


class _NoKeys:
    def zone_keys(self) -> Mapping[bytes, ZoneKeys]:
        return {}

    def key_problems(self) -> Mapping[bytes, str]:
        return {APEX: "gone"}

    def sign_in_bulk(self, wanted: Sequence[tuple[int, bytes]]) -> Sequence[bytes]:
        raise LbdnsError("no keys")


def test_a_zone_whose_keys_are_gone_is_transferred_as_it_was(tmp_path: Path) -> None:
    """A flip that would have to be signed is refused, and what is published after that goes on."""
    signing = signs(SomeKeys.make("example.com"))
    server = Publications(tmp_path, signing)
    configuration = server.read(tree(7, settings=flattening("example.com"), balancers=("www.example.com",)))
    server.slots = server.slots.assign(configuration)
    server.set_health("eu", True)
    server.set_health("us", True)
    server.publish(configuration)
    before = server.transferred("example.com")
    server.signing = _Keyless(signing.several, signing.policy, signing.hand, signing.zone_signing, signing.now_s)
    server.publish(configuration)
    assert server.transferred("example.com").records == before.records
    server.set_health("eu", False)
    server.content.is_flat_due = True
    with pytest.raises(LbdnsError, match="cannot be signed: gone"):
        server.publish(configuration)
    server.publish(configuration)
    assert server.transferred("example.com").records == before.records


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("denial", ["", "nsec", "nsec3"])
def test_whoever_follows_has_the_zone_whatever_happens(tmp_path: Path, seed: int, denial: str) -> None:
    """Random publications, flips, restarts and such as are given up: no serial is served twice for two contents, none
    goes backwards, and a journal leads from any serial to the one in force, or says nothing."""
    rng = random.Random(f"{seed} {denial}")
    signing = signs(SomeKeys.make("example.com"), policy=Policy(denial=denial)) if denial else None
    server = Publications(tmp_path, signing)
    had: list[Transferred] = []
    led = 0
    for _ in range(40):
        records = [f"n{rng.randrange(6)} A 192.0.2.{rng.randrange(3)}" for _ in range(rng.randrange(5))]
        names = rng.sample(["www.example.com", "n1.example.com", "*.apps.example.com", "example.com"], rng.randrange(3))
        steered = flattening("example.com", steered="flatten" if rng.random() < 0.9 else "refuse")
        configured = tree(
            rng.choice([1, 7, 7, 7, 30, 2**30]), *sorted(set(records)), settings=steered, balancers=tuple(names)
        )
        configuration = server.read(configured)
        server.slots = server.slots.assign(configuration)
        for pool in POOLS:
            server.set_health(pool, rng.random() < 0.6)
        server.content.is_flat_due = rng.random() < 0.5
        if had and rng.random() < 0.2:
            server.publish(configuration, is_abandoned=True)
        if rng.random() < 0.15:
            server.restart()
        server.publish(configuration)
        now = server.transferred("example.com")
        if server.view.columns["zone_transfer"][0] == TRANSFER_STEERED:
            continue
        for one in had:
            assert one.serial == now.serial or is_newer(now.serial, one.serial), "backwards"
            assert (one.serial == now.serial) <= (one.records == now.records), "one serial, two contents"
            changes = server.differences("example.com", one.serial)
            if changes is not None:
                led += 1
                assert one.after(changes) == now.records
        had = [*had[-12:], now]
    assert led > 20


def test_the_newest_of_serials_goes_round() -> None:
    assert newest_of([0xFFFFFFFE, 3, 0xFFFFFFFF]) == 3
    assert struct.pack("!I", newest_of([5])) == b"\0\0\0\5"


def test_a_zone_that_nobody_follows_is_served_as_it_is_beside_one_that_somebody_does(tmp_path: Path) -> None:
    """What was published before of it is not served once more where the same zones are followed as before."""
    server = Publications(tmp_path)
    settings = {"zones": {"example.com": FOLLOWED}}

    def publish(serial: int, record: str) -> Transferred:
        found = tree(1, settings=settings)
        found["zones"]["other.example"] = HEAD.format(serial=serial) + record + "\n"
        server.publish(server.read(found))
        return server.transferred("other.example")

    first, second = publish(7, "www A 192.0.2.1"), publish(8, "www A 192.0.2.2")
    assert (first.serial, second.serial) == (7, 8)
    assert len(first.records) == len(second.records) and first.records != second.records
    assert publish(8, "www A 192.0.2.2").records == second.records
