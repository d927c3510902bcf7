"""Views of signed zones for tests of answers, who validates these, and what shows where one does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dns.message
import dns.name
import dns.rdata
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.mapped.health_table import HealthTable
from lbdns.model.configuration import Configuration
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots
from tests.dnssec.in_process import NOW_S, Policy, SomeKeys, signed_snapshot, signs
from tests.dnssec.naive_validator import Validator
from tests.dnssec.signed_asking import SignedAsking

DENIALS = ("nsec", "nsec3", "compact")


def asking_of(tree: dict[str, Any], folder: Path, denial: str, *zones: str | SomeKeys) -> SignedAsking:
    """Return how a configuration is asked some of whose zones are signed: with these keys, or some that are made."""
    folder.mkdir(parents=True, exist_ok=True)
    loaded = parse(tree, folder).configuration
    slots, table = _slots_and_table(loaded, folder)
    several = [
        zone if isinstance(zone, SomeKeys) else SomeKeys.make(zone, split=at % 2 == 1).with_cds()
        for at, zone in enumerate(zones)
    ]
    snapshot = signed_snapshot(loaded, signs(*several, policy=Policy(denial)), table, slots)
    return SignedAsking.of(ServingView(snapshot, table), *several)


def unsigned_of(tree: dict[str, Any], folder: Path) -> SignedAsking:
    """Return how the same is asked without a signature anywhere."""
    folder.mkdir(parents=True, exist_ok=True)
    loaded = parse(tree, folder).configuration
    slots, table = _slots_and_table(loaded, folder)
    geodata = Geodata.open(loaded.settings.geodata.city, loaded.settings.geodata.asn)
    return SignedAsking.of(ServingView(compile_snapshot(loaded, geodata, slots, 1, table.layout_id), table))


def _slots_and_table(loaded: Configuration, folder: Path) -> tuple[Slots, HealthTable]:
    slots = Slots().assign(loaded)
    return slots, HealthTable.create(folder / "health.bin", slots.endpoint_count + 1, slots.pool_count + 1, 1)


def validator_of(asking: SignedAsking, zone: str) -> Validator:
    """Return who knows a zone's keys."""
    one = asking.keys[dns.name.from_text(zone).to_wire() or b""]
    keys = [dns.rdata.from_wire(RdataClass.IN, RdataType.DNSKEY, rdata, 0, len(rdata)) for rdata in one.keys.dnskeys]
    return Validator(f"{zone}.", keys, NOW_S)


def check(validator: Validator, reply: dns.message.Message, name: str, qtype: str) -> str:
    """Return what a reply proves; where it proves nothing, the error shows it."""
    try:
        return validator.check(reply, name, qtype)
    except AssertionError as error:
        raise AssertionError(f"{name} {qtype}: {error}\n{reply}") from error
