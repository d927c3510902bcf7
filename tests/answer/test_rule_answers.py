"""What a client sees of rules and pool sets: each printed condition of the documents, through `respond` and beside it
the fast path, whose bytes are the same or which leaves the query alone."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from lbdns.answer.reply import Client
from lbdns.config.loading import parse
from tests.answer.lanes import InProcess, compiled_view
from tests.answer.packets import query
from tests.answer.replies import Reply
from tests.answer.world import write_geodata

STATIC = (
    "$ORIGIN example.com.\n@ 3600 SOA ns1 host 1 7200 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\nalias CNAME www\n"
)
STATIC += "static 300 A 192.0.2.80\n"
OTHER = {"pools": ["other"]}
POOLS = {
    name: {"origins": [{"name": "e4", "address": v4}, {"name": "e6", "address": v6}]}
    for name, v4, v6 in (
        ("own", "192.0.2.1", "2001:db8::1"),
        ("other", "192.0.2.2", "2001:db8::2"),
        ("third", "192.0.2.3", "2001:db8::3"),
    )
} | {"cdn": {"origins": [{"name": "c", "address": "cdn.example.net", "flatten_cname": False}]}}
POOL_OF = {"192.0.2.1": "own", "192.0.2.2": "other", "192.0.2.3": "third", "cdn.example.net.": "cdn"} | {
    "2001:db8::1": "own",
    "2001:db8::2": "other",
    "2001:db8::3": "third",
}


class Asker:
    """Asks one load balancer with rules: which pool, which scope."""

    def __init__(self, folder: Path, fields: dict[str, Any], name: str) -> None:
        writer = MMDBWriter(4, "Toy-ASN", languages=["en"], description="a toy")
        writer.insert_network(IPSet(["198.51.100.0/24"]), {"autonomous_system_number": 13335})
        writer.insert_network(IPSet(["203.0.113.0/25"]), {"autonomous_system_number": 64496})
        writer.to_db_file(str(folder / "asn.mmdb"))
        balancer = {"name": name, "default_pools": ["own"], "fallback_pool": "own", "ttl": 60, **fields}
        tree = {
            "settings": {
                "pop": {"code": "IAD"},
                "geodata": {"city": str(write_geodata(folder / "toy.mmdb")), "asn": str(folder / "asn.mmdb")},
            },
            "zones": {"example.com": STATIC},
            "pools": POOLS,
            "load_balancers": [balancer],
        }
        self.view = compiled_view(parse(tree, folder).configuration, folder)
        self._lane = InProcess(self.view, over_tcp=False)
        self._name = name.replace("*", "star")

    def reply(self, ecs: str | None = None, resolver: str = "127.0.0.1", qtype: str = "A", name: str = "") -> Reply:
        asked = query(f"{name or self._name}.", qtype, ecs=ecs) if ecs else query(f"{name or self._name}.", qtype)
        wire = self._lane.respond(asked.wire, Client(ip_address(resolver).packed, 40_000))
        assert wire is not None
        return Reply(wire)

    def __call__(self, *args: Any, **fields: Any) -> tuple[str | None, int | None]:
        reply = self.reply(*args, **fields)
        last = reply.answer[-1].split()[-1] if reply.answer else ""
        return POOL_OF.get(last), reply.scope


@pytest.fixture
def rules(tmp_path: Path) -> Callable[..., Asker]:
    """Return a function: a load balancer with rules, (condition, overrides or fields) each."""

    def make(*given: Any, name: str = "www.example.com", **fields: Any) -> Asker:
        made = [
            one if isinstance(one, dict) else {"condition": one, "overrides": OTHER}
            for one in given
        ]  # fmt: skip
        return Asker(tmp_path, {"rules": made, **fields}, name)

    return make


def test_a_half_of_the_addresses(rules: Callable[..., Asker]) -> None:
    ask = rules("ip.src in {0.0.0.0/1}")
    assert ask("10.0.0.0/8") == ("other", 1)
    assert ask("192.0.2.0/24") == ("own", 1)
    assert ask("2001:db8::/32") == ("own", 1)
    assert ask(resolver="127.0.0.1")[0] == "other"
    assert ask(resolver="198.51.100.1")[0] == "own"


def test_a_network_that_is_not_the_clients_limits_the_scope(rules: Callable[..., Asker]) -> None:
    ask = rules("ip.src in {192.0.2.0/24}")
    assert ask("192.0.2.128/25") == ("other", 24)
    assert ask("192.0.3.0/24") == ("own", 24)
    assert ask("10.0.0.0/8") == ("own", 1)


def test_an_as_number(rules: Callable[..., Asker]) -> None:
    ask = rules("ip.src.asnum eq 13335", {"condition": "ip.src.asnum in {64000..65000}", "overrides": {"ttl": 5}})
    assert ask("198.51.100.7/32") == ("other", 24)
    assert ask(resolver="198.51.100.7")[0] == "other"
    assert ask.reply("203.0.113.1/32").answer == ["www.example.com. 5 A 192.0.2.1"]
    assert ask("203.0.113.128/25") == ("own", 25)


def test_a_type(rules: Callable[..., Asker]) -> None:
    ask = rules("dns.qry.type in {28}")
    assert ask(qtype="A")[0] == "own"
    assert ask("192.0.2.0/24", qtype="AAAA") == ("other", 0)


def test_a_cname_question_is_a_kind_of_its_own(rules: Callable[..., Asker]) -> None:
    ask = rules({"condition": "dns.qry.type eq 5", "overrides": {"pools": ["cdn"], "fallback_pool": "cdn"}})
    assert ask(qtype="CNAME")[0] == "cdn"
    assert ask(qtype="A")[0] == "own"


def test_a_name_is_the_load_balancers_own_after_aliases(rules: Callable[..., Asker]) -> None:
    ask = rules('dns.qry.name contains "www."')
    assert ask()[0] == "other"
    assert ask(name="alias.example.com")[0] == "other"


@pytest.mark.parametrize(
    ("condition", "name", "pool"),
    [
        ('dns.qry.name contains "shop"', "my-shop.example.com", "other"),
        ('dns.qry.name contains "shop"', "MY-SHOP.example.com", "other"),
        ('dns.qry.name contains "shop"', "www.example.com", "own"),
        ('dns.qry.name eq "a.example.com."', "a.example.com", "other"),
        ('starts_with(dns.qry.name, "a.")', "a.example.com", "other"),
        ('ends_with(dns.qry.name, ".example.com")', "a.example.com", "own"),
        ('substring(dns.qry.name, 0, 2) in {"ab" "cd"}', "cdef.example.com", "other"),
        ('upper(dns.qry.name) eq "A.EXAMPLE.COM."', "a.example.com", "other"),
        ("dns.qry.name.len gt 20", "a-long-name.example.com", "other"),
        ("len(dns.qry.name) le 20", "a-long-name.example.com", "own"),
        ('dns.qry.name wildcard "A*.example.com."', "axyz.example.com", "other"),
        ('dns.qry.name strict wildcard "A*.example.com."', "axyz.example.com", "own"),
        ('dns.qry.name matches "^[a-c]+[.]"', "abc.example.com", "other"),
        ('dns.qry.name matches "^[a-c]+[.]"', "abd.example.com", "own"),
        ('concat("x-", dns.qry.name) eq "x-a.example.com."', "a.example.com", "other"),
        ('lower(substring(dns.qry.name, -4, -1)) eq "com"', "a.example.com", "other"),
        ('not dns.qry.name contains "shop" xor dns.qry.type eq 1', "my-shop.example.com", "other"),
    ],
)
def test_a_name_under_a_wildcard(rules: Callable[..., Asker], condition: str, name: str, pool: str) -> None:
    ask = rules(condition, name="*.example.com")
    assert ask(name=name) == (pool, None)
    assert ask("192.0.2.0/24", name=name) == (pool, 0)


def test_the_text_of_the_ecs_address(rules: Callable[..., Asker]) -> None:
    ask = rules('dns.rr.opt.client.addr eq "192.0.2.0"')
    assert ask("192.0.2.0/24") == ("other", 32)
    assert ask("192.0.3.0/24") == ("own", 24)
    assert ask(resolver="192.0.2.0")[0] == "own"
    ask = rules('starts_with(dns.rr.opt.client.addr, "192.0.")')
    assert ask("192.0.3.0/24") == ("other", 16)
    ask = rules('dns.rr.opt.client.addr contains "b8"')
    assert ask("2001:db8::/32") == ("other", 128)
    assert ask("192.0.3.0/24") == ("own", 32)
    ask = rules('dns.rr.opt.client.addr matches "^19[0-9]"')
    assert ask("192.0.3.0/24") == ("other", 32)
    assert ask()[0] == "own"


def test_presence_of_ecs(rules: Callable[..., Asker]) -> None:
    ask = rules("dns.rr.opt.client")
    assert ask("192.0.2.0/24") == ("other", 1)
    assert ask("0.0.0.0/0") == ("own", 0)  # as if there were none
    assert ask()[0] == "own"


def test_connectives_within_one_another(rules: Callable[..., Asker]) -> None:
    ask = rules(
        'not (ip.src in {10.0.0.0/8} or dns.qry.type eq 28) and (dns.rr.opt.client xor ip.src.country eq "NL") '
        'or cf.load_balancer.name eq "other.example.com" or cf.load_balancer.region eq "WNAM"'
    )
    assert ask("10.1.0.0/16")[0] == "own"
    assert ask("192.0.2.0/24")[0] == "own"
    assert ask("193.0.2.0/24")[0] == "other"
    assert ask("193.0.2.0/24", qtype="AAAA")[0] == "own"
    assert ask(resolver="192.0.2.9")[0] == "other"
    assert ask(resolver="193.0.2.9")[0] == "own"


def test_places(rules: Callable[..., Asker]) -> None:
    ask = rules(
        'ip.src.country eq "NL"', {"condition": 'ip.src.continent in {"AS"}', "overrides": {"pools": ["third"]}}
    )
    assert ask("192.0.2.0/24") == ("other", 24)
    assert ask("203.0.113.0/25") == ("third", 25)
    assert ask("2001:db8:1::/48") == ("third", 48)
    assert ask("203.0.113.128/25") == ("own", 25)
    assert ask(resolver="192.0.2.3")[0] == "other"


def test_rules_act_in_order_and_later_ones_win(rules: Callable[..., Asker]) -> None:
    ask = rules(
        {"condition": "", "overrides": {"ttl": 9, "pools": ["third"]}, "priority": 5},
        {"condition": "dns.qry.type eq 28", "overrides": {"ttl": 7}, "priority": 6, "terminates": True},
        {"condition": "", "overrides": {"pools": ["other"]}, "priority": 7},
        {"condition": "", "overrides": {"ttl": 1}, "priority": 8, "disabled": True},
        {"condition": "", "overrides": {"ttl": 2}, "priority": 4},
    )
    assert ask.reply(qtype="A").answer == ["www.example.com. 9 A 192.0.2.2"]
    assert ask.reply(qtype="AAAA").answer == ["www.example.com. 7 AAAA 2001:db8::3"]


def test_a_fixed_response_has_no_records_and_the_scope_of_its_network(rules: Callable[..., Asker]) -> None:
    ask = rules({"condition": "ip.src in {192.0.2.0/24}", "overrides": {"ttl": 11}, "fixed_response": {}})
    reply = ask.reply("192.0.2.0/24")
    assert (reply.rcode, reply.answer, reply.scope) == ("NOERROR", [], 24)
    assert [line.split()[1] for line in reply.authority] == ["11"]
    assert ask("192.0.3.0/24") == ("own", 24)


def test_pool_sets_by_place_the_first_that_matches_after_rules(rules: Callable[..., Asker]) -> None:
    sets = [
        {"match": {"topology": {"pops": ["AMS"]}}, "overrides": {"pools": ["own"]}},
        {"match": {"topology": {"countries": ["NL", "JP"]}}, "overrides": {"pools": ["other"]}},
        {"match": {"topology": {"countries": ["BR"]}}, "fixed_response": {}},
        {"match": {"default": True}, "disabled": True, "overrides": {"pools": ["own"]}},
    ]
    strategy = {"mode": "resolver_ip", "prefer_ecs": "geo"}
    rule = {"condition": "dns.qry.type eq 28", "overrides": {"pools": ["third"]}}
    ask = rules(rule, pool_sets=sets, location_strategy=strategy)
    assert ask("192.0.2.0/24") == ("other", 24)
    assert ask("203.0.113.0/25") == ("other", 25)
    assert ask.reply("198.51.100.64/26").answer == []
    assert ask("8.8.8.0/24")[0] == "own"
    assert ask("8.8.8.0/24", qtype="AAAA")[0] == "third"
    assert ask("192.0.2.0/24", qtype="AAAA")[0] == "other"
    assert ask(resolver="192.0.2.9")[0] == "other"


def test_pool_sets_by_region_of_the_pop_or_of_the_client(rules: Callable[..., Asker]) -> None:
    sets = [
        {"match": {"topology": {"regions": ["ENAM"]}}, "overrides": {"pools": ["other"]}},
        {"match": {"topology": {"regions": ["WEU"]}}, "overrides": {"pools": ["third"]}},
    ]
    always = {"prefer_ecs": "always"}
    ask = rules(pool_sets=sets, location_strategy=always)
    assert ask("192.0.2.0/24") == ("other", 0)
    ask = rules(pool_sets=sets, location_strategy={**always, "region_from": "location"})
    assert ask("192.0.2.0/24") == ("third", 24)
    assert ask("203.0.113.0/25") == ("own", 25)
    assert ask()[0] == "other"
