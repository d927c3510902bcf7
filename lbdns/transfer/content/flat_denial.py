"""What denies in a transfer of a signed zone: at a load balancer's name it lists the types that are there as records.

To who asks this server, the same record lists every type that the load balancer may ever answer (DNSSEC.md's rule for
what is steered per client); a zone that others serve has records, and its NSEC and NSEC3 records say which (RFC 4034
section 4.1.2, RFC 5155 section 3.2.1). Who is in the chain stays: a load balancer that answers nothing now is a name
without records, as it is here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from lbdns.dns.canonical import NSEC3_PARAMETERS, nsec3_hash, type_bitmap
from lbdns.dns.codes import TYPE_NSEC, TYPE_RRSIG
from lbdns.dns.name import name_end
from lbdns.dns.zone import RRset, Zone
from lbdns.snapshot.lookup.name_rows import NSEC3_HASH_BYTES

_NSEC3_HEAD_BYTES = len(NSEC3_PARAMETERS) + 1 + NSEC3_HASH_BYTES


def denying(zone: Zone, owners: Iterable[bytes], flat: Sequence[RRset]) -> Iterator[tuple[RRset, RRset]]:
    """Yield of a signed zone the NSEC or NSEC3 record of each name of load balancers, and what takes its place in a
    transfer, not signed yet, where that is another."""
    assert zone.signed is not None, "asked of signed zones alone"
    wanted = set(owners)
    types: dict[bytes, set[int]] = {owner: set() for owner in wanted}
    nsec: dict[bytes, RRset] = {}
    for rrset in zone.rrsets:
        if rrset.owner in wanted:
            if rrset.type == TYPE_NSEC:
                nsec[rrset.owner] = rrset
            else:
                types[rrset.owner].add(rrset.type)
    for rrset in flat:
        types[rrset.owner].add(rrset.type)
    hashed = dict(zone.signed.nsec3)
    for owner in sorted(wanted):
        denies = nsec.get(owner) or hashed.get(nsec3_hash(owner))
        if denies is None:
            continue  # cut off
        rdata = _with_types(denies, types[owner])
        if rdata != denies.rdatas[0]:
            yield denies, replace(denies, rdatas=(rdata,), signatures=())


def _with_types(denies: RRset, types: set[int]) -> bytes:
    rdata = denies.rdatas[0]
    if denies.type == TYPE_NSEC:
        return rdata[: name_end(rdata, 0)] + type_bitmap((*types, TYPE_RRSIG, TYPE_NSEC))
    return rdata[:_NSEC3_HEAD_BYTES] + type_bitmap((*types, TYPE_RRSIG) if types else ())
