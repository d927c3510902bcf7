"""`lbdns vnet`: networks and routes against a running server with its store, as an operator uses them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cli.commands import done, refused, run
from tests.store.served import StoreServer

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def server(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    """A server whose store has a zone; LBDNS_SETTINGS says where it is."""
    work: Path = tmp_path_factory.mktemp("vnet")
    started = StoreServer(work, f"state: {work / 'state'}")
    try:
        started.start()
        started.wait_for_api()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LBDNS_SETTINGS", str(started.settings_file))
            done("zone", "create", "example.com")
            yield started
    finally:
        started.close()


@pytest.fixture(autouse=True)
def empty(server: StoreServer) -> Iterator[None]:
    """Put the objects back as they were before the test."""
    before = run("revision", "list", "--json").json[0]["revision"]
    yield
    done("revision", "restore", str(before), "--yes")


def why(*arguments: str) -> str:
    """Return what is said of a command that is refused."""
    return "\n".join(refused(*arguments))


def test_networks_are_created_listed_shown_set_and_deleted() -> None:
    said = done("vnet", "create", "site-a", "--device", "wg0", "--source", "10.9.0.1", "--route", "10.1.0.0/16")
    assert "virtual network site-a: created" in said and "route 10.1.0.0/16: created" in said
    done(
        "vnet", "create", "Site B", "--proxy", "socks5://me:secret@192.0.2.9:1080", "--default", "--comment", "cabinet"
    )
    listed = done("vnet", "list")
    for text in ("site-a", "device wg0 from 10.9.0.1", "10.1.0.0/16", "Site B (default)", "cabinet"):
        assert text in listed
    assert "proxy socks5://192.0.2.9:1080" in listed and "secret" not in listed
    assert yaml.safe_load(done("vnet", "show", "site-a")) == {
        "virtual_networks": {"site-a": {"via": {"source": "10.9.0.1", "device": "wg0"}}}
    }
    done("vnet", "set", "site-a", "is_default_network=true", "via.device=wg1")
    networks = {one["name"]: one for one in run("vnet", "list", "--json").json}
    assert networks["site-a"]["is_default_network"] and not networks["Site B"]["is_default_network"]
    assert networks["site-a"]["via"] == {"device": "wg1", "source": "10.9.0.1"}
    assert "nothing changed" in done("vnet", "set", "site-a", "via.device=wg1")
    assert "the default one" in why("vnet", "delete", "site-a", "--yes")
    done("vnet", "set", "Site B", "is_default_network=true")
    assert 'used by route "10.1.0.0/16"' in why("vnet", "delete", "site-a", "--yes")
    done("vnet", "route", "delete", "10.1.0.0/16", "--yes")
    assert "virtual network site-a: deleted" in done("vnet", "delete", "site-a", "--yes")


def test_routes_are_added_listed_and_deleted() -> None:
    done("vnet", "create", "a", "--namespace", "site-a")
    done("vnet", "create", "b", "--default")
    assert "route 10.0.0.0/8: created" in done("vnet", "route", "add", "10.0.0.0/8", "a", "--comment", "all of it")
    done("vnet", "route", "add", "10.0.0.0/8")
    routes = [(one["network"], one["virtual_network_name"]) for one in run("vnet", "route", "list", "--json").json]
    assert routes == [("10.0.0.0/8", "a"), ("10.0.0.0/8", "b")]
    assert "all of it" in done("vnet", "route", "list")
    assert "2 routes 10.0.0.0/8, to a, b: say which" in why("vnet", "route", "delete", "10.0.0.0/8", "--yes")
    assert "route 10.0.0.0/8: deleted" in done("vnet", "route", "delete", "10.0.0.0/8", "b", "--yes")
    assert "there is no route 10.2.0.0/16" in why("vnet", "route", "delete", "10.2.0.0/16", "--yes")
    assert "the network that it is in is 10.0.0.0/8" in why("vnet", "route", "delete", "10.0.0.1/8", "--yes")
    assert "the network that it is in is 10.0.0.0/8" in why("vnet", "route", "add", "10.0.0.1/8", "a")
    assert "unknown virtual network" in why("vnet", "route", "add", "10.3.0.0/16", "c")


def test_endpoints_name_networks() -> None:
    for name in ("a", "b"):
        done("vnet", "create", name)
    origins = [f"--origin={name}=10.0.0.1,virtual_network={name}" for name in ("a", "b")]
    done("pool", "create", "both", *origins)
    listed = done("pool", "list")
    assert "a 10.0.0.1 in a" in listed and "b 10.0.0.1 in b" in listed
    shown = yaml.safe_load(done("pool", "show", "both"))["pools"]["both"]["origins"]
    assert [one["virtual_network"] for one in shown] == ["a", "b"]
    assert 'pool "both"' in why("vnet", "delete", "a", "--yes")
    done("pool", "set", "both", "origins.a.virtual_network=null")
    assert "virtual network a: deleted" in done("vnet", "delete", "a", "--yes")
    once = 'unknown virtual network "{}"'
    for name in ("c", "far-away", "6c1a5b9e-0000-4000-8000-000000000000"):
        told = why("pool", "set", "both", f"origins.a.virtual_network={name}")
        assert told.count(once.format(name)) == 1, told


def test_ways_that_are_none_are_why() -> None:
    assert "a network is reached one way" in why("vnet", "create", "a", "--device", "wg0", "--namespace", "a")
    said = why("vnet", "create", "a", "--proxy", "socks5://me:secret@192.0.2.9")
    assert "the proxy's address has no port" in said and "secret" not in said


def test_what_the_store_has_is_exported_and_applied_again(tmp_path: Path) -> None:
    done("vnet", "create", "a", "--device", "wg0", "--route", "10.1.0.0/16", "--default")
    done("vnet", "create", "b", "--route", "10.1.0.0/16")
    done("pool", "create", "p", "--origin=e=10.0.0.1,virtual_network=b", "--origin=f=10.0.0.1")
    done("export", str(tmp_path / "out"))
    text = (tmp_path / "out" / "virtual_networks.yaml").read_text()
    assert yaml.safe_load(text)["routes"][0] == {"network": "10.1.0.0/16", "virtual_network": "a"}
    assert "no difference to revision" in done("apply", str(tmp_path / "out"), "--yes")
