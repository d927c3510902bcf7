"""PROTOCOL's "Bad input", row by row. Every lane asks a good query after each."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lbdns.answer.reply import Client
from lbdns.answer.serving_view import ServingView
from tests.answer.cases import Case, error
from tests.answer.lanes import InProcess, Lane, OverTcp, ask, frame, receive
from tests.answer.packets import IN, QR, RD, Query, header, opt, option, query, question, record, tsig, u16, wire_name
from tests.answer.world import SOA

NAME = "static.example.com."
ANSWER = ["static.example.com. 300 A 192.0.2.80"]
MAIN_SOA = [SOA.format("example.com")]
ASKS = question(NAME)
NO_QUESTION = b""


def message(
    *parts: bytes,
    counts: Sequence[int] = (1, 0, 0, 0),
    flags: int = RD,
    asks: bytes = NO_QUESTION,
    opt_size: int | None = None,
) -> Query:
    """Return a message put together by hand; `asks` is what a reply repeats of it."""
    return Query(header(flags, counts) + b"".join(parts), asks, opt_size)


def formerr(row: str, asked: Query) -> Case:
    """Return the case of a message that cannot be read."""
    return error(row, asked, "FORMERR")


def bad_name(row: str, name: bytes) -> Case:
    """Return the case of a QNAME that is none."""
    return formerr(f"QNAME: {row}", message(name, u16(1), u16(IN)))


COUNTS = [
    formerr("header only, QD=0", message(counts=(0, 0, 0, 0))),
    formerr("QD=0 with OPT", message(opt(), counts=(0, 0, 0, 1), opt_size=1232)),
    formerr("QD=1 without body", message()),
    formerr("QD=1, half a question", message(ASKS[:-1])),
    formerr("QD=1, a name without type", message(ASKS[:-4])),
    formerr("RFC 9619: QD=2", message(ASKS, ASKS, counts=(2, 0, 0, 0))),
    formerr("RFC 9619: QD=2 with OPT", message(ASKS, ASKS, opt(), counts=(2, 0, 0, 1), opt_size=1232)),
    formerr("QD=2, one present", message(ASKS, counts=(2, 0, 0, 0))),
    formerr("QD=65535", message(ASKS, counts=(65535, 0, 0, 0))),
    formerr("AR=1 but absent", message(ASKS, counts=(1, 0, 0, 1), asks=ASKS)),
    formerr("AR=2, the second absent", message(ASKS, opt(), counts=(1, 0, 0, 2), asks=ASKS, opt_size=1232)),
    formerr("every count 65535", message(ASKS, counts=(65535,) * 4)),
    formerr("AN=1", message(ASKS, record(NAME, "A", bytes(4)), counts=(1, 1, 0, 0), asks=ASKS)),
    formerr("AN=1 but absent", message(ASKS, counts=(1, 1, 0, 0), asks=ASKS)),
    formerr("AN=1 with OPT", message(ASKS, record(NAME, "A", bytes(4)), opt(), counts=(1, 1, 0, 1), asks=ASKS,
                                     opt_size=1232)),
    formerr("NS=1", message(ASKS, record(NAME, "A", bytes(4)), counts=(1, 0, 1, 0), asks=ASKS)),
    formerr("NS=1 with OPT", message(ASKS, record(NAME, "A", bytes(4)), opt(), counts=(1, 0, 1, 1), asks=ASKS,
                                     opt_size=1232)),
    Case("trailing bytes are ignored", query(NAME, tail=b"trailing"), answer=ANSWER),
    Case("trailing bytes after OPT are ignored", query(NAME, edns=True, tail=bytes(200)), answer=ANSWER),
    Case("a record beside OPT is ignored", query(NAME, additional=[record(NAME, "A", bytes(4))]), answer=ANSWER),
    formerr("a record that overruns", query(NAME, additional=[record(NAME, "A", bytes(4), length=5)])),
    formerr("a record cut short", query(NAME, additional=[record(NAME, "A", b"")[:-1]])),
    formerr("a record whose owner is none", query(NAME, additional=[b"\x40" + record(".", "A", b"")])),
]  # fmt: skip

NAMES = [
    bad_name("label type 0x40", b"\x41" + b"a" * 65 + b"\0"),
    bad_name("label type 0x80", b"\x81" + b"a" * 65 + b"\0"),
    bad_name("pointer to itself", b"\xc0\x0c"),
    bad_name("pointer forward", b"\xc0\x0e\3com\0"),
    bad_name("pointer into the header", b"\xc0\0"),
    bad_name("pointer after a label", b"\3www\xc0\x0c"),
    bad_name("pointer beyond the message", b"\xff\xff"),
    bad_name("256 octets", b"\x3f" + b"a" * 63 + (b"\x3f" + b"b" * 63) * 2 + b"\x3e" + b"c" * 62 + b"\0"),
    bad_name("300 octets of one-octet labels", b"\1a" * 150 + b"\0"),
    formerr("QNAME: unterminated", message(b"\3www\7example\3com")),
    formerr("QNAME: a label that overruns", message(b"\x3fabc")),
    formerr("QNAME: cut after a length", message(b"\3")),
]

FLAGS = [
    Case("every header flag set", query(NAME, flags=0x07F0 | RD), answer=ANSWER),
    Case("RD clear", query(NAME, flags=0), answer=ANSWER),
    Case("AA, TC, RA, Z, AD and CD set, RD clear", query(NAME, flags=0x06F0), answer=ANSWER),
    Case("RCODE set", query(NAME, flags=0x000F), answer=ANSWER),
]

CLASSES = [
    error("class HS", query(NAME, qclass=4), "REFUSED"),
    error("class CH", query(NAME, qclass=3), "REFUSED"),
    error("class NONE", query(NAME, qclass=254), "REFUSED"),
    error("class 0", query(NAME, qclass=0), "REFUSED"),
    error("class 65535", query(NAME, qclass=65535), "REFUSED"),
    error("class ANY", query(NAME, qclass=255), "REFUSED"),
]

OPCODES = [
    *(error(f"opcode {code}", query("example.com.", "SOA", flags=code << 11 | RD), "NOTIMP") for code in range(1, 16)),
    *(
        error(f"opcode {code} with OPT", query("example.com.", "SOA", edns=True, flags=code << 11), "NOTIMP")
        for code in (2, 4, 5)
    ),
    error("opcode 2, QD=0", message(counts=(0, 0, 0, 0), flags=2 << 11), "NOTIMP"),
    error("opcode 2, QD=0, with OPT", message(opt(), counts=(0, 0, 0, 1), flags=2 << 11, opt_size=1232), "NOTIMP"),
    error("opcode 15, no body", message(flags=15 << 11), "NOTIMP"),
    error("NOTIFY with its SOA", message(
        question("example.com.", "SOA"), record("example.com.", "SOA", b"\0\0" + bytes(20)), counts=(1, 1, 0, 0),
        flags=0x2400, asks=question("example.com.", "SOA")
    ), "NOTIMP"),
    error("UPDATE that adds a record", message(
        question("example.com.", "SOA"), record("new.example.com.", "A", bytes(4)), counts=(1, 0, 1, 0),
        flags=0x2800, asks=question("example.com.", "SOA")
    ), "NOTIMP"),
]  # fmt: skip

TYPES = [
    *(formerr(f"QTYPE {qtype}", query(NAME, qtype)) for qtype in (0, 41, 249, 250)),
    *(formerr(f"QTYPE {qtype}, out of zone", query("example.net.", qtype)) for qtype in (0, 41, 249, 250)),
    *(Case(f"QTYPE {qtype}", query(NAME, qtype), authority=MAIN_SOA) for qtype in (65535, 65280, 253, 254, 11)),
    formerr("QTYPE 128", query(NAME, 128)),
    error("QTYPE 128, EDE 30", query(NAME, 128, edns=True), "FORMERR", 30),
    error("AXFR", query("example.com.", "AXFR"), "REFUSED"),
    error("AXFR below an apex", query(NAME, "AXFR"), "REFUSED"),
    error("IXFR", query("example.com.", "IXFR"), "REFUSED"),
    error("IXFR with its SOA", message(
        question("example.com.", "IXFR"), record("example.com.", "SOA", b"\0\0" + bytes(20)), counts=(1, 0, 1, 0),
        asks=question("example.com.", "IXFR")
    ), "REFUSED"),
]  # fmt: skip

OPTS = [
    formerr("OPT with another owner than the root", query(NAME, additional=[opt(owner="example.com.")])),
    formerr("OPT with a compressed owner", query(NAME, additional=[b"\xc0\x0c" + opt()[1:]])),
    formerr("OPT in the answer section", message(ASKS, opt(), counts=(1, 1, 0, 0), asks=ASKS)),
    formerr("OPT in the authority section", message(ASKS, opt(), counts=(1, 0, 1, 0), asks=ASKS)),
    formerr("OPT cut short", query(NAME, additional=[opt()[:-1]])),
    formerr("an option overruns", query(NAME, edns=opt(option(65001, b"abc", length=9)))),
]

TSIGS = [
    Case("TSIG with an unknown key", query(NAME, additional=[tsig("nobody.")]), "NOTAUTH", aa=False),
    Case("TSIG with an unknown key, its name compressed",
         query(NAME, additional=[b"\6nobody\xc0\x0c" + tsig(".")[1:]]), "NOTAUTH", aa=False),
    Case("TSIG with an unknown algorithm", query(NAME, additional=[tsig("nobody.", "hmac-md5.example.")]), "NOTAUTH",
         aa=False),
    Case("TSIG with OPT", query(NAME, edns=True, additional=[tsig("nobody.")]), "NOTAUTH", aa=False),
    Case("AXFR with an unknown key", query("example.com.", "AXFR", additional=[tsig("nobody.")]), "NOTAUTH", aa=False),
    formerr("TSIG not last", query(NAME, additional=[tsig("nobody."), record(NAME, "A", bytes(4))])),
    formerr("TSIG before OPT", message(ASKS, tsig("nobody."), opt(), counts=(1, 0, 0, 2), asks=ASKS, opt_size=1232)),
    formerr("two TSIGs", query(NAME, additional=[tsig("nobody."), tsig("nobody.")])),
    formerr("TSIG of no data", query(NAME, additional=[record("nobody.", "TSIG", b"", 255)])),
    formerr("TSIG whose MAC overruns", query(NAME, additional=[
        record("nobody.", "TSIG", tsig("nobody.", mac=bytes(32))[18:60], 255)
    ])),
]  # fmt: skip

ALL = [*COUNTS, *NAMES, *FLAGS, *CLASSES, *OPCODES, *TYPES, *OPTS, *TSIGS]


@pytest.mark.parametrize("case", ALL, ids=[case.row for case in ALL])
def test_bad_input(case: Case, lane: Lane) -> None:
    case.check(lane)


@pytest.mark.parametrize("length", range(12))
def test_less_than_a_header_gets_no_reply(length: int, lane: Lane) -> None:
    if length or not lane.over_tcp:
        assert lane.send(query(NAME).wire[:length]) is None


@pytest.mark.parametrize("asked", [
    query(NAME, flags=QR),
    query(NAME, flags=QR | RD, edns=True),
    query(NAME, flags=0xFFFF),
    message(flags=QR, counts=(0, 0, 0, 0)),
    message(b"\xff" * 30, flags=QR, counts=(65535,) * 4),
], ids=["a response", "with OPT", "every bit", "header only", "garbage"])  # fmt: skip
def test_a_response_gets_no_reply(asked: Query, lane: Lane) -> None:
    assert lane.send(asked.wire) is None


def test_source_port_0_gets_no_reply(view: ServingView) -> None:
    lane = InProcess(view, over_tcp=False)
    assert lane.respond(query(NAME).wire, Client(bytes((127, 0, 0, 1)), 0)) is None


@pytest.mark.parametrize("sent", [b"\0\0", frame(b"12345"), frame(query(NAME, flags=QR).wire)],
                         ids=["length 0", "5 bytes", "a response"])  # fmt: skip
def test_tcp_closes_on_what_is_no_query(sent: bytes, over_tcp: OverTcp) -> None:
    with over_tcp.connect() as connection:
        connection.sendall(sent)
        assert receive(connection) is None
    assert over_tcp.send(query(NAME).wire) is not None


def test_what_an_unknown_key_gets(lane: Lane) -> None:
    """RFC 8945 section 5.2.1: TSIG error BADKEY, unsigned; key, algorithm, time and original ID as they came."""
    record_asked = tsig("Nobody.example.com.", mac=b"m" * 32, original_id=0x1234)
    reply = ask(lane, query(NAME, edns=True, additional=[record_asked]))
    found = reply.records[-1]
    assert (found.section, found.owner, found.type, found.rclass) == (2, wire_name("Nobody.example.com."), 250, 255)
    assert found.rdata == wire_name("hmac-sha256.") + bytes(6) + u16(300) + u16(0) + u16(0x1234) + u16(17) + u16(0)


def test_an_unknown_key_of_great_length_stays_within_512(udp_lane: Lane) -> None:
    longest = (b"\x3f" + b"k" * 63) * 3 + b"\x3d" + b"k" * 61 + b"\0"
    reply = Case("", query(longest, additional=[tsig(longest, longest)]), "NOTAUTH", aa=False, tc=True).check(udp_lane)
    assert len(reply.records) == 0
