"""How the keys of a zone live: a pure machine, whose clock is passed in. START HERE for rolls.

A key's states are those of RFC 7583 section 3.1. Nobody sets them: they follow from what is served, and from what
caches may hold of it (lbdns.dnssec.held):

                  a key is needed              in the DNSKEY RRset        every cache has it
    (nothing) ---------------------> GENERATED ----------------> PUBLISHED -----------------> READY
                                                                                                |
                        a ZSK or CSK signs the zone; a KSK's DS is what the parent has          |
                    .----------------------------------------------------------------------------'
                    v     another one is wanted in its place                no cache needs it
                 ACTIVE -------------------------------------> RETIRED --------------------------> REMOVED -> (deleted)

A zone's, in the words of `lbdns dnssec status`:

              enable                   the parent has the DS that it was asked for
    DISABLED ----------> PENDING <---------------------------------------------------> ACTIVE
       ^                    |            it has lost it                                  |
       |                    | disable                                           disable  |
       |                    v                                                            |
       '------------- PENDING_DISABLED <-------------------------------------------------'
         the parent has no DS, and no cache has one

What is done is a matter of what is wanted alone. `advance` compares it with what there is, and takes each of three
steps as soon as that is safe whatever caches hold, which makes the timelines of RFC 7583 and RFC 6781 of it:

| roll | step | waits for |
|---|---|---|
| ZSK, pre-publication (RFC 7583 3.2.1) | DNSKEY has both | |
| | the new one signs | caches to have both |
| | DNSKEY has the new one | caches to lose what the old one signed |
| KSK or CSK, double signature (3.3.1; RFC 6781 4.1.3) | DNSKEY has both, both sign it | |
| | the parent is asked for the new DS; a CSK signs | caches to have both |
| | DNSKEY has the new one | the parent; caches to lose the old DS, and what the old one signed |
| KSK, double DS (3.3.2) | the parent is asked for both DS | |
| | DNSKEY has the new one in place of the old | the parent; caches to have both DS |
| | the parent is asked for the new DS | caches to lose the old DNSKEY |
| to another algorithm (RFC 6781 4.1.4) | both sign the zone | |
| | DNSKEY has both, both sign it | caches to lose what the old one alone signed |
| | the parent is asked for the new DS | caches to have both |
| | DNSKEY has the new one | the parent; caches to lose the old DS |
| | the new one alone signs | caches to lose the DNSKEY of both |
| enable | DNSKEY, signatures | |
| | the parent is asked for the DS | caches to lose what is unsigned |
| disable | the parent is asked to have no DS (RFC 8078 4) | |
| | the zone is unsigned | the parent; caches to lose the DS |

A step is taken from what is in force, never before what the last one made is: `put_in_force` tells of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from lbdns.dns.codes import CREATED_ALGORITHMS
from lbdns.dnssec.held import Ids, Version
from lbdns.dnssec.key_policy import KeyPolicy
from lbdns.dnssec.parent_answer import ParentAnswer
from lbdns.dnssec.zone_keys import CDNSKEY_DELETE, CDS_DELETE, ZoneKeys, ds_names, ds_rdata, ds_text
from lbdns.dnssec.zone_state import KeyPhase, ParentSeen, ZoneKey, ZoneState
from lbdns.dnssec.zone_status import KeyRole

GoneS = Callable[[Version, KeyPolicy], float | None]
_SIGNERS_MAX = 2
"""Of the zone's data at a time."""


# --- what is wanted ---


def begin(apex: bytes, policy: KeyPolicy, algorithm: int, is_split: bool, now_s: float) -> ZoneState:
    """Return the state of a zone that is unsigned and is to be signed. `apex`: wire format, lower case."""
    settings = policy.algorithm, policy.is_split
    unsigned = (Version(frozenset(), ttl_s=policy.unsigned_ttl_s or 0),)
    return ZoneState(apex, True, algorithm, is_split, settings, now_s, keysets=unsigned, signings=unsigned)


def switch(state: ZoneState, is_wanted: bool, now_s: float) -> ZoneState:
    """Return the state of a zone that is to be signed, or unsigned, from now on."""
    return state if state.is_wanted == is_wanted else replace(state, is_wanted=is_wanted, is_heard=False, since_s=now_s)


def roll(state: ZoneState, roles: Iterable[KeyRole], algorithm: int, is_urgent: bool) -> ZoneState:
    """Return a state in which other keys are wanted in place of those of some roles, and of another algorithm in place
    of all; `is_urgent`: the old ones are to go as soon as that is safe, whatever it takes in signatures."""
    kinds = frozenset(roles)
    keys = tuple(replace(key, is_wanted=False) if key.role in kinds else key for key in state.keys)
    rolled = replace(state, keys=keys, algorithm=algorithm, is_urgent=state.is_urgent or is_urgent)
    return _fitting(rolled)


def prepare(state: ZoneState, policy: KeyPolicy, now_s: float) -> ZoneState:
    """Return a state without what no cache holds any more, with changed settings taken over, and with other keys wanted
    in place of those whose time is over."""
    return _aged(_following(_forgetting(state, policy, now_s), policy), policy, now_s)


def needed(state: ZoneState) -> Iterator[tuple[KeyRole, int]]:
    """Yield role and algorithm of each key that has to be made before `advance`."""
    if not state.is_wanted:
        return
    roles = (KeyRole.KSK, KeyRole.ZSK) if state.is_split else (KeyRole.CSK,)
    for role in roles:
        if not any(key.is_wanted and key.role is role and not key.is_passive for key in state.keys):
            yield role, state.algorithm


def with_keys(state: ZoneState, keys: Iterable[ZoneKey]) -> ZoneState:
    """Return a state with keys that were made."""
    return replace(state, keys=(*state.keys, *keys))


def _following(state: ZoneState, policy: KeyPolicy) -> ZoneState:
    """Take over settings that changed since they were looked at last: what a zone has otherwise, by import or by hand,
    stays so until then."""
    settings = policy.algorithm, policy.is_split
    if settings == state.policy:
        return state
    algorithm = settings[0] if settings[0] != state.policy[0] else state.algorithm
    is_split = settings[1] if settings[1] != state.policy[1] else state.is_split
    return _fitting(replace(state, policy=settings, algorithm=algorithm, is_split=is_split))


def _fitting(state: ZoneState) -> ZoneState:
    """Return a state that wants no key of another algorithm or role than the zone is to have."""
    roles = (KeyRole.KSK, KeyRole.ZSK) if state.is_split else (KeyRole.CSK,)
    return replace(
        state,
        keys=tuple(
            replace(key, is_wanted=key.is_wanted and key.public.algorithm == state.algorithm and key.role in roles)
            for key in state.keys
        ),
    )


def lifetime_s(key: ZoneKey, policy: KeyPolicy) -> int:
    """Return how long a key serves, 0 where no end is set."""
    return policy.zsk_lifetime_s if key.role is KeyRole.ZSK else policy.ksk_lifetime_s


def ends_s(state: ZoneState, key: ZoneKey, policy: KeyPolicy) -> float | None:
    """Return when a key's lifetime is over; None where it has none, or is not what is at work."""
    lasts_s = lifetime_s(key, policy)
    rolling = any(not other.is_wanted and other.role is key.role for other in state.keys)
    if not lasts_s or not key.active_s or not key.is_wanted or rolling or not state.is_wanted:
        return None
    return key.active_s + lasts_s


def _aged(state: ZoneState, policy: KeyPolicy, now_s: float) -> ZoneState:
    if state.algorithm not in CREATED_ALGORITHMS:
        return state  # keys of it come from elsewhere: somebody rolls to another algorithm
    ends = [(key, ends_s(state, key, policy)) for key in state.keys]
    over = {key.public.id for key, end_s in ends if end_s is not None and now_s >= end_s}
    return _unwanting(state, over) if over else state


def _unwanting(state: ZoneState, ids: Iterable[int]) -> ZoneState:
    gone = frozenset(ids)
    keys = (replace(key, is_wanted=key.is_wanted and key.public.id not in gone) for key in state.keys)
    return replace(state, keys=tuple(keys))


# --- what caches hold ---


def _zone_gone_s(version: Version, policy: KeyPolicy) -> float | None:
    """Return when no cache holds something of the zone any more. What is unsigned is waited for without more safety
    than its policy has: the first DS is what somebody waits for, and takes its time at the parent besides."""
    return version.gone_s(policy.propagation_s + (policy.safety_s if version.keys else 0))


def _ds_gone_s(version: Version, policy: KeyPolicy) -> float | None:
    """Return when no cache holds a DS any more."""
    return version.gone_s(policy.parent_propagation_s + policy.safety_s)


def _forgetting(state: ZoneState, policy: KeyPolicy, now_s: float) -> ZoneState:
    """Return a state without versions that no cache holds any more, and without keys that nothing names."""

    def kept(versions: tuple[Version, ...], gone_s: GoneS) -> tuple[Version, ...]:
        ends = [gone_s(version, policy) for version in versions[:-1]]
        return (*(one for one, end in zip(versions, ends, strict=False) if end is None or now_s < end), versions[-1])

    keysets = kept(state.keysets, _zone_gone_s)
    signings = kept(state.signings, _zone_gone_s)
    delegations = kept(state.delegations, _ds_gone_s)
    if state.published_s is not None and not state.is_wanted and not keysets[-1].keys and not signings[-1].keys:
        # Unsigned, and no DS anywhere: nothing that is still cached is held against a key.
        return replace(state, keys=(), keysets=keysets[-1:], signings=signings[-1:], asked=(), is_urgent=False)
    versions = (*keysets, *signings, *delegations)
    named = frozenset().union(*(one.keys for one in versions), *state.asked)
    keys = tuple(key for key in state.keys if key.is_wanted or key.public.id in named)
    is_urgent = state.is_urgent and not all(key.is_wanted for key in keys)
    return replace(state, keys=keys, keysets=keysets, signings=signings, delegations=delegations, is_urgent=is_urgent)


def next_s(state: ZoneState, policy: KeyPolicy) -> float | None:
    """Return when something changes by itself next; None where that takes more than time."""
    ends = [_zone_gone_s(version, policy) for version in (*state.keysets[:-1], *state.signings[:-1])]
    ends += [_ds_gone_s(version, policy) for version in state.delegations[:-1]]
    ends += [ends_s(state, key, policy) for key in state.keys]
    return min((end for end in ends if end is not None), default=None)


# --- steps ---


def advance(state: ZoneState, policy: KeyPolicy, now_s: float) -> ZoneState:
    """Return the state after each step that is safe now; the same where none is.

    Keys that are `needed` are there, and `prepare` was called.
    """
    if state.published_s is None:
        return state
    before = zone_keys(state, policy)
    if state.is_wanted:
        after = _ask(_publish_keys(_sign_zone(state), policy), policy, now_s)
    else:
        after = _unsign(_ask_for(state, frozenset(), now_s))
    if zone_keys(after, policy) == before:
        return replace(after, is_asked=bool(after.asked))  # without CDS, the parent hears of it by an operator
    return replace(after, published_s=None)


def _sign_zone(state: ZoneState) -> ZoneState:
    """Sign the zone by the keys that are wanted for it; where that is not safe, by a key of a new algorithm as well,
    and in a hurry by any. An old key that nothing needs makes room for it."""
    wanted = frozenset(key.public.id for key in state.wanted(is_entry=False))
    now = state.signing.keys
    if not wanted or wanted == now:
        return state
    held = state.held()
    signed = {key.public.algorithm for key in state.known(now)}
    beside = {key.public.id for key in state.known(wanted) if state.is_urgent or key.public.algorithm not in signed}
    fewer = (now - {key.public.id} for key in reversed(state.known(now - wanted)))
    for keys in (wanted, now | beside, *fewer):
        new = Version(keys)
        if keys and keys != now and len(keys) <= _SIGNERS_MAX and held.takes_signing(new):
            return replace(state, signings=(*state.signings, new))
    return state


def _publish_keys(state: ZoneState, policy: KeyPolicy) -> ZoneState:
    """Publish what keys may be published of those that are wanted, and leave out what may be left out of the others."""
    keys = state.keyset.keys
    for key in sorted(state.keys, key=lambda one: one.is_entry):  # ZSKs first, and last: a KSK's algorithm takes one
        if key.is_wanted and _may_come(state, key, policy) and _takes(state, both := keys | {key.public.id}):
            keys = both
    for key in sorted(state.known(keys), key=lambda one: not one.is_entry):
        if not key.is_wanted and _takes(state, fewer := keys - {key.public.id}):
            keys = fewer
    new = _keyset(state, keys)
    if new.is_same(state.keyset):
        return state
    return replace(state, keysets=(*state.keysets, new))


def _may_come(state: ZoneState, key: ZoneKey, policy: KeyPolicy) -> bool:
    """Tell whether it is time for a key's publication: by double DS, an entry point comes when caches have its DS."""
    if not key.is_entry or not _by_double_ds(state, policy):
        return True
    named = [one for one in state.delegations if one.keys]
    there = {one.public.algorithm for one in state.known(state.keyset.keys) if one.is_entry}
    return key.public.algorithm not in there or all(key.public.id in one.keys for one in named)


def _by_double_ds(state: ZoneState, policy: KeyPolicy) -> bool:
    return policy.is_double_ds and not state.is_urgent


def _keyset(state: ZoneState, keys: Ids) -> Version:
    return Version(keys, frozenset(key.public.id for key in state.known(keys) if key.is_entry))


def _takes(state: ZoneState, keys: Ids) -> bool:
    """Tell whether it is safe to publish some keys: those of it that are entry points sign them."""
    return keys == state.keyset.keys or state.held().takes_keyset(_keyset(state, keys))


def _ask(state: ZoneState, policy: KeyPolicy, now_s: float) -> ZoneState:
    """Ask the parent for the DS that is wanted; by double DS, for that of the old key beside it before."""
    wanted = frozenset(key.public.id for key in state.wanted(is_entry=True))
    choices = [wanted]
    if state.asked and _by_double_ds(state, policy):
        choices.append(wanted | state.asked[-1])
    for keys in choices:
        if state.asked and keys == state.asked[-1]:
            return state
        if keys and state.held().takes_delegation(Version(keys)):
            return _ask_for(state, keys, now_s)
    return state


def _ask_for(state: ZoneState, keys: Ids, now_s: float) -> ZoneState:
    if state.asked and state.asked[-1] == keys:
        return state
    return replace(state, asked=(*state.asked, keys), asked_s=now_s, is_asked=False, is_heard=False)


def _unsign(state: ZoneState) -> ZoneState:
    """Take all keys and signatures away, where no parent and no cache has a DS."""
    is_gone = state.is_heard and not any(one.keys or one.has_others for one in state.delegations)
    if not is_gone or any(state.asked) or not (state.keyset.keys or state.signing.keys):
        return state
    none = Version(frozenset())
    return replace(state, keysets=(*state.keysets, none), signings=(*state.signings, none))


# --- what happened ---


def put_in_force(state: ZoneState, policy: KeyPolicy, max_ttl_s: int, now_s: float) -> ZoneState:
    """Return the state when what there is now is in force: what was before it may be cached from now on.

    `max_ttl_s`: the longest TTL that anything in the zone has. Called for each generation, the first or not.
    """
    is_first = state.published_s is None
    unsigned_s = max_ttl_s if policy.unsigned_ttl_s is None else 0
    keysets = _in_force(state.keysets, policy.dnskey_ttl_s, unsigned_s, now_s)
    signings = _in_force(state.signings, max_ttl_s, unsigned_s, now_s)
    at_work = signings[-1].keys
    keys = tuple(
        replace(key, active_s=now_s) if not key.active_s and key.signs_zone and key.public.id in at_work else key
        for key in state.keys
    )
    published_s = now_s if is_first else state.published_s
    is_asked = bool(state.asked)
    return replace(state, keysets=keysets, signings=signings, keys=keys, published_s=published_s, is_asked=is_asked)


def _in_force(versions: tuple[Version, ...], ttl_s: int, unsigned_s: int, now_s: float) -> tuple[Version, ...]:
    """Put the last version in force; `unsigned_s`: the TTL of what was replaced where that had no keys: nobody told
    it."""
    ended = [
        one
        if one.until_s is not None
        else replace(one, until_s=now_s, ttl_s=one.ttl_s if one.keys else max(one.ttl_s, unsigned_s))
        for one in versions[:-1]
    ]
    return (*ended, replace(versions[-1], ttl_s=max(versions[-1].ttl_s, ttl_s)))


def parent_said(state: ZoneState, answer: ParentAnswer, policy: KeyPolicy, now_s: float) -> ZoneState:
    """Return the state after the parent was asked. What all of its servers say is what it has; until they agree it may
    be anything that one of them said."""
    if answer.ds is None:
        seen = [_delegation(state, one.ds, one.ttl_s, policy) for one in answer.servers if one.ds is not None]
        fresh = [one for one in seen if not any(one.is_same(there) for there in state.delegations if not there.until_s)]
        parent = ParentSeen(now_s, None, answer.why(), state.parent.known_s or now_s)
        return replace(state, delegations=(*fresh, *state.delegations), parent=parent)
    now = _delegation(state, answer.ds, answer.ttl_s, policy)
    parent = ParentSeen(now_s, tuple(sorted(map(ds_text, answer.ds))), known_s=now_s)
    before = state.delegations
    if before[-1].is_same(now):
        now = replace(now, ttl_s=max(now.ttl_s, before[-1].ttl_s))
        before = before[:-1]
    ended = tuple(one if one.until_s is not None else replace(one, until_s=now_s) for one in before)
    state = replace(state, delegations=(*ended, now), parent=parent)
    # As long as the zone asks for what it asked before, a parent that reads CDS may go back to that.
    is_heard = state.is_asked and now.keys == state.asked[-1] and not (now.has_others and not now.keys)
    return _heard(state, policy, now_s) if is_heard else replace(state, is_heard=False)


def _heard(state: ZoneState, policy: KeyPolicy, now_s: float) -> ZoneState:
    """Return the state when the parent has what it was asked for last. What it was asked for before it may have had
    meanwhile, and caches with it."""
    ttl_s = max((one.ttl_s for one in state.delegations if one.keys), default=policy.parent_ds_ttl_s)
    meanwhile = tuple(Version(keys, ttl_s=ttl_s, until_s=now_s) for keys in state.asked[:-1] if keys)
    keys = tuple(
        replace(key, active_s=now_s)
        if not key.active_s and key.role is KeyRole.KSK and key.public.id in state.delegation.keys
        else key
        for key in state.keys
    )
    delegations = (*meanwhile, *state.delegations)
    return replace(state, keys=keys, delegations=delegations, asked=state.asked[-1:], is_heard=True)


def _delegation(state: ZoneState, ds: Iterable[bytes], ttl_s: int, policy: KeyPolicy) -> Version:
    """Return which keys of the zone a DS RRset names."""
    named = [next((key.public.id for key in state.keys if ds_names(one, state.apex, key.public)), None) for one in ds]
    ours = frozenset(one for one in named if one is not None)
    return Version(ours, ttl_s=ttl_s or policy.parent_ds_ttl_s, has_others=None in named)


# --- what it is called ---


def phase_of(state: ZoneState, key: ZoneKey) -> KeyPhase:
    """Return the state of a key, by the chart above."""
    number = key.public.id
    if number not in state.keyset.keys:
        came = any(number in one.keys for one in state.keysets)
        return KeyPhase.REMOVED if came or not key.is_wanted else KeyPhase.GENERATED
    if not key.is_wanted:
        return KeyPhase.RETIRED
    signs = number in state.signing.keys
    is_named = number in state.delegation.keys
    if (is_named and (signs or key.role is KeyRole.KSK)) or (signs and key.role is KeyRole.ZSK):
        return KeyPhase.ACTIVE
    is_everywhere = state.published_s is not None and all(number in one.keys for one in state.keysets)
    return KeyPhase.READY if is_everywhere else KeyPhase.PUBLISHED


def with_phases(state: ZoneState, now_s: float) -> ZoneState:
    """Return a state whose keys have theirs noted."""
    phases = [phase_of(state, key) for key in state.keys]
    keys = tuple(
        key if key.phase is phase and key.since_s else replace(key, phase=phase, since_s=now_s)
        for key, phase in zip(state.keys, phases, strict=True)
    )
    return replace(state, keys=keys)


# --- what is published ---


def zone_keys(state: ZoneState, policy: KeyPolicy) -> ZoneKeys | None:
    """Return what the zone says of its keys now, None where it is unsigned."""
    if not state.keyset.keys and not state.signing.keys:
        return None
    published = state.known(state.keyset.keys)
    cds, cdnskey = _asked_records(state) if policy.has_cds else ((), ())
    return ZoneKeys(
        state.apex,
        tuple(key.public.dnskey for key in published),
        tuple(key.public for key in state.known(state.keyset.signers)),
        tuple(key.public for key in state.known(state.signing.keys)),
        cds,
        cdnskey,
    )


def _asked_records(state: ZoneState) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the rdata of CDS and CDNSKEY: nothing before the parent is to have a DS."""
    if not state.asked:
        return (), ()
    keys = state.known(state.asked[-1])
    if not keys:
        return (CDS_DELETE,), (CDNSKEY_DELETE,)
    return tuple(ds_rdata(state.apex, key.public.dnskey) for key in keys), tuple(key.public.dnskey for key in keys)
