"""Signatures over single RRsets of a zone that is signed already: its SOA with another serial, and what transfers of it
have in place of what load balancers answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from lbdns.dns.canonical import RRSIG_HEAD, signed_data, signed_labels
from lbdns.dns.zone import RRset
from lbdns.dnssec.bulk_signing import BulkSigner, BulkSigning, WantedSignature
from lbdns.dnssec.signature_times import SignatureTimes
from lbdns.dnssec.zone_keys import SigningKey

_FIELD_MASK: Final = 0xFFFFFFFF
_Kept = Mapping[tuple[bytes, int, int, tuple[bytes, ...]], tuple[bytes, ...]]


def seal(
    apex: bytes,
    rrsets: Sequence[RRset],
    kept: Sequence[RRset],
    signers: Sequence[SigningKey],
    times: SignatureTimes,
    bulk: BulkSigner,
) -> list[RRset]:
    """Return RRsets signed by each of a zone's keys; a signature over an equal one of `kept`, which are signed by the
    same keys, stays until it is due. Raises what `bulk` does."""
    before: _Kept = {(one.owner, one.type, one.ttl, one.rdatas): one.signatures for one in kept}
    signing = BulkSigning(bulk, {key.id: key for key in signers}, len(rrsets))
    try:
        for place, rrset in enumerate(rrsets):
            for signer in signers:
                _seal(apex, rrset, place, signer, before, times, signing)
        signing.finish()
    finally:
        signing.close()
    return [replace(one, signatures=those) for one, those in zip(rrsets, signing.found, strict=True)]


def _seal(
    apex: bytes,
    rrset: RRset,
    place: int,
    signer: SigningKey,
    before: _Kept,
    times: SignatureTimes,
    signing: BulkSigning,
) -> None:
    held = None
    for signature in before.get((rrset.owner, rrset.type, rrset.ttl, rrset.rdatas), ()):
        fields = RRSIG_HEAD.unpack_from(signature)
        if (fields[1], fields[6]) != (signer.algorithm, signer.tag):
            continue
        if not times.is_due(*fields[4:6]):
            signing.found[place] += (signature,)
            return
        held = signature if times.holds(*fields[4:6]) else None
    head = RRSIG_HEAD.pack(
        rrset.type,
        signer.algorithm,
        signed_labels(rrset.owner),
        rrset.ttl,
        times.expiration_s(rrset.owner) & _FIELD_MASK,
        times.inception_s(is_of_keys=False) & _FIELD_MASK,
        signer.tag,
    )
    head += apex
    data = signed_data(head, rrset.owner, rrset.type, rrset.ttl, rrset.rdatas)
    signing.want(signer.id, data, WantedSignature(place, head, held))
