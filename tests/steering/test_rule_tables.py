"""Rules as decision tables: what matches is what each condition is worth for each query, and scopes are a partition."""

from __future__ import annotations

from array import array
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from random import Random
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from lbdns.dns.codes import TYPE_A, TYPE_AAAA, TYPE_CNAME
from lbdns.expressions.evaluate import evaluate
from lbdns.expressions.function_table import address_text
from lbdns.expressions.parse import parse
from lbdns.expressions.patterns import is_like
from lbdns.mapped.columns import HEALTH_COLUMNS, empty_columns
from lbdns.model import bounds
from lbdns.places.geodata import Geodata
from lbdns.places.place import Address
from lbdns.snapshot.compile.address_index import AddressIndex
from lbdns.snapshot.compile.class_tries import class_tries
from lbdns.snapshot.compile.place_classes import place_index
from lbdns.steering.kernel.decide import walk
from lbdns.steering.kernel.numbers import (
    RULE_KINDS,
    RULES_SCOPE_ADDRESS,
    RULES_SCOPE_NONE,
    RULES_SCOPE_PREFIX,
    TEST_WILDCARD,
)
from lbdns.steering.kernel.view import View
from lbdns.steering.rules.condition_folding import FoldedFor, folded
from lbdns.steering.rules.decision_table import DecisionTable, FoldedRule, SourceTable, TooLarge, decision_table
from lbdns.steering.rules.decision_table import address_atoms as atoms_of
from lbdns.steering.rules.rule_facts import address_facts
from tests.steering.conftest import Toy
from tests.steering.strategies import draw_address

TYPES = (TYPE_A, TYPE_AAAA, TYPE_CNAME)
ASNS = {
    "20.0.0.0/8": 64496,
    "20.128.0.0/9": 64497,
    "30.1.0.0/16": 64498,
    "2600::/16": 64496,
    "2a00:1::/32": 64499,
    "198.51.100.0/24": 64500,
}
LISTS = {"office": tuple(map(ip_network, ("192.0.2.0/24", "192.0.3.0/24", "20.1.0.0/17", "2001:db8::/33")))}
LEAVES = (
    "ip.src in {{0.0.0.0/1}}",
    "ip.src in {{{net4} {net4}}}",
    "ip.src in {{{net6} 2001:db8::1..2001:db8::ff}}",
    "ip.src eq {ip4}",
    "ip.src ne {ip6}",
    "ip.src lt {ip4}",
    "ip.src ge {ip6}",
    "ip.src in {{{ip4}..255.255.255.255}}",
    "ip.src in $office",
    "cidr(ip.src, {bits}, 32) eq 20.0.0.0",
    "cidr6(ip.src, 24) in {{2a00::/16 ::/0}}",
    "ip.src.asnum eq {asn}",
    "ip.src.asnum ne {asn}",
    "ip.src.asnum in {{64496..64497 64500}}",
    "ip.src.asnum gt 64497",
    "ip.src.country eq \"{country}\"",
    "ip.src.country ne \"{country}\"",
    "ip.src.country in {{\"US\" \"NL\"}}",
    "ip.src.subdivision eq \"US-CA\"",
    "ip.src.continent eq \"EU\"",
    "ip.src.lat gt 40",
    "ip.src.lon in {{-130..-100 5.75}}",
    "dns.qry.type in {{1 28}}",
    "dns.qry.type eq 5",
    "dns.rr.opt.client",
    "dns.rr.opt.client.addr eq \"{ip4}\"",
    "dns.rr.opt.client.addr ne \"{ip4}\"",
    "dns.rr.opt.client.addr in {{\"{ip6}\" \"20.0.0.0\"}}",
    "starts_with(dns.rr.opt.client.addr, \"20.\")",
    "starts_with(dns.rr.opt.client.addr, \"20.1\")",
    "starts_with(dns.rr.opt.client.addr, \"20.1.2.3\")",
    "dns.rr.opt.client.addr wildcard \"2*\"",
    "dns.rr.opt.client.addr strict wildcard \"30.*\"",
    "dns.rr.opt.client.addr contains \"1\"",
    "cf.load_balancer.name eq \"www.example.com\"",
    "cf.load_balancer.region eq \"ENAM\"",
    "dns.qry.name contains \"www\"",
    "dns.qry.name.len gt 200",
    "dns.qry.qu",
)  # fmt: skip


@pytest.fixture(scope="module")
def databases(toys: list[Toy], tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Toy, Geodata]]:
    """The toy places, each with one database of AS numbers."""
    folder = tmp_path_factory.mktemp("asn")
    writer = MMDBWriter(6, "Toy-ASN", ipv4_compatible=True, languages=["en"], description="a toy")
    for network in sorted(ASNS, key=lambda text: ip_network(text).prefixlen):
        writer.insert_network(IPSet([network]), {"autonomous_system_number": ASNS[network]})
    writer.to_db_file(str(folder / "asn.mmdb"))
    return [(toy, Geodata.open(toy[1].place_sources[0].path, folder / "asn.mmdb")) for toy in toys]


def draw_network(chance: Random, version: int) -> str:
    bits = 32 if version == 4 else 128
    first = chance.choice((0x14000000, 0x1E010000, 0x32010200, 0xC0000200, chance.getrandbits(32)))
    number = first if version == 4 else chance.choice((0x20010DB8, 0x2A000001, 0x26000000)) << 96
    number ^= chance.getrandbits(bits) >> chance.randrange(bits)
    return str(ip_network((number, chance.randrange(1, bits + 1)), strict=False))


def draw_condition(chance: Random, depth: int = 2) -> str:
    if depth and chance.randrange(2):
        parts = [f"({draw_condition(chance, depth - 1)})" for _ in range(chance.randrange(1, 4))]
        return ("not " if len(parts) == 1 else "") + f" {chance.choice(('and', 'or', 'xor'))} ".join(parts)
    networks = [ip_network(draw_network(chance, version)) for version in (4, 6)]
    return chance.choice(LEAVES).format(
        net4=draw_network(chance, 4),
        net6=networks[1],
        ip4=networks[0].network_address,
        ip6=networks[1].network_address,
        bits=chance.randrange(6, 30),
        asn=chance.choice(tuple(ASNS.values())),
        country=chance.choice(("US", "NL", "DE", "JP", "XX")),
    )


class Compiled:
    """The decision table of rules, (condition, whether it ends), as a query meets it."""

    def __init__(self, rules: list[tuple[str, bool]], geodata: Geodata, folding: FoldedFor) -> None:
        self.rules = rules
        parts = [(at, folded(condition, folding), ends) for at, (condition, ends) in enumerate(rules)]
        found = tuple(FoldedRule(*part) for part in parts)
        index = AddressIndex(place_index(geodata.tree), geodata.asn_tree(), LISTS)
        self.table: DecisionTable = decision_table(found, index.find(atoms_of(found)))
        self._geodata, self._folding = geodata, folding
        self._columns = {source: self._tries(source) for source in ("ecs", "resolver")}

    def _tries(self, name: str) -> View:
        (wide,) = class_tries([getattr(self.table, name)])
        columns = {key: memoryview(column) for key, column in empty_columns().items()}
        columns |= {"trie_root": wide.roots.data, "trie_nodes": wide.nodes.data}
        return View(columns, {one.name: memoryview(array(one.code)) for one in HEALTH_COLUMNS}, -1)

    def facts(self, address: Address, has_ecs: bool, qtype: int) -> dict[str, Any]:
        return {
            **address_facts(address, self._geodata),
            **self._folding.facts,
            "dns.rr.opt.client": has_ecs,
            "dns.rr.opt.client.addr": address_text(address) if has_ecs else None,
            "dns.qry.type": qtype,
        }

    def expected(self, address: Address, has_ecs: bool, kind: int) -> tuple[int, ...]:
        """Return which rules match, by the worth of each condition."""
        facts, hits = self.facts(address, has_ecs, TYPES[kind]), []
        for position, (condition, ends) in enumerate(self.rules):
            if evaluate(parse(condition), facts, {name: set(found) for name, found in LISTS.items()}):
                hits.append(position)
                if ends:
                    break
        return tuple(hits)

    def found(self, address: Address, has_ecs: bool, kind: int) -> tuple[tuple[int, ...], int]:
        """Return which rules match by the table, and the depth of the class."""
        source: SourceTable = self.table.ecs if has_ecs else self.table.resolver
        whole = int(address) << (128 - address.max_prefixlen)
        view = self._columns["ecs" if has_ecs else "resolver"]
        leaf = walk(view, 0, address.version, whole >> 64, whole & (2**64 - 1))
        text = address_text(address) if has_ecs else b""
        bits = sum(
            (is_like(text, test.operand, strict=False) if test.op == TEST_WILDCARD else test.operand in text) << at
            for at, test in enumerate(self.table.tests)
        )
        return self.table.hits[source.cells[leaf >> 8, bits * RULE_KINDS + kind]], leaf & 0xFF


@pytest.mark.parametrize("seed", range(40))
def test_what_matches_is_what_the_conditions_are_worth(seed: int, databases: list[tuple[Toy, Geodata]]) -> None:
    chance = Random(seed)
    (tree, _), geodata = chance.choice(databases)
    rules = [(draw_condition(chance), chance.randrange(4) == 0) for _ in range(chance.randrange(1, 6))]
    compiled = Compiled(rules, geodata, FoldedFor("www.example.com", "A", chance.choice(("WEU", "ENAM", ""))))
    for _ in range(150):
        version = chance.choice((4, 6))
        near = ip_network(draw_network(chance, version)).network_address
        address = chance.choice((near, draw_address(chance, tree, version)))
        kind, has_ecs = chance.randrange(3), bool(chance.randrange(2))
        hits, depth = compiled.found(address, has_ecs, kind)
        assert hits == compiled.expected(address, has_ecs, kind), (rules, address, has_ecs, kind)
        if has_ecs and compiled.table.scope != RULES_SCOPE_ADDRESS:
            assert compiled.table.scope == RULES_SCOPE_PREFIX or depth == 0
            other = neighbour(chance, address, depth)
            assert compiled.found(other, True, kind) == (hits, depth), "scopes are a partition"
            assert compiled.expected(other, True, kind) == hits


def neighbour(chance: Random, address: Address, depth: int) -> Address:
    """Return an address that shares so many first bits."""
    free = address.max_prefixlen - depth
    number = (int(address) >> free << free) | (chance.getrandbits(free) if free else 0)
    return (IPv4Address if address.version == 4 else IPv6Address)(number)


@pytest.fixture
def depths(databases: list[tuple[Toy, Geodata]]) -> Any:
    """Return a function: which rules match for ECS addresses, and by how many bits that is known."""

    def ask(addresses: str, *conditions: str) -> list[tuple[tuple[int, ...], int]]:
        rules = [(condition, False) for condition in conditions]
        compiled = Compiled(rules, databases[0][1], FoldedFor("www.example.com", "A", ""))
        return [compiled.found(ip_address(address), True, 0) for address in addresses.split()]

    return ask


def test_a_half_of_ipv4_has_one_bit(depths: Any) -> None:
    found = depths("10.0.0.0 127.255.255.255 128.0.0.0 2001:db8::", "ip.src in {0.0.0.0/1}")
    assert found == [((0,), 1), ((0,), 1), ((), 1), ((), 0)]


def test_a_network_limits_the_scope_of_those_outside_of_it(depths: Any) -> None:
    found = depths("192.0.2.7 192.0.3.0 193.0.0.0 10.0.0.0", "ip.src in {192.0.2.0/24}")
    assert found == [((0,), 24), ((), 24), ((), 8), ((), 1)]


def test_networks_that_meet_are_one(depths: Any) -> None:
    found = depths("192.0.2.7 192.0.3.7 192.0.4.0", "ip.src in {192.0.2.0/24 192.0.3.0/25 192.0.3.128/25}")
    assert found == [((0,), 23), ((0,), 23), ((), 22)]


def test_what_comes_to_the_same_is_one_class_whatever_it_reads(depths: Any) -> None:
    # The second condition says what the first says: no rule tells their networks apart.
    found = depths("20.0.0.0 100.0.0.0", "ip.src in {0.0.0.0/2} or ip.src in {64.0.0.0/2}")
    assert found == [((0,), 1), ((0,), 1)]


def test_a_text_that_is_an_address_or_begins_with_octets_is_a_prefix(depths: Any) -> None:
    found = depths("20.1.2.3 20.1.200.3 20.2.0.0", 'starts_with(dns.rr.opt.client.addr, "20.1.2")')
    assert found == [((0,), 24), ((0,), 21), ((), 15)]
    found = depths("20.1.2.3 20.1.2.2", 'dns.rr.opt.client.addr eq "20.1.2.3"')
    assert found == [((0,), 32), ((), 32)]
    assert depths("20.1.2.3", 'dns.rr.opt.client.addr eq "020.1.2.3"') == [((), 0)]


def scope_of(databases: list[tuple[Toy, Geodata]], condition: str) -> int:
    return Compiled([(condition, False)], databases[0][1], FoldedFor("*.example.com", "A", "")).table.scope


@pytest.mark.parametrize(
    ("condition", "scope"),
    [
        ("dns.qry.type eq 1", RULES_SCOPE_NONE),
        ('dns.qry.name contains "www"', RULES_SCOPE_NONE),
        ("ip.src in {192.0.2.0/24} and dns.qry.type eq 16", RULES_SCOPE_NONE),
        ("dns.rr.opt.client", RULES_SCOPE_PREFIX),
        ("ip.src in {192.0.2.0/24}", RULES_SCOPE_PREFIX),
        ('dns.rr.opt.client.addr eq "192.0.2.1"', RULES_SCOPE_PREFIX),
        ('dns.rr.opt.client.addr contains "192"', RULES_SCOPE_ADDRESS),
        ('dns.rr.opt.client.addr contains "192" and dns.qry.type eq 16', RULES_SCOPE_NONE),
        ('dns.rr.opt.client.addr contains "192" or dns.rr.opt.client or dns.qry.qu', RULES_SCOPE_NONE),
        ('to_string(ip.src) contains "192"', RULES_SCOPE_ADDRESS),
    ],
)
def test_ecs_matters_as_far_as_any_result_depends_on_it(
    databases: list[tuple[Toy, Geodata]], condition: str, scope: int
) -> None:
    assert scope_of(databases, condition) == scope


def test_more_tests_than_bits_are_refused_before_anything_is_made_of_them(
    databases: list[tuple[Toy, Geodata]],
) -> None:
    tests = [f'dns.qry.name contains "{letter}"' for letter in "abcdefghi"]
    assert len(tests) == bounds.MAX_TESTS + 1
    assert scope_of(databases, " or ".join(tests[1:])) == RULES_SCOPE_NONE
    with pytest.raises(TooLarge) as refused:
        scope_of(databases, " or ".join(tests))
    assert (refused.value.count, refused.value.most) == (bounds.MAX_TESTS + 1, bounds.MAX_TESTS)


def test_cells_are_bounded(databases: list[tuple[Toy, Geodata]]) -> None:
    tests = " and ".join(f'dns.qry.name contains "{letter}"' for letter in "abcdefgh")
    networks = [f"ip.src in {{20.{number}.0.0/16}}" for number in range(85)]
    rules = [(tests, False), *((condition, False) for condition in networks)]
    with pytest.raises(TooLarge):
        Compiled(rules, databases[0][1], FoldedFor("*.example.com", "A", ""))
