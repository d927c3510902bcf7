"""Zones signed by `lbdns dnssec` on a running server: enabled, seen above, told of, taken over from elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.rrset
import dns.zone
import pytest

from lbdns.testing import LbdnsServer
from tests.cli.commands import done, run
from tests.store.served import wait_until

Start = Callable[..., LbdnsServer]

pytestmark = pytest.mark.process

ZONE = "$TTL 5\n@ SOA ns1 h 1 7200 900 1209600 5\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.1\n"
SETTINGS = {
    "resolvers": ["127.0.0.1:9"],
    "dnssec": {"unsigned_ttl": "1s", "safety": 0, "propagation": 0, "dnskey_ttl": "1s", "parent_propagation": 0},
}
TREE: dict[str, Any] = {
    "settings": SETTINGS,
    "zones": {"example.com": ZONE},
    "pools": {"eu": {"origins": [{"name": "a", "address": "192.0.2.11"}]}},
    "load_balancers": [{"name": "lb.example.com", "default_pools": ["eu"], "fallback_pool": "eu"}],
}


def asked(server: LbdnsServer, name: str, rdtype: str) -> list[dns.rrset.RRset]:
    """Return what a name is answered over TCP, with signatures."""
    query = dns.message.make_query(name, rdtype, want_dnssec=True)
    reply: dns.message.Message = dns.query.tcp(query, "127.0.0.1", 10, server.port)
    return list(reply.answer)


def is_valid(server: LbdnsServer, name: str, rdtype: str = "A") -> bool:
    """Tell whether an answer is signed by the zone's keys as dnspython checks it."""
    zone = dns.name.from_text("example.com")
    keys = [one for one in asked(server, "example.com", "DNSKEY") if one.rdtype == dns.rdatatype.DNSKEY]
    found = asked(server, name, rdtype)
    if not keys or len(found) != 2:
        return False
    dns.dnssec.validate(found[0], found[1], {zone: keys[0]})
    return True


@pytest.fixture
def server(lbdns_server: Start) -> Iterator[LbdnsServer]:
    yield lbdns_server(TREE)


def dnssec(server: LbdnsServer, *arguments: str) -> list[str]:
    return done("dnssec", *arguments, "--control", str(server.control)).splitlines()


def test_a_zone_is_signed_in_three_commands_and_told_of_everywhere(server: LbdnsServer) -> None:
    assert "dnssec" not in [row["name"] for row in server.status()["standing"]["rows"]]
    assert dnssec(server, "enable", "example.com")[0].startswith("example.com: pending, since ")
    wait_until(lambda: is_valid(server, "lb.example.com"), lambda: "not signed")
    assert is_valid(server, "www.example.com") and is_valid(server, "example.com", "SOA")

    def ds() -> str:
        return run("dnssec", "ds", "example.com", "--control", str(server.control)).out

    wait_until(lambda: ds() != "", lambda: "\n".join(dnssec(server, "status", "example.com")))
    key = asked(server, "example.com", "DNSKEY")[0]
    made = dns.dnssec.make_ds("example.com.", key[0], "SHA256")
    assert ds() == f"example.com. 3600 IN DS {made.to_text().upper()}\n"
    told = done("zone", "delegation", "example.com", "--state", str(server.state_dir))
    assert told.splitlines()[-1].split() == ["example.com.", "3600", "IN", "DS", *made.to_text().upper().split()]
    assert dnssec(server, "enable", "example.com", "--ds-seen")[0].startswith("example.com: active")

    def rows() -> dict[str, str]:
        return {row["name"]: row["text"] for row in server.status()["standing"]["rows"]}

    # The signer tells the supervisor of it beside the answer.
    wait_until(lambda: rows()["dnssec"].startswith("1 zone with keys (1 active), "), lambda: str(rows()))
    assert "1 signer" in rows()["processes"]

    def steps() -> list[str]:
        return done("events", "--state", str(server.state_dir), "--zone", "example.com").splitlines()

    seen = f'zone above has the DS of "CSK 13/{made.key_tag:05}"'
    wait_until(lambda: steps()[-1].endswith(seen), lambda: str(steps()))
    assert len(steps()) >= 4
    again = run("dnssec", "roll", "example.com", "--key", "zsk", "--control", str(server.control))
    assert again.status == 1 and "CSK" in again.err


def test_the_signer_ends_with_the_last_signed_zone(server: LbdnsServer) -> None:
    """And is there again for the next one. What is refused leaves none either."""
    control = str(server.control)
    disable = ("dnssec", "disable", "example.com", "--ds-gone", "--control", control)

    def is_there() -> bool:
        return "signer" in server.status()

    def status() -> str:
        return "\n".join(dnssec(server, "status", "example.com"))

    assert "not signed" in run("dnssec", "roll", "example.com", "--control", control).err
    wait_until(lambda: not is_there(), lambda: server.log)
    for _ in range(2):
        dnssec(server, "enable", "example.com")
        wait_until(lambda: is_valid(server, "lb.example.com"), lambda: server.log)
        assert is_there()
        wait_until(lambda: run(*disable).status == 0, status)
        wait_until(lambda: not is_there(), status)
        assert [one.rdtype for one in asked(server, "lb.example.com", "A")] == [dns.rdatatype.A]
    assert server.log.count("the signer ends: no zone is signed any more") == 3


def test_a_signed_zone_moves_in_with_its_keys(server: LbdnsServer, lbdns_server: Start, tmp_path: Path) -> None:
    dnssec(server, "enable", "example.com")
    keys = tmp_path / "keys"
    exported = dnssec(server, "export", "example.com", str(keys))
    assert len(exported) == 2 and all(Path(one).exists() for one in exported)
    wait_until(lambda: is_valid(server, "www.example.com"), lambda: "not signed")
    before = asked(server, "example.com", "DNSKEY")[0]
    other = lbdns_server({"settings": SETTINGS, "zones": {"example.net": ZONE}})
    signed = ZONE + f"@ {before[0].rdtype.name} {before[0].to_text()}\nwww NSEC @ A\n"
    (other.directory / "example.com.zone").write_text(signed)
    refused = run("check", str(other.directory))
    assert refused.status == 1 and "lbdns dnssec import example.com DIRECTORY" in refused.err
    dnssec(other, "import", "example.com", str(keys))
    wait_until(lambda: is_valid(other, "www.example.com"), lambda: "not served")
    assert asked(other, "example.com", "DNSKEY")[0] == before
    wait_until(lambda: "1 DNSKEY, 1 NSEC of the file are left out" in other.log, lambda: other.log)


def made_by_bind(directory: Path, *flags: str) -> Path:
    """Return the file of a new key of example.com, as dnssec-keygen makes it."""
    command = ["dnssec-keygen", "-q", "-K", str(directory), "-a", "13", *flags, "example.com"]
    stem = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    return directory / f"{stem}.key"


@pytest.mark.skipif(shutil.which("dnssec-signzone") is None, reason="dnssec-signzone (bind9-utils) is missing")
def test_a_zone_that_bind_signed_keeps_every_key(lbdns_server: Start, tmp_path: Path) -> None:
    """A ZSK whose private half stays away signed what caches hold: it stays published, and what it signed is valid."""
    keys, plain = tmp_path / "keys", tmp_path / "plain.zone"
    keys.mkdir()
    ksk, zsk, away = made_by_bind(keys, "-f", "KSK"), made_by_bind(keys), made_by_bind(keys)
    plain.write_text(ZONE + "".join(one.read_text() for one in (ksk, zsk, away)))
    signed = tmp_path / "example.com.zone"
    command = ["dnssec-signzone", "-o", "example.com", "-f", str(signed), "-k", str(ksk), str(plain), str(away)]
    subprocess.run(command, capture_output=True, check=True, timeout=60, cwd=tmp_path)
    for one in (away, away.with_suffix(".private")):
        one.unlink()
    server = lbdns_server({"settings": SETTINGS, "zones": {"example.net": ZONE}})
    shutil.copy(signed, server.directory / "example.com.zone")
    dnssec(server, "import", "example.com", str(keys))
    wait_until(lambda: is_valid(server, "www.example.com"), lambda: "not served")
    held = dns.zone.from_file(str(signed), "example.com", relativize=False)
    apex, www = dns.name.from_text("example.com."), dns.name.from_text("www.example.com.")
    served = asked(server, "example.com", "DNSKEY")[0]
    assert set(served) == set(held.find_rdataset(apex, "DNSKEY"))
    records = dns.rrset.from_rdata_list(www, 5, list(held.find_rdataset(www, "A")))
    dns.dnssec.validate(
        records, dns.rrset.from_rdata_list(www, 5, list(held.find_rdataset(www, "RRSIG", "A"))), {apex: served}
    )
    wait_until(lambda: "3 DNSKEY" in server.log and "of the file are left out" in server.log, lambda: server.log)
