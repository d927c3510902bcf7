"""The chains that say what is not there: NSEC (RFC 4034 section 4), or NSEC3 (RFC 5155) without iterations or salt.

A name is in a chain where the zone speaks for it, cuts among them. NSEC names what has records or load balancers; NSEC3
has the names above those as well.
"""

from __future__ import annotations

from lbdns.base.errors import LbdnsError
from lbdns.dns.canonical import NSEC3_PARAMETERS, nsec3_hash, nsec3_owner, order_key, type_bitmap
from lbdns.dns.codes import NAME_BYTES_MAX, TYPE_DS, TYPE_NSEC, TYPE_NSEC3, TYPE_RRSIG
from lbdns.dns.name import show_name
from lbdns.dns.zone import RRset
from lbdns.dnssec.zone_content import ZoneContent
from lbdns.snapshot.lookup.name_rows import NSEC3_HASH_BYTES

_HASH_LENGTH = bytes((NSEC3_HASH_BYTES,))
_EVERYWHERE = (TYPE_RRSIG, TYPE_NSEC)


def nsec_chain(content: ZoneContent, ttl: int) -> list[RRset]:
    """Return the NSEC RRsets of a zone, in canonical order."""
    names = sorted(content.types, key=order_key)
    chain = []
    for position, name in enumerate(names):
        following = names[position + 1 - len(names)]
        rdata = following + type_bitmap((*content.types[name], *_EVERYWHERE))
        chain.append(RRset(name, TYPE_NSEC, ttl, (rdata,)))
    return chain


def nsec3_chain(content: ZoneContent, ttl: int) -> list[tuple[bytes, RRset]]:
    """Return the NSEC3 RRsets of a zone by the hashes of their names, sorted; raises LbdnsError where no hash fits
    before the zone's name."""
    if len(nsec3_owner(bytes(NSEC3_HASH_BYTES), content.apex)) > NAME_BYTES_MAX:
        raise LbdnsError(f"zone {show_name(content.apex)}: the name is too long for NSEC3; take denial: nsec for it")
    types = {nsec3_hash(name): _signed_types(content, name) for name in content.types}
    types |= {nsec3_hash(name): b"" for name in content.empty_names()}
    hashes = sorted(types)
    chain = []
    for position, hashed in enumerate(hashes):
        following = hashes[position + 1 - len(hashes)]
        rdata = NSEC3_PARAMETERS + _HASH_LENGTH + following + types[hashed]
        chain.append((hashed, RRset(nsec3_owner(hashed, content.apex), TYPE_NSEC3, ttl, (rdata,))))
    return chain


def _signed_types(content: ZoneContent, name: bytes) -> bytes:
    """Return a name's bitmap: with RRSIG unless it delegates to a zone that is not signed (RFC 5155 section 7.1)."""
    types = content.types[name]
    if name in content.cuts and TYPE_DS not in types:
        return type_bitmap(types)
    return type_bitmap((*types, TYPE_RRSIG))
