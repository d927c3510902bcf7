"""Zone transfers as the slow path gives them: who gets what, and every record of the zone in whole messages."""

from __future__ import annotations

import json
import os
import random
import socket
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.zone
import pytest

from lbdns.answer import zone_messages
from lbdns.answer.answer import Road
from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.answer.zone_expiry import expire_s
from lbdns.config.loading import parse
from lbdns.dns import message_writer
from lbdns.dns.codes import HEADER_BYTES, OPTION_EXPIRE, TCP_BYTES_MAX, TYPE_SOA, TYPE_TXT
from lbdns.dns.name import encode_canonical
from lbdns.dns.rdata.record_types import RECORD_TYPES
from lbdns.dns.zone import Zone
from lbdns.dns.zone_copy import checked_path, copy_path
from lbdns.fastpath.layout import DEFERRED
from lbdns.fastpath.read import Server
from lbdns.fastpath.serve import serve
from lbdns.mapped.snapshot_file import SECONDARY_ZONES
from lbdns.mapped.zone_journal import Differences, ZoneJournal, journal_path
from lbdns.model.configuration import Configuration
from tests.answer import world
from tests.answer.lanes import compiled_view
from tests.answer.packets import header, opt, option, query, question, record
from tests.answer.replies import Reply
from tests.interpreted import standing_in

PEER, STRANGER = (Client(socket.inet_aton(address), 4_000) for address in ("192.0.2.53", "198.51.100.1"))
SECRET = bytes(range(32))
KEY = dns.tsig.Key("mover.", SECRET)
NOW_S = 0
"""When a test begins: dnspython signs by the clock, and a signature holds for five minutes."""
ONE_POOL = {"eu": {"origins": [{"name": "a", "address": "192.0.2.10"}]}}
HUGE = "$TTL 300\n@ SOA ns1 h 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n" + "\n".join(
    f"h{number}.Sub{number % 97} {kind}"
    for number in range(900)
    for kind in ("A 192.0.2.1", "MX 5 Mail.Example.NET.", f"TXT {'x' * 150}")
)
ZONES = {
    "example.com": world.MAIN,
    "big.test": world.BIG,
    "example": world.RFC4592,
    "huge.test": HUGE,
    "closed.test": world.APEX,
    "lb.test": world.APEX,
}
SERVED = tuple(name for name in ZONES if name not in ("closed.test", "lb.test"))
SETTINGS = {
    "keys": [{"name": "mover", "secret": b64encode(SECRET).decode()}],
    "access": {"transfer": [{"network": "192.0.2.0/24"}, {"key": "mover"}]},
    "zones": {"closed.test": {"access": {"transfer": []}}, "lb.test": {"transfer": {"steered": "refuse"}}},
}


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set NOW_S."""
    monkeypatch.setattr(sys.modules[__name__], "NOW_S", int(time.time()))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    """A configuration whose zones may be transferred."""
    balancer = {"name": "www.lb.test", "default_pools": ["eu"], "fallback_pool": "eu"}
    tree: dict[str, Any] = {"zones": ZONES, "pools": ONE_POOL, "load_balancers": [balancer], "settings": SETTINGS}
    return parse(tree, tmp_path_factory.mktemp("loaded")).configuration


@pytest.fixture(scope="module")
def moving(loaded: Configuration, tmp_path_factory: pytest.TempPathFactory) -> ServingView:
    """It, compiled."""
    return compiled_view(loaded, tmp_path_factory.mktemp("moving"))


def transferred(view: ServingView, wire: bytes, client: Client = PEER) -> list[bytes]:
    """Return the messages of the reply to a request over TCP; one where it is no transfer."""
    road = Road()
    reply = respond(view, wire, client, Transport.TCP, 1, 0, road, NOW_S)
    if road.stream is None:
        return [reply or b""]
    assert reply is None
    if not road.stream.is_prepared:
        road.stream.prepare()
    found = []
    while (message := road.stream.next_message(NOW_S)) is not None:
        found.append(message)
    return found


def records_of(messages: list[bytes]) -> list[tuple[str, int, int, bytes]]:
    """Return owner, type, TTL and data, uncompressed, of all records in order."""
    found = []
    for wire in messages:
        for rrset in dns.message.from_wire(wire, one_rr_per_rrset=True, keyring=False).answer:
            data = rrset[0].to_wire() or b""
            found.append((rrset.name.to_text(), int(rrset.rdtype), rrset.ttl, data))
    return found


def held(zone: Zone) -> Counter[tuple[str, int, int, bytes]]:
    """Return the records of a zone, by the zone's own values."""
    return Counter(
        (dns.name.from_wire(one.owner, 0)[0].to_text(), one.type, one.ttl, data)
        for one in zone.rrsets
        for data in one.rdatas
    )


def zone_of(configuration: Configuration, name: str) -> Zone:
    """Return a zone of a configuration."""
    return next(zone for zone in configuration.zones if zone.apex == encode_canonical(name))


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize("rtype", ["AXFR", "IXFR"])
def test_a_zone_comes_whole(moving: ServingView, loaded: Configuration, name: str, rtype: str) -> None:
    """Between two SOA records each record once; an IXFR whose serial no journal knows is an AXFR."""
    asked = query(f"{name}.", rtype).wire if rtype == "AXFR" else ixfr(f"{name}.", 0)
    messages = transferred(moving, asked)
    records = records_of(messages)
    assert records[0] == records[-1] and records[0][1] == TYPE_SOA
    assert Counter(records[:-1]) == held(zone_of(loaded, name))
    for index, wire in enumerate(messages):
        reply = Reply(wire)
        assert reply.aa and reply.rcode == "NOERROR" and not reply.tc and len(wire) <= TCP_BYTES_MAX
        assert reply.counts[0] == (index == 0) and reply.counts[2:] == [0, 0]
        assert wire[:2] == asked[:2]
    assert all(len(wire) > TCP_BYTES_MAX - 1000 for wire in messages[:-1]), "messages are not filled"


def ixfr(name: str, serial: int) -> bytes:
    """Return an IXFR query from a serial."""
    soa = record(name, "SOA", b"\0\0" + serial.to_bytes(4) + bytes(16))
    return header(counts=(1, 0, 1, 0)) + question(name, "IXFR") + soa


def test_each_message_is_signed(moving: ServingView, loaded: Configuration) -> None:
    """RFC 8945 section 5.3.1, checked by dnspython; a stranger's address does not matter then."""
    asked = dns.message.make_query("huge.test", "AXFR", use_edns=0)
    asked.use_tsig(KEY)
    messages = transferred(moving, asked.to_wire(), STRANGER)
    assert len(messages) > 2
    context = None
    for index, wire in enumerate(messages):
        read = dns.message.from_wire(wire, keyring=KEY, request_mac=asked.mac, xfr=True, tsig_ctx=context, multi=True)
        context = read.tsig_ctx
        assert read.had_tsig
        assert (read.edns == 0) == (index == 0), "the OPT record is in the first message"
    assert Counter(records_of(messages)[:-1]) == held(zone_of(loaded, "huge.test"))


@pytest.mark.parametrize(
    ("case", "client", "transport", "rcode", "ede"),
    [
        (query("example.com.", "AXFR", edns=True).wire, STRANGER, Transport.TCP, "REFUSED", 18),
        (query("example.com.", "AXFR").wire, PEER, Transport.UDP, "REFUSED", None),
        (query("closed.test.", "AXFR", edns=True).wire, PEER, Transport.TCP, "REFUSED", 18),
        (query("lb.test.", "AXFR", edns=True).wire, PEER, Transport.TCP, "REFUSED", 21),
        (query("static.example.com.", "AXFR", edns=True).wire, PEER, Transport.TCP, "NOTAUTH", 20),
        (query("nowhere.test.", "AXFR", edns=True).wire, PEER, Transport.TCP, "NOTAUTH", 20),
        (query("example.com.", "IXFR").wire, PEER, Transport.TCP, "FORMERR", None),
        (ixfr("example.com.", 0), STRANGER, Transport.TCP, "REFUSED", None),
        (ixfr("example.com.", 0), STRANGER, Transport.UDP, "REFUSED", None),
    ],
)
def test_who_gets_nothing(
    moving: ServingView, case: bytes, client: Client, transport: Transport, rcode: str, ede: int | None
) -> None:
    road = Road()
    wire = respond(moving, case, client, transport, 1, 0, road, NOW_S)
    reply = Reply(wire or b"")
    assert road.stream is None and reply.rcode == rcode and not reply.aa and not reply.message.answer
    assert [int(option.code) for option in reply.message.options] == ([] if ede is None else [ede])


@pytest.mark.parametrize(
    ("serial", "transport"), [(1, Transport.TCP), (2, Transport.TCP), (0, Transport.UDP), (1, Transport.UDP)]
)
def test_who_is_current_gets_the_soa_alone(moving: ServingView, serial: int, transport: Transport) -> None:
    """RFC 1995 section 2: as who asks over UDP does, to come over TCP."""
    for name in ("example.com.", "big.test."):
        reply = Reply(respond(moving, ixfr(name, serial), PEER, transport, 1, 0, None, NOW_S) or b"")
        assert reply.rcode == "NOERROR" and reply.aa and not reply.tc
        assert [rrset.rdtype for rrset in reply.message.answer] == [dns.rdatatype.SOA]


def wire_record(name: str, rtype: int, data: bytes, ttl: int = 300) -> bytes:
    """Return a record as a journal has it."""
    return record(name, rtype, data, ttl=ttl)


@pytest.mark.parametrize("octets", [10, 60_000])
def test_changes_come_in_place_of_the_zone_where_these_are_less(
    loaded: Configuration, tmp_path: Path, octets: int
) -> None:
    """RFC 1995 section 4: SOA after, SOA before, what went, SOA after, what came, SOA after."""
    compiled = compiled_view(loaded, tmp_path)
    view = ServingView(compiled.snapshot, compiled.table, None, tmp_path)
    apex = encode_canonical("huge.test")
    soa = view.rrset(view.columns["zone_apex"][view.zones_above(0, apex)[0]], TYPE_SOA)
    assert soa is not None
    new = soa.rdatas[0]
    old = new[:-20] + (0xFFFFFFF0).to_bytes(4) + new[-16:]
    text = bytes((200,)) + bytes(200)
    deleted = tuple(wire_record(f"gone{number}.huge.test.", TYPE_TXT, text) for number in range(octets // 200))
    added = (wire_record("h1.sub1.huge.test.", 1, bytes((192, 0, 2, 1))), wire_record("huge.test.", 15, b"\0\5\0"))
    changes = Differences(
        wire_record("huge.test.", TYPE_SOA, old), wire_record("huge.test.", TYPE_SOA, new), deleted, added
    )
    path = journal_path(tmp_path, apex, "public")
    path.parent.mkdir(parents=True)
    ZoneJournal(path).append(0xFFFFFFF0, 1, changes, 1 << 30)
    records = records_of(transferred(view, ixfr("huge.test.", 0xFFFFFFF0)))
    is_soa = [place for place, one in enumerate(records) if one[1] == TYPE_SOA]
    assert is_soa == [0, 1, 2 + len(deleted), 5 + len(deleted)]
    assert [records[place][3] for place in is_soa] == [new, old, new, new]
    assert [data for _, _, _, data in records[2 : 2 + len(deleted)]] == [text] * len(deleted)
    assert records[3 + len(deleted)][0] == "h1.sub1.huge.test." and records[4 + len(deleted)][1] == 15
    # A serial that the journal does not know: the whole zone.
    assert Counter(records_of(transferred(view, ixfr("huge.test.", 0xFFFFFFEF)))[:-1]) == held(
        zone_of(loaded, "huge.test")
    )


def test_changes_that_are_more_than_the_zone_do_not_come(loaded: Configuration, tmp_path: Path) -> None:
    compiled = compiled_view(loaded, tmp_path)
    view = ServingView(compiled.snapshot, compiled.table, None, tmp_path)
    apex = encode_canonical("example")
    soa = wire_record("example.", TYPE_SOA, b"\0\0" + bytes(20))
    deleted = tuple(wire_record(f"gone{number}.example.", TYPE_TXT, b"\4gone") for number in range(1000))
    path = journal_path(tmp_path, apex, "public")
    path.parent.mkdir(parents=True)
    ZoneJournal(path).append(0, 1, Differences(soa, soa, deleted, ()), 1 << 30)
    assert Counter(records_of(transferred(view, ixfr("example.", 0)))[:-1]) == held(zone_of(loaded, "example"))


def test_interpreted_and_compiled_are_equal(moving: ServingView) -> None:
    wanted = [transferred(moving, query(f"{name}.", "AXFR").wire) for name in SERVED[:3]]
    with standing_in("dns.message_writer") as writing, standing_in("answer.zone_messages") as walking:
        for name, messages in zip(SERVED, wanted, strict=False):
            zone = moving.zones_above(0, encode_canonical(name))[0]
            place, writer = walking.ZoneMessages(), writing.MessageWriter()
            assert walking.begin_messages(moving.steering, zone, place)
            for wire in messages:
                writing.begin_message(writer, TCP_BYTES_MAX)
                if wire is messages[0]:
                    asked = query(f"{name}.", "AXFR").wire[HEADER_BYTES:]
                    writing.write_question(writer, asked, len(asked))
                walking.fill_message(moving.steering, place, writer)
                assert bytes(writer.buffer[HEADER_BYTES : writer.position]) == wire[HEADER_BYTES:]
            assert place.has_ended
    assert zone_messages.ZoneMessages is not walking.ZoneMessages


def read_back(writer: Any) -> list[tuple[bytes, int, int, bytes]]:
    """Return what stands in a writer's message, by dnspython."""
    head = header(0x8400, (0, writer.records, 0, 0))
    wire = head + bytes(writer.buffer[HEADER_BYTES : writer.position])
    read = dns.message.from_wire(wire, one_rr_per_rrset=True)
    return [(one.name.to_wire() or b"", int(one.rdtype), one.ttl, one[0].to_wire() or b"") for one in read.answer]


@pytest.mark.parametrize("lane", ["compiled", "interpreted"])
@pytest.mark.parametrize("seed", range(3))
def test_random_records_are_read_back(lane: str, seed: int) -> None:
    """Whatever names there are, in whatever case: dnspython reads what was written, and pointers stay in bounds."""
    chance = random.Random(seed)
    with standing_in("dns.message_writer") as interpreted:
        writing: ModuleType = interpreted if lane == "interpreted" else message_writer
    writer = writing.MessageWriter()
    labels = [bytes(chance.choices(b"aAbB\0.\xff-", k=chance.choice((1, 1, 2, 3, 63)))) for _ in range(12)]

    def name() -> bytes:
        chosen: list[bytes] = []
        for label in chance.choices(labels, k=chance.randrange(12)):
            if sum(map(len, chosen)) + len(chosen) + len(label) + 2 <= 255:
                chosen.append(label)
        return b"".join(bytes((len(label),)) + label for label in chosen) + b"\0"

    def data(rtype: int) -> bytes:
        if rtype == 15:
            return chance.randbytes(2) + name()
        if rtype == 6:
            return name() + name() + chance.randbytes(20)
        return name() if rtype in (2, 5, 12, 39) else chance.randbytes(chance.randrange(1, 300))

    for _ in range(3):
        writing.begin_message(writer, chance.choice((TCP_BYTES_MAX, 20_000, 700)))
        written, last = [], b""
        while True:
            owner = last if last and chance.random() < 0.3 else name()
            rtype = chance.choice((2, 5, 6, 12, 15, 39, 65_400))
            rdata, ttl = data(rtype), chance.randrange(1 << 31)
            writer.last_owner = 0xFFFFFFFFFFFFFFFF
            if not writing.write_record(writer, owner, 0, rtype, ttl, rdata, 0, len(rdata)):
                break
            written.append((owner, rtype, ttl, rdata))
            last = owner
        assert writer.position <= writer.limit
        assert read_back(writer) == written


def test_a_deep_name_is_reached_by_few_pointers() -> None:
    """Each name is the one before it with a label more: clients give up after ten pointers."""
    writer = message_writer.MessageWriter()
    message_writer.begin_message(writer, TCP_BYTES_MAX)
    name = b"\0"
    while len(name) < 250:
        name = b"\1a" + name
        assert message_writer.write_record(writer, name, 0, 1, 60, bytes(4), 0, 4)
        writer.last_owner = 0xFFFFFFFFFFFFFFFF
    wire = bytes(writer.buffer[: writer.position])
    start, longest = HEADER_BYTES, 0
    for _ in range(writer.records):
        at, hops = start, 0
        while wire[at]:
            if wire[at] >= 0xC0:
                at, hops = int.from_bytes(wire[at : at + 2]) & 0x3FFF, hops + 1
            else:
                at += wire[at] + 1
        longest = max(longest, hops)
        while 0 < wire[start] < 0xC0:
            start += wire[start] + 1
        start += (2 if wire[start] else 1) + 14
    assert longest == 10
    assert len(read_back(writer)) == writer.records


def test_names_are_compressed_in_the_data_of_the_types_that_say_so() -> None:
    for row in RECORD_TYPES.values():
        assert (message_writer.compressed_names(row.number) > 0) == row.is_compressed, row


def test_nobody_may_by_default(view: ServingView, tree: Mapping[str, Any]) -> None:
    for name in tree["zones"]:
        for asked in (query(f"{name}.", "AXFR", edns=True).wire, ixfr(f"{name}.", 0)):
            (wire,) = transferred(view, asked)
            assert Reply(wire).rcode == "REFUSED" and not Reply(wire).message.options


def expiry(reply: Reply) -> int | None:
    """Return what an EXPIRE option of a reply says, None where there is none."""
    found = [option.to_wire() for option in reply.message.options if int(option.otype) == OPTION_EXPIRE]
    return int.from_bytes(found[0] or b"") if found else None


@pytest.mark.parametrize("transport", list(Transport))
def test_how_long_a_zone_holds(moving: ServingView, transport: Transport) -> None:
    """RFC 7314: of a primary what its SOA says, to who asks for the SOA or the content; the fast path leaves it."""
    asks = opt(option(OPTION_EXPIRE))
    for name, rtype, told in (
        ("example.com.", "SOA", 1_209_600),
        ("static.example.com.", "SOA", None),
        ("static.example.com.", "A", None),
        ("nowhere.test.", "SOA", None),
    ):
        wire = header(counts=(1, 0, 0, 1)) + question(name, rtype) + asks
        reply = respond(moving, wire, PEER, transport, 1, 0, None, NOW_S)
        assert expiry(Reply(reply or b"")) == told, (name, rtype)
        server = Server(moving.columns, moving.table.columns, moving.region_index, 0, 0, heard=moving.heard)
        server.incoming, server.outgoing = memoryview(wire), memoryview(bytearray(2048))
        size = serve(server, 0, len(wire), 0)
        if transport is Transport.UDP:
            assert (size == DEFERRED) == (rtype == "SOA")
            assert size == DEFERRED or bytes(server.outgoing[:size]) == reply
    whole = header(counts=(1, 0, 0, 1)) + question("example.com.", "AXFR") + asks
    assert expiry(Reply(transferred(moving, whole)[0])) == 1_209_600


def test_how_long_a_zone_of_another_server_holds(loaded: Configuration, tmp_path: Path) -> None:
    compiled = compiled_view(loaded, tmp_path)
    apex = encode_canonical("example.com")
    compiled.snapshot.meta[SECONDARY_ZONES] = [apex.hex()]
    view = ServingView(compiled.snapshot, compiled.table, None, tmp_path)
    zone = view.zones_above(0, apex)[0]
    assert expire_s(view, zone, NOW_S) == 0, "there is no copy"
    path = copy_path(tmp_path, apex)
    path.parent.mkdir()
    path.touch()
    os.utime(path, (NOW_S - 5_000, NOW_S - 5_000))
    assert expire_s(view, zone, NOW_S) == 1_209_600 - 5_000
    checked_path(tmp_path, apex).write_text(json.dumps({"checked_s": NOW_S - 100.5}))
    assert expire_s(view, zone, NOW_S) == 1_209_600 - 101
    assert expire_s(view, zone, NOW_S + 10**8) == 0
    assert expire_s(view, zone, NOW_S - 1_000) == 1_209_600, "a clock that was set back"
