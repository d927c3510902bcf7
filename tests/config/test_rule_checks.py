"""Checks of rules and pool sets: what is wrong, and what does not act, told at its place; nothing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lbdns.config.examined import Examined
from lbdns.config.loading import examine_tree

ZONE = "@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53"
POOL: dict[str, Any] = {"origins": [{"name": "a", "address": "192.0.2.1"}]}
NAMES = ("eu", "us", "asia")


def examined(knows_settings: bool = True, settings: Any = None, pools: Any = None, **fields: Any) -> Examined:
    """Return what is said of one load balancer with these fields."""
    balancer = {"name": "www.example.com", "default_pools": ["eu", "us"], "fallback_pool": "us", **fields}
    tree = {
        "zones": {"example.com": ZONE},
        "pools": {name: POOL for name in NAMES} | (pools or {}),
        "load_balancers": [balancer],
        "settings": settings or {},
    }
    return examine_tree(tree, Path(), "test", knows_settings=knows_settings)


def told(found: Examined) -> list[tuple[str, str]]:
    """Return the path inside of the load balancer, and the message, of every problem."""
    prefix = "load_balancers[www.example.com]."
    every = (*found.errors, *found.warnings)
    return [(one.path.removeprefix(prefix), one.message) for one in every]


def paths(found: Examined) -> list[str]:
    return [path for path, _ in told(found)]


@pytest.mark.parametrize("condition", ['http.host eq "x"', "ssl", 'any(http.request.uri.args.names[*] eq "x")'])
def test_what_only_a_proxy_sees_is_refused_by_name(condition: str) -> None:
    found = examined(rules=[{"name": "web", "condition": f"dns.qry.type eq 1 and {condition}", "terminates": True}])
    ((path, message),) = told(found)
    field = next(word for word in ("http.host", "ssl", "http.request.uri.args.names") if word in condition)
    assert path == "rules[0].condition" and f'"{field}" is a field of proxied requests' in message
    assert message.startswith('rule "web", column ') and "DNS-only" in message


def test_what_only_a_proxy_sees_is_told_with_other_mistakes() -> None:
    condition = 'http.host eq "x" and ip.src in {192.0.2.1/24}'
    found = " ".join(message for _, message in told(examined(rules=[{"condition": condition, "terminates": True}])))
    assert '"http.host" is a field of proxied requests' in found and "192.0.2.1/24" in found


def test_as_numbers_need_a_database(tmp_path: Path) -> None:
    rules = [{"condition": "not (ip.src.asnum in {64496 64497})", "terminates": True}]
    ((path, message),) = told(examined(rules=rules))
    assert path == "rules[0].condition" and "geodata: {asn: FILE}" in message and message.startswith("column 6: ")
    (tmp_path / "asn.mmdb").write_text("")
    assert told(examined(rules=rules, settings={"geodata": {"asn": str(tmp_path / "asn.mmdb")}})) == []
    assert told(examined(rules=rules, knows_settings=False)) == []


def test_what_does_not_act_is_told_by_the_server_that_has_it() -> None:
    """Files for another server have their mistakes told, those of load balancers' places among them."""
    fields = {"proxied": True, "ttl": 1, "steering_policy": "geo", "pop_pools": {"QQQ": ["eu"]}}
    pools = {"us": {"origins": [{"name": f"a{at}", "address": f"192.0.2.{at + 1}"} for at in range(100)]}}
    here, elsewhere = (examined(knows, pools=pools, **fields) for knows in (True, False))
    assert {*paths(here)} == {"pop_pools.QQQ", "default_pools", "pop_pools", "proxied", "ttl"}
    assert here.errors == elsewhere.errors and [one.at[-1] for one in elsewhere.errors] == ["QQQ"]
    assert not [one for one in elsewhere.warnings if one.at[0] == "load_balancers"]


def test_coordinates_that_no_database_knows() -> None:
    """The one that lbdns ships knows countries."""
    found = examined(rules=[{"condition": "ip.src.lat gt 48.5 and ip.src.lon lt 10.5", "terminates": True}])
    assert not found.errors and paths(found) == ["rules[0].condition"] * 2
    assert all("never known" in message for _, message in told(found))
    assert told(examined(rules=[{"condition": 'ip.src.country eq "DE"', "terminates": True}])) == []


@pytest.mark.parametrize(
    ("condition", "written", "meant"),
    [
        ('dns.qry.name eq "www.example.com"', '"www.example.com"', '"www.example.com."'),
        ('dns.qry.name in {"a." "B."}', '"B."', '"b."'),
        ('not dns.qry.name wildcard "*.Example.com"', '"*.Example.com"', '"*.Example.com."'),
        ('dns.qry.name strict wildcard "X*"', '"X*"', '"x*"'),
        ('ends_with(dns.qry.name, ".example.com")', '".example.com"', '".example.com."'),
        ('starts_with(dns.qry.name, "WWW")', '"WWW"', '"www"'),
        ('lower(dns.qry.name) eq "www"', '"www"', '"www."'),
        ('dns.qry.name contains "WWW"', '"WWW"', '"www"'),
        ('cf.load_balancer.name ne "www.example.com."', '"www.example.com."', '"www.example.com"'),
        ('ip.src.country in {"de"}', '"de"', '"DE"'),
        ('upper(ip.src.continent) eq "eu"', '"eu"', '"EU"'),
    ],
)
def test_texts_that_no_value_is_like(condition: str, written: str, meant: str) -> None:
    found = examined(rules=[{"name": "r", "condition": condition, "terminates": True}])
    ((path, message),) = told(found)
    assert not found.errors and path == "rules[0].condition"
    assert message.startswith(f'rule "r", column {condition.index(written) + 1}: ') or "wildcard" in condition
    assert f"{written} finds nothing: " in message and message.endswith(f"did you mean {meant}?")


@pytest.mark.parametrize(
    "condition",
    [
        'dns.qry.name eq "www.example.com." or dns.qry.name contains "www" or starts_with(dns.qry.name, "www")',
        'dns.qry.name wildcard "WWW.*" or dns.qry.name strict wildcard "*.example.com." or dns.qry.name ne "."',
        'ip.src.country in {"DE" "AT"} or lower(ip.src.country) eq "de" or ip.src.subdivision lt "us"',
        'upper(dns.qry.name) eq "WWW." or cf.load_balancer.name eq "www.example.com" or dns.qry.name matches "Www$"',
        'dns.rr.opt.client.addr eq "2001:DB8::" or len(dns.qry.name) eq 3 or concat(dns.qry.name, "X") eq "www.X"',
    ],
)
def test_texts_that_a_value_may_be_like(condition: str) -> None:
    assert told(examined(rules=[{"condition": condition, "terminates": True}])) == []


def test_lists_that_are_not_there() -> None:
    rules = [{"condition": "ip.src in {$office $ofice 10.0.0.0/8} and ip.src in $shop", "terminates": True}]
    found = told(examined(rules=rules, settings={"lists": {"office": ["192.0.2.0/24"]}}))
    assert [path for path, _ in found] == ["rules[0].condition"] * 2
    assert 'unknown list "$ofice"; did you mean "$office"?' in found[0][1]
    assert 'unknown list "$shop"' in found[1][1] and "in lbdns.yaml, or in any .yaml file of a directory" in found[1][1]
    assert told(examined(rules=rules, knows_settings=False)) == []
    assert "none is declared" in told(examined(rules=rules))[0][1]


def test_pools_that_are_not_there_are_told_wherever_they_are_named() -> None:
    lists = {"default_pools": ["no"], "region_pools": {"WEU": ["no"]}, "country_pools": {"DE": ["no"]}}
    overrides = lists | {"pop_pools": {"AMS": ["no"]}, "random_steering": {"pool_weights": {"no": 1}}}
    found = examined(
        rules=[
            {"name": "a", "overrides": overrides, "disabled": True},
            {"name": "b", "overrides": {"pools": ["no"], "pool_weights": {"no": 1}, "fallback_pool": "no"}},
        ],
        pool_sets=[{"name": "c", "overrides": {"pools": ["no"], "pool_weights": {"no": 1}, "fallback_pool": "no"}}],
    )
    errors = [one for one in found.errors if "unknown pool" in one.message]
    assert len(errors) == 5 + 3 + 3
    assert {one.message.partition(":")[0] for one in errors} == {'rule "a"', 'rule "b"', 'pool set "c"'}
    assert all(len(one.at) > 4 for one in errors)


def test_every_mistake_of_several_rules_is_told_at_once() -> None:
    found = examined(
        rules=[
            {"name": "one", "condition": "ip.src eq", "overrides": {"pools": ["no"]}},
            "none",
            {"name": "three", "condition": 'http.host eq "x"', "overrides": {"ttl": -1, "fallback_pool": "no"}},
            {"name": "four", "condition": "ip.src in $no", "terminates": 1},
        ]
    )
    assert paths(found) == [
        "rules[0].condition",
        "rules[0].overrides.pools[0]",
        "rules[1]",
        "rules[2].condition",
        "rules[2].overrides.fallback_pool",
        "rules[2].overrides.ttl",
        "rules[3].condition",
        "rules[3].terminates",
    ]


def test_rules_that_are_never_reached() -> None:
    rules = [
        {"name": "office", "condition": "ip.src in {192.0.2.0/24}", "overrides": {"ttl": 60}, "priority": 30},
        {"name": "all", "terminates": True, "priority": 20},
        {"name": "before", "overrides": {"ttl": 60}, "priority": 10},
        {"name": "off", "overrides": {"ttl": 60}, "priority": 40, "disabled": True},
    ]
    pool_sets = [{"overrides": {"pools": ["eu"]}}]
    found = told(examined(rules=rules, pool_sets=pool_sets))
    assert [path for path, _ in found] == ["rules[0]"]
    assert found[0][1].startswith('rule "office": never reached') and found[0][1].endswith(".rules[1])")


def test_pool_sets_that_are_never_reached() -> None:
    eu = {"pools": ["eu"]}
    sets = [
        {"match": {"default": True}, "overrides": eu, "disabled": True},
        {"match": {"topology": {"countries": ["DE"]}}, "overrides": eu},
        {"name": "rest", "overrides": eu},
        {"name": "late", "match": {"topology": {"regions": ["WEU"]}}, "overrides": eu},
    ]
    settings = {"pop": {"code": "AMS"}}
    assert [path for path, _ in told(examined(pool_sets=sets, settings=settings))] == ["pool_sets[3]"]
    found = told(examined(pool_sets=sets[1:2], settings=settings, rules=[{"fixed_response": {}}]))
    assert found[0][0] == "pool_sets[0]" and "a rule always gives a fixed response" in found[0][1]


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        ({"overrides": {"session_affinity": "cookie"}}, "overrides.session_affinity"),
        ({"overrides": {"session_affinity_ttl": 60}}, "overrides.session_affinity_ttl"),
        ({"overrides": {"session_affinity_attributes": {"secure": "Never"}}}, "overrides.session_affinity_attributes"),
        ({"overrides": {"adaptive_routing": {"failover_across_pools": True}}}, "overrides.adaptive_routing"),
        ({"overrides": {"random_steering": {"pool_weights": {"eu": 1}}}}, "overrides.random_steering"),
        ({"overrides": {"pool_weights": {"asia": 1}, "steering_policy": "random"}}, "overrides.pool_weights.asia"),
        ({"overrides": {"region_pools": {"WEU": ["eu"]}, "steering_policy": "off"}}, "overrides.region_pools"),
        ({"overrides": {"pools": ["eu"], "country_pools": {"DE": ["eu"]}}}, "overrides.country_pools"),
        ({"overrides": {"country_pools": {"XX": ["eu"]}}}, "overrides.country_pools.XX"),
        ({"overrides": {"pop_pools": {"ZZQ": ["eu"]}}}, "overrides.pop_pools.ZZQ"),
        ({"overrides": {"ttl": 1}}, "overrides.ttl"),
        ({"overrides": {"pools": ["six", "eu"]}}, "overrides.pools"),
        ({"overrides": {"pools": ["eu"], "fallback_pool": "six"}}, "overrides.pools"),
        ({"overrides": {"steering_policy": "proximity"}}, "overrides"),
        ({"overrides": {"steering_policy": "proximity", "pools": ["us"]}}, "overrides.pools"),
        ({"overrides": {"steering_policy": "dynamic_latency"}}, "overrides"),
        ({"overrides": {"steering_policy": "off"}, "fixed_response": {}}, "overrides.steering_policy"),
        ({"fixed_response": {"message_body": "no"}}, "fixed_response.message_body"),
        ({"condition": "dns.qry.type eq 1"}, ""),
    ],
)
def test_what_does_not_act_or_surprises_is_told_at_its_override(rule: Any, where: str) -> None:
    pools = {"six": {"origins": [{"name": "a", "address": "2001:db8::1"}]}}
    found = examined(rules=[{"name": "x", **rule}], pools=pools, settings={"pop": {"code": "AMS"}})
    at = f"rules[0].{where}".removesuffix(".")
    assert at in paths(found)
    assert all(message.startswith('rule "x": ') for path, message in told(found) if path.startswith("rules"))


@pytest.mark.parametrize("overrides", [{"ttl": 60}, {"session_affinity": "ip_cookie"}, {"pools": ["asia"]}])
def test_what_acts_is_not_warned_of(overrides: Any) -> None:
    assert told(examined(rules=[{"name": "x", "overrides": overrides}])) == []


def test_what_the_load_balancer_itself_is_told_of_is_told_once() -> None:
    found = told(examined(steering_policy="proximity", rules=[{"overrides": {"ttl": 60}}]))
    assert found and all(not path.startswith("rules") for path, _ in found)


def test_pools_of_a_rule_alone_do_not_differ_from_those_of_the_others() -> None:
    """Each result is looked at by itself: pools that are never answered together may have other families."""
    six = {"six": {"origins": [{"name": "a", "address": "2001:db8::1"}]}}
    rule = {"overrides": {"pools": ["six"], "fallback_pool": "six"}}
    assert told(examined(pools=six, rules=[rule])) == []


def test_names_that_two_have() -> None:
    rules = [{"name": "a", "terminates": True, "condition": "dns.rr.opt.client"} for _ in range(2)]
    rules += [{"terminates": True, "condition": "dns.rr.opt.client"} for _ in range(2)]
    assert paths(examined(rules=rules)) == ["rules[1].name"]


def test_places_of_pool_sets() -> None:
    topology = {"pops": ["AMS", "ZZQ"], "countries": ["DE", "XX"], "regions": ["WEU"]}
    pool_set = {"name": "p", "match": {"topology": topology}, "overrides": {"pools": ["eu"]}}
    at = "pool_sets[0].match.topology"
    without_pop = paths(examined(pool_sets=[pool_set]))
    assert sorted(without_pop) == sorted(
        [f"{at}.pops[1]", f"{at}.countries[1]", f"{at}.pops", f"{at}.countries", f"{at}.regions"]
    )
    assert sorted(paths(examined(pool_sets=[pool_set], settings={"pop": {"code": "AMS"}}))) == sorted(
        [f"{at}.pops[1]", f"{at}.countries[1]"]
    )
    by_location = {"mode": "resolver_ip", "region_from": "location"}
    assert f"{at}.regions" not in paths(examined(pool_sets=[pool_set], location_strategy=by_location))


def test_pools_of_mx_and_srv_rules_need_hosts() -> None:
    found = examined(
        type="MX",
        pools={
            "eu": {"origins": [{"name": "a", "address": "mx.example.com"}]},
            "us": {"origins": [{"name": "a", "address": "mx2.example.com"}]},
        },
        rules=[{"overrides": {"pools": ["asia"]}}],
    )
    assert any('pool "asia"' in message and "hostnames" in message for _, message in told(found))
