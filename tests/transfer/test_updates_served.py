"""Dynamic updates end to end: a server over a store, and what its clients are answered and served."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dns.edns
import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import pytest
from dns.rdtypes.ANY.SOA import SOA

from tests.store.served import wait_until
from tests.transfer.asking_updates import adding, update
from tests.transfer.updated_server import (
    ACME,
    ALL,
    SECRET,
    SETTINGS,
    STRANGER,
    UpdatedServer,
    run_tool,
    tool,
    updated_server,
)

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def server(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpdatedServer]:
    with updated_server(tmp_path_factory.mktemp("updates")) as server:
        yield server


@pytest.fixture
def followed(starts_processes: None, tmp_path: Path) -> Iterator[UpdatedServer]:
    """Its zones may be transferred."""
    with updated_server(tmp_path, f"{SETTINGS}  transfer:\n    - {{network: 127.0.0.0/8}}\n") as server:
        yield server


@pytest.mark.parametrize("tcp", [False, True])
def test_an_update_is_served_before_its_reply(server: UpdatedServer, tcp: bool) -> None:
    for last in range(1, 6):
        made = update()
        made.replace("host", 60, "A", f"192.0.2.{last}")
        reply = server.send(made, tcp=tcp)
        assert reply.rcode() == dns.rcode.NOERROR and reply.had_tsig
        assert server.addresses("host.example.com") == [f"192.0.2.{last}"]


def test_a_revision_names_the_key(server: UpdatedServer) -> None:
    assert server.rcode(adding("named", "TXT", "x")) == "NOERROR"
    newest = server.revisions()[0]
    assert newest["author"] == "key all"
    assert newest["message"] == 'update: add "named.example.com" TXT'
    assert server.rcode(adding("unsigned", "TXT", "x"), None, source="127.0.0.5") == "NOERROR"
    assert server.revisions()[0]["author"] == "127.0.0.5, unsigned"


def test_every_rcode_of_rfc_2136(server: UpdatedServer) -> None:
    assert server.rcode(adding("there", "A", "192.0.2.1")) == "NOERROR"
    cases: dict[str, dns.update.UpdateMessage] = {}
    cases["NXDOMAIN"] = update()
    cases["NXDOMAIN"].present("nobody")
    cases["YXDOMAIN"] = update()
    cases["YXDOMAIN"].absent("there")
    cases["NXRRSET"] = update()
    cases["NXRRSET"].present("there", "TXT")
    cases["YXRRSET"] = update()
    cases["YXRRSET"].absent("there", "A")
    cases["NOTAUTH"] = update("example.org")
    cases["NOTZONE"] = update()
    cases["NOTZONE"].add("www.example.org.", 60, "A", "192.0.2.1")
    before = server.revisions()[0]["revision"]
    for rcode, made in cases.items():
        if rcode != "NOTZONE":
            made.add("never", 60, "A", "192.0.2.1")
        for tcp in (False, True):
            assert server.rcode(made, tcp=tcp) == rcode
    assert server.revisions()[0]["revision"] == before


def test_strangers_are_refused(server: UpdatedServer) -> None:
    made = adding("never", "A", "192.0.2.1")
    made.use_edns(0)
    for key, source in ((None, "127.0.0.1"), (STRANGER, "127.0.0.1")):
        reply = server.send(made, key, source=source)
        assert reply.rcode() == dns.rcode.REFUSED
        assert [option.code for option in reply.options if isinstance(option, dns.edns.EDEOption)] == [18]
    assert server.addresses("never.example.com") == []


def test_a_wrong_signature_is_notauth_with_its_tsig_error(server: UpdatedServer) -> None:
    made = adding("never", "A", "192.0.2.1")
    made.use_tsig(dns.tsig.Key("nobody", SECRET))
    with pytest.raises(dns.tsig.PeerBadKey):
        dns.query.udp(made, server.host, port=server.port, timeout=10)
    wrong = adding("never", "A", "192.0.2.1")
    wrong.use_tsig(dns.tsig.Key(ALL, "d3Jvbmc="))
    with pytest.raises(dns.tsig.PeerBadSignature):
        dns.query.udp(wrong, server.host, port=server.port, timeout=10)
    assert server.addresses("never.example.com") == []


def test_a_key_may_be_bound_to_names_and_types(server: UpdatedServer) -> None:
    assert server.rcode(adding("_acme-challenge.www", "TXT", "token"), ACME, tcp=True) == "NOERROR"
    both = adding("_acme-challenge.www", "TXT", "second")
    both.add("www", 60, "A", "192.0.2.66")
    both.use_edns(0)
    reply = server.send(both, ACME)
    assert reply.rcode() == dns.rcode.REFUSED
    (ede,) = (option for option in reply.options if isinstance(option, dns.edns.EDEOption))
    assert ede.code == 18 and ede.text is not None and ede.text.startswith("www.example.com A: ")
    assert server.addresses("_acme-challenge.www.example.com", "TXT") == ['"token"']
    gone = update()
    gone.delete("_acme-challenge.www", "TXT", '"token"')
    assert server.rcode(gone, ACME) == "NOERROR"
    assert server.addresses("_acme-challenge.www.example.com", "TXT") == []


def sent_raw(server: UpdatedServer, datagram: bytes, source: str = "127.0.0.5") -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.settimeout(10)
        sock.sendto(datagram, (server.host, server.port))
        return sock.recv(4096)


APEX = b"\7example\3com\0"
FORMERR, NOTAUTH, REFUSED = 1, 9, 5
MALFORMED = {
    "no zone": (struct.pack("!6H", 1, 0x2800, 0, 0, 0, 0), FORMERR),
    "two zones": (struct.pack("!6H", 1, 0x2800, 2, 0, 0, 0) + 2 * (APEX + b"\0\6\0\1"), FORMERR),
    "zone of type A": (struct.pack("!6H", 1, 0x2800, 1, 0, 0, 0) + APEX + b"\0\1\0\1", FORMERR),
    "zone of class CH": (struct.pack("!6H", 1, 0x2800, 1, 0, 0, 0) + APEX + b"\0\6\0\3", NOTAUTH),
    "zone of class ANY": (struct.pack("!6H", 1, 0x2800, 1, 0, 0, 0) + APEX + b"\0\6\0\xff", NOTAUTH),
    "zone of class CH, of type A": (struct.pack("!6H", 1, 0x2800, 1, 0, 0, 0) + APEX + b"\0\1\0\3", FORMERR),
    "a record is missing": (struct.pack("!6H", 1, 0x2800, 1, 0, 1, 0) + APEX + b"\0\6\0\1", FORMERR),
    "data too short": (
        struct.pack("!6H", 1, 0x2800, 1, 0, 1, 0) + APEX + b"\0\6\0\1\xc0\x0c\0\1\0\1\0\0\0\1\0\1x",
        FORMERR,
    ),
    "TTL where there is none": (
        struct.pack("!6H", 1, 0x2800, 1, 1, 0, 0) + APEX + b"\0\6\0\1\xc0\x0c\0\1\0\xff\0\0\0\1\0\0",
        FORMERR,
    ),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_malformed_is_told(server: UpdatedServer, what: str) -> None:
    datagram, rcode = MALFORMED[what]
    reply = sent_raw(server, datagram)
    assert reply[:2] == datagram[:2]
    assert (reply[2] & 0xF8, reply[3] & 0xF) == (0xA8, rcode)


def test_the_same_update_sent_again_is_one(server: UpdatedServer) -> None:
    made = update()
    made.absent("once")
    made.add("once", 60, "TXT", "x")
    datagram = made.to_wire()
    before = server.revisions()[0]["revision"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.5", 0))
        sock.settimeout(10)
        for _ in range(4):
            sock.sendto(datagram, (server.host, server.port))
        assert {sock.recv(4096)[3] & 0xF for _ in range(4)} == {0}
        sock.sendto(datagram, (server.host, server.port))
        assert sock.recv(4096)[3] & 0xF == 0
    assert server.revisions()[0]["revision"] == before + 1


def test_many_clients_at_once_lose_nothing(server: UpdatedServer) -> None:
    def add_some(client: int) -> list[str]:
        return [
            server.rcode(adding(f"c{client}-{number}", "A", "192.0.2.1"), tcp=bool(client % 2)) for number in range(15)
        ]

    before = server.revisions()[0]["revision"]
    with ThreadPoolExecutor(10) as pool:
        assert {rcode for said in pool.map(add_some, range(10)) for rcode in said} == {"NOERROR"}
    assert server.revisions()[0]["revision"] == before + 150
    for client in range(10):
        assert server.addresses(f"c{client}-14.example.com") == ["192.0.2.1"]


def test_pipelined_updates_of_one_connection_are_made_in_their_order(server: UpdatedServer) -> None:
    with socket.create_connection((server.host, server.port), 10) as sock:
        sent = {}
        for number in range(40):
            made = update()
            if number:
                made.present("chain", "TXT", f"{number - 1}")
            made.replace("chain", 60, "TXT", f"{number}")
            made.use_tsig(dns.tsig.Key(ALL, SECRET))
            dns.query.send_tcp(sock, made)
            sent[made.id] = number
        for _ in sent:
            size = int.from_bytes(_received(sock, 2))
            assert _received(sock, size)[3] & 0xF == 0
    assert server.addresses("chain.example.com", "TXT") == ['"39"']


def _received(sock: socket.socket, size: int) -> bytes:
    octets = b""
    while len(octets) < size:
        more = sock.recv(size - len(octets))
        assert more
        octets += more
    return octets


def test_a_load_balancers_name_says_so(server: UpdatedServer) -> None:
    pools = f"/client/v4/accounts/{server.api_ask('GET', '/client/v4/accounts')[0]['id']}/load_balancers/pools"
    pool = server.api_ask("POST", pools, {"name": "p", "origins": [{"name": "e", "address": "192.0.2.80"}]})["id"]
    body = {"name": "lb.example.com", "default_pools": [pool], "fallback_pool": pool}
    server.api_ask("POST", f"/client/v4/zones/{server.zone_id}/load_balancers", body)
    made = adding("lb", "A", "192.0.2.1")
    made.use_edns(0)
    reply = server.send(made)
    assert reply.rcode() == dns.rcode.REFUSED
    assert any("a load balancer answers there" in str(option) for option in reply.options)
    assert server.addresses("lb.example.com") == ["192.0.2.80"]
    assert server.rcode(adding("lb", "TXT", "beside")) == "NOERROR"


def test_nsupdate(server: UpdatedServer) -> None:
    path = tool("nsupdate")
    if path is None:
        pytest.skip("nsupdate is not installed")
    head = f"server {server.host} {server.port}\nzone example.com\n"
    many = "".join(f"update add n{number} 60 A 192.0.2.1\n" for number in range(100)).replace(" 60", ".example.com 60")
    signed = ["-y", f"hmac-sha256:{ALL}:{SECRET}"]
    for arguments, script in (
        (signed, f"{head}update add nsupdate.example.com 60 A 192.0.2.1\nsend\n"),
        ([*signed, "-v"], f"{head}{many}send\n"),
        ([], f"{head}local 127.0.0.5\nupdate delete nsupdate.example.com A\nsend\n"),
    ):
        done = run_tool([path, *arguments], script)
        assert (done.returncode, done.stderr) == (0, ""), done
    assert server.addresses("n99.example.com") == ["192.0.2.1"]
    assert server.addresses("nsupdate.example.com") == []
    # Without a zone: it asks for the SOA first, signed.
    plain = f"server {server.host} {server.port}\nupdate add deep.er.example.com 60 A 192.0.2.1\nsend\n"
    assert run_tool([path, *signed], plain).returncode == 0
    assert server.addresses("deep.er.example.com") == ["192.0.2.1"]
    refused = run_tool([path], plain)
    assert refused.returncode == 2 and "REFUSED" in refused.stderr
    absent = run_tool([path, *signed], f"{head}prereq nxdomain n99.example.com\nupdate delete n99.example.com\nsend\n")
    assert absent.returncode == 2 and "YXDOMAIN" in absent.stderr


def test_knsupdate(server: UpdatedServer) -> None:
    path = tool("knsupdate")
    if path is None:
        pytest.skip("knsupdate is not installed")
    script = f"server {server.host} {server.port}\nzone example.com.\nadd knsupdate.example.com. 60 A 192.0.2.1\nsend\n"
    for arguments in ([], ["-v"]):
        done = run_tool([path, "-y", f"hmac-sha256:{ALL}:{SECRET}", *arguments], script)
        assert done.returncode == 0, done
    assert server.addresses("knsupdate.example.com") == ["192.0.2.1"]


def test_a_signed_zone_stays_signed(server: UpdatedServer) -> None:
    zone_id = server.api_ask("POST", "/client/v4/zones", {"name": "signed.example"})["id"]
    server.api_ask("PATCH", f"/client/v4/zones/{zone_id}/dnssec", {"status": "active"})

    def is_signed() -> bool:
        query = dns.message.make_query("signed.example", "SOA", want_dnssec=True)
        reply = dns.query.udp(query, server.host, port=server.port, timeout=10)
        return any(rrset.rdtype == dns.rdatatype.RRSIG for rrset in reply.answer)

    wait_until(is_signed, lambda: server.log)
    made = dns.update.UpdateMessage("signed.example")
    made.add("www", 60, "A", "192.0.2.1")
    assert server.rcode(made) == "NOERROR"
    query = dns.message.make_query("www.signed.example", "A", want_dnssec=True)
    reply = dns.query.udp(query, server.host, port=server.port, timeout=10)
    assert {rrset.rdtype for rrset in reply.answer} == {dns.rdatatype.A, dns.rdatatype.RRSIG}
    # What signs the zone is made here: no client gives it.
    forged = dns.update.UpdateMessage("signed.example")
    forged.add("www", 60, "NSEC", "xxx.signed.example. A NSEC RRSIG")
    assert server.rcode(forged) == "REFUSED"
    gone = dns.update.UpdateMessage("signed.example")
    gone.delete("www")
    assert server.rcode(gone) == "NOERROR"
    reply = dns.query.udp(query, server.host, port=server.port, timeout=10)
    assert reply.answer == [] and any(rrset.rdtype == dns.rdatatype.RRSIG for rrset in reply.authority)


def test_the_soa_of_updates_is_the_one_that_is_served(followed: UpdatedServer) -> None:
    """Signing raises the serial that is served above the stored one, as the zone may be transferred."""
    server = followed
    zone_path = f"/client/v4/zones/{server.zone_id}"

    def served_soa() -> SOA:
        query = dns.message.make_query("example.com", "SOA")
        found = dns.query.udp(query, server.host, port=server.port, timeout=10).answer[0][0]
        assert isinstance(found, SOA)
        return found

    stored = served_soa()
    server.api_ask("PATCH", f"{zone_path}/dnssec", {"status": "active"})
    wait_until(lambda: served_soa().serial != stored.serial, lambda: server.log)

    def needing(soa: SOA, name: str) -> dns.update.UpdateMessage:
        made = adding(name, "TXT", "x")
        made.present("@", soa)
        return made

    def giving(serial: int) -> dns.update.UpdateMessage:
        made = update()
        made.add("@", 3600, served_soa().replace(serial=serial, minimum=77))
        return made

    before = served_soa()
    assert server.rcode(needing(stored, "never")) == "NXRRSET"
    # Neither newer than what is served: left undone without a word (RFC 2136 section 3.4.2.2).
    revision = server.revisions()[0]["revision"]
    for serial in (stored.serial + 1, before.serial):
        assert server.rcode(giving(serial)) == "NOERROR"
    assert server.revisions()[0]["revision"] == revision and served_soa() == before
    assert server.rcode(needing(before, "once")) == "NOERROR"
    assert served_soa().serial == before.serial + 1
    assert server.rcode(needing(before, "twice")) == "NXRRSET"
    assert server.rcode(giving(before.serial + 7)) == "NOERROR"
    given = served_soa()
    assert (given.serial, given.minimum) == (before.serial + 7, 77)
    assert server.rcode(needing(given, "after")) == "NOERROR"
