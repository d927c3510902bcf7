"""Which signatures an answer has for who wants them: by which key, for how long, and whether they are there yet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from lbdns.answer.answer import Road, find_signatures
from lbdns.answer.prove import prove
from lbdns.answer.reply import Answer, Records
from lbdns.answer.serving_view import ServingView
from lbdns.answer.sign import unsigned_of
from lbdns.dns.canonical import RRSIG_HEAD
from lbdns.dns.codes import ALGORITHM_NAMES, TYPE_DNSKEY
from lbdns.dns.name import show_name
from lbdns.dns.rdata.record_types import type_text
from lbdns.dnssec.zone_keys import SigningKey, signing_key

PUBLISHED: Final = "published"
TABLE: Final = "table"
LACKING: Final = "lacking"
_WHENCE: Final = {
    PUBLISHED: "signed when the zone was published",
    TABLE: "signed as it is asked for, and there already",
}
_TIME: Final = "%Y-%m-%d %H:%M"


def signature_steps(view: ServingView, reply: Answer, road: Road, qtype: int) -> list[dict[str, Any]]:
    """Return a step for each signature of an answer to somebody who wants them (`road` says so), in the order of the
    reply; none where the zone is not signed. The proofs that go along are added to the reply."""
    if not reply.is_signed:
        return []
    prove(view, reply, road, qtype)
    steps: list[dict[str, Any]] = []
    for records in (*reply.answer, *reply.authority):
        steps += _steps_of(view, reply, road, records)
    return steps


def _steps_of(view: ServingView, reply: Answer, road: Road, records: Records) -> Iterator[dict[str, Any]]:
    signatures: tuple[bytes, ...] | None = records.signatures
    unsigned = unsigned_of(reply, records, road)
    source = PUBLISHED
    if records.signed_ttl is not None:
        signatures = find_signatures(view, road.matches[0].zone, road, unsigned)
        source = LACKING if signatures is None else TABLE
    about = {"owner": show_name(unsigned.owner), "type": type_text(unsigned.rtype)}
    for signature in signatures or ():
        _, algorithm, _, _, expiration, inception, tag = RRSIG_HEAD.unpack_from(signature)
        yield _step(about, source, tag, algorithm, inception, expiration)
    if signatures is None:
        for key in _signing_keys(view, road.matches[0].zone):
            yield _step(about, source, key.tag, key.algorithm)


def _step(
    about: dict[str, str],
    source: str,
    tag: int,
    algorithm: int,
    inception: int | None = None,
    expiration: int | None = None,
) -> dict[str, Any]:
    named = ALGORITHM_NAMES.get(algorithm, f"algorithm {algorithm}")
    what = f"{about['type']} of {about['owner']}, by key {tag} ({named})"
    if inception is None or expiration is None:
        text = f"{what}: not signed yet; whoever asks first with DO waits for the signer"
    else:
        text = f"{what}: {_time(inception)} to {_time(expiration)} UTC, {_WHENCE[source]}"
    return {
        "stage": "signature",
        "text": text,
        **about,
        "key_tag": tag,
        "algorithm": algorithm,
        "inception": inception,
        "expiration": expiration,
        "source": source,
    }


def _time(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime(_TIME)


def _signing_keys(view: ServingView, zone: int) -> Iterator[SigningKey]:
    """Yield the keys that sign what a zone has signed as it is asked for: those of its DNSKEY records that have the
    ids."""
    start = view.columns["zone_key_start"][zone]
    wanted = view.columns["signing_key_id"][start : start + view.columns["zone_key_count"][zone]].tolist()
    published = view.rrset(view.columns["zone_apex"][zone], TYPE_DNSKEY)
    for dnskey in published.rdatas if published else ():
        key = signing_key(view.apex(zone), dnskey)
        if key.id in wanted:
            yield key
