"""Virtual networks and routes in files, and what follows from them: who is probed by which way, in which slot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import ConfigError
from lbdns.config.loading import load, parse
from lbdns.manage.store.revisions.from_files import state_of
from lbdns.manage.store.revisions.to_files import export, tree_of
from lbdns.model.configuration import Configuration
from lbdns.model.configuration_document import decode_configuration, encode_configuration
from lbdns.model.targets_document import TargetsDocument, decode_document
from lbdns.publish.monitor_targets import TargetsMemo, encode_targets
from lbdns.publish.slots_document import decode_slots, encode_slots
from lbdns.snapshot.slots import Slots, SlotsMemo
from tests.processes.load import ZONE

UUID_A = "a5624d4e-044a-4ff0-b3e1-e2465353d4b4"
SITES = {
    "a": {"id": UUID_A, "via": {"device": "wg0"}},
    "b": {"comment": "the other site", "via": {"namespace": "site-b", "source": "10.9.0.2"}},
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
    assert found == [("a", 0, "wg0", "", ""), ("b", 1, "", "site-b", "10.9.0.2")]
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
