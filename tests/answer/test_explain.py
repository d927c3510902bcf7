"""`explain` of names that lead elsewhere: its `ttl` is how long the whole answer may be kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from lbdns.base.errors import LbdnsError
from lbdns.cli.commands.explain_command import explain, render
from lbdns.config.loading import parse
from lbdns.model.configuration import Configuration
from lbdns.publish.explaining import explain_configuration
from lbdns.steering.policies.plan import PLACES_DO_NOT_MATTER

ZONE = """$TTL 300
@ SOA ns1 hostmaster 1 7200 3600 1209600 60
@ NS ns1
ns1 A 192.0.2.53
www 3600 CNAME lb
soon 5 CNAME lb
twice 900 CNAME www
tree 77 DNAME other
h.other 40 A 192.0.2.40
gone 90 CNAME nothing
out 30 CNAME elsewhere.example.net.
"""
BALANCER = {"name": "lb.example.com", "default_pools": ["one"], "fallback_pool": "one", "ttl": 20}


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    tree = {
        "settings": {},
        "zones": {"example.com": ZONE},
        "pools": {"one": {"origins": [{"name": "a", "address": "192.0.2.1"}]}},
        "load_balancers": [BALANCER],
    }
    return parse(tree, Path(tmp_path_factory.mktemp("parsed"))).configuration


def explained(configuration: Configuration, name: str, qtype: str = "A") -> dict[str, Any]:
    return explain_configuration(configuration, {"name": f"{name}.example.com", "type": qtype})


def lines_of(explanation: dict[str, Any]) -> list[str]:
    return [click.unstyle(line).strip() for line in render(explanation)]


@pytest.mark.parametrize(
    ("name", "qtype", "ttls", "smallest"),
    [
        ("lb", "A", [20], 20),
        ("www", "A", [3600, 20], 20),
        ("twice", "A", [900, 3600, 20], 20),
        ("soon", "A", [5, 20], 5),
        ("h.tree", "A", [77, 77, 40], 40),
        ("www", "CNAME", [3600], 3600),
        ("www", "AAAA", [3600], 3600),
        ("gone", "A", [90], 90),
        ("out", "A", [30], 30),
        ("nothing", "A", [], None),
        ("lb", "AAAA", [], None),
    ],
)
def test_the_ttl_is_the_smallest_of_the_answer(
    configuration: Configuration, name: str, qtype: str, ttls: list[int], smallest: int | None
) -> None:
    told = explained(configuration, name, qtype)
    assert [int(record.split()[1]) for record in told["answer"]] == ttls
    assert told["ttl"] == smallest


def test_the_text_says_when_an_alias_lives_shorter_than_what_it_leads_to(configuration: Configuration) -> None:
    """The step of the load balancer's own TTL stays; where the whole answer lives shorter, it says so."""
    own = "ttl         20 s, the load balancer's"
    assert own in lines_of(explained(configuration, "lb"))
    assert own in lines_of(explained(configuration, "www"))
    assert f"{own}; the whole answer lives 5 s, as its alias does" in lines_of(explained(configuration, "soon"))


def test_a_candidate_that_is_down_is_not_called_available(tmp_path: Path) -> None:
    """Those after the first that is up are not looked at; the kernel is asked again what it would have said."""
    names = ("one", "off", "down", "shed", "three")
    pools: dict[str, dict[str, Any]] = {
        name: {"monitor": "web", "origins": [{"name": "a", "address": f"192.0.2.{number}"}]}
        for number, name in enumerate(names)
    }
    pools["off"]["enabled"] = False
    pools["shed"]["load_shedding"] = {"default_percent": 100, "default_policy": "random"}
    tree = {
        "settings": {},
        "zones": {"example.com": ZONE},
        "monitors": {"web": {"type": "http"}},
        "pools": pools,
        "load_balancers": [{**BALANCER, "steering_policy": "off", "default_pools": list(names)}],
    }
    asked = {"name": "lb.example.com", "type": "A", "down": ["down/a"]}
    told = explain_configuration(parse(tree, tmp_path).configuration, asked)
    assert [step["text"] for step in told["steps"] if step["stage"] == "pool"] == [
        "one: chosen, the first available (healthy)",
        "off: would be passed over, disabled",
        "down: would be passed over, critical, forced",
        "shed: would be passed over, this query is shed from it (load_shedding)",
        "three: available (healthy), not chosen",
    ]


def test_a_pool_whose_hostnames_lead_nowhere_is_called_unresolved(tmp_path: Path) -> None:
    names = {"lost": "h.example.net", "also": "i.example.net", "one": "192.0.2.1"}
    tree = {
        "settings": {"resolvers": ["127.0.0.1:9"]},
        "zones": {"example.com": ZONE},
        "pools": {name: {"origins": [{"name": "a", "address": address}]} for name, address in names.items()},
        "load_balancers": [{**BALANCER, "default_pools": ["lost", "one", "also"], "steering_policy": "off"}],
    }
    told = explained(parse(tree, tmp_path).configuration, "lb")
    assert told["answer"] == ["lb.example.com. 20 IN A 192.0.2.1"]
    assert [step["text"] for step in told["steps"] if step["stage"] == "pool"] == [
        "lost: passed over, unresolved: none of its hostnames has an address now",
        "one: chosen, the first available (no monitor)",
        "also: would be passed over, unresolved: none of its hostnames has an address now",
    ]


def test_a_query_for_cname_is_told_of_endpoints_that_are_no_cname(tmp_path: Path) -> None:
    origins = [
        {"name": "cdn", "address": "cdn.example.net", "flatten_cname": False, "weight": 0.5},
        {"name": "own", "address": "192.0.2.1", "weight": 0.5},
    ]
    tree = {
        "settings": {"resolvers": ["127.0.0.1:9"]},
        "zones": {"example.com": ZONE},
        "pools": {"one": {"origins": origins}},
        "load_balancers": [BALANCER],
    }
    configuration = parse(tree, tmp_path).configuration

    def verdicts(draw: float) -> tuple[list[str], list[str]]:
        asked = {"name": "lb.example.com", "type": "CNAME", "draw": draw}
        told = explain_configuration(configuration, asked)
        ends = [step["text"].partition("): ")[2] for step in told["steps"] if step["stage"] == "endpoint"]
        return told["answer"], ends

    unpicked = "answered with addresses, not with a CNAME"
    assert verdicts(0.1) == (["lb.example.com. 20 IN CNAME cdn.example.net."], ["answered", unpicked])
    assert verdicts(0.9) == ([], ["could answer, not picked", unpicked])


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("geo", "no place in the databases changes the candidates: they are those of this PoP (not configured)"),
        (
            "proximity",
            "no place in the databases changes the order: pools are those nearest to this PoP (not configured) first",
        ),
        *((policy, PLACES_DO_NOT_MATTER) for policy in ("off", "random", "dynamic_latency", "least_connections")),
    ],
)
def test_each_policy_says_why_no_place_was_looked_up(tmp_path: Path, policy: str, said: str) -> None:
    tree = {
        "settings": {},
        "zones": {"example.com": ZONE},
        "pools": {"one": {"origins": [{"name": "a", "address": "192.0.2.1"}]}},
        "load_balancers": [{**BALANCER, "steering_policy": policy}],
    }
    told = explained(parse(tree, tmp_path).configuration, "lb")
    assert [step["text"] for step in told["steps"] if step["stage"] == "location"] == [said]


def test_a_mapped_resolver_is_its_ipv4_address_and_a_mapped_prefix_is_not(tmp_path: Path) -> None:
    """Sockets are of one family each, so no resolver asks as a mapped one; the responder takes ECS as it comes."""
    strategy = {"mode": "resolver_ip", "prefer_ecs": "always"}
    steered = {"steering_policy": "geo", "country_pools": {"US": ["us"]}, "location_strategy": strategy}
    tree = {
        "settings": {},
        "zones": {"example.com": ZONE},
        "pools": {
            name: {"origins": [{"name": "a", "address": f"192.0.2.{number}"}]}
            for number, name in enumerate(("one", "us"), 1)
        },
        "load_balancers": [{**BALANCER, **steered}],
    }
    configuration = parse(tree, tmp_path).configuration

    def told(**more: str) -> dict[str, Any]:
        found = explain_configuration(configuration, {"name": "lb.example.com", "draw": 0.5, **more})
        return {"steps": found["steps"], "answer": found["answer"]}

    mapped = told(resolver="::ffff:8.8.8.8")
    assert mapped == told(resolver="8.8.8.8")
    assert mapped["answer"] == ["lb.example.com. 20 IN A 192.0.2.2"]
    assert mapped["steps"][0]["resolver"] == "8.8.8.8"
    assert told(ecs="8.8.8.0/24")["answer"] == ["lb.example.com. 20 IN A 192.0.2.2"]
    assert told(ecs="::ffff:8.8.8.0/120")["answer"] == ["lb.example.com. 20 IN A 192.0.2.1"]


@pytest.mark.parametrize(
    ("policy", "words"), [("random", "drawn for each query"), ("hash", "by hash of the source address")]
)
def test_of_at_most_so_many_addresses_it_says_which_and_why(tmp_path: Path, policy: str, words: str) -> None:
    origins = [{"name": f"e{number}", "address": f"192.0.2.{number}"} for number in range(1, 6)]
    pool = {"origins": origins, "max_answers": 2, "origin_steering": {"policy": policy}}
    tree = {"zones": {"example.com": ZONE}, "pools": {"one": pool}, "load_balancers": [BALANCER]}
    told = explained(parse(tree, tmp_path).configuration, "lb")
    (step,) = (step for step in told["steps"] if step["stage"] == "endpoints")
    assert step["text"] == f"answered: at most 2 of those that are up (max_answers), {words}"
    shown = [step["text"].partition(": ")[2] for step in told["steps"] if step["stage"] == "endpoint"]
    assert sorted(shown) == ["answered, place 1", "answered, place 2", *["could answer, not picked"] * 3]
    assert len(told["answer"]) == 2


def test_an_unknown_client_subnet_is_told_as_at_the_pop(tmp_path: Path) -> None:
    """The decision is by ECS, one class with the networks that this PoP's list gets; the place shown is the PoP's."""
    told = explain_configuration(steered_by_country(tmp_path), {"name": "lb.example.com", "ecs": "198.51.100.0/24"})
    location = next(step for step in told["steps"] if step["stage"] == "location")
    assert location["source"] == "pop"
    assert location["text"].startswith("this PoP (AMS): NL, region WEU, ")
    assert location["text"].endswith("; the ECS network has no known place")


def test_who_asks_is_told_each_that_is_no_address(configuration: Configuration) -> None:
    with pytest.raises(LbdnsError) as told:
        explain_configuration(configuration, {"name": "www.example.com", "resolver": "192.0.2", "ecs": "192.0.2.0/33"})
    assert str(told.value).splitlines() == [
        "resolver: '192.0.2' is not an IPv4 or IPv6 address, such as 192.0.2.1 or 2001:db8::1",
        "ecs: '192.0.2.0/33' is not an IPv4 or IPv6 network, such as 192.0.2.0/24 or 2001:db8::/32",
    ]


@pytest.mark.parametrize("said", [["AAAA"], ["--type", "aaaa"], ["aaaa", "--type", "AAAA"]])
def test_the_type_is_an_argument_or_an_option(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "example.com.zone").write_text("$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns AAAA 2001:db8::53\n")
    done = CliRunner().invoke(explain, ["ns.example.com", *said, "--config", str(tmp_path), "--json"])
    assert json.loads(done.output)["answer"] == ["ns.example.com. 60 IN AAAA 2001:db8::53"]
    assert CliRunner().invoke(explain, ["ns.example.com", "A", "--type", "AAAA"]).exit_code == 2


def test_scopes_are_counted_when_asked_for(tmp_path: Path) -> None:
    """As JSON by family and length, for a person broken between lengths; by ECS that nobody sends, all the same."""
    configuration = steered_by_country(tmp_path)
    assert "scopes" not in explain_configuration(configuration, {"name": "lb.example.com"})
    told = explain_configuration(configuration, {"name": "lb.example.com", "scopes": True})
    assert told["scopes"].keys() == {"ipv4", "ipv6"}
    for family, bits in (("ipv4", 32), ("ipv6", 128)):
        found = told["scopes"][family]
        assert sum(found["lengths"].values()) == found["networks"] > 1000
        assert sum(count << (bits - int(length)) for length, count in found["lengths"].items()) == 1 << bits
    lines = [click.unstyle(line) for line in render(told)]
    (first,) = [line for line in lines if line.startswith("scopes ")]
    assert f"IPv4: {told['scopes']['ipv4']['networks']:,} networks: " in first
    shown = " ".join(lines)
    assert all(f"{count:,} of /{length}" in shown for length, count in told["scopes"]["ipv6"]["lengths"].items())
    of_zone = explain_configuration(configuration, {"name": "ns1.example.com", "scopes": True})
    assert of_zone["scopes"] == {family: {"networks": 1, "lengths": {"0": 1}} for family in ("ipv4", "ipv6")}
    assert "IPv4: 1 network: 1 of /0" in " ".join(lines_of(of_zone))


def steered_by_country(folder: Path) -> Configuration:
    steered = {"country_pools": {"US": ["us"]}, "location_strategy": {"prefer_ecs": "always"}}
    tree = {
        "settings": {"pop": {"code": "AMS"}},
        "zones": {"example.com": ZONE},
        "pools": {
            name: {"origins": [{"name": "a", "address": f"192.0.2.{number}"}]}
            for number, name in enumerate(("one", "us"), 1)
        },
        "load_balancers": [{**BALANCER, **steered}],
    }
    return parse(tree, folder).configuration


def test_hostnames_of_files_are_looked_up_by_the_command(tmp_path: Path) -> None:
    """In the zones of these files too, as the server that serves them would."""
    (tmp_path / "lbdns.yaml").write_text('resolvers: ["127.0.0.1:9"]\n')
    (tmp_path / "example.com.zone").write_text(ZONE)
    (tmp_path / "objects.yaml").write_text(
        """pools:
  one: {origins: [{name: a, address: h.other.example.com}]}
  two: {origins: [{name: a, address: 192.0.2.2}]}
load_balancers: [{name: lb.example.com, default_pools: [one], fallback_pool: two, ttl: 60}]
"""
    )
    result = CliRunner().invoke(explain, ["lb.example.com", "--config", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    (record,) = json.loads(result.output)["answer"]
    assert record.split()[2:] == ["IN", "A", "192.0.2.40"] and 30 <= int(record.split()[1]) <= 40
