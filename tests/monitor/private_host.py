"""Who answers in a site of private_networks.py: HTTP on each address, UDP without a word, DNS for its own names.

Prints a line when it is there. An address that comes in on a line is answered no more.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import dns.message
import dns.rrset

from tests.monitor.private_networks import ADDRESSES, DNS_PORT, HTTP_PORT, UDP_PORT


class Silent(asyncio.DatagramProtocol):
    """Hears and says nothing."""


class Names(asyncio.DatagramProtocol):
    """Knows every name, by the first address."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        reply = dns.message.make_response(query)
        if query.question[0].rdtype == 1:
            reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", ADDRESSES[0]))
        self._transport.sendto(reply.to_wire(), addr)


async def main(site: str) -> None:
    """Answer until killed."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = f"site {site}".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    loop = asyncio.get_running_loop()
    servers = {one: await asyncio.start_server(handle, one, HTTP_PORT) for one in ADDRESSES}
    for one in ADDRESSES:
        await loop.create_datagram_endpoint(Silent, (one, UDP_PORT))
    await loop.create_datagram_endpoint(Names, ("127.0.0.1", DNS_PORT))
    print("there", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        servers[line.strip()].close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
