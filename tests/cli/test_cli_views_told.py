"""Which view a client is in, and why: `lbdns explain`, `locate` and `check` of a directory with views."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import done, run

SETTINGS = """
listen: ["127.0.0.1:5353", "127.0.0.1:5354"]
views:
  office: {networks: [10.0.0.0/8, "2001:db8:1::/48", 10.9.9.0/24], keys: [ns2]}
  lab: {networks: [10.9.0.0/16, 10.8.0.0/16], listeners: ["127.0.0.1:5354"]}
keys: [{name: ns2, algorithm: hmac-sha256, secret: c2VjcmV0IG9mIHNpeHRlZW4=}]
trusted_resolvers: [192.0.2.53]
"""
ZONE = """$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.80
"""
OBJECTS = """
pools:
  inside: {origins: [{name: a, address: 10.0.0.9}]}
  outside: {origins: [{name: a, address: 192.0.2.9}]}
load_balancers:
  - {name: app.example.com, default_pools: [outside], fallback_pool: outside}
  - {name: app.example.com, view: office, default_pools: [inside], fallback_pool: inside}
"""


@pytest.fixture
def directory(tmp_path: Path) -> str:
    """A directory with two views, an overlay, a zone of a view, and a load balancer of one."""
    place = tmp_path / "conf"
    place.mkdir()
    (place / "lbdns.yaml").write_text(SETTINGS)
    (place / "objects.yaml").write_text(OBJECTS)
    (place / "example.com.zone").write_text(ZONE)
    (place / "example.com@office.zone").write_text("www 300 A 10.0.0.80\n")
    (place / "corp.example@lab.zone").write_text(ZONE)
    return str(place)


def explained(directory: str, name: str, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done("explain", name, "--config", directory, "--json", *options))
    return found


def why(told: dict[str, Any]) -> str:
    (step,) = [step for step in told["steps"] if step["stage"] == "view"]
    assert step["view"] == told["view"]
    return str(step["text"])


@pytest.mark.parametrize(
    ("options", "text", "address"),
    [
        ([], "public (the resolver 127.0.0.1 is in no view)", "192.0.2.80"),
        (["--resolver", "10.1.2.3"], "office (10.0.0.0/8 holds the resolver 10.1.2.3)", "10.0.0.80"),
        (["--resolver", "10.9.1.1"], "lab (10.9.0.0/16 holds the resolver 10.9.1.1)", "192.0.2.80"),
        (["--resolver", "10.9.9.1"], "office (10.9.9.0/24 holds the resolver 10.9.9.1)", "10.0.0.80"),
        (["--resolver", "2001:db8:1::7"], "office (2001:db8:1::/48 holds the resolver 2001:db8:1::7)", "10.0.0.80"),
        (
            ["--resolver", "192.0.2.53", "--ecs", "10.1.2.0/24"],
            "office (10.0.0.0/8 holds 10.1.2.0/24, by ECS of the trusted resolver 192.0.2.53)",
            "10.0.0.80",
        ),
        (["--resolver", "192.0.2.53"], "public (the trusted resolver 192.0.2.53 tells no client)", "192.0.2.80"),
        (
            ["--resolver", "192.0.2.54", "--ecs", "10.1.2.0/24"],
            "public (the resolver 192.0.2.54 is in no view); ECS does not say it, for 192.0.2.54 is none of "
            "trusted_resolvers",
            "192.0.2.80",
        ),
        (["--listener", "127.0.0.1:5354"], "lab (the listener 127.0.0.1:5354)", "192.0.2.80"),
        (["--listener", "127.0.0.1:5353"], "public (the resolver 127.0.0.1 is in no view)", "192.0.2.80"),
        (["--key", "NS2.", "--listener", "127.0.0.1:5354"], "office (the key NS2.)", "10.0.0.80"),
        (["--view", "lab", "--resolver", "10.1.2.3"], "lab, as is supposed", "192.0.2.80"),
        (["--view", "public", "--resolver", "10.1.2.3"], "public, as is supposed", "192.0.2.80"),
    ],
)
def test_explain_says_which_view_and_why(directory: str, options: list[str], text: str, address: str) -> None:
    told = explained(directory, "www.example.com", *options)
    assert why(told) == text
    assert told["answer"] == [f"www.example.com. 300 IN A {address}"]
    assert any("the view's own" in step["text"] for step in told["steps"]) is (address == "10.0.0.80")


def test_explain_names_what_is_of_the_view(directory: str) -> None:
    told = explained(directory, "app.example.com", "--view", "office")
    assert any(
        'load balancer app.example.com@office in zone example.com, policy "off"' in one["text"] for one in told["steps"]
    )
    assert told["answer"] == ["app.example.com. 30 IN A 10.0.0.9"]
    told = explained(directory, "app.example.com")
    assert not any("@office" in one["text"] for one in told["steps"])
    told = explained(directory, "www.corp.example", "--view", "lab")
    assert any("zone corp.example@lab" in one["text"] for one in told["steps"])
    hidden = explained(directory, "www.corp.example", "--view", "office")
    assert hidden["rcode"] == "REFUSED" and "lab" not in json.dumps(hidden["steps"])


def test_a_scope_that_views_need_is_said(directory: str) -> None:
    told = explained(directory, "www.example.com", "--resolver", "192.0.2.53", "--ecs", "10.1.2.0/24")
    assert told["scope"] > 0
    (step,) = [step for step in told["steps"] if step["stage"] == "scope"]
    assert step["scope"] == told["scope"] and step["text"].endswith("by views")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--view", "ofice"], 'there is no view "ofice"; did you mean "office"?'),
        (["--listener", "127.0.0.1:5355"], 'there is no listener "127.0.0.1:5355"; did you mean "127.0.0.1:5354"?'),
        (["--key", "ns3"], 'there is no key "ns3"; did you mean "ns2"?'),
        (["--key", "elsewhere.", "--listener", "127.0.0.1:5354"], 'there is no key "elsewhere."; there are "ns2"'),
        (["--key", "ns2", "--listener", "127.0.0.1:5355"], 'there is no listener "127.0.0.1:5355"'),
    ],
)
def test_what_there_is_not_is_refused(directory: str, options: list[str], message: str) -> None:
    outcome = run("explain", "www.example.com", "--config", directory, *options)
    assert outcome.status == 1 and message in outcome.err


def test_a_name_with_its_view_is_explained_in_that_view(directory: str) -> None:
    assert explained(directory, "www.example.com@office") == explained(directory, "www.example.com", "--view", "office")
    assert explained(directory, "www.corp.example@public")["rcode"] == "REFUSED"
    for arguments, message in (
        (["www.example.com@ofice"], 'there is no view "ofice"; did you mean "office"?'),
        (["www.example.com@office", "--view", "lab"], "is of the view office, and view says lab; give one of the two"),
    ):
        outcome = run("explain", *arguments, "--config", directory)
        assert outcome.status == 1 and message in outcome.err


def test_which_networks_a_rule_would_move_in_a_view(directory: str, tmp_path: Path) -> None:
    rule, networks = tmp_path / "rule.yaml", tmp_path / "networks"
    rule.write_text("{condition: 'ip.src in {198.51.100.0/24}', overrides: {default_pools: [outside]}}")
    networks.write_text("198.51.100.0/24\n203.0.113.0/24\n")
    arguments = ["--rule", str(rule), "--networks", str(networks)]
    told = explained(directory, "app.example.com", "--view", "office", *arguments)
    assert told["changes"] == [{"network": "198.51.100.0/24", "before": "inside", "after": "outside"}]
    assert explained(directory, "app.example.com", *arguments)["changed"] == 0  # everybody is there already


def test_locate_says_which_view_an_address_is_in(directory: str) -> None:
    told = json.loads(done("locate", "10.9.1.1", "192.0.2.1", "--config", directory, "--json"))
    assert [(one["view"], one["view_network"]) for one in told] == [("lab", "10.9.0.0/16"), ("public", None)]
    assert done("locate", "10.9.1.1", "--config", directory).splitlines()[-1].split() == [
        "view",
        "lab",
        "(10.9.0.0/16)",
    ]
    assert "view" not in done("locate", "10.9.1.1")


def test_check_counts_views_and_notes_networks_within_others(directory: str) -> None:
    outcome = run("check", directory)
    assert outcome.status == 0, outcome.err
    assert "2 zones" in outcome.out and "2 views (1 zone, 1 record, 1 load balancer)" in outcome.out
    notes = [line for line in outcome.err.splitlines() if ": note: " in line]
    refused = (
        "{}/lbdns.yaml:7: note: trusted_resolvers: for clients whose view lacks {} these resolvers are refused it, and "
        "may then answer SERVFAIL to all others for some seconds; an empty zone of that name for everybody makes it "
        "NXDOMAIN"
    )
    within = '{}/lbdns.yaml:{}: note: views.{}: {} lies within {} of the view "{}"; whoever is in both is in "{}"'
    assert notes == [
        within.format(directory, 5, "lab.networks[1]", "10.8.0.0/16", "10.0.0.0/8", "office", "lab"),
        within.format(directory, 4, "office.networks[2]", "10.9.9.0/24", "10.9.0.0/16", "lab", "office"),
        refused.format(directory, '"corp.example"'),
    ]


def test_check_notes_what_resolvers_of_several_views_are_refused(directory: str) -> None:
    place = Path(directory)

    def names() -> list[str]:
        told = [line for line in run("check", directory).err.splitlines() if "note: trusted_resolvers" in line]
        return re.findall('"([^"]+)"', told[0]) if told else []

    (place / "private.yaml").write_text(
        "load_balancers:\n"
        "  - {name: app.internal, on_ramps: [office], default_pools: [inside], fallback_pool: inside}\n"
        "  - {name: in.example.com, on_ramps: [office], default_pools: [inside], fallback_pool: inside}\n"
    )
    assert names() == ["app.internal", "corp.example"]
    (place / "corp.example.zone").write_text(ZONE)
    assert names() == ["app.internal"]
    for view in ("lab", "public"):
        (place / f"internal@{view}.zone").write_text(ZONE)
    (place / "app.internal@public.zone").write_text(ZONE)
    assert names() == ["internal"]  # the office sees no more than one name in it
    (place / "lbdns.yaml").write_text(SETTINGS.replace("trusted_resolvers", "# trusted_resolvers"))
    assert names() == []
