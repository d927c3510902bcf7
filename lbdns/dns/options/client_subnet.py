"""Client Subnet (RFC 7871): for which network of clients a resolver asks, and for which the answer holds."""

from __future__ import annotations

from dataclasses import dataclass

from lbdns.dns.options.option import ReplyFacts

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
    """Return the option, or None where it is malformed (RFC 7871, sections 6 and 7.1.2).

    Malformed: fewer than 4 bytes; SCOPE not 0; family neither 0 (with SOURCE 0), 1 nor 2; SOURCE over 32 or 128;
    another number of address bytes than SOURCE needs; bits set beyond SOURCE.
    """
    if len(data) < 4:
        return None
    family = data[0] << 8 | data[1]
    source, scope, address = data[2], data[3], data[4:]
    bits = FAMILY_BITS.get(family)
    if bits is None or scope or source > bits or len(address) != (source + 7) // 8:
        return None
    if source % 8 and address[-1] & (0xFF >> source % 8):
        return None
    return ClientSubnet(family, source, address)


def encode_client_subnet(asked: ClientSubnet | None, reply: ReplyFacts) -> bytes | None:
    """Return the option of a reply: the query's with the reply's scope, none where that could not be read."""
    return None if asked is None else asked.encode(reply.scope)
