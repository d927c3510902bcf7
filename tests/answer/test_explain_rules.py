"""`explain` of rules and pool sets: what matched is the decision's, why the rest did not agrees with it; what-if."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

from lbdns.answer.explain.explain import Asked, explain
from lbdns.answer.serving_view import ServingView
from lbdns.base.errors import LbdnsError
from lbdns.cli.commands.explain_command import explain as explain_command
from lbdns.config.loading import parse
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.publish.explaining import explain_configuration
from tests.steering import naive
from tests.steering.rule_strategies import draw_asked_by_name, with_rules
from tests.steering.served import Served, write_geodata
from tests.steering.strategies import draw_tree, draw_world

ZONE = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 3600 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\nalias CNAME www\n"
POOLS = {
    name: {"origins": [{"name": "one", "address": f"192.0.2.{number}"}]}
    for number, name in enumerate(("eu", "us", "tv"))
}
OFFICE = {"name": "office", "condition": "ip.src in {198.51.100.0/25}", "overrides": {"pools": ["us"], "ttl": 5}}
NIGHT = {"name": "night", "condition": "dns.qry.qu and ip.src.asnum eq 13335 or dns.qry.type eq 28"}


def configured(folder: Path, **fields: Any) -> Configuration:
    balancer = {"name": "www.example.com", "default_pools": ["eu"], "fallback_pool": "eu", "ttl": 60, **fields}
    tree = {"settings": {}, "zones": {"example.com": ZONE}, "pools": POOLS, "load_balancers": [balancer]}
    return parse(tree, folder).configuration


def with_raw_rules(configuration: Configuration, *rules: dict[str, Any], **fields: Any) -> Configuration:
    (balancer,) = configuration.load_balancers
    body = {**balancer.model_dump(), "rules": rules, **fields}
    return replace(configuration, load_balancers=(LoadBalancer.model_validate(body),))


def texts(told: dict[str, Any], *stages: str) -> list[str]:
    return [step["text"] for step in told["steps"] if step["stage"] in stages]


def asked_for(ecs: str, **fields: Any) -> dict[str, Any]:
    return {"name": "www.example.com", "type": "A", "ecs": ecs, **fields}


def test_each_rule_says_what_it_changed_or_what_failed(tmp_path: Path) -> None:
    last = {"condition": "", "overrides": {"ttl": 7}, "terminates": True}
    rules = (OFFICE, {**OFFICE, "name": "off", "disabled": True}, NIGHT, last, {**OFFICE, "name": "late"})
    configuration = with_raw_rules(configured(tmp_path), *rules)
    told = explain_configuration(configuration, asked_for("198.51.100.0/24"))
    assert texts(told, "rule", "variant") == [
        '"office" matches: default_pools [eu] -> [us]; ttl 60 -> 5',
        '"night" does not match: dns.qry.qu and ip.src.asnum eq 13335 or dns.qry.type eq 28 is false (column 1)',
        '"rules[3]" matches: ttl 5 -> 7',
        '"late" is not looked at: "rules[3]" ends the road',
        '"off" is disabled',
        'by "office", "rules[3]": default_pools [us]; ttl 7',
    ]
    assert told["answer"] == ["www.example.com. 7 IN A 192.0.2.1"]
    assert texts(told, "scope", "ttl") == [
        "/25: 198.51.100.0/25; every client there is answered alike, by rules or pool sets",
        "7 s, by rules",
    ]
    by_alias = explain_configuration(configuration, asked_for("198.51.100.0/24", name="alias.example.com"))
    assert texts(by_alias, "rule") == texts(told, "rule")
    elsewhere = explain_configuration(configuration, asked_for("203.0.113.0/24"))
    assert texts(elsewhere, "rule")[0] == ('"office" does not match: ip.src in {198.51.100.0/25} is false (column 1)')
    assert next(step["failed"] for step in elsewhere["steps"] if step["stage"] == "rule") == {
        "part": "ip.src in {198.51.100.0/25}",
        "column": 1,
    }


def test_a_fixed_response_is_told_and_no_pool_is(tmp_path: Path) -> None:
    fixed = {"name": "shut", "condition": "ip.src in {198.51.100.0/24}", "fixed_response": {}}
    sets = [{"name": "all", "overrides": {"pools": ["us"]}}]
    configuration = with_raw_rules(configured(tmp_path), fixed, pool_sets=sets)
    told = explain_configuration(configuration, asked_for("198.51.100.0/24"))
    assert (told["rcode"], told["answer"]) == ("NOERROR", [])
    assert texts(told, "rule", "pool_set", "variant", "candidates", "pool", "endpoint") == [
        '"shut" matches: answers without records (fixed_response)',
        '"all" is not looked at: a rule answers without records',
        'by "shut": answers without records (fixed_response)',
    ]
    open_to = explain_configuration(configuration, asked_for("203.0.113.0/24"))
    assert texts(open_to, "pool_set") == ['"all" matches every query: default_pools [eu] -> [us]']


def test_pool_sets_say_the_place_that_they_are_found_by(tmp_path: Path) -> None:
    sets = [
        {
            "name": "sea",
            "match": {"topology": {"regions": ["OC"], "pops": ["SYD"]}},
            "overrides": {"pools": ["tv"]},
        },
        {"name": "here", "match": {"topology": {"pops": ["AMS"]}}, "overrides": {"pools": ["us"]}},
        {"name": "rest", "overrides": {"pools": ["eu"]}},
    ]
    configuration = with_raw_rules(configured(tmp_path), pool_sets=sets)
    told = explain_configuration(configuration, {"name": "www.example.com", "type": "A", "pop": "AMS"})
    assert texts(told, "pool_set") == [
        '"sea" does not match NL, region WEU, as this PoP is: it is for PoPs SYD, regions OC',
        '"here" matches NL, region WEU, as this PoP is: default_pools [eu] -> [us]',
        '"rest" is not looked at: "here" matches before it',
    ]


@pytest.mark.slow
@pytest.mark.parametrize("share", range(3))
def test_explain_agrees_with_the_decision_on_random_rules(share: int, tmp_path: Path) -> None:
    """Which rules failed, its own evaluation of conditions says; by which place a set is found, its own look-up."""
    for seed in range(share, 18, 3):
        chance = Random(f"explain rules/{seed}")
        tree = draw_tree(chance, 30)
        geodata = write_geodata(tree, tmp_path / f"{seed}.mmdb")
        world = with_rules(chance, draw_world(chance, tree))
        served = Served(world, geodata, tmp_path)
        view = ServingView(served.snapshot, served.table)
        for lb in world.configuration.load_balancers:
            for _ in range(6):
                query = draw_asked_by_name(chance, world, lb)
                name = lb.name.replace("*", "eu.www")
                query = replace(query, labels=tuple(name.encode().split(b".")))
                ecs = None if query.ecs is None else ip_network((query.ecs[0], query.ecs[1]))
                qtype = lb.type if lb.type != "A" else "CNAME" if query.wants_cname else query.family
                asked = Asked(name, qtype, query.resolver, ecs)
                told = explain(view, geodata, world.configuration, asked, query.now_s, query.draw_base)
                check_steps(lb, told.steps, naive.decide(world, lb, query)["hits"])
        del view  # it holds the health table open
        served.close()


def check_steps(lb: LoadBalancer, steps: Any, hits: list[int]) -> None:
    """Check that the steps say these hits, and that what they say of the rest could not be said of those."""
    for step in steps:
        if step["stage"] == "rule":
            rule = lb.rules[step["position"]]
            was_looked_at = not rule.disabled and "not looked at" not in step["text"]
            assert step["matched"] == (step["position"] in hits)
            assert ("failed" in step) == (was_looked_at and not step["matched"]), step
    told_sets = [step for step in steps if step["stage"] == "pool_set"]
    for position, step in enumerate(told_sets):
        assert step["matched"] == (len(lb.rules) + position in hits)
        topology = lb.pool_sets[position].topology
        if "country" in step and topology is not None and not topology.pops:
            lies_there = step["country"] in (topology.countries or ()) or step["region"] in (topology.regions or ())
            assert step["matched"] == lies_there, step


# --- what-if ---------------------------------------------------------------------------------------------------------

NETWORKS = ["198.51.100.0/25", "198.51.100.128/25", "203.0.113.0/24", "2001:db8::/48"]


def test_a_rule_that_is_not_configured_is_tried_on_networks(tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    told = explain_configuration(
        configuration, {"name": "www.example.com", "type": "A", "rules": [OFFICE], "networks": NETWORKS}
    )
    assert told == {
        "name": "www.example.com",
        "type": "A",
        "networks": 4,
        "changed": 1,
        "moves": [{"before": "eu", "after": "us", "networks": 1}],
        "stay": {"eu": 3},
        "changes": [{"network": "198.51.100.0/25", "before": "eu", "after": "us"}],
    }
    assert configuration.load_balancers[0].rules == ()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({**OFFICE, "overrides": {"pools": ["nowhere"]}}, 'pool "nowhere": not configured'),
        ({**OFFICE, "condition": "ip.src in $nowhere"}, 'list "nowhere": not configured'),
        ({**OFFICE, "condition": "ip.scr eq 192.0.2.1"}, '"ip.scr" is not known'),
        ({**OFFICE, "colour": "red"}, "rules[0].colour"),
    ],
)
def test_mistakes_of_a_supposed_rule_are_told(tmp_path: Path, rule: dict[str, Any], said: str) -> None:
    with pytest.raises(LbdnsError) as refused:
        explain_configuration(configured(tmp_path), {**asked_for("192.0.2.0/24"), "rules": [rule]})
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["www.example.com", "alias", "twice", "www.tree", "x.wild", "to-wild"])
def test_a_supposed_rule_is_tried_on_the_load_balancer_that_aliases_lead_to(tmp_path: Path, name: str) -> None:
    more = "twice CNAME alias\ntree DNAME example.com.\nto-wild CNAME y.wild\nhidden.wild TXT x\n"
    tree = {
        "zones": {"example.com": f"{ZONE}{more}out CNAME a.example.net.\n"},
        "pools": POOLS,
        "load_balancers": [
            {"name": owner, "default_pools": ["eu"], "fallback_pool": "eu"}
            for owner in ("www.example.com", "*.wild.example.com")
        ],
    }
    configuration = parse(tree, tmp_path).configuration
    full = name if name.endswith("example.com") else f"{name}.example.com"
    request = {"name": full, "rules": [OFFICE], "networks": ["198.51.100.0/25", "203.0.113.0/24"]}
    told = explain_configuration(configuration, request)
    assert told["moves"] == [{"before": "eu", "after": "us", "networks": 1}]
    step = explain_configuration(configuration, {**request, "networks": [], "ecs": "198.51.100.0/25"})
    assert any('"office" matches' in text for text in texts(step, "rule"))
    for other in ("hidden.wild", "out", "ns1", "nothing"):
        with pytest.raises(LbdnsError, match="no load balancer answers that; a rule is tried on one"):
            explain_configuration(configuration, {**request, "name": f"{other}.example.com"})
    with pytest.raises(LbdnsError, match="no such name or type can be asked for"):
        explain_configuration(configuration, {**request, "name": "a..b"})


def test_the_command_shows_which_networks_go_where(tmp_path: Path) -> None:
    (tmp_path / "example.com.zone").write_text(f"$ORIGIN example.com.\n{ZONE}")
    (tmp_path / "objects.yaml").write_text(
        "pools:\n  eu: {origins: [{name: a, address: 192.0.2.1}]}\n"
        "  us: {origins: [{name: a, address: 192.0.2.2}]}\nload_balancers:\n"
        "  - {name: www.example.com, default_pools: [eu], fallback_pool: eu}\n"
    )
    rule, networks = tmp_path / "rule.yaml.txt", tmp_path / "networks.txt"
    rule.write_text("name: office\ncondition: ip.src in {198.51.100.0/25}\noverrides: {pools: [us]}\n")
    networks.write_text("# the office\n198.51.100.0/25\n203.0.113.0/24  # elsewhere\n")
    arguments = ["www.example.com", "--config", str(tmp_path), "--rule", str(rule)]
    shown = CliRunner().invoke(explain_command, [*arguments, "--networks", str(networks)], catch_exceptions=False)
    assert shown.output.splitlines() == [
        "www.example.com A: 1 of 2 networks would change pool",
        "  eu -> us       1  198.51.100.0/25",
        "  eu stays       1",
    ]
    told = CliRunner().invoke(explain_command, [*arguments, "--ecs", "198.51.100.0/24"], catch_exceptions=False)
    assert '"office" matches: default_pools [eu] -> [us]' in told.output


def test_the_command_supposes_rules_off_and_on(tmp_path: Path) -> None:
    (tmp_path / "example.com.zone").write_text(f"$ORIGIN example.com.\n{ZONE}")
    (tmp_path / "objects.yaml").write_text(
        "pools:\n  eu: {origins: [{name: a, address: 192.0.2.1}]}\n"
        "  us: {origins: [{name: a, address: 192.0.2.2}]}\nload_balancers:\n"
        "  - name: www.example.com\n    default_pools: [eu]\n    fallback_pool: eu\n    rules:\n"
        "      - {name: all, condition: 'ip.src in {0.0.0.0/0}', overrides: {pools: [us]}}\n"
        "      - {name: none, condition: 'ip.src in {0.0.0.0/0}', fixed_response: {}, disabled: true}\n"
    )

    def answer(*said: str) -> list[str]:
        arguments = ["www.example.com", "--config", str(tmp_path), "--json", *said]
        told = json.loads(CliRunner().invoke(explain_command, arguments, catch_exceptions=False).output)
        return [line.split()[-1] for line in told["answer"]]

    assert answer() == ["192.0.2.2"]
    assert answer("--rule-off", "all") == ["192.0.2.1"]
    assert answer("--rule-on", "none") == []


def test_every_mistake_in_a_supposed_rule_is_told_with_its_line(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "rules:\n- name: one\n  condition: ip.src in {198.51.100.0/24} and\n  overrides: {tttl: 5}\n"
        "- condition: ip.src eq 192.0.2.0/24\n  terminate: true\n"
    )
    done = CliRunner().invoke(explain_command, ["www.example.com", "--config", str(tmp_path), "--rule", str(rules)])
    told = str(done.exception).splitlines()
    assert len(told) == 4 and all(line.startswith(f"{rules}:") for line in told)
    assert f'{rules}:4: overrides.tttl: unknown key "tttl"; did you mean "ttl"?' in told
    assert f'{rules}:6: terminate: unknown key "terminate"; did you mean "terminates"?' in told
    assert any(line.startswith(f'{rules}:3: condition: rule "one", column ') for line in told)
    assert any(line.startswith(f"{rules}:5: condition: column 11: ") for line in told)


def test_every_mistake_in_a_file_of_networks_is_told_as_in_the_file_of_a_list(tmp_path: Path) -> None:
    rule, networks = tmp_path / "rule.yaml.txt", tmp_path / "networks.txt"
    rule.write_text("condition: ip.src in {198.51.100.0/25}\n")
    networks.write_text("198.51.100.0/25\n\nfoo  # none\n192.0.2.1/24\n198.51.100.0/26\n")
    supposed = ["www.example.com", "--config", str(tmp_path), "--rule", str(rule), "--networks", str(networks)]
    done = CliRunner().invoke(explain_command, supposed)
    assert str(done.exception).splitlines() == [
        f'{networks}:3: "foo" is no network; expected one such as 192.0.2.0/24 or 2001:db8::/32',
        f'{networks}:4: "192.0.2.1/24" has bits behind its prefix; the network that it is in is 192.0.2.0/24',
    ]


def test_what_if_reads_networks_as_named_lists_do(tmp_path: Path) -> None:
    asked = {"name": "www.example.com", "type": "A", "rules": [OFFICE]}
    with pytest.raises(LbdnsError) as told:
        explain_configuration(configured(tmp_path), {**asked, "networks": ["192.0.2.1/24", "192.0.2.1", 7, *"x" * 25]})
    lines = str(told.value).splitlines()
    assert lines[0].startswith('networks[0]: "192.0.2.1/24" has bits behind its prefix') and len(lines) == 21
    assert lines[1].startswith("networks[2]: 7 is no network") and lines[-1] == "and 7 more that are no network"
    found = explain_configuration(configured(tmp_path), {**asked, "networks": ["198.51.100.0/24", "198.51.100.0/25"]})
    assert found["networks"] == 2, "one within another is asked for itself"


@pytest.mark.parametrize("option", ["--rule", "--networks"])
def test_files_that_cannot_be_read_are_told_as_by_other_commands(tmp_path: Path, option: str) -> None:
    rule, binary, none = tmp_path / "rule", tmp_path / "binary", tmp_path / "none"
    rule.write_text("condition: ip.src in {198.51.100.0/25}\n")
    binary.write_bytes(b"\xff\xfe")
    before = ["--rule", str(rule)] if option == "--networks" else []
    for path, words in (
        (none, "cannot read it: No such file or directory"),
        (tmp_path, "cannot read it: Is a directory"),
        (binary, "not a text in UTF-8"),
    ):
        done = CliRunner().invoke(explain_command, ["www.example.com", *before, option, str(path)])
        assert str(done.exception) == f"{path}: {words}"
