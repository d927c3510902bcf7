"""Asking the zone above for a zone's DS: each of its name servers, over TCP, by dnspython.

TCP because an answer decides which keys go: over UDP whoever guesses a port and an ID could have one of them removed.
What is no authoritative answer, and a server that does not answer, is none: the parent is believed where all agree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lbdns.base.wording import listed
from lbdns.dnssec.parent_answer import ParentAnswer, ServerAnswer

if TYPE_CHECKING:
    import dns.message
    import dns.name
    import dns.resolver

_WAIT_S: Final = 5.0
"""For one server, and for one look-up."""
_OTHERWISE: Final = (
    "the setting `dnssec.parent` can name them, or an operator's word stands for it (--ds-seen, --ds-gone)"
)
_SERVERS_MAX: Final = 32
_DNS_PORT: Final = 53
Address = tuple[str, int]


async def ask_parent(zone: str, servers: Sequence[str], resolvers: Sequence[str]) -> ParentAnswer:
    """Return what the parent of a zone says of its DS.

    `zone`: its name as text, without the last dot. `servers`: the parent's name servers, IP or IP:PORT; none: they are
    looked up by `resolvers`, those of the system where there are none. Raises nothing for what the network does.
    """
    import dns.exception
    import dns.name

    name = dns.name.from_text(zone)
    if name == dns.name.root:
        return ParentAnswer((), "no zone is above the root")
    try:
        named = {one: [_address(one)] for one in servers} or await _name_servers(name, resolvers)
    except (dns.exception.DNSException, OSError) as error:
        told = "this machine's resolver" if not resolvers else listed(list(resolvers))
        return ParentAnswer((), f"{told} finds no name servers of it ({type(error).__name__}); {_OTHERWISE}")
    if len(named) > _SERVERS_MAX:
        return ParentAnswer((), f"it has {len(named)} name servers; {_SERVERS_MAX} are asked at most")
    return ParentAnswer(tuple(await asyncio.gather(*(_ask(name, one, to) for one, to in named.items()))))


def _address(text: str) -> Address:
    """Return IP and port of what the settings have, in which an IPv6 address with a port stands in brackets."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]:")
        return host, int(port)
    host, colon, port = text.partition(":")
    return (host, int(port)) if colon and ":" not in port else (text, _DNS_PORT)


async def _name_servers(zone: dns.name.Name, resolvers: Sequence[str]) -> dict[str, list[Address]]:
    """Return the addresses of each name server of the zone above; raises dnspython's errors."""
    import dns.asyncresolver
    import dns.resolver

    resolver = dns.asyncresolver.Resolver(configure=not resolvers)
    if resolvers:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(*_address(one)) for one in resolvers]
    resolver.lifetime = _WAIT_S
    above = await dns.asyncresolver.zone_for_name(zone.parent(), tcp=True, resolver=resolver)
    answer = await resolver.resolve(above, "NS", tcp=True)
    names = sorted(str(one.target) for one in answer)
    found = await asyncio.gather(*(_addresses(resolver, name) for name in names))
    return dict(zip(names, found, strict=True))


async def _addresses(resolver: dns.asyncresolver.Resolver, name: str) -> list[Address]:
    """Return a name server's addresses, IPv4 first; none where it has none, or they are not found."""
    import dns.exception

    found: list[Address] = []
    for kind in ("A", "AAAA"):
        try:
            found += [(one.address, _DNS_PORT) for one in await resolver.resolve(name, kind, tcp=True)]
        except dns.exception.DNSException:
            continue
    return found


async def _ask(zone: dns.name.Name, server: str, addresses: Sequence[Address]) -> ServerAnswer:
    """Return what one name server says: by the first of its addresses that answers."""
    import dns.asyncquery
    import dns.exception
    import dns.flags
    import dns.message

    problem = "it has no address"
    query = dns.message.make_query(zone, "DS", flags=0)
    for host, port in addresses:
        try:
            reply = await dns.asyncquery.tcp(query, host, timeout=_WAIT_S, port=port)
        except (dns.exception.DNSException, OSError, EOFError) as error:
            problem = f"{host}: {str(error) or type(error).__name__}"
            continue
        answer = _read(zone, server, reply)
        if answer.ds is not None:
            return answer
        problem = f"{host}: {answer.problem}"
    return ServerAnswer(server, None, 0, problem)


def _read(zone: dns.name.Name, server: str, reply: dns.message.Message) -> ServerAnswer:
    """Return what a reply says. Without the AA flag it is another's word, or a referral."""
    import dns.flags
    import dns.rcode
    import dns.rdataclass
    import dns.rdatatype

    rcode = reply.rcode()
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return ServerAnswer(server, None, 0, f"it says {dns.rcode.to_text(rcode)}")
    if not reply.flags & dns.flags.AA:
        return ServerAnswer(server, None, 0, "its answer is not authoritative")
    rrset = reply.get_rrset(reply.answer, zone, dns.rdataclass.IN, dns.rdatatype.DS)
    if rrset is None:
        return ServerAnswer(server, frozenset())
    return ServerAnswer(server, frozenset(one.to_wire() or b"" for one in rrset), rrset.ttl)
