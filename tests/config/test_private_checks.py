"""Private load balancers and overrides: each mistake has its own sentence, and what is sound is where it shall be."""

from __future__ import annotations

import runpy
import textwrap
from pathlib import Path
from typing import Any

import pytest

from lbdns.config.loading import examine, examine_tree, load, parse
from lbdns.dns.codes import TYPE_NS, TYPE_SOA
from lbdns.dns.name import encode_canonical
from lbdns.model.placements import made_apex, made_zone, placements

ROOT = Path(__file__).resolve().parents[2]
ZONE = "@ 300 SOA ns1 hostmaster 1 7200 900 1209600 300\n@ 300 NS ns1\nns1 300 A 192.0.2.53\n"
POOLS = {"eu": {"origins": [{"name": "one", "address": "192.0.2.1"}]}}
VIEWS = {
    "office": {"networks": ["10.1.0.0/16"], "private": True},
    "plant": {"networks": ["10.2.0.0/16"], "private": True},
    "guests": {"networks": ["10.3.0.0/16"]},
}


def balancer(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "default_pools": ["eu"], "fallback_pool": "eu", **fields}


def tree(*balancers: dict[str, Any], views: Any = VIEWS, overrides: Any = None) -> dict[str, Any]:
    return {
        "settings": {"views": views},
        "zones": {"example.com": ZONE},
        "pools": POOLS,
        "load_balancers": [*balancers],
        "overrides": overrides or {},
    }


def told(made: dict[str, Any]) -> list[tuple[str, str]]:
    """Return path and sentence of each mistake."""
    return [(one.path, one.message) for one in examine_tree(made, Path()).errors]


def placed(made: dict[str, Any]) -> list[tuple[str, str, str]]:
    configuration = parse(made, Path()).configuration
    return sorted((one.owner, one.view, one.load_balancer.name) for one in placements(configuration))


def test_where_load_balancers_are_answered() -> None:
    balancers = (
        balancer("www.example.com"),
        balancer("shop.example.com", view="guests"),
        balancer("100.112.0.0"),
        balancer("10.9.9.9", on_ramps=["guests"]),
        balancer("App.Internal.", on_ramps=[]),
        balancer("api.example.com", on_ramps=["plant"]),
    )
    overrides = {"App.corp.": "100.112.0.0", "*.wild.corp": {"load_balancer": "app.internal"}}
    assert placed(tree(*balancers, overrides=overrides)) == [
        ("*.wild.corp", "office", "app.internal"),
        ("*.wild.corp", "plant", "app.internal"),
        ("10.9.9.9", "guests", "10.9.9.9"),
        ("100.112.0.0", "office", "100.112.0.0"),
        ("100.112.0.0", "plant", "100.112.0.0"),
        ("api.example.com", "plant", "api.example.com"),
        ("app.corp", "office", "100.112.0.0"),
        ("app.corp", "plant", "100.112.0.0"),
        ("app.internal", "office", "app.internal"),
        ("app.internal", "plant", "app.internal"),
        ("shop.example.com", "guests", "shop.example.com"),
        ("www.example.com", "", "www.example.com"),
    ]


@pytest.mark.parametrize(
    ("balancers", "views", "overrides", "expected"),
    [
        pytest.param(
            [balancer("100.112.0.1")],
            {"guests": VIEWS["guests"]},
            {},
            [("load_balancers[100.112.0.1].name", "nobody would be answered: no view is private")],
            id="an address and no private view",
        ),
        pytest.param(
            [balancer("app.internal", on_ramps=[])],
            {},
            {},
            [("load_balancers[app.internal].on_ramps", "nobody would be answered: no view is private")],
            id="no view at all",
        ),
        pytest.param(
            [balancer("app.internal", on_ramps=["offce", "lab", "public", "plant", "plant"])],
            VIEWS,
            {},
            [
                ("load_balancers[app.internal].on_ramps[0]", 'there is no view "offce"; did you mean "office"?'),
                ("load_balancers[app.internal].on_ramps[1]", 'there is no view "lab"; the views are "office", "plant"'),
                ("load_balancers[app.internal].on_ramps[2]", '"public" is who is in no view'),
                ("load_balancers[app.internal].on_ramps[4]", '"plant" is listed already'),
            ],
            id="on-ramps that are none",
        ),
        pytest.param(
            [balancer("app.internal", on_ramps=["office"], view="guests")],
            VIEWS,
            {},
            [("load_balancers[app.internal].view", "on_ramps name the views of a private load balancer")],
            id="a view beside",
        ),
        pytest.param(
            [
                balancer("203.0.113.9"),
                balancer("fd00::1"),
                balancer("100.113.0.1"),
                balancer("10.0.0.1", type="MX"),
            ],
            VIEWS,
            {},
            [
                ("load_balancers[203.0.113.9].name", "203.0.113.9 is no address of a private load balancer"),
                ("load_balancers[fd00::1].name", "fd00::1 is no address of a private load balancer"),
                ("load_balancers[100.113.0.1].name", "100.113.0.1 is no address of a private load balancer"),
                ("load_balancers[10.0.0.1].type", "10.0.0.1 is an IP address; MX is asked for by names"),
                ("load_balancers[10.0.0.1].type", "MX records point to hostnames"),
            ],
            id="addresses",
        ),
        pytest.param(
            [balancer("app.internal")],
            VIEWS,
            {},
            [("load_balancers[app.internal].name", "in none of the zones hosted here")],
            id="in no zone and not private",
        ),
        pytest.param(
            [balancer("www.example.com"), balancer("100.112.0.1")],
            VIEWS,
            {"a.corp": "100.112.0.2", "b.corp": "www.example.com", "10.1.1.1": "100.112.0.1", "c.corp": 7},
            [
                ("overrides[a.corp].load_balancer", 'unknown load balancer "100.112.0.2"; did you mean "100.112.0.1"?'),
                ("overrides[b.corp].load_balancer", '"www.example.com" is no private load balancer'),
                ("overrides[10.1.1.1].name", '"10.1.1.1" is an IP address; an override is of a name'),
                ("overrides[c.corp].load_balancer", "7 is"),
            ],
            id="overrides that lead nowhere",
        ),
        pytest.param(
            [
                balancer("100.112.0.1"),
                balancer("app.corp", on_ramps=["plant"]),
                balancer("shop.example.com", view="office"),
            ],
            VIEWS,
            {
                "app.corp": "100.112.0.1",
                "shop.example.com": "100.112.0.1",
                "A.corp": "100.112.0.1",
                "a.corp.": "app.corp",
            },
            [
                ("overrides[app.corp].name", 'in the view "plant" a load balancer has this name'),
                ("overrides[shop.example.com].name", 'in the view "office" a load balancer has this name'),
                ("overrides[a.corp.]", 'the override "a.corp" is declared in'),
            ],
            id="two of a name",
        ),
    ],
)
def test_each_mistake_has_its_sentence(
    balancers: list[dict[str, Any]], views: Any, overrides: Any, expected: list[tuple[str, str]]
) -> None:
    found = told(tree(*balancers, views=views, overrides=overrides))
    assert len(found) == len(expected), found
    for path, sentence in expected:
        assert any(one == path and sentence in message for one, message in found), (path, found)


def test_what_an_override_hides_is_told() -> None:
    made = tree(balancer("100.112.0.1"), balancer("shop.example.com"))
    made["zones"]["example.com"] += "www A 192.0.2.7\nwww TXT x\ncut NS ns.example.net.\n"
    made["overrides"] = dict.fromkeys(("shop.example.com", "www.example.com", "new.example.com"), "100.112.0.1")
    examined = examine_tree(made, Path())
    assert not examined.errors
    told = {one.path: one.message for one in examined.warnings if one.path.startswith("overrides")}
    assert told["overrides[shop.example.com].name"].startswith(
        'hides, in the views "office", "plant", the load balancer'
    )
    assert told["overrides[www.example.com].name"].startswith("hides the zone's own records of this name: A ")
    assert len(told) == 2
    made["overrides"] = {"x.cut.example.com": "100.112.0.1"}
    assert "is delegated to other servers" in examine_tree(made, Path()).errors[0].message


def test_objects_for_another_server_are_not_held_against_views() -> None:
    made = tree(balancer("app.internal", on_ramps=["elsewhere"]), balancer("100.112.0.1"))
    del made["settings"]
    assert examine_tree(made, Path(), knows_settings=False).errors == ()


def test_a_zone_that_is_made_has_what_a_zone_needs() -> None:
    apex = encode_canonical("app.corp")
    made = made_zone(apex)
    assert (made.apex, [one.type for one in made.rrsets]) == (apex, [TYPE_SOA, TYPE_NS])
    soa = made.rrsets[0].rdatas[0]
    assert soa.startswith(apex + encode_canonical("nobody.invalid")) and len(soa) == len(apex) + 16 + 20
    assert made_apex(encode_canonical("*.app.corp")) == made_apex(apex) == apex


def test_the_demonstration_serves_what_the_document_shows(tmp_path: Path) -> None:
    text = (ROOT / "docs/private-networks.md").read_text()
    files = runpy.run_path(str(ROOT / "scripts/demo.d/private.py"))["FILES"]
    for name, content in files.items():
        (tmp_path / name).write_text(content)
        if name.endswith(".yaml"):
            assert f"    # {name}\n{textwrap.indent(content, '    ')}\n" in text
    served = load(tmp_path).configuration
    assert [(one.owner, one.view) for one in placements(served)] == [
        ("100.112.0.0", "office"),
        ("www.example.com", ""),
        ("app.corp", "office"),
    ]


@pytest.mark.parametrize("name", ["10.0.0.300", "010.0.0.1", "10.0.0", "100.112.0.0.1"])
def test_numbers_that_are_no_address_name_nothing(name: str) -> None:
    ((path, message),) = told(tree(balancer(name, on_ramps=[])))
    assert path == f"load_balancers[{name}].name" and f"{name} is no IP address, nor a hostname; expected" in message
    ((_, message),) = told(tree(balancer("100.112.0.1"), overrides={name: "100.112.0.1"}))
    assert "has nothing but numbers; an override is of a name" in message


def test_a_directory_of_private_load_balancers_needs_no_zone(tmp_path: Path) -> None:
    text = "pools: {p: {origins: [{name: a, address: 10.0.0.1}]}}\nload_balancers:\n- {name: NAME, default_pools: [p], "
    text += "fallback_pool: p}\n"
    (tmp_path / "lbdns.yaml").write_text("views: {office: {networks: [10.0.0.0/8], private: true}}\n")
    (tmp_path / "objects.yaml").write_text(text.replace("NAME", "100.112.0.0"))
    assert examine(tmp_path).errors == () and examine(tmp_path).configuration is not None
    (tmp_path / "objects.yaml").write_text(text.replace("NAME", "www.example.com"))
    assert any("no zone file" in str(one) for one in examine(tmp_path).errors)
