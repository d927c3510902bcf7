"""Virtual networks and routes in files, and what follows from them: who is probed by which way, in which slot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import ConfigError
from lbdns.config.loading import load, parse
from lbdns.config.settings_loading import load_settings
from lbdns.manage.store.revisions.from_files import state_of
from lbdns.manage.store.revisions.to_files import export, tree_of
from lbdns.model.bounds import MAX_VIRTUAL_NETWORKS
from lbdns.model.configuration import Configuration
from lbdns.model.configuration_document import decode_configuration, encode_configuration
from lbdns.model.targets_document import TargetsDocument, decode_document
from lbdns.model.virtual_network import VirtualNetwork
from lbdns.publish.monitor_targets import TargetsMemo
from lbdns.publish.slots_document import decode_slots, encode_slots
from lbdns.snapshot.slots import Slots, SlotsMemo
from tests.processes.load import ZONE
from tests.whole_targets import encode_targets

UUID_A = "a5624d4e-044a-4ff0-b3e1-e2465353d4b4"
SITES = {
    "a": {"id": UUID_A, "via": {"device": "lo"}},
    "b": {"comment": "the other site", "via": {"namespace": "/proc/self/ns/net", "source": "10.9.0.2"}},
}


def tree(*origins: dict[str, Any], **sections: Any) -> dict[str, Any]:
    named = [{"name": f"e{number}", **one} for number, one in enumerate(origins)]
    balancer = {"name": "www.example.com", "default_pools": ["eu"], "fallback_pool": "eu"}
    pools = {"eu": {"monitor": "web", "origins": named}}
    return {
        "zones": {"example.com": ZONE},
        "monitors": {"web": {}},
        "pools": pools,
        "load_balancers": [balancer],
        **sections,
    }


def configured(*origins: dict[str, Any], **sections: Any) -> Configuration:
    return parse(tree(*origins, **sections), Path()).configuration


def targets(configuration: Configuration, slots: Slots | None = None) -> TargetsDocument:
    slots = slots or Slots().assign(configuration)
    return decode_document(encode_targets(configuration, slots, 1, Path("table"), TargetsMemo()))


def said(*origins: dict[str, Any], **sections: Any) -> list[str]:
    """Return the mistakes of a configuration, else its warnings."""
    try:
        warnings = parse(tree(*origins, **sections), Path()).warnings
    except ConfigError as error:
        return [f"{one.path}: {one.message}" for one in error.problems]
    return [f"{one.path}: {one.message}" for one in warnings]


def test_networks_stand_in_any_file(tmp_path: Path) -> None:
    """In lbdns.yaml as well, and origins name them by name or id."""
    (tmp_path / "example.com.zone").write_text(ZONE)
    (tmp_path / "lbdns.yaml").write_text(
        f"virtual_networks:\n  a: {{id: {UUID_A.upper()}, via: {{device: wg0}}}}\n"
        "routes:\n  - {network: 10.1.0.0/16, virtual_network: b}\n"
    )
    (tmp_path / "objects.yaml").write_text(
        "virtual_networks:\n  b:\n"
        "pools:\n  eu:\n    origins:\n"
        f"      - {{name: one, address: 10.0.0.1, virtual_network_id: {UUID_A}}}\n"
        "      - {name: two, address: 10.0.0.1, virtual_network: b}\n"
        "      - {name: three, address: 10.1.0.1}\n"
        "      - {name: four, address: 10.0.0.2, virtual_network_id: a}\n"
    )
    configuration = load(tmp_path).configuration
    assert list(configuration.virtual_networks) == ["a", "b"]
    assert [one.virtual_network for one in configuration.pools["eu"].origins] == ["a", "b", None, "a"]
    assert [one.network for one in targets(configuration).pools[0].endpoints] == ["a", "b", "b", "a"]


def test_endpoints_of_one_address_have_their_own_slots_and_checks() -> None:
    both = ({"address": "10.0.0.1", "virtual_network": "a"}, {"address": "10.0.0.1", "virtual_network": "b"})
    configuration = configured(*both, virtual_networks=SITES)
    slots = Slots().assign(configuration)
    assert len({*slots.endpoint.values()}) == len({*slots.checked.values()}) == 2
    read = decode_slots(encode_slots(slots))
    assert (read.endpoint, read.checked, read.tenant) == (slots.endpoint, slots.checked, slots.tenant)
    assert (read.network, read.network_count, read.network_freed) == ({"a": 0, "b": 1}, 2, slots.network_freed)
    document = targets(configuration, slots)
    assert [(one.address, one.network) for one in document.pools[0].endpoints] == [("10.0.0.1", "a"), ("10.0.0.1", "b")]
    found = [(one.name, one.slot, one.device, one.namespace, one.source) for one in document.networks]
    assert found == [("a", 0, "lo", "", ""), ("b", 1, "", "/proc/self/ns/net", "10.9.0.2")]
    assert document.networks[0].id == UUID_A


def test_a_route_tells_what_is_checked() -> None:
    """A route that takes an address elsewhere begins another check, though the pool is the same object."""
    to_a = [{"network": "10.0.0.0/8", "virtual_network": "a"}]
    before = configured({"address": "10.0.0.1"}, virtual_networks=SITES)
    after = replace(configured({"address": "10.0.0.1"}, virtual_networks=SITES, routes=to_a), pools=before.pools)
    memo, targets_memo = SlotsMemo(), TargetsMemo()
    first = Slots().assign(before, memo)
    second = first.assign(after, memo)
    key = ("eu", "e0", "10.0.0.1")
    assert second.checked[key] != first.checked[key] != 0
    assert second.endpoint == first.endpoint
    networks = []
    for configuration, slots in ((before, first), (after, second), (before, second)):
        document = decode_document(encode_targets(configuration, slots, 1, Path("table"), targets_memo))
        networks.append(document.pools[0].endpoints[0].network)
    assert networks == ["", "a", ""]


def test_another_way_is_another_check_and_another_name_is_not() -> None:
    origin = {"address": "10.0.0.1"}
    routed = {"routes": [{"network": "10.0.0.0/8", "virtual_network": "a"}]}
    named = Slots().assign(configured(origin, virtual_networks={"a": SITES["a"]}, **routed))
    routed["routes"][0]["virtual_network"] = "z"
    renamed = named.assign(configured(origin, virtual_networks={"z": SITES["a"]}, **routed))
    assert renamed.checked == named.checked
    moved = named.assign(configured(origin, virtual_networks={"z": {**SITES["a"], "via": {"device": "wg1"}}}, **routed))
    assert moved.checked != named.checked


def test_a_configuration_keeps_its_networks() -> None:
    """As a document, and as the files of a state made of it."""
    routes = [{"network": "10.0.0.0/8", "virtual_network": "a", "comment": "x"}, {"network": "fd00::/8"}]
    networks = {**SITES, "c": {"is_default_network": True}}
    origins = ({"address": "10.0.0.1", "virtual_network": "b"}, {"address": "10.0.0.1"})
    configuration = configured(*origins, virtual_networks=networks, routes=routes)
    assert decode_configuration(encode_configuration(configuration)) == configuration
    state = state_of(configuration, 1)
    again = parse(tree_of(state), Path()).configuration
    assert (again.virtual_networks, again.routes) == (configuration.virtual_networks, configuration.routes)
    assert again.pools == configuration.pools
    text = export(state).files["virtual_networks.yaml"]
    assert "virtual_networks:\n" in text and "routes:\n" in text and UUID_A in text


def test_what_names_no_network() -> None:
    named = {"address": "10.0.0.1", "virtual_network": "aa"}
    place = "pools.eu.origins[0].virtual_network"
    without = "there is no virtual network, so the address is reached as any other"
    assert said(named) == [f'{place}: "aa" does not act: {without}']
    assert said(named, virtual_networks=SITES, routes=[{"network": "10.0.0.0/8", "virtual_network": "c"}]) == [
        'pools.eu.origins[0].virtual_network: unknown virtual network "aa"; did you mean "a"?',
        'routes[10.0.0.0/8].virtual_network: unknown virtual network "c"; '
        "no virtual network of a similar name is declared",
    ]


@pytest.mark.parametrize(
    ("sections", "wanted"),
    [
        (
            {"virtual_networks": {"a": {"via": {}}}},
            "virtual_networks.a.via: no way is given; expected one of source, device, namespace and proxy",
        ),
        (
            {"virtual_networks": {"a": {"vias": {}}}},
            'virtual_networks.a.vias: unknown key "vias"; did you mean "via"?',
        ),
        ({"routes": {"a": "b"}}, 'routes: expected a list: each route begins with "- network: ..."'),
        ({"routes": [{"virtual_network": "a"}]}, 'routes[0].network: the key "network" is missing; it is required'),
    ],
)
def test_bad_shapes(sections: dict[str, Any], wanted: str) -> None:
    assert said({"address": "192.0.2.1"}, **{"virtual_networks": SITES, **sections}) == [wanted]


A_NETWORK: dict[str, Any] = {"virtual_networks": {"a": {}}}
DEFAULT: dict[str, Any] = {"virtual_networks": {"a": {"is_default_network": True}, "b": {}}}
BOTH: dict[str, Any] = {"virtual_networks": {"a": {}, "b": {}}}


def to(network: str, name: str | None = None) -> dict[str, Any]:
    return {"network": network, **({"virtual_network": name} if name else {})}


@pytest.mark.parametrize(
    ("origins", "sections", "wanted"),
    [
        (
            [],
            {"virtual_networks": {name: {"is_default_network": True} for name in "abc"}},
            [
                f'virtual_networks.{name}.is_default_network: "a" is the default network already; one is, so take this '
                "from one of the two"
                for name in "bc"
            ],
        ),
        (
            [],
            {**BOTH, "routes": [to("10.0.0.0/8")]},
            [
                "routes[10.0.0.0/8].network: names no virtual network, and there is no default network; name one, or "
                "make one the default"
            ],
        ),
        (
            [],
            {"routes": [to("10.0.0.0/8", "a")]},
            ['routes[10.0.0.0/8].virtual_network: unknown virtual network "a"; no virtual network is declared'],
        ),
        (
            [],
            {**DEFAULT, "routes": [to("10.0.0.0/8"), to("10.0.0.0/8", "a")]},
            ['routes[10.0.0.0/8].network: 10.0.0.0/8 is a route to "a" already; keep one'],
        ),
        (
            [{"address": "10.0.0.1"}],
            {**BOTH, "routes": [to("10.0.0.0/8", "a"), to("10.0.0.0/8", "b")]},
            ['pools.eu.origins[0].address: routes to "a", "b" hold 10.0.0.1 alike; name its virtual_network'],
        ),
        (
            [{"address": "10.0.0.1", "virtual_network": "b"}],
            {**BOTH, "routes": [to("10.0.0.0/8", "a"), to("10.0.0.0/8", "b")]},
            [
                'routes[10.0.0.0/8].network: 10.0.0.0/8 is a route to "a" as well: endpoints there have to name '
                "their network",
            ],
        ),
        ([{"address": "10.0.0.1"}], {**DEFAULT, "routes": [to("10.0.0.0/8", "b"), to("10.0.0.0/8")]}, []),
        (
            [{"address": "10.0.0.1"}, {"address": "fd00::1"}, {"address": "192.0.2.1"}, {"address": "a.example.com"}],
            A_NETWORK,
            [
                f"pools.eu.origins[{number}].address: {ip} is private, names no virtual_network, and no route holds "
                "it: it is in none"
                for number, ip in enumerate(("10.0.0.1", "fd00::1"))
            ],
        ),
        (
            [{"address": "100.64.0.1"}],
            DEFAULT,
            [
                "pools.eu.origins[0].address: 100.64.0.1 is private, names no virtual_network, and no route holds it: "
                'it is taken to be in the default network "a"'
            ],
        ),
        (
            [{"address": "10.0.0.1", "virtual_network": "b"}, {"address": "10.0.0.1"}],
            {**BOTH, "routes": [to("10.0.0.0/8", "b")]},
            ['pools.eu.origins[1].address: 10.0.0.1 in "b" is the address of "e0" already; it is unique in its pool'],
        ),
        ([{"address": "10.0.0.1", "virtual_network": "a"}, {"address": "10.0.0.1", "virtual_network": "b"}], BOTH, []),
    ],
)
def test_where_addresses_are(origins: list[dict[str, Any]], sections: dict[str, Any], wanted: list[str]) -> None:
    assert said(*(origins or [{"address": "192.0.2.1"}]), **sections) == wanted


def proxied(**hosts: str) -> dict[str, Any]:
    return {name: {"via": {"proxy": f"socks5://{host}:1080"}} for name, host in hosts.items()}


@pytest.mark.parametrize(
    ("sections", "wanted"),
    [
        (
            {"virtual_networks": proxied(a="10.0.0.9"), "routes": [to("10.0.0.0/8", "a")]},
            {"a": "10.0.0.9 through the network itself"},
        ),
        (
            {"virtual_networks": proxied(a="198.51.100.1"), "routes": [to("0.0.0.0/0", "a")]},
            {"a": "198.51.100.1 through the network itself"},
        ),
        (
            {
                "virtual_networks": proxied(a="10.2.0.1", b="10.3.0.1", c="10.1.0.1", d="10.1.0.2"),
                "routes": [to("10.1.0.0/16", "a"), to("10.2.0.0/16", "b"), to("10.3.0.0/16", "c")],
            },
            {
                "a": '10.2.0.1 through "b", "c" and back',
                "b": '10.3.0.1 through "c", "a" and back',
                "c": '10.1.0.1 through "a", "b" and back',
            },
        ),
        (
            {"virtual_networks": {"a": {**proxied(a="10.0.0.9")["a"], "is_default_network": True}}},
            {"a": "10.0.0.9 through the network itself"},
        ),
        ({"virtual_networks": proxied(a="10.2.0.1", b="192.0.2.1"), "routes": [to("10.2.0.0/16", "b")]}, {}),
        ({"virtual_networks": proxied(a="proxy.example.com"), "routes": [to("0.0.0.0/0", "a")]}, {}),
        ({"virtual_networks": proxied(a="[2001:db8::1]"), "routes": [to("0.0.0.0/0", "a")]}, {}),
    ],
)
def test_route_loops(sections: dict[str, Any], wanted: dict[str, str]) -> None:
    assert said({"address": "192.0.2.1"}, **sections) == [
        f"virtual_networks.{name}.via.proxy: a loop: routes lead to the proxy {way}, so that nothing is ever reached; "
        "give the proxy an address that no such route holds"
        for name, way in wanted.items()
    ]


@pytest.mark.parametrize("type", ["icmp_ping", "udp_icmp", "tcp", "http"])
@pytest.mark.parametrize("is_group", [False, True])
def test_probes_that_no_proxy_carries(type: str, is_group: bool) -> None:
    networks = {"a": {"via": {"proxy": "http://me:secret@192.0.2.9:3128"}}, "b": {}}
    judge = {"monitor_group": "all"} if is_group else {"monitor": "web"}
    origins = [{"name": name, "address": "10.0.0.1", "virtual_network": name} for name in ("b", "a")]
    sections = {
        "monitors": {"web": {"type": type, "port": 7}},
        "monitor_groups": {"all": {"members": [{"monitor": "web"}]}},
        "pools": {"eu": {**judge, "origins": origins}},
    }
    wanted = [
        'pools.eu.origins[1]: "a" is reached by the proxy 192.0.2.9:3128, which carries connections alone: the monitor '
        '"web" cannot probe through it'
    ]
    found = said(virtual_networks=networks, **sections)
    assert found == (wanted if type in ("icmp_ping", "udp_icmp") else [])


def test_what_this_machine_lacks_is_told() -> None:
    """An interface, a namespace and an address that are there, and others that are not."""
    there = [{"device": "lo"}, {"namespace": "/proc/self/ns/net"}, {"source": "127.0.0.1"}]
    gone = [
        {"device": "lbdns-none"},
        {"namespace": "lbdns-none"},
        {"namespace": "/lbdns/none"},
        {"source": "192.0.2.1"},
    ]
    networks = {str(number): {"via": via} for number, via in enumerate((*there, *gone), 1)}
    until = "on this machine; until there is, the network is down"
    assert said({"address": "192.0.2.1"}, virtual_networks=networks) == [
        f'virtual_networks.4.via.device: there is no interface "lbdns-none" {until}',
        f'virtual_networks.5.via.namespace: there is no network namespace "lbdns-none" {until}',
        f'virtual_networks.6.via.namespace: there is no network namespace "/lbdns/none" {until}',
        f"virtual_networks.7.via.source: there is no address 192.0.2.1 {until}",
    ]


def test_a_settings_file_without_a_directory_has_no_networks(tmp_path: Path) -> None:
    """Its server has its objects in the store, and would never look at these."""
    settings = tmp_path / "lbdns.yaml"
    settings.write_text("workers: 2\nvirtual_networks:\n  a: {}\nroutes: []\n")
    assert load_settings(tmp_path).workers == 2
    with pytest.raises(ConfigError) as refused:
        load_settings(settings)
    assert [(one.line, one.path) for one in refused.value.problems] == [(2, "virtual_networks"), (4, "routes")]
    assert "`lbdns vnet`" in refused.value.problems[0].message


def test_there_are_only_so_many() -> None:
    networks: dict[str, Any] = {f"n{number}": {} for number in range(MAX_VIRTUAL_NETWORKS + 1)}
    assert said({"address": "192.0.2.1"}, virtual_networks=networks) == [
        f"virtual_networks.n{MAX_VIRTUAL_NETWORKS}: 1,001 virtual networks; expected at most 1,000"
    ]


def test_an_id_is_one_networks() -> None:
    of_a = VirtualNetwork(name="a").uuid
    networks = {"a": {}, "b": {"id": UUID_A}, "c": {"id": UUID_A.upper()}, "d": {"id": of_a}}
    assert said({"address": "192.0.2.1"}, virtual_networks=networks) == [
        f'virtual_networks.c.id: {UUID_A} is the id of "b" already; an id is one network\'s',
        f'virtual_networks.d.id: {of_a} is the id of "a" already; an id is one network\'s',
    ]
