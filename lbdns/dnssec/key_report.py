"""How a zone's keys stand, in words and times: what lbdns.dnssec.key_states knows -> ZoneStatus."""

from __future__ import annotations

from base64 import b64encode
from typing import Final

from lbdns.base.wording import listed
from lbdns.dnssec import key_states
from lbdns.dnssec.key_events import FOREIGN_DS
from lbdns.dnssec.key_policy import KeyPolicy
from lbdns.dnssec.zone_keys import DNSKEY_HEAD_BYTES, ds_rdata, ds_text
from lbdns.dnssec.zone_state import KeyPhase, ZoneKey, ZoneState
from lbdns.dnssec.zone_status import KeyRole, KeyStatus, SigningState, ZoneStatus

_SOON_S: Final = 300
_OFTEN_S: Final = 3600
_SELDOM_S: Final = 86_400
"""How often the parent is asked: soon after it was asked for another DS, until it has it, and when nothing is to
come."""

PUBLISHING: Final = "the zone as it is now to be in force"
PARENT: Final = "the zone above to have its DS"
NO_PARENT: Final = "the zone above to have no DS of the zone"
NEW_PARENT: Final = "the zone above to have the DS of the new one"


def parent_interval_s(state: ZoneState) -> float:
    """Return after how long the parent is asked again."""
    if not state.asked and state.parent.checked_s:
        return _OFTEN_S
    if state.is_heard:
        return _OFTEN_S if state.parent.problem else _SELDOM_S
    since_s = state.parent.checked_s - state.asked_s
    return _SOON_S if state.is_urgent or since_s < _OFTEN_S else _OFTEN_S


def zone_status(state: ZoneState, policy: KeyPolicy, unwritten: str, now_s: float) -> ZoneStatus:
    """Return how a zone stands; `unwritten`: why its state could not be written, "" where it could."""
    problem = unwritten or _problem(state)
    next_s = key_states.next_s(state, policy)
    status = _standing(state, problem)
    step, waits_for = _next_step(state)
    return ZoneStatus(
        state.zone,
        status,
        state.since_s,
        denial=policy.denial,
        keys=tuple(_key_status(state, key, policy) for key in state.keys),
        ds=ds_wanted(state),
        parent_ds=state.parent.ds,
        parent_checked_s=state.parent.checked_s or None,
        parent_problem=state.parent.problem,
        next_step=step,
        next_at_s=None if waits_for or next_s is None else next_s,
        to_do=_to_do(state, policy),
        problem=problem,
    )


def ds_wanted(state: ZoneState) -> tuple[str, ...]:
    """Return the DS that the parent is to have, as master files have them: none before it may."""
    asked = state.asked if state.is_asked else state.asked[:-1]
    keys = state.known(asked[-1]) if asked else ()
    return tuple(ds_text(ds_rdata(state.apex, key.public.dnskey)) for key in keys)


def _standing(state: ZoneState, problem: str) -> SigningState:
    if problem:
        return SigningState.ERROR
    if not state.is_wanted:
        return SigningState.PENDING_DISABLED
    return SigningState.ACTIVE if state.delegation.keys else SigningState.PENDING


def _problem(state: ZoneState) -> str:
    last = state.delegation
    if last.has_others and not last.keys:
        return FOREIGN_DS
    return ""


def _to_do(state: ZoneState, policy: KeyPolicy) -> str:
    """Return what somebody has to do at the parent, "" where nobody has to do anything."""
    if not state.is_asked or state.is_heard:
        return ""
    by_itself = ", unless it reads the zone's CDS" if policy.has_cds else ""
    if not state.asked[-1]:
        return f"have the zone above remove the DS of {state.zone}{by_itself}"
    return f"have the zone above take as DS of {state.zone} this alone: {'; '.join(ds_wanted(state))}{by_itself}"


def _next_step(state: ZoneState) -> tuple[str, str]:
    """Return what happens next to the zone, and what it waits for where that is not time."""
    if state.published_s is None:
        return "the zone is published with what it says of its keys now", PUBLISHING
    if not state.is_wanted:
        gone = "the zone is unsigned when no cache has its DS any more"
        return (gone, "") if state.is_heard else ("the zone is unsigned when the zone above has no DS", NO_PARENT)
    if not state.asked:
        return "the zone above is asked for the DS when no cache has the zone unsigned any more", ""
    leaving = [str(key) for key in state.keys if not key.is_wanted]
    if not state.is_heard:
        then = f", and {listed(leaving)} may go" if leaving else ""
        return f"this goes on when the zone above has the DS that it is asked for{then}", PARENT
    if any(key.phase in (KeyPhase.GENERATED, KeyPhase.PUBLISHED) for key in state.keys):
        return "the next key takes over when every cache has it", ""
    if leaving:
        return f"{listed(leaving)} may go when no cache needs it any more", ""
    return "", ""


def _key_status(state: ZoneState, key: ZoneKey, policy: KeyPolicy) -> KeyStatus:
    following, next_s, waits_for = _key_next(state, key, policy)
    public = key.public
    return KeyStatus(
        f"{public.id:016x}",
        key.role,
        public.tag,
        public.algorithm,
        public.flags,
        b64encode(public.dnskey[DNSKEY_HEAD_BYTES:]).decode(),
        key.phase,
        key.since_s,
        ds=ds_text(ds_rdata(state.apex, public.dnskey)) if public.is_entry_point else "",
        next_state=following,
        next_at_s=next_s,
        waits_for=waits_for,
    )


def _key_next(state: ZoneState, key: ZoneKey, policy: KeyPolicy) -> tuple[str, float | None, str]:
    """Return the state that a key is in next, when, and what it waits for where that is not time."""
    soon_s = key_states.next_s(state, policy)
    if state.published_s is None and key.phase is not KeyPhase.ACTIVE:
        return "", None, PUBLISHING
    if not state.is_wanted:
        return KeyPhase.REMOVED, soon_s if state.is_heard else None, "" if state.is_heard else NO_PARENT
    match key.phase:
        case KeyPhase.GENERATED:
            return KeyPhase.PUBLISHED, soon_s, "" if soon_s else PARENT
        case KeyPhase.PUBLISHED:
            return KeyPhase.READY, soon_s, ""
        case KeyPhase.READY:
            if key.role is KeyRole.ZSK or state.is_heard:
                return KeyPhase.ACTIVE, soon_s, ""
            return KeyPhase.ACTIVE, None if state.asked else soon_s, PARENT if state.asked else ""
        case KeyPhase.ACTIVE:
            end_s = key_states.ends_s(state, key, policy)
            return (KeyPhase.RETIRED, end_s, "") if end_s else ("", None, "")
        case KeyPhase.RETIRED:
            is_named = key.is_entry and (not state.is_heard or key.public.id in state.asked[-1])
            # As long as it signs, another one has to take over first, and what it signed to be forgotten.
            is_at_work = is_named or key.public.id in state.signing.keys
            return KeyPhase.REMOVED, None if is_at_work else soon_s, NEW_PARENT if is_named else ""
        case _:
            return "", soon_s, ""
