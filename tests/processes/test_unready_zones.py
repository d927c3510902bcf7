"""A zone file with a mistake on a first start: SERVFAIL and Not Ready for that zone, and the rest is served."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.edns
import dns.message
import dns.query
import dns.rcode
import pytest
import yaml

from lbdns.config.loading import examine
from lbdns.dns.name import encode_canonical
from lbdns.processes.supervisor.binding import choose_ports
from lbdns.testing import LbdnsServer, ServerError, write_files
from tests.processes.load import NAME, ZONE, configuration
from tests.processes.test_last_served import lbdns, metric, row
from tests.processes.test_reload import eventually

pytestmark = pytest.mark.process

BROKEN = f"{ZONE}www IN A not-an-address\n"
TREE: dict[str, Any] = {
    **configuration(),
    "zones": {"example.com": ZONE, "example.net": BROKEN, "sub.example.com": BROKEN},
}
TREE["load_balancers"] = [
    *TREE["load_balancers"],
    {"name": "www.example.net", "default_pools": ["main"], "fallback_pool": "main"},
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LbdnsServer]:
    """Return a server of three zones, two of them with a mistake; not started."""
    (listen,) = choose_ports(("127.0.0.1:0",))
    settings = {"listen": [listen], "metrics": "127.0.0.1:0", "state": str(tmp_path / "state")}
    write_files({**TREE, "settings": settings}, tmp_path / "config")
    with contextlib.closing(LbdnsServer(tmp_path / "config", tmp_path, override=False)) as server:
        server.source = lambda: [str(server.directory)]  # type: ignore[method-assign]
        yield server


def ask(server: LbdnsServer, name: str, tcp: bool = False) -> tuple[str, list[int], bool]:
    """Return RCODE, extended errors and whether the reply claims authority."""
    message = dns.message.make_query(name, "A", use_edns=0)
    reply = (dns.query.tcp if tcp else dns.query.udp)(message, server.host, port=server.port, timeout=5)
    errors = [int(option.code) for option in reply.options if isinstance(option, dns.edns.EDEOption)]
    return dns.rcode.to_text(reply.rcode()), errors, bool(reply.flags & dns.flags.AA)


NOT_READY = ("SERVFAIL", [14], False)


def test_the_rest_is_served_and_each_zone_as_soon_as_it_is_mended(server: LbdnsServer) -> None:
    config = str(server.directory)
    checked = lbdns("check", config)
    assert checked.returncode == 1
    assert 'would answer "example.net", "sub.example.com" with SERVFAIL and serve the rest' in checked.stderr
    server.start()
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    assert server.addresses("ns.example.com") == ["192.0.2.53"]
    for name in ("example.net", "www.example.net", "a.b.example.net", "sub.example.com", "x.sub.example.com"):
        assert ask(server, name) == ask(server, name, tcp=True) == NOT_READY
    assert ask(server, "example.org")[0] == "REFUSED"
    assert metric(server, "zones_unready") == 2
    problems = row(server, "zones")["problems"]
    assert any(one.startswith("example.net is answered with SERVFAIL: ") for one in problems)
    assert lbdns("status", "--config", config).returncode == 1
    assert "zone example.net is answered with SERVFAIL until that is mended" in server.log
    explained = lbdns("explain", "www.example.net", "--control", str(server.control)).stdout
    assert "SERVFAIL" in explained and "a mistake in its file keeps it from being served" in explained
    # One is mended: it is served, the other waits.
    (server.directory / "example.net.zone").write_text(ZONE)
    eventually(lambda: server.addresses("www.example.net") == ["192.0.2.1", "192.0.2.2"])
    assert ask(server, "x.sub.example.com") == NOT_READY
    assert 'is served on, SERVFAIL for "sub.example.com", over restarts too' in lbdns("check", config).stderr
    # What is served is not lost by a mistake: a reload is all or nothing.
    (server.directory / "example.net.zone").write_text(BROKEN)
    eventually(lambda: server.status()["standing"]["configuration"]["not_served"] is not None)
    assert server.addresses("www.example.net") == ["192.0.2.1", "192.0.2.2"]
    # Nor over a restart, as what was served last is kept; the third zone was never served.
    assert server.stop() == 0
    server.start()
    assert server.addresses("www.example.net") == ["192.0.2.1", "192.0.2.2"]
    assert ask(server, "x.sub.example.com") == NOT_READY
    (server.directory / "example.net.zone").write_text(ZONE)
    (server.directory / "sub.example.com.zone").write_text(ZONE)
    eventually(lambda: server.addresses("ns.sub.example.com") == ["192.0.2.53"])
    assert metric(server, "zones_unready") == 0


def test_a_new_zone_with_a_mistake_is_refused_while_all_is_served(server: LbdnsServer) -> None:
    for name in ("example.net", "sub.example.com"):
        (server.directory / f"{name}.zone").write_text(ZONE)
    server.start()
    with pytest.raises(ServerError, match="not-an-address"):
        server.reload({"example.org.zone": BROKEN})
    assert ask(server, "example.org")[0] == "REFUSED"


def be_strict(config: Path) -> None:
    path = config / "lbdns.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "strict": True}))


def spoil_objects(config: Path) -> None:
    path = config / "objects.yaml"
    path.write_text(path.read_text().replace("fallback_pool", "fallbak_pool"))


@pytest.mark.parametrize("spoil", [be_strict, spoil_objects])
def test_a_first_start_fails_where_it_is_to_and_where_more_is_wrong(
    server: LbdnsServer, spoil: Callable[[Path], None]
) -> None:
    spoil(server.directory)
    with pytest.raises(ServerError, match="not-an-address"):
        server.start()


def files(directory: Path, **texts: str) -> Path:
    write_files(configuration(), directory)
    for name, text in texts.items():
        (directory / name.replace("_", ".")).write_text(text)
    return directory


def unready(directory: Path) -> dict[bytes, tuple[str, ...]] | None:
    found = examine(directory, tolerates=lambda *_: True).configuration
    return None if found is None else {one.zone.apex: one.problems for one in found.unready}


NET, ORG = encode_canonical("example.net"), encode_canonical("example.org")


def test_mistakes_belong_to_the_zones_whose_files_they_are_in(tmp_path: Path) -> None:
    both = f"{ZONE}$INCLUDE shared.inc\n"
    directory = files(tmp_path, example_net_zone=both, example_org_zone=both, shared_inc="www IN A x\n")
    found = unready(directory)
    assert found is not None and found.keys() == {NET, ORG}


def test_files_that_cannot_be_read_are_mistakes_of_their_zones(tmp_path: Path) -> None:
    directory = files(tmp_path)
    (directory / "example.net.zone").write_bytes(b"\xff\xfe")
    found = unready(directory)
    assert found is not None and found.keys() == {NET}
    assert "is not UTF-8" in found[NET][0]


def test_a_name_that_is_no_zone_is_nobodys(tmp_path: Path) -> None:
    assert unready(files(tmp_path, **{"a..b_zone": ZONE})) is None


def test_load_balancers_of_other_zones_are_checked_against_what_is_left(tmp_path: Path) -> None:
    directory = files(tmp_path, example_com_zone=f"{ZONE}www IN CNAME elsewhere.example.\nbad IN A x\n")
    # The load balancer and the CNAME cannot stand together; but both are of the zone that is not served.
    found = unready(directory)
    assert found is not None and found.keys() == {encode_canonical("example.com")}
