"""Client Subnet (RFC 7871): for which network of clients a resolver asks, and for which the answer holds."""

from __future__ import annotations

from dataclasses import dataclass

from lbdns.dns.options.option import ReplyFacts
from lbdns.dns.wire import is_client_subnet

FAMILY_BITS = {0: 0, 1: 32, 2: 128}


@dataclass(frozen=True, slots=True)
class ClientSubnet:
    """The option of a query: `family` 0, 1 (IPv4) or 2 (IPv6), `source` bits, ADDRESS as it came."""

    family: int
    source: int
    address: bytes

    @property
    def packed(self) -> bytes:
        """The address filled up with zeros to 4 or 16 bytes; empty for family 0."""
        return self.address.ljust(FAMILY_BITS[self.family] // 8, b"\0")

    def encode(self, scope: int) -> bytes:
        """Return the option's data for a reply: family, source and address as they came, with this scope."""
        return bytes((0, self.family, self.source, scope)) + self.address


def decode_client_subnet(data: bytes) -> ClientSubnet | None:
    """Return the option, or None where it is malformed: shorter than 4 bytes, or as `wire.is_client_subnet` says."""
    if len(data) < 4:
        return None
    family, source, scope, address = data[0] << 8 | data[1], data[2], data[3], data[4:]
    if not is_client_subnet(family, source, scope, len(address), address[-1] if address else 0):
        return None
    return ClientSubnet(family, source, address)


def encode_client_subnet(asked: ClientSubnet | None, reply: ReplyFacts) -> bytes | None:
    """Return the option of a reply: the query's with the reply's scope, none where that could not be read."""
    return None if asked is None else asked.encode(reply.scope)
