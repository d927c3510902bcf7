"""What checks say of the size of answers is what the responder sends: to the byte, and to the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import pytest

from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.config.loading import examine_tree, parse
from lbdns.dns.answer_room import answer_bytes
from lbdns.dns.codes import UDP_BYTES_MAX
from lbdns.dns.master.reader import read_master
from lbdns.dns.name import encode_canonical
from tests.answer.lanes import compiled_view
from tests.answer.packets import query

APEX = encode_canonical("example.com")
HEAD = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 3600 1209600 60\n@ NS ns1\n@ NS ns2\nns1 A 192.0.2.53\nns2 A 192.0.2.54\n"
HOSTS = [f"a-rather-long-host-name-{number}.example.net" for number in range(90)]
SUBNET = "2001:db8:1::/56"


def replied(folder: Path, tree: dict[str, Any], name: str, qtype: str, transport: Transport) -> dns.message.Message:
    view = compiled_view(parse(tree, folder).configuration, folder)
    asked = query(name, qtype, ecs=SUBNET).wire
    wire = respond(view, asked, Client(bytes((192, 0, 2, 7)), 40_000), transport, 1_000_000, 2**63 + 12345)
    assert wire is not None
    return dns.message.from_wire(wire)


def balanced(kind: str, name: str, addresses: list[str], most: int) -> dict[str, Any]:
    origins = [{"name": f"e{n}", "address": address, "port": 443} for n, address in enumerate(addresses)]
    return {
        "zones": {"example.com": HEAD},
        "pools": {"p": {"origins": origins, "max_answers": most}},
        "load_balancers": [{"name": name, "type": kind, "default_pools": ["p"], "fallback_pool": "p"}],
    }


@pytest.mark.parametrize(
    ("kind", "qtype", "name", "addresses", "fits"),
    [
        ("A", "A", "www.example.com", [f"192.0.2.{number}" for number in range(1, 91)], 73),
        ("A", "AAAA", "www.example.com", [f"2001:db8::{number}" for number in range(1, 91)], 41),
        (
            "A",
            "A",
            f"{'x' * 60}.{'y' * 60}.{'z' * 60}.example.com",
            [f"192.0.2.{number}" for number in range(1, 91)],
            62,
        ),
        ("MX", "MX", "www.example.com", HOSTS, 21),
        ("SRV", "SRV", "_s._tcp.example.com", HOSTS, 20),
    ],
)
def test_so_many_answers_fit_and_one_more_does_not(
    tmp_path: Path, kind: str, qtype: str, name: str, addresses: list[str], fits: int
) -> None:
    for most, has_room in ((fits, True), (fits + 1, False), (0, False)):
        tree = balanced(kind, name, addresses, most)
        told = [one.message for one in examine_tree(tree, tmp_path).warnings]
        sized = [message for message in told if message.startswith('pool "p" answers')]
        assert [message.rpartition("; ")[2] for message in sized] == ([] if has_room else [f"max_answers: {fits} fits"])
        if most:
            folder = tmp_path / str(most)
            folder.mkdir()
            reply = replied(folder, tree, f"{name}.", qtype, Transport.UDP)
            assert bool(reply.flags & dns.flags.TC) is not has_room, most


def test_one_answer_is_never_too_large(tmp_path: Path) -> None:
    """Where clients stick, or weights differ."""
    addresses = [f"192.0.2.{number}" for number in range(1, 91)]
    sticky, weighted = (balanced("A", "www.example.com", addresses, 0) for _ in range(2))
    sticky["load_balancers"][0]["session_affinity"] = "ip_cookie"
    weighted["pools"]["p"]["origins"][0]["weight"] = 0.5
    for tree in (sticky, weighted):
        assert not examine_tree(tree, tmp_path).warnings


RRSETS = {
    "texts.example.com. TXT": [f'texts TXT "{letter * 250}"' for letter in "abcdef"],
    "mail.example.com. MX": [f"mail MX {n} a-rather-long-host-name-{n}.of-our-servers.somewhere" for n in range(40)],
    "abroad.example.com. MX": [f"abroad MX {n} host-{n}.a-rather-long-name.example.net." for n in range(60)],
    "many.example.com. AAAA": [f"many AAAA 2001:db8::{n + 1}" for n in range(60)],
    "x.cut.example.com. A": [
        line
        for n in range(20)
        for line in (f"cut NS ns{n}.cut", f"ns{n}.cut A 192.0.2.{n}", f"ns{n}.cut AAAA 2001:db8::{n + 1}")
    ],
}


@pytest.mark.parametrize("asked", RRSETS)
def test_the_size_of_records_of_a_zone(tmp_path: Path, asked: str) -> None:
    name, qtype = asked.split()
    text = HEAD + "\n".join(RRSETS[asked]) + "\n"
    draft = read_master(text, APEX, "zone", None, lambda path: "")
    is_referral = "cut" in name
    owner = encode_canonical("cut.example.com" if is_referral else name.rstrip("."))
    records = [(owner if is_referral else b"", one.type, rdata) for one in draft.nodes[owner] for rdata in one.rdatas]
    if is_referral:
        targets = [rdata for _, _, rdata in records]
        records += [(at, one.type, rdata) for at in targets for one in draft.nodes[at] for rdata in one.rdatas]
    whole = replied(tmp_path, {"zones": {"example.com": text}}, name, qtype, Transport.TCP)
    sent = len(whole.to_wire())  # of a message from the wire: as it came
    size = answer_bytes(APEX, len(encode_canonical(name.rstrip("."))), records)
    assert size > UDP_BYTES_MAX
    assert abs(size - sent) <= 30, "but for what comes along"
    assert replied(tmp_path, {"zones": {"example.com": text}}, name, qtype, Transport.UDP).flags & dns.flags.TC
    warned = [one for one in examine_tree({"zones": {"example.com": text}}, tmp_path).warnings]
    assert f"{len(draft.nodes[owner][0].rdatas)} {'NS' if is_referral else qtype} record" in warned[0].message
