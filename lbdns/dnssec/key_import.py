"""A zone that was signed elsewhere, with its keys: BIND's files -> the state in which they sign it here, without a gap.

Caches hold what the other server signed. So every key that it publishes stays published until they hold it no longer,
and the keys that sign here are those that signed there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.dns.name import show_absolute
from lbdns.dnssec import key_states
from lbdns.dnssec.bind_keys import PUBLIC, KeyFile, read_key
from lbdns.dnssec.held import Version
from lbdns.dnssec.key import PrivateKey
from lbdns.dnssec.key_policy import KeyPolicy
from lbdns.dnssec.zone_keys import SigningKey, signing_key
from lbdns.dnssec.zone_state import ZoneKey, ZoneState
from lbdns.dnssec.zone_status import KeyRole

_ELSEWHERE_TTL_S: Final = 604_800
"""How long caches may hold what another server signed: RFC 8767 section 4 calls no TTL above a week useful."""
_FILES_MAX: Final = 64


def imported_state(
    apex: bytes, directory: Path, dnskeys: Sequence[bytes], policy: KeyPolicy, now_s: float
) -> tuple[ZoneState, list[PrivateKey]]:
    """Return the state of a zone with keys from elsewhere, and those of them that sign. Raises LbdnsError, with every
    mistake: nothing was taken over then.

    `dnskeys`: rdata of the DNSKEY RRset that the zone is served with; none: what is in the directory is all.
    """
    files = _read(apex, directory)
    served = {key.id: key for key in (signing_key(apex, one) for one in dnskeys)}
    if not served:
        served = {one.public.id: one.public for one in files}
    own = {one.public.id: one for one in files if one.private is not None and one.public.id in served}
    signing = {number: one for number, one in own.items() if _is_active(one, now_s)}
    mistakes = list(_mistakes(apex, directory, served, own, signing))
    if mistakes:
        raise LbdnsError("\n".join(mistakes))
    is_split = any(not key.is_entry_point for key in served.values())
    algorithm = _algorithm(signing, policy)
    keys = _zone_keys(served, signing, is_split, algorithm, now_s)
    state = key_states.begin(apex, policy, algorithm, is_split, now_s)
    return _held_elsewhere(replace(state, keys=keys), now_s), [one.private for one in own.values() if one.private]


def _read(apex: bytes, directory: Path) -> list[KeyFile]:
    zone = show_absolute(apex)
    stem = f"K{zone.replace('/', '%2F')}+"
    try:
        names = sorted(path for path in directory.iterdir() if path.name.lower().startswith(stem.lower()))
    except OSError as error:
        raise LbdnsError(f"{directory}: cannot be read: {error.strerror}") from error
    publics = [path for path in names if path.suffix == PUBLIC]
    if not publics:
        raise LbdnsError(f"{directory}: has no key of {zone}; expected files such as {stem}013+12345.key")
    if len(publics) > _FILES_MAX:
        raise LbdnsError(f"{directory}: has {len(publics)} keys of {zone}; expected {_FILES_MAX} at most")
    found, mistakes = [], []
    for path in publics:
        try:
            one = read_key(path, apex)
            if one.label is not None:
                raise LbdnsError(f"{path}: its private half is in a token; only keys that are files are imported")
            found.append(one)
        except LbdnsError as error:
            mistakes.append(str(error))
    if mistakes:
        raise LbdnsError("\n".join(mistakes))
    return found


def _is_active(one: KeyFile, now_s: float) -> bool:
    """Tell whether a key signs, by the times that BIND notes in its file."""
    return one.times_s.get("Activate", 0.0) <= now_s < one.times_s.get("Inactive", now_s + 1)


def _mistakes(
    apex: bytes,
    directory: Path,
    served: dict[int, SigningKey],
    own: dict[int, KeyFile],
    signing: dict[int, KeyFile],
) -> list[str]:
    """Return why a zone cannot be signed by its keys, a sentence each."""
    zone = show_absolute(apex)
    found = [
        f"{directory}: has no private half of {zone}'s key {key.algorithm}/{key.tag:05}, which a DS may name"
        for key in served.values()
        if key.is_entry_point and key.id not in own
    ]
    found += _like_tags(zone, served.values())
    is_split = any(not key.is_entry_point for key in served.values())
    for algorithm in sorted({key.algorithm for key in served.values()}):
        active = [one.public for one in signing.values() if one.public.algorithm == algorithm]
        if not any(key.is_entry_point for key in active):
            found.append(f"{directory}: has no key of algorithm {algorithm} that signs {zone}'s keys (flags 257)")
        elif is_split and all(key.is_entry_point for key in active):
            found.append(f"{directory}: has no key of algorithm {algorithm} that signs {zone} (flags 256)")
    return found


def _like_tags(zone: str, keys: Iterable[SigningKey]) -> Iterator[str]:
    """Yield which keys a validator can take for one another: it tries one of a tag and an algorithm, and some try no
    other when its signature does not fit (CVE-2023-50387). A key that is revoked has another tag (RFC 5011 section 7).
    """
    met: dict[tuple[int, int], SigningKey] = {}
    for key in sorted(keys, key=lambda one: one.id):
        for tag in sorted(key.tags):
            other = met.setdefault((key.algorithm, tag), key)
            if other is not key:
                yield (
                    f"{zone}: two keys of algorithm {key.algorithm} have the key tag {tag:05}, now or once one is "
                    "revoked: resolvers fail to tell them apart; roll one of them where the zone is signed now"
                )
                break


def _algorithm(signing: dict[int, KeyFile], policy: KeyPolicy) -> int:
    """Return the algorithm that the zone goes on with: that of its policy where it has it."""
    there = sorted({one.public.algorithm for one in signing.values()}, reverse=True)
    return policy.algorithm if policy.algorithm in there else there[0]


def _zone_keys(
    served: dict[int, SigningKey], signing: dict[int, KeyFile], is_split: bool, algorithm: int, now_s: float
) -> tuple[ZoneKey, ...]:
    """Return the keys of the zone. Of each role one is wanted, the one that began to sign last."""
    newest = sorted(signing.values(), key=lambda one: -one.times_s.get("Activate", 0.0))
    wanted: dict[KeyRole, int] = {}
    for one in newest:
        if one.public.algorithm == algorithm:
            wanted.setdefault(_role(one.public, is_split), one.public.id)
    return tuple(
        ZoneKey(
            key,
            _role(key, is_split),
            now_s if number not in signing else signing[number].times_s.get("Created", now_s),
            number in wanted.values(),
            number not in signing,
            now_s if number in signing else 0.0,
        )
        for number, key in served.items()
    )


def _role(key: SigningKey, is_split: bool) -> KeyRole:
    if not key.is_entry_point:
        return KeyRole.ZSK
    return KeyRole.KSK if is_split else KeyRole.CSK


def _held_elsewhere(state: ZoneState, now_s: float) -> ZoneState:
    """Return the state with what caches may hold of the other server: each key may have signed the zone alone, and each
    DS be the only one."""
    every = frozenset(key.public.id for key in state.keys)
    entries = [key.public.id for key in state.keys if key.is_entry]
    keyset = Version(every, frozenset(entries), _ELSEWHERE_TTL_S)
    signers = frozenset(key.public.id for key in state.keys if key.signs_zone)
    signed = [
        Version(frozenset((key.public.id,)), ttl_s=_ELSEWHERE_TTL_S, until_s=now_s)
        for key in state.keys
        if key.role is not KeyRole.KSK and key.public.id not in signers
    ]
    named = tuple(Version(frozenset((number,)), ttl_s=_ELSEWHERE_TTL_S) for number in entries)
    signing = Version(signers, ttl_s=_ELSEWHERE_TTL_S)
    return replace(state, keysets=(keyset,), signings=(*signed, signing), delegations=named, published_s=None)
