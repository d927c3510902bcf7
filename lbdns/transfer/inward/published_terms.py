"""What the transfer worker is to go by, from what is in force: zones that come from others, and who is told of which.

    secondary zones     as their policies say, with the keys
    notified            zones that somebody may transfer, or that have also_notify: also_notify, and of the first the
                        name servers that the zone has beside the SOA's MNAME (RFC 1996 section 2.2)

What is told of a zone is the SOA that is served, not that of the file.
"""

from __future__ import annotations

from collections.abc import Mapping

from lbdns.answer.serving_view import ServingView
from lbdns.dns.codes import TYPE_NS, TYPE_SOA
from lbdns.dns.name import is_at_or_below, read_name, show_name
from lbdns.dns.rdata.master_form import rdata_text
from lbdns.dns.rdata.record_types import ADDRESS_TYPES
from lbdns.dns.zone import RRset
from lbdns.model.transfer_policy import Notified, Primary, TransferPolicy
from lbdns.model.tsig_key import TsigKey
from lbdns.publish.publisher import Published
from lbdns.snapshot.lookup.look_up import DIRECTORY
from lbdns.transfer.inward.primary_client import AskedKey, AskedPrimary, AskedTls
from lbdns.transfer.inward.worker_terms import NotifiedZone, SecondaryTerms, WorkerTerms


def terms_of(published: Published) -> WorkerTerms:
    """Return what a worker is to go by from now on."""
    configuration = published.configuration
    policies = configuration.transfer_policies
    if policies.is_empty:
        return WorkerTerms({}, {})
    keys = configuration.tsig_keys
    secondaries = {
        policy.apex: SecondaryTerms(tuple(_primary(one, keys) for one in policy.primaries), policy.refresh_s)
        for policy in policies.secondaries
    }
    told = ((zone.apex, policies.of(zone.apex)) for zone in configuration.zones if not zone.view)
    asking = [(apex, policy) for apex, policy in told if policy.transfer or policy.notify_targets]
    if not asking:
        return WorkerTerms(secondaries, {})
    view = ServingView(published.snapshot, published.table, published.signatures)
    found = ((apex, _notified(view, apex, policy, keys)) for apex, policy in asking)
    return WorkerTerms(secondaries, {apex: notified for apex, notified in found if notified is not None})


def _notified(
    view: ServingView, apex: bytes, policy: TransferPolicy, keys: Mapping[str, TsigKey]
) -> NotifiedZone | None:
    """Return who is told of a zone, which may be nobody; None where the zone is not served."""
    found = view.zones_above(DIRECTORY, apex)
    if not found or view.apex(found[0]) != apex:
        return None
    rrsets = {rrset.type: rrset for rrset in _at(view, found[0], apex)}
    if TYPE_SOA not in rrsets:
        return None
    soa = rrsets[TYPE_SOA].rdatas[0]
    targets = tuple(_target(one, keys) for one in policy.notify_targets)
    servers = _servers(view, found[0], apex, rrsets.get(TYPE_NS), read_name(soa, 0)) if policy.transfer else ()
    return NotifiedZone(apex, soa, targets, servers)


def _servers(
    view: ServingView, zone: int, apex: bytes, servers: RRset | None, primary: bytes
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the name servers of a zone but the primary, with the addresses that the zone has of them."""
    found = []
    for name in servers.rdatas if servers else ():
        lowered = name.lower()
        if lowered == primary.lower():
            continue
        rrsets = _at(view, zone, lowered) if is_at_or_below(lowered, apex) else ()
        addresses = (
            rdata_text(rrset.type, rdata) for rrset in rrsets if rrset.type in ADDRESS_TYPES for rdata in rrset.rdatas
        )
        found.append((show_name(name), tuple(addresses)))
    return tuple(found)


def _at(view: ServingView, zone: int, name: bytes) -> tuple[RRset, ...]:
    entry = view.find_name(zone, name)
    return () if entry is None else view.rrsets(entry)


def _key(name: str, keys: Mapping[str, TsigKey]) -> AskedKey | None:
    key = keys.get(name) if name else None
    return None if key is None else AskedKey(key.name, key.algorithm, key.octets)


def _primary(said: Primary, keys: Mapping[str, TsigKey]) -> AskedPrimary:
    tls = None if said.tls is None else AskedTls(said.tls.name, str(said.tls.ca_file or ""))
    return AskedPrimary(said.address, said.port, _key(said.key, keys), tls, said.takes_ixfr)


def _target(said: Notified, keys: Mapping[str, TsigKey]) -> AskedPrimary:
    return AskedPrimary(said.address, said.port, _key(said.key, keys))
