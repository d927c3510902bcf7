"""Asking the zone above for a DS, of real name servers on loopback: who is believed, and who is not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest

from lbdns.dns.name import encode_canonical
from lbdns.dnssec import parent_check
from lbdns.dnssec.key import generate_key
from lbdns.dnssec.parent_check import ask_parent
from lbdns.dnssec.zone_keys import ds_rdata, ds_text

APEX = encode_canonical("shop.example.com")
KEY = generate_key(APEX, 13, is_entry_point=True).public
DS = ds_rdata(APEX, KEY.dnskey)
Answers = Callable[[dns.message.Message], dns.message.Message | None]


@contextlib.asynccontextmanager
async def server(answers: Answers) -> AsyncIterator[str]:
    """Serve DNS over TCP on a free loopback port; yields IP:PORT. None: the connection is closed."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            size = int.from_bytes(await reader.readexactly(2), "big")
            reply = answers(dns.message.from_wire(await reader.readexactly(size)))
            if reply is not None:
                wire = reply.to_wire()
                writer.write(len(wire).to_bytes(2, "big") + wire)
                await writer.drain()
        writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with listening:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"


def has_ds(query: dns.message.Message) -> dns.message.Message:
    """Answer with the DS."""
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.AA
    reply.answer.append(dns.rrset.from_text(query.question[0].name, 7200, "IN", "DS", ds_text(DS)))
    return reply


def has_none(query: dns.message.Message) -> dns.message.Message:
    """Say that there is no DS."""
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.AA
    return reply


def refers(query: dns.message.Message) -> dns.message.Message:
    """Answer as a server that knows no DS: with a referral."""
    reply = dns.message.make_response(query)
    reply.authority.append(dns.rrset.from_text("shop.example.com.", 300, "IN", "NS", "ns.shop.example.com."))
    return reply


def fails(query: dns.message.Message) -> dns.message.Message:
    """Say SERVFAIL."""
    reply = dns.message.make_response(query)
    reply.set_rcode(dns.rcode.SERVFAIL)
    return reply


def closes(query: dns.message.Message) -> None:
    """Say nothing."""


def asks_only_for_ds(query: dns.message.Message) -> dns.message.Message:
    """Answer what is to be asked, refuse all else."""
    question = query.question[0]
    fits = question.name.to_text() == "shop.example.com." and question.rdtype == dns.rdatatype.DS
    return has_ds(query) if fits and not query.flags & dns.flags.RD else fails(query)


@pytest.mark.parametrize(
    ("answers", "ds", "why"),
    [
        ((has_ds, has_ds), {DS}, ""),
        ((has_none, has_none), set(), ""),
        ((asks_only_for_ds,), {DS}, ""),
        ((has_ds, has_none), None, "do not agree"),
        ((has_ds, refers), None, "not authoritative"),
        ((has_ds, fails), None, "SERVFAIL"),
        ((has_none, closes), None, "127.0.0.1"),
    ],
)
def test_the_parent_is_believed_where_all_agree(answers: tuple[Answers, ...], ds: set[bytes] | None, why: str) -> None:
    async def ask() -> None:
        async with contextlib.AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(server(one)) for one in answers]
            found = await ask_parent("shop.example.com", servers, ())
            assert found.ds == (None if ds is None else frozenset(ds))
            assert why in found.why() and bool(why) == bool(found.why())
            assert found.ttl_s == (7200 if any(one.ds for one in found.servers) else 0)

    asyncio.run(ask())


def test_the_parents_servers_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a resolver: the zone above, which is no parent by name, its name servers and their addresses."""

    async def ask() -> None:
        async with server(has_ds) as one, server(_resolver) as resolver:
            monkeypatch.setattr(parent_check, "_DNS_PORT", int(one.rpartition(":")[2]))
            found = await ask_parent("shop.example.com", (), (resolver,))
            assert found.ds == frozenset((DS,)), found.why()
            assert [one.server for one in found.servers] == ["ns1.example.com.", "ns2.example.com."]

    asyncio.run(ask())


def _resolver(query: dns.message.Message) -> dns.message.Message:
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.RA
    question = query.question[0]
    kind = dns.rdatatype.to_text(question.rdtype)
    known = {
        ("example.com.", "SOA"): "ns1.example.com. h.example.com. 1 2 3 4 5",
        ("example.com.", "NS"): "ns1.example.com.|ns2.example.com.",
        ("ns1.example.com.", "A"): "127.0.0.1",
        ("ns2.example.com.", "A"): "127.0.0.1",
    }.get((question.name.to_text(), kind))
    if known is not None:
        reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *known.split("|")))
    return reply


def test_what_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The root has no parent, and nobody can be looked up where no resolver answers: no exception, no answer."""

    monkeypatch.setattr(parent_check, "_WAIT_S", 0.2)

    async def ask() -> None:
        assert "above the root" in (await ask_parent(".", (), ())).why()
        async with server(closes) as resolver:
            found = await ask_parent("shop.example.com", (), (resolver,))
            assert found.ds is None and "finds no name servers" in found.why()

    asyncio.run(ask())
