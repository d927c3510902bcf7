"""Catalog zones (RFC 9432): read, broken ones told with nothing changed, whose a zone is, made of the zones here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbdns.config.loading import examine_tree, parse
from lbdns.dns.master.reader import read_master
from lbdns.dns.name import encode_canonical
from lbdns.dns.zone import Zone
from lbdns.model.catalog_settings import CatalogMember
from lbdns.model.configuration import Configuration
from lbdns.model.configuration_document import decode_configuration, encode_configuration
from lbdns.model.settings import Settings
from lbdns.transfer.catalog.catalog_members import CatalogMembers
from lbdns.transfer.catalog.catalog_reading import BrokenCatalog, ListedZone, read_catalog
from lbdns.transfer.catalog.produced_catalogs import ProducedCatalogs

CATALOG, OTHER = encode_canonical("catalog.example"), encode_canonical("other.example")
HEAD = "$TTL 0\n@ SOA invalid. invalid. 1 3600 600 2147483646 0\n@ NS invalid.\n"
VERSION = 'version TXT "2"\n'


def zone(text: str, apex: bytes = CATALOG) -> Zone:
    """Return a zone of a master file's lines."""
    draft = read_master(HEAD + text, apex, "catalog", None, Path.read_text)
    return draft.finish()


def named(name: str) -> bytes:
    return encode_canonical(name)


def listed(*names: str, apex: bytes = CATALOG, coo: str = "") -> Zone:
    """Return a catalog of some zones, which may go to another."""
    lines = [f"n{index}.zones PTR {name}.\n" for index, name in enumerate(names)]
    lines += [f"coo.n{index}.zones PTR {coo}.\n" for index, _ in enumerate(names) if coo]
    return zone(VERSION + "".join(lines), apex)


def test_a_catalog_is_read() -> None:
    text = (
        VERSION
        + "A1.zones PTR One.Example.\n"
        + 'group.a1.zones TXT "nodes-" "eu"\n'
        + "b2.zones PTR two.example.\n"
        + "coo.b2.zones PTR other.example.\n"
        + 'group.b2.zones TXT "x"\ngroup.b2.zones TXT "y"\n'
        + 'prop.ext.b2.zones TXT "whatever"\n'
        + 'ext TXT "z"\nzones TXT "no member"\nc3.zones TXT "no member either"\nx.group.zones A 192.0.2.1\n'
    )
    assert read_catalog(CATALOG, zone(text).rrsets) == (
        ListedZone(b"a1", named("one.example"), "nodes-eu"),
        ListedZone(b"b2", named("two.example"), "", OTHER),
    )
    assert read_catalog(CATALOG, zone(VERSION).rrsets) == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it says no version"),
        ('version TXT "1"\n', 'it is of version "1"'),
        ('version TXT "2"\nversion TXT "3"\n', "it says 2 versions"),
        (VERSION + "a.zones PTR one.example.\na.zones PTR two.example.\n", "the member a has 2 PTR records"),
        (VERSION + "a.zones PTR one.example.\nb.zones PTR ONE.example.\n", "it lists one.example twice, as a and b"),
        (VERSION + "a.zones PTR catalog.example.\n", "as a member of itself"),
        (
            VERSION + "a.zones PTR one.example.\ncoo.a.zones PTR x.example.\ncoo.a.zones PTR y.example.\n",
            "the coo of a has 2 PTR records",
        ),
    ],
)
def test_broken_catalogs(text: str, why: str) -> None:
    with pytest.raises(BrokenCatalog, match=why):
        read_catalog(CATALOG, zone(text).rrsets)


def apexes(members: Iterable[CatalogMember]) -> dict[str, str]:
    """Return the members by the first label of their names, with that of their catalog."""
    return {one.apex[1 : 1 + one.apex[0]].decode(): one.catalog[1 : 1 + one.catalog[0]].decode() for one in members}


def test_a_broken_catalog_changes_nothing_and_is_told(tmp_path: Path) -> None:
    catalogs = CatalogMembers(tmp_path)
    assert apexes(catalogs.members({CATALOG: listed("one.example", "two.example")}, ())) == dict.fromkeys(
        ("one", "two"), "catalog"
    )
    broken = zone("a.zones PTR three.example.\n")
    for again in (catalogs, CatalogMembers(tmp_path)):  # over a start too
        assert set(apexes(again.members({CATALOG: broken}, ()))) == {"one", "two"}
        (said,) = again.notes()[CATALOG]
        assert said.startswith("the catalog is broken, and was not processed: it says no version")
    assert set(apexes(catalogs.members({CATALOG: None}, ()))) == {"one", "two"}, "it has expired, say"
    assert set(apexes(catalogs.members({CATALOG: listed("two.example")}, ()))) == {"two"}
    assert catalogs.notes() == {}
    assert catalogs.members({}, ()) == () and CatalogMembers(tmp_path).members({CATALOG: None}, ()) == ()


def test_what_was_kept_and_cannot_be_read_is_told_and_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "catalogs.json").write_text('{"00": 1}')
    assert CatalogMembers(tmp_path).members({CATALOG: None}, ()) == ()
    assert "cannot be read" in caplog.text


def test_a_zone_is_of_the_catalog_that_lists_it_first_or_that_it_may_go_to(tmp_path: Path) -> None:
    catalogs = CatalogMembers(tmp_path)
    first, second = listed("one.example", "mine.example"), listed("one.example", apex=OTHER)
    found = catalogs.members({CATALOG: first, OTHER: second}, {named("mine.example")})
    assert apexes(found) == {"one": "catalog"}
    assert catalogs.notes() == {
        CATALOG: ("it lists what is left as it is: mine.example, which is configured here",),
        OTHER: ("it lists what is left as it is: one.example, which catalog.example lists",),
    }
    going = listed("one.example", coo="other.example")
    for order in ((CATALOG, OTHER), (OTHER, CATALOG)):
        both = {CATALOG: going, OTHER: second}
        assert apexes(catalogs.members({apex: both[apex] for apex in order}, ())) == {"one": "other"}
        assert catalogs.notes() == {}


def test_members_are_secondary_zones_with_the_catalogs_primaries(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "access": {"transfer": [{"network": "192.0.2.0/24"}]},
            "zones": {
                "catalog.example": {"primaries": ["192.0.2.60"], "catalog": "consumer"},
                "one.example": {"also_notify": ["192.0.2.9"]},
            },
        }
    )
    members = (CatalogMember(named("one.example"), CATALOG, b"a"), CatalogMember(named("two.example"), CATALOG, b"b"))
    configuration = Configuration(settings=settings, catalog_members=members)
    policies = configuration.transfer_policies
    assert {one.apex for one in policies.secondaries} == {CATALOG, named("one.example"), named("two.example")}
    one = policies.of(named("one.example"))
    assert one.primaries == policies.of(CATALOG).primaries and one.notify_targets, "what else is said of it stays"
    assert policies.of(CATALOG).query == policies.of(CATALOG).transfer, "it is for those who transfer it"
    assert policies.of(named("two.example")).query is None
    assert decode_configuration(encode_configuration(configuration)) == configuration


def produced(catalog: Any, zones: Iterable[str] = ("one.example", "two.example", "three.example")) -> Configuration:
    """Return a configuration whose catalog is made."""
    text = "$TTL 60\n@ SOA ns admin 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n"
    settings = {"zones": {"catalog.example": {"catalog": catalog}, "far.example": {"primaries": ["192.0.2.60"]}}}
    tree: Mapping[str, Any] = {"settings": settings, "zones": dict.fromkeys(zones, text)}
    return parse(tree, Path()).configuration


def test_a_catalog_is_made_of_the_zones_here() -> None:
    producer = ProducedCatalogs()
    made = producer.laid_in(produced("producer"))
    catalog = made.zones[-1]
    assert catalog.apex == CATALOG
    found = read_catalog(CATALOG, catalog.rrsets)
    assert {one.apex for one in found} == {named(f"{label}.example") for label in ("one", "two", "three")}
    assert producer.laid_in(made).zones[-1] is catalog, "the same list is the same zone"
    fewer = replace(made, zones=tuple(one for one in made.zones if one.apex != named("two.example")))
    after = producer.laid_in(fewer).zones[-1]
    left = read_catalog(CATALOG, after.rrsets)
    assert set(left) < set(found) and len(left) == 2, "a zone's label stays its own"


def test_a_catalog_is_made_of_the_zones_that_are_named_with_their_groups() -> None:
    said = {"role": "producer", "zones": ["one.example", "far.example"], "groups": {"nodes eu": ["one.example"]}}
    found = read_catalog(CATALOG, ProducedCatalogs().laid_in(produced(said)).zones[-1].rrsets)
    assert {one.apex: one.group for one in found} == {named("one.example"): "nodes eu", named("far.example"): ""}


def test_a_catalog_says_which_other_one_may_take_a_zone_over() -> None:
    said = {"role": "producer", "coo": {"Other.example": ["one.example"]}}
    found = read_catalog(CATALOG, ProducedCatalogs().laid_in(produced(said)).zones[-1].rrsets)
    goes = {one.apex: one.successor for one in found}
    assert goes == {named("one.example"): OTHER, named("two.example"): b"", named("three.example"): b""}


@pytest.mark.parametrize(
    ("zones", "said"),
    [
        ({"c.example": {"catalog": "consumer"}}, "give primaries"),
        ({"c.example": {"catalog": "producer", "primaries": ["192.0.2.1"]}}, "leave one of the two out"),
        ({"c.example": {"catalog": "reader"}}, "is not known here"),
        (
            {"c.example": {"primaries": ["192.0.2.1"], "catalog": {"role": "consumer", "zones": ["a.example"]}}},
            "is said there",
        ),
        ({"c.example": {"catalog": {"role": "producer", "zones": ["oen.example"]}}}, 'did you mean "one.example"?'),
        (
            {"c.example": {"catalog": {"role": "producer", "groups": {"a": ["one.example"], "b": ["one.example"]}}}},
            "a zone is in one",
        ),
        (
            {
                "c.example": {
                    "catalog": {"role": "producer", "coo": {"d.test": ["one.example"], "e.test": ["one.example"]}}
                }
            },
            "one.example is to go to d.test already",
        ),
        (
            {"c.example": {"catalog": {"role": "producer", "zones": [], "coo": {"d.test": ["one.example"]}}}},
            "the catalog does not list one.example",
        ),
        (
            {"c.example": {"catalog": {"role": "producer", "coo": {"d.test": ["oen.example"]}}}},
            'did you mean "one.example"?',
        ),
        ({"c.example": {"catalog": {"role": "producer", "coo": {"C.example": ["one.example"]}}}}, "goes to no other"),
        (
            {"c.example": {"primaries": ["192.0.2.1"], "catalog": {"role": "consumer", "coo": {"d.test": ["a.test"]}}}},
            "is said there",
        ),
        ({"one.example": {"catalog": "producer"}}, "this zone has records"),
    ],
)
def test_mistakes(zones: dict[str, Any], said: str) -> None:
    text = "$TTL 60\n@ SOA ns admin 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n"
    found = examine_tree({"settings": {"zones": zones}, "zones": {"one.example": text}}, Path())
    assert any(said in one.message for one in found.errors), found.errors
