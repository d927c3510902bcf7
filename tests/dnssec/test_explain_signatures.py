"""`explain` says which signatures an answer has for who wants them, and whether they are there yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.cli.commands.explain_command import render
from lbdns.config.loading import parse
from lbdns.dns.canonical import RRSIG_HEAD
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.signature_lookup import rrset_key
from lbdns.mapped.signature_table import SignatureWriter, Signed, create_signatures
from lbdns.mapped.snapshot_file import SIGNATURES, Snapshot
from lbdns.publish.explaining import explain_configuration, explain_running
from lbdns.publish.publisher import Published
from lbdns.snapshot.slots import Slots
from tests.dnssec.in_process import NOW_S, Policy, SomeKeys, signed_snapshot, signs
from tests.dnssec.signed_asking import SignedAsking

ZONE = """$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1
ns1 A 192.0.2.53
text TXT "static"
alias CNAME www
"""
SLOTS = 64
WIDTH = 96


class Running:
    """A server that serves a signed zone, as far as `explain` asks it."""

    def __init__(self, folder: Path) -> None:
        tree = {
            "zones": {"example.com": ZONE, "example.net": ZONE},
            "pools": {"one": {"origins": [{"name": "a", "address": "198.51.100.1"}]}},
            "load_balancers": [
                {"name": name, "default_pools": ["one"], "fallback_pool": "one", "ttl": 20}
                for name in ("www.example.com", "*.apps.example.com")
            ],
        }
        self.configuration = parse(tree, folder).configuration
        slots = Slots().assign(self.configuration)
        table = HealthTable.create(folder / "health.bin", slots.endpoint_count + 1, slots.pool_count + 1, 1)
        keys = SomeKeys.make("example.com", split=True)
        self.tags = {key.tag for key in keys.keys.zone_signers}
        made = signed_snapshot(self.configuration, signs(keys, policy=Policy()), table, slots)
        snapshot = Snapshot(made.columns, {**made.meta, SIGNATURES: 1})
        self._state_dir = folder / "state"
        self.run = RunDirectory(self._state_dir)
        create_signatures(self.run.signatures(1), SLOTS, WIDTH)
        self.writer = SignatureWriter(self.run.signatures(1))
        self._published = Published(1, self.configuration, slots, snapshot, table)
        self._asking = SignedAsking(None, {keys.keys.apex: keys})  # type: ignore[arg-type]
        self._keys = keys.keys

    def explain(self, name: str, qtype: str = "A") -> dict[str, Any]:
        """Return the explanation of an answer."""
        return explain_running(self._published, self._state_dir, {"name": f"{name}.example.com", "type": qtype})

    def signatures(self, name: str, qtype: str = "A") -> list[tuple[str, str, str]]:
        """Return owner, type and source of each signature that is told of."""
        steps = [step for step in self.explain(name, qtype)["steps"] if step["stage"] == "signature"]
        assert {step["key_tag"] for step in steps} <= self.tags
        assert {step["algorithm"] for step in steps} <= {13}
        return [(step["owner"], step["type"], step["source"]) for step in steps]

    def sign(self, name: str, qtype: str = "A") -> None:
        """Put what an answer lacks into the table."""
        for unsigned in self._lacking(name, qtype):
            (rdata,) = self._asking.sign(unsigned)
            head = RRSIG_HEAD.size
            key = rrset_key(
                self.writer.secret,
                self._keys.zone_signers[0].id,
                unsigned.owner,
                unsigned.rtype,
                unsigned.ttl,
                unsigned.rdatas,
            )
            short = rdata[:head] + rdata[head + len(unsigned.apex) :]
            self.writer.put(Signed(*key, short, NOW_S + 86_400, False), 1, NOW_S)

    def _lacking(self, name: str, qtype: str) -> list[Any]:
        view = ServingView(self._published.snapshot, self._published.table)
        asking = SignedAsking(view, self._asking.keys, signs=False)
        asking.ask(f"{name}.example.com", qtype)
        return asking.road.lacking


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A server, and nothing in its table."""
    found = Running(tmp_path)
    yield found
    found.run.remove()


def test_what_the_zone_says_is_published(running: Running) -> None:
    """A static record's signature stands in the snapshot, with its times."""
    assert running.signatures("text", "TXT") == [("text.example.com", "TXT", "published")]
    step = running.explain("text", "TXT")["steps"][-1]
    assert step["inception"] == NOW_S - 3600
    assert step["expiration"] > NOW_S + 7 * 86_400
    assert step["text"].startswith(
        f"TXT of text.example.com, by key {step['key_tag']} (ECDSAP256SHA256): 2027-01-15 07:00"
    )
    assert step["text"].endswith("UTC, signed when the zone was published")


def test_what_is_steered_is_lacking_until_it_is_in_the_table(running: Running) -> None:
    """A load balancer's answer is signed when it is first asked for."""
    assert running.signatures("www") == [("www.example.com", "A", "lacking")]
    lines = [click.unstyle(line) for line in render(running.explain("www"))]
    assert any(line.startswith("signature ") and "not signed yet" in line for line in lines)
    running.sign("www")
    assert running.signatures("www") == [("www.example.com", "A", "table")]


def test_each_signature_on_the_way(running: Running) -> None:
    """An alias, and what it leads to; a proof, and the SOA that goes along."""
    assert running.signatures("alias") == [
        ("alias.example.com", "CNAME", "published"),
        ("www.example.com", "A", "lacking"),
    ]
    assert running.signatures("nothing") == [
        ("example.com", "SOA", "published"),
        ("*.apps.example.com", "NSEC", "published"),
        ("example.com", "NSEC", "published"),
    ]
    assert running.signatures("www", "AAAA") == [
        ("example.com", "SOA", "published"),
        ("www.example.com", "NSEC", "lacking"),
    ]
    assert running.signatures("one.apps", "A") == [("one.apps.example.com", "A", "lacking")]


def test_a_zone_that_is_not_signed_has_none(running: Running) -> None:
    """Nothing is told of signatures where there are none, nor of a directory's files."""
    told = explain_configuration(running.configuration, {"name": "text.example.com", "type": "TXT"})
    assert not [step for step in told["steps"] if step["stage"] == "signature"]
