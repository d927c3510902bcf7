"""Whatever a file holds, the answer is a configuration or a ConfigError; and a model survives being written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbdns.base.errors import ConfigError
from lbdns.config.examined import Loaded
from lbdns.config.loading import examine, parse
from lbdns.config.settings_loading import load_settings
from lbdns.config.yaml.yaml_tree import parse_yaml
from lbdns.dns import record_bounds
from lbdns.model.balancer import LoadBalancer
from lbdns.model.bounds import REGION_CODES
from lbdns.model.monitors import Monitor, MonitorGroup
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings

BASE = Path("/nowhere")
ZONE = "$TTL 300\n@ SOA ns.example.net. admin 1 2 3 4 5\n@ NS ns.example.net.\n"
QUICK = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])

# Valid objects, as plain values.
NAME = st.text(alphabet="abcXYZ019-_", min_size=1, max_size=6)
PRINTABLE = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc"]), max_size=9
)
POOLS = st.lists(NAME, min_size=1, max_size=3)
WEIGHT = st.integers(0, 100).map(lambda hundredths: hundredths / 100)
PERCENT = st.floats(0, 100, allow_nan=False)
HEADER: Any = st.just({}) | st.builds(lambda host: {"Host": [host]}, st.sampled_from(["www.example.com", "[::1]:80"]))
ADDRESS = (st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=6, network="2001:db8::/32")).map(str)


def fields(required: dict[str, Any], **optional: Any) -> Any:
    """Return a strategy of mappings: the required keys and any of the optional ones."""
    return st.fixed_dictionaries(required, optional=optional)


ENDPOINT = fields(
    {"name": NAME, "address": ADDRESS | st.sampled_from(["www.example.net", "xn--bcher-kva.example"])},
    enabled=st.booleans(),
    weight=WEIGHT,
    port=st.integers(0, 65535),
    header=HEADER,
    flatten_cname=st.booleans(),
    priority=st.integers(0, 65535),
    virtual_network=st.none() | NAME,
)
POOL = st.builds(
    lambda pool, place, monitor: {**pool, **place, **monitor},
    fields(
        {"name": NAME, "origins": st.lists(ENDPOINT, min_size=1, max_size=3, unique_by=lambda one: one["address"])},
        enabled=st.booleans(),
        description=PRINTABLE,
        minimum_origins=st.integers(1, 100),
        check_regions=st.none() | st.lists(st.sampled_from([*REGION_CODES, "ALL_REGIONS"]), max_size=3),
        load_shedding=fields(
            {},
            default_percent=PERCENT,
            default_policy=st.sampled_from(["random", "hash"]),
            session_percent=PERCENT,
            session_policy=st.just("hash"),
        ),
        origin_steering=fields({}, policy=st.sampled_from(["random", "hash", "least_connections"])),
        notification_filter=st.none() | fields({}, pool=fields({}, disable=st.booleans(), healthy=st.booleans())),
    ),
    st.just({}) | fields({"latitude": st.floats(-90, 90), "longitude": st.floats(-180, 180)}),
    st.sampled_from([{}, {"monitor": "web"}, {"monitor_group": "app"}]),
)
MONITOR = fields(
    {},
    type=st.sampled_from(["http", "https", "icmp_ping"]),
    interval=st.integers(5, 3600),
    timeout=st.integers(1, 10),
    retries=st.integers(0, 5),
    port=st.integers(0, 65535),
    path=st.sampled_from(["/", "/health", "/ü?a=b&c"]),
    header=fields({}, Accept=st.lists(st.sampled_from(["a", "b c"]), min_size=1, max_size=2)),
    expected_codes=st.sampled_from(["200", "2xx", "200,301-302"]),
    expected_body=PRINTABLE,
    follow_redirects=st.booleans(),
)
GROUP = fields(
    {
        "members": st.lists(
            fields({"monitor": NAME}, enabled=st.booleans(), must_be_healthy=st.booleans()),
            min_size=1,
            max_size=3,
            unique_by=lambda member: member["monitor"],
        )
    },
    description=PRINTABLE,
)
BALANCER = fields(
    {
        "name": st.sampled_from(["www.example.com", "*.example.com", "no.example.com"]),
        "default_pools": POOLS,
        "fallback_pool": NAME,
    },
    description=PRINTABLE,
    enabled=st.booleans(),
    proxied=st.booleans(),
    ttl=st.integers(0, record_bounds.MAX_TTL_S),
    steering_policy=st.sampled_from(["off", "geo", "random", "proximity", "dynamic_latency", ""]),
    region_pools=st.dictionaries(st.sampled_from(REGION_CODES), POOLS, max_size=2),
    country_pools=st.dictionaries(st.sampled_from(["NO", "DE", "US"]), POOLS, max_size=2),
    pop_pools=st.dictionaries(st.sampled_from(["AMS", "FRA"]), POOLS, max_size=2),
    random_steering=fields({}, default_weight=WEIGHT, pool_weights=st.dictionaries(NAME, WEIGHT, max_size=2)),
    location_strategy=fields({}, mode=st.sampled_from(["pop", "resolver_ip"]), region_from=st.just("location")),
    session_affinity=st.sampled_from(["none", "cookie", "ip_cookie", "header"]),
    session_affinity_ttl=st.none() | st.integers(30, 604_800),
    type=st.sampled_from(["A", "MX", "SRV"]),
)
SETTINGS = fields(
    {},
    listen=st.just(["127.0.0.1:53", "[::1]:0"]),
    workers=st.integers(1, 256),
    pop=fields({}, code=st.just("AMS"), country=st.just("NO"), region=st.sampled_from(REGION_CODES)),
    control=st.none() | st.just("/run/lbdns.sock"),
    resolvers=st.just(["192.0.2.1", "[::1]:54"]),
    log=st.sampled_from(["text", "json"]),
    vantage_points=st.just([{"name": "a", "source": "192.0.2.1"}, {"name": "b", "region": "WEU"}]),
    notifications=st.just(
        [
            {"name": "a", "webhook": "https://hooks.example.com/", "secret": "s"},
            {"name": "b", "email": ["a@example.com"], "from": "b@example.com", "smtp": "mx.example.com"},
        ]
    ),
)
MODELS: dict[Any, Any] = {LoadBalancer: BALANCER, Pool: POOL, Monitor: MONITOR, MonitorGroup: GROUP, Settings: SETTINGS}


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_a_model_written_as_yaml_and_read_again_is_equal(model: Any) -> None:
    @QUICK
    @given(MODELS[model], st.booleans())
    def survives(data: Any, with_defaults: bool) -> None:
        first = model.model_validate(data)
        text = json.dumps(first.model_dump(mode="json", exclude_defaults=not with_defaults))
        assert model.model_validate(parse_yaml(text, "f").value) == first

    survives()


KEYS = sorted(
    {key for model in MODELS for key in model.model_fields} | {"monitor", "mode", "code", "Host", "DE", "weu"}
)
ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 70_000),
    st.floats(),
    st.sampled_from(["eu", "web", "www.example.com", "192.0.2.1", "::1", "2xx", "geo", "", "*", "\0", "é", "A", "SRV"]),
    st.text(max_size=4),
)
JUNK = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=15,
)


def mangled(valid: Any) -> Any:
    """Return a strategy of valid mappings with junk put over some of their keys."""
    return st.builds(lambda one, junk: {**one, **junk}, valid, st.dictionaries(st.sampled_from(KEYS), JUNK, max_size=3))


TREES = JUNK.map(lambda value: {"pools": value}) | st.fixed_dictionaries(
    {"zones": st.just({"example.com": ZONE}) | JUNK},
    optional={
        "settings": mangled(SETTINGS) | JUNK,
        "monitors": st.dictionaries(NAME, mangled(MONITOR), max_size=2) | JUNK,
        "monitor_groups": st.dictionaries(NAME, mangled(GROUP), max_size=2) | JUNK,
        "pools": st.dictionaries(NAME, mangled(POOL), max_size=3) | JUNK,
        "load_balancers": st.lists(mangled(BALANCER), max_size=3) | JUNK,
    },
)


def outcome(read: Any) -> Loaded | ConfigError:
    """Return what reading gave: no exception but ConfigError may leave it."""
    try:
        loaded: Loaded = read()
    except ConfigError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.message.isprintable()
            assert problem.severity == "error"
        return error
    return loaded


@pytest.mark.slow
@settings(QUICK, max_examples=250)
@given(TREES)
def test_no_tree_raises_anything_but_config_errors(tree: dict[str, Any]) -> None:
    outcome(lambda: parse(tree, BASE))


def test_keys_that_are_no_texts() -> None:
    tree: Any = {
        "pools": {1: {2: 3}, None: 4},
        5: 6,
        "load_balancers": [{7: 8}],
        "settings": {9: 10},
        "zones": {11: 12},
    }
    assert isinstance(outcome(lambda: parse(tree, BASE)), ConfigError)


@pytest.mark.slow
@QUICK
@given(TREES, st.data())
def test_no_file_raises_anything_but_config_errors(
    tmp_path_factory: pytest.TempPathFactory, tree: Any, data: Any
) -> None:
    """The same trees as files, with characters put in or taken out: lines are found, never missed for an exception."""
    directory = tmp_path_factory.mktemp("fuzz")
    for name in ("objects.yaml", "lbdns.yaml", "example.com.zone"):
        part = (
            tree.get("settings")
            if name == "lbdns.yaml"
            else {key: tree[key] for key in tree if key in tree.keys() - {"zones", "settings"}}
        )
        text = ZONE if name.endswith(".zone") else json.dumps(part, indent=data.draw(st.sampled_from([None, 1])))
        for _ in range(data.draw(st.integers(0, 2))):
            at = data.draw(st.integers(0, len(text)))
            text = (
                text[:at]
                + data.draw(st.sampled_from(['"', ":", "\n", "[", "\t", "#", "&a ", "*a", "x"]))
                + text[at + 1 :]
            )
        (directory / name).write_text(text, encoding="utf-8", errors="replace")
    examined = examine(directory)
    assert (examined.configuration is None) == bool(examined.errors)
    outcome(lambda: load_settings(directory))


@QUICK
@given(st.binary(max_size=60), st.sampled_from(["a.yaml", "lbdns.yaml", "example.com.zone"]))
def test_no_octets_raise(tmp_path_factory: pytest.TempPathFactory, octets: bytes, name: str) -> None:
    directory = tmp_path_factory.mktemp("octets")
    (directory / name).write_bytes(octets)
    examine(directory)
