"""What does not fit a datagram is answered on the fast path, too: without what is optional, or truncated."""

from __future__ import annotations

from random import Random

import pytest

from lbdns.answer.render import render_template
from lbdns.answer.reply import ASKED, Answer, Records
from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.dns.codes import FLAG_TC
from lbdns.fastpath.layout import DEFERRED, SIGNED_BY_ROW
from lbdns.fastpath.template_packing import pack_template, plain_template
from lbdns.fastpath.templates import add_templates
from tests.answer.lanes import compiled_view
from tests.answer.packets import query
from tests.fastpath.lanes import Lane, Served
from tests.fastpath.test_equality import CLIENTS, compare

HOSTS = 20
SERVERS = 13
MANY = 70
TREE = {
    "zones": {
        "example.com": "\n".join(
            [
                "$TTL 300",
                "@ IN SOA ns1 hostmaster 1 7200 900 1209600 60",
                "@ NS ns1",
                "ns1 A 192.0.2.53",
                'long TXT "' + '" "'.join(["x" * 250] * 6) + '"',
                "to-long CNAME long",
                "to-many CNAME many",
                *(f"mail MX {number} mx{number}" for number in range(HOSTS)),
                *(f"mx{number} A 198.51.100.{number}" for number in range(HOSTS)),
                *(f"mx{number} AAAA 2001:db8::{number:x}" for number in range(HOSTS)),
                *(f"sub NS ns{number}.sub" for number in range(SERVERS)),
                *(f"ns{number}.sub A 192.0.2.{number}" for number in range(SERVERS)),
                *(f"ns{number}.sub AAAA 2001:db8:1::{number:x}" for number in range(SERVERS)),
                *(f"wide A 203.0.113.{number}" for number in range(MANY)),
                "",
            ]
        )
    },
    "pools": {
        "many": {"origins": [{"name": f"e{number}", "address": f"192.0.2.{number}"} for number in range(MANY)]},
        "mails": {
            "origins": [{"name": f"m{number}", "address": f"mx{number}.example.com"} for number in range(HOSTS)],
        },
        "far": {
            "origins": [{"name": f"f{number}", "address": f"{'x' * 60}{number}.example.net"} for number in range(HOSTS)]
        },
    },
    "load_balancers": [
        {"name": "many.example.com", "default_pools": ["many"], "fallback_pool": "many"},
        {"name": "mails.example.com", "type": "MX", "default_pools": ["mails"], "fallback_pool": "mails"},
        {"name": "far.example.com", "type": "MX", "default_pools": ["far"], "fallback_pool": "far"},
    ],
}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> ServingView:
    """A view of answers that are large, with its templates."""
    folder = tmp_path_factory.mktemp("large")
    made = compiled_view(parse(TREE, folder).configuration, folder)
    return ServingView(add_templates(made.snapshot, made), made.table)


# Truncated with 512 octets, and with 1232.
@pytest.mark.parametrize(
    ("name", "qtype", "small", "wide"),
    [
        ("x.sub", "A", True, False),
        ("sub", "NS", True, False),
        ("mail", "MX", False, False),
        ("long", "TXT", True, True),
        ("to-long", "TXT", True, True),
        ("wide", "A", True, False),
        ("many", "A", True, False),
        ("to-many", "A", True, False),
        ("mails", "MX", True, False),
        ("far", "MX", True, True),
    ],
)
def test_large_answers(lane: Lane, large: ServingView, name: str, qtype: str, small: bool, wide: bool) -> None:
    fast = Served(lane, large)
    seen = []
    for size in (0, 512, 1232, 4096):
        message = query(f"{name}.example.com.", qtype, edns=size > 0, ecs="203.0.113.0/24", size=size or 512).wire
        said = compare(fast, large, message, CLIENTS[0], 0x0123456789ABCDEF)
        assert isinstance(said, bytes), "deferred"
        seen.append(bool(int.from_bytes(said[2:4]) & FLAG_TC))
    assert seen == [small, small, wide, wide]


@pytest.mark.parametrize(
    ("name", "qtype", "is_whole"),
    [("ns1", "A", True), ("sub", "NS", True), ("wide", "A", True), ("mail", "MX", False), ("long", "TXT", False)],
)
def test_what_is_larger_than_a_datagram_is_deferred_over_tcp(
    lane: Lane, large: ServingView, name: str, qtype: str, is_whole: bool
) -> None:
    """Whatever size the client says it takes in a datagram: over TCP nothing gives way."""
    fast = Served(lane, large, is_stream=True)
    for size in (0, 512, 4096):
        message = query(f"{name}.example.com.", qtype, edns=size > 0, size=size or 512).wire
        said = fast.ask(message, CLIENTS[0], 0, 0)
        if is_whole:
            assert isinstance(said, bytes)
            assert not int.from_bytes(said[2:4]) & FLAG_TC
        else:
            assert said == DEFERRED


def test_a_plain_template_is_what_its_rrset_renders_to() -> None:
    chance = Random(7)
    for _ in range(600):
        rtype, ttl_s, count = chance.choice((1, 28, 16)), chance.choice((0, 30, 3600)), chance.choice((1, 1, 2, 3, 30))
        octets = {1: 4, 28: 16}.get(rtype)
        rdatas = tuple(chance.randbytes(octets or chance.choice((1, 40, 255))) for _ in range(count))
        made = render_template(Answer(answer=[Records(ASKED, rtype, ttl_s, rdatas)]))
        wanted = pack_template(made, None, False, SIGNED_BY_ROW)
        assert plain_template(rtype, ttl_s, rdatas) == wanted, (rtype, ttl_s, list(map(len, rdatas)))
