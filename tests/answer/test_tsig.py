"""Signed queries (TSIG, RFC 8945): each error as the RFC has it, replies that clients take, room for the signature."""

from __future__ import annotations

import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.tsig
import pytest
from dns.rdtypes.ANY.TSIG import TSIG

from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.dns.codes import BADKEY, BADSIG, BADTIME, BADTRUNC
from lbdns.fastpath.layout import DEFERRED
from lbdns.fastpath.read import Server
from lbdns.fastpath.serve import serve
from lbdns.testing import LbdnsServer, running_server
from tests.answer.lanes import CLIENT, compiled_view
from tests.answer.packets import header, opt, question, record, tsig, u16
from tests.answer.replies import Reply
from tests.answer.test_resolvers import Digger
from tests.answer.unbound import program

CUT_ALGORITHMS = ("hmac-sha256-128", "hmac-sha384-192", "hmac-sha512-256")
NAME = "static.example.com."
ALGORITHMS = ("hmac-md5", *CUT_ALGORITHMS, "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")
SECRETS = {f"key-{name}": bytes((number,)) * 32 for number, name in enumerate(ALGORITHMS, 1)}
KEYS = [
    {"name": f"Key-{name}.", "algorithm": name, "secret": b64encode(SECRETS[f"key-{name}"]).decode()}
    for name in ALGORITHMS
]
WIRE = {"hmac-md5": "hmac-md5.sig-alg.reg.int."}
LONGEST = ".".join("k" * 60 for _ in range(4))
SKEW_S = 301
Ask = Callable[..., bytes | None]


def key(algorithm: str = "hmac-sha256", **other: Any) -> dns.tsig.Key:
    """Return a key of the server, or one that differs from it."""
    name = f"key-{algorithm}"
    return dns.tsig.Key(
        **{"name": f"{name}.", "secret": SECRETS[name], "algorithm": WIRE.get(algorithm, algorithm), **other}
    )


@pytest.fixture(scope="module")
def keyed(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration with a key for each algorithm, and one of the longest name."""
    longest = {"name": LONGEST, "secret": b64encode(bytes(32)).decode()}
    return {**tree, "settings": {**tree["settings"], "keys": [*KEYS, longest]}}


@pytest.fixture(scope="module")
def keyed_view(keyed: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> ServingView:
    """It compiled in this process."""
    return compiled_view(parse(keyed, tmp_path_factory.mktemp("parsed")).configuration, tmp_path_factory.mktemp("view"))


@pytest.fixture(params=[Transport.UDP, Transport.TCP], ids=lambda one: one.value)
def ask(request: pytest.FixtureRequest, keyed_view: ServingView) -> Ask:
    """`respond` over each transport; the fast path leaves what is signed to it."""

    def send(wire: bytes, skew_s: int = 0) -> bytes | None:
        if request.param is Transport.UDP:
            server = Server(keyed_view.columns, keyed_view.table.columns, keyed_view.region_index)
            server.incoming, server.outgoing = memoryview(wire), memoryview(bytearray(2048))
            assert serve(server, 0, len(wire), 0) == DEFERRED
        return respond(keyed_view, wire, CLIENT, request.param, 1, 0, None, int(time.time()) + skew_s)

    return send


def signed(
    name: str = NAME, rdtype: str = "A", by: dns.tsig.Key | None = None, **options: Any
) -> dns.message.QueryMessage:
    """Return a signed query."""
    asked = dns.message.make_query(name, rdtype, **options)
    asked.use_tsig(by or key())
    return asked


def replied(asked: dns.message.Message, wire: bytes | None) -> dns.message.Message:
    """Return a reply whose signature holds."""
    assert wire is not None
    reply = dns.message.from_wire(wire, keyring=asked.keyring, request_mac=asked.mac)
    assert reply.had_tsig and reply.id == asked.id
    return reply


def error_of(wire: bytes | None) -> TSIG:
    """Return the TSIG record of a NOTAUTH reply."""
    assert wire is not None
    reply = Reply(wire)
    assert reply.rcode == "NOTAUTH" and not reply.aa
    found = reply.records[-1]
    assert (found.section, found.type, found.rclass, found.ttl) == (2, 250, 255, 0)
    data = dns.rdata.from_wire("ANY", "TSIG", found.rdata, 0, len(found.rdata))
    assert isinstance(data, TSIG)
    return data


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_good_signature_gets_the_answer_signed(ask: Ask, algorithm: str) -> None:
    asked = signed(by=key(algorithm))
    reply = replied(asked, ask(asked.to_wire()))
    assert reply.rcode() == dns.rcode.NOERROR and reply.flags & dns.flags.AA
    assert [str(rdata) for rdata in reply.answer[0]] == ["192.0.2.80"]
    assert reply.tsig is not None and abs(reply.tsig[0].time_signed - time.time()) < 60 and reply.tsig_error == 0


def test_the_case_of_a_keys_name_has_no_meaning(ask: Ask) -> None:
    asked = signed(by=key(name="KEY-hmac-SHA256."))
    replied(asked, ask(asked.to_wire()))


@pytest.mark.parametrize(
    ("name", "rdtype", "rcode"),
    [
        (NAME, "AAAA", dns.rcode.NOERROR),
        ("nothing.example.com.", "A", dns.rcode.NXDOMAIN),
        ("www.example.com.", "A", dns.rcode.NOERROR),
        ("host.sub.example.com.", "A", dns.rcode.NOERROR),
        ("elsewhere.test.", "A", dns.rcode.REFUSED),
        ("example.com.", "AXFR", dns.rcode.REFUSED),
        (NAME, "TYPE128", dns.rcode.FORMERR),
    ],
)
@pytest.mark.parametrize("edns", [False, True])
def test_whatever_is_replied_is_signed(ask: Ask, name: str, rdtype: str, rcode: int, edns: bool) -> None:
    asked = signed(name, rdtype, use_edns=edns)
    assert replied(asked, ask(asked.to_wire())).rcode() == rcode


def test_errors_that_no_zone_is_asked_about_are_signed_too(ask: Ask) -> None:
    future = signed(use_edns=1)
    assert replied(future, ask(future.to_wire())).rcode() == dns.rcode.BADVERS
    update = dns.message.from_wire(header(0x2800, (1, 0, 0, 0)) + question("example.com.", "SOA"))
    update.use_tsig(key())
    assert replied(update, ask(update.to_wire())).rcode() == dns.rcode.NOTIMP


def test_unknown_keys_and_other_algorithms_are_badkey(ask: Ask) -> None:
    for by in (
        key(name="nobody."),
        key(algorithm="hmac-sha256", name="key-hmac-sha512."),
        key(algorithm="hmac-sha512", name="key-hmac-sha256."),
    ):
        found = error_of(ask(signed(by=by).to_wire()))
        assert (found.error, found.mac) == (BADKEY, b"")


def test_another_secret_and_a_changed_message_are_badsig_and_the_reply_is_unsigned(ask: Ask) -> None:
    found = error_of(ask(signed(by=key(secret=b"x" * 32)).to_wire()))
    assert (found.error, found.mac, found.other) == (BADSIG, b"", b"")
    wire = signed().to_wire()
    for at in (2, 3, 13, 13 + len("static.example.com") + 3):  # RD, AD, a letter of the name, the type
        changed = wire[:at] + bytes((wire[at] ^ 1,)) + wire[at + 1 :]
        assert error_of(ask(changed)).error == BADSIG


def test_a_forwarder_may_change_the_id(ask: Ask) -> None:
    asked = signed()
    wire = ask(b"\x12\x34" + asked.to_wire()[2:])
    assert wire is not None and wire[:2] == b"\x12\x34"
    replied(asked, asked.id.to_bytes(2) + wire[2:])


@pytest.mark.parametrize("skew_s", [-SKEW_S - 60, SKEW_S + 60])
def test_a_clock_that_is_off_is_badtime_signed_with_the_servers_time(ask: Ask, skew_s: int) -> None:
    asked = signed()
    wire = ask(asked.to_wire(), skew_s) or b""
    found = error_of(wire)
    assert found.error == BADTIME and len(found.mac) == 32
    assert asked.tsig is not None and found.time_signed == asked.tsig[0].time_signed
    assert abs(int.from_bytes(found.other, "big") - time.time() - skew_s) < 60
    with pytest.raises(dns.tsig.PeerBadTime):
        dns.message.from_wire(wire, keyring=asked.keyring, request_mac=asked.mac)
    holds(asked, wire)


def holds(asked: dns.message.Message, wire: bytes | None) -> None:
    """Assert that the MAC of an error is right: as if it told none, for dnspython looks no further there."""
    assert wire is not None
    found = error_of(wire)
    at = len(wire) - len(Reply(wire).records[-1].rdata) - 10 - len(key().name.to_wire() or b"")
    unsigned = wire[:10] + u16(int.from_bytes(wire[10:12], "big") - 1) + wire[12:at]
    expected, _ = dns.tsig.sign(  # type: ignore[no-untyped-call]
        unsigned, key(), found, found.time_signed, asked.mac
    )
    assert expected.mac == found.mac


def test_just_within_the_fudge_is_good(ask: Ask) -> None:
    asked = signed()
    replied(asked, ask(asked.to_wire(), 290))


def cut(wire: bytes, size: int, whole: int = 32) -> bytes:
    """Return a signed query with another length of MAC."""
    end = len(wire) - 6
    mac = wire[end - whole : end]
    mac = mac[:size] if size <= whole else mac + bytes(size - whole)
    data = wire[end - whole - 2 - 8 - 13 : end - whole - 2] + u16(size) + mac + wire[end:]
    return wire[: end - whole - 2 - 8 - 13 - 2] + u16(len(data)) + data


@pytest.mark.parametrize("size", [16, 20, 31])
def test_a_mac_cut_short_that_holds_is_badtrunc_and_signed(ask: Ask, size: int) -> None:
    asked = signed()
    wire = cut(asked.to_wire(), size)
    found = error_of(ask(wire))
    assert found.error == BADTRUNC and len(found.mac) == 32
    wrong = wire[: len(wire) - 7] + bytes((wire[-7] ^ 1,)) + wire[-6:]
    assert error_of(ask(wrong)).error == BADSIG


@pytest.mark.parametrize("size", [0, 1, 9, 15, 33, 64])
def test_a_mac_of_a_length_that_none_has_is_malformed(ask: Ask, size: int) -> None:
    reply = Reply(ask(cut(signed().to_wire(), size)) or b"")
    assert reply.rcode == "FORMERR" and reply.records == []


def test_a_tsig_record_of_another_class_is_malformed(ask: Ask) -> None:
    data = tsig("key-hmac-sha256.")
    wire = header(counts=(1, 0, 0, 1)) + question(NAME)
    as_in = wire + record("key-hmac-sha256.", 250, data[len(b"\x0fkey-hmac-sha256\0") + 10 :], 1)
    assert Reply(ask(as_in) or b"").rcode == "FORMERR"


def test_what_does_not_fit_beside_the_signature_is_truncated(keyed_view: ServingView) -> None:
    """RFC 8945 section 5.3: question and TSIG alone, TC, RCODE NOERROR; within the size that the client has said."""
    kinds = set()
    for payload in (None, *range(512, 1300, 7)):
        for name, rdtype in (
            ("half.big.test.", "TXT"),
            ("full.big.test.", "TXT"),
            ("many.big.test.", "MX"),
            ("host.cut.big.test.", "A"),
        ):
            for algorithm in ("hmac-sha1", "hmac-sha512"):
                asked = signed(name, rdtype, key(algorithm), **({} if payload is None else {"payload": payload}))
                wire = respond(keyed_view, asked.to_wire(), CLIENT, Transport.UDP, 1, 0, None, int(time.time()))
                reply = replied(asked, wire)
                assert len(wire or b"") <= min(payload or 512, 1232)
                is_cut = bool(reply.flags & dns.flags.TC)
                kinds.add(is_cut)
                assert not is_cut or (not reply.answer and not reply.authority and not reply.additional)
    assert kinds == {False, True}


def test_where_no_signature_fits_the_client_is_told_to_come_over_tcp(keyed_view: ServingView) -> None:
    by = dns.tsig.Key(LONGEST, bytes(32), "hmac-sha256")
    asked = signed(f"{'q' * 60}.{'q' * 60}.{'q' * 60}.example.com.", by=by)
    now_s = int(time.time())
    over_udp = respond(keyed_view, asked.to_wire(), CLIENT, Transport.UDP, 1, 0, None, now_s) or b""
    reply = Reply(over_udp)
    assert len(over_udp) <= 512 and reply.tc and reply.records == []
    over_tcp = respond(keyed_view, asked.to_wire(), CLIENT, Transport.TCP, 1, 0, None, now_s)
    assert replied(asked, over_tcp).rcode() == dns.rcode.NXDOMAIN


def test_without_keys_every_signature_is_of_an_unknown_key(view: ServingView) -> None:
    wire = respond(view, signed().to_wire(), CLIENT, Transport.UDP, 1, 0, None, int(time.time()))
    assert error_of(wire).error == BADKEY


def test_the_first_error_is_told_and_what_is_not_vouched_for_is_not_signed(keyed_view: ServingView) -> None:
    """BADVERS stands before signatures; it is signed only where the query's holds."""
    wrong = header(counts=(1, 0, 0, 2)) + question(NAME) + opt(version=1) + tsig("key-hmac-sha256.")
    wire = respond(keyed_view, wrong, CLIENT, Transport.UDP, 1, 0, None, int(time.time()))
    reply = Reply(wire or b"")
    assert [found.type for found in reply.records] == [41]
    client = Client(bytes(4), 0)
    assert respond(keyed_view, wrong, client, Transport.UDP, 1, 0) is None


@pytest.fixture(scope="module")
def server(
    starts_processes: None, keyed: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LbdnsServer]:
    """The keys served."""
    with running_server(keyed, tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.mark.process
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
@pytest.mark.parametrize(
    ("name", "algorithm"),
    [*product(["dig"], ALGORITHMS), *(("kdig", one) for one in ALGORITHMS if one not in CUT_ALGORITHMS)],
)
def test_dig_and_kdig_sign(server: LbdnsServer, name: str, transport: str, algorithm: str) -> None:
    secret = b64encode(SECRETS[f"key-{algorithm}"]).decode()
    found = Digger(name, server, "-y", f"{algorithm}:key-{algorithm}:{secret}", transport, NAME, "A")
    assert found.records == ["static.example.com. 300 A 192.0.2.80"] and found.status == "NOERROR"
    assert found.holds(r"(?i)key-hmac-[-a-z0-9]+\.\s+0\s+ANY\s+TSIG") and not found.holds("(?i)failed|couldn't verify")


@pytest.mark.process
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_dig_is_told_what_is_wrong_with_its_signature(server: LbdnsServer, transport: str) -> None:
    secret = b64encode(b"another secret of this length....").decode()
    for by, told in (("key-hmac-sha256", "BADSIG"), ("nobody", "BADKEY")):
        command = [program("dig"), f"@{server.host}", "-p", str(server.port), "-y", f"hmac-sha256:{by}:{secret}"]
        done = subprocess.run([*command, transport, NAME, "A"], capture_output=True, text=True, timeout=30, check=False)
        assert "status: NOTAUTH" in done.stdout and told in done.stdout, done.stdout + done.stderr


@pytest.mark.process
def test_nsupdate_is_told_by_a_signed_reply_that_there_are_no_updates(server: LbdnsServer) -> None:
    secret = b64encode(SECRETS["key-hmac-sha256"]).decode()
    script = f"server {server.host} {server.port}\nzone example.com\nupdate add new.example.com 60 A 192.0.2.1\nsend\n"
    command = [program("nsupdate"), "-v", "-y", f"hmac-sha256:key-hmac-sha256:{secret}"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=30, check=False)
    said = done.stdout + done.stderr
    assert "update failed: NOTIMP" in said and "TSIG" not in said, said


@pytest.mark.process
def test_a_reload_changes_the_keys(tree: Mapping[str, Any], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(b64encode(SECRETS["key-hmac-sha256"]).decode())
    secret.chmod(0o600)
    settings = {**tree["settings"], "keys": [{"name": "key-hmac-sha256", "secret_file": str(secret)}]}
    with running_server({**tree, "settings": settings}, tmp_path / "server") as running:

        def asked(by: dns.tsig.Key) -> dns.message.Message:
            return dns.query.udp(signed(by=by), running.host, timeout=10, port=running.port)

        assert asked(key()).answer
        secret.write_text(b64encode(bytes(range(32))).decode())
        running.reload({})
        assert asked(key(secret=bytes(range(32)))).answer
        with pytest.raises(dns.tsig.PeerBadSignature):
            asked(key())
        served = [path for path in tmp_path.rglob("served/*/**/*") if path.is_file()]
        assert {path.name for path in served} >= {"snapshot", "configuration.json", "lbdns.yaml"}
        for path in (*served, *running.run_directory.glob("snapshot-*.bin")):
            assert path.stat().st_mode & 0o077 == 0, path
        shown = str(running.status()) + running.log
        assert b64encode(bytes(range(32))).decode() not in shown
