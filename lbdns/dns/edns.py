"""EDNS (RFC 6891) as lbdns reads it: the OPT record of a query, and the options that mean something here."""

from __future__ import annotations

from dataclasses import dataclass

from lbdns.dns.codes import OPTION_COOKIE, OPTION_ECS, OPTION_KEEPALIVE, OPTION_NSID

FAMILY_BITS = {1: 32, 2: 128}


@dataclass(frozen=True, slots=True)
class ClientSubnet:
    """An EDNS Client Subnet option (RFC 7871): `family` 0, 1 (IPv4) or 2 (IPv6), `source` bits, ADDRESS as it came."""

    family: int
    source: int
    address: bytes

    @property
    def packed(self) -> bytes:
        """The address filled up with zeros to 4 or 16 bytes; empty for family 0."""
        return self.address.ljust({1: 4, 2: 16}.get(self.family, 0), b"\0")

    def encode(self, scope: int) -> bytes:
        """Return the option's data for a reply: family, source and address as they came, with this scope."""
        return bytes((0, self.family, self.source, scope)) + self.address


@dataclass(frozen=True, slots=True)
class Edns:
    """What a query's OPT record says. `is_malformed`: an option or the record is; the rest is then what could be
    read."""

    version: int = 0
    size: int = 512
    client_subnet: ClientSubnet | None = None
    wants_nsid: bool = False
    wants_keepalive: bool = False
    is_malformed: bool = False


def decode_edns(size: int, ttl: int, options: bytes) -> Edns:
    """Return the value of an OPT record from its class, TTL and RDATA; never raises."""
    version = ttl >> 16 & 0xFF
    client_subnet: ClientSubnet | None = None
    wants_nsid = wants_keepalive = is_malformed = False
    position = 0
    while position < len(options):
        code = int.from_bytes(options[position : position + 2], "big")
        length = int.from_bytes(options[position + 2 : position + 4], "big")
        data = options[position + 4 : position + 4 + length]
        if len(options) - position < 4 or len(data) < length:
            is_malformed = True
            break
        position += 4 + length
        if code == OPTION_ECS:
            decoded = decode_client_subnet(data)
            if decoded is None:
                is_malformed = True
            elif client_subnet is None:
                client_subnet = decoded
        elif code == OPTION_NSID:
            wants_nsid = True
        elif code == OPTION_KEEPALIVE:
            # RFC 7828, section 3.2.1: a client leaves the timeout out.
            is_malformed |= length != 0
            wants_keepalive = True
        elif code == OPTION_COOKIE:
            # RFC 7873, section 5.2.2.
            is_malformed |= length != 8 and not 16 <= length <= 40
    # Of another version only the number is sure to mean what it says (RFC 6891, section 6.1.3).
    return Edns(version, size, client_subnet, wants_nsid, wants_keepalive, is_malformed and version == 0)


def decode_client_subnet(data: bytes) -> ClientSubnet | None:
    """Return the option, or None where it is malformed (RFC 7871, sections 6 and 7.1.2).

    Malformed: fewer than 4 bytes; SCOPE not 0; family neither 0 (with SOURCE 0), 1 nor 2; SOURCE over 32 or 128;
    another number of address bytes than SOURCE needs; bits set beyond SOURCE.
    """
    if len(data) < 4:
        return None
    family = data[0] << 8 | data[1]
    source, scope, address = data[2], data[3], data[4:]
    bits = 0 if family == 0 else FAMILY_BITS.get(family)
    if bits is None or scope or source > bits or len(address) != (source + 7) // 8:
        return None
    if source % 8 and address[-1] & (0xFF >> source % 8):
        return None
    return ClientSubnet(family, source, address)
