"""What operators want of a zone's keys, as states that want it, or as refusals with the reason."""

from __future__ import annotations

from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import ALGORITHM_NAMES, CREATED_ALGORITHMS
from lbdns.dnssec import key_states
from lbdns.dnssec.key_policy import KeyPolicy
from lbdns.dnssec.parent_answer import ParentAnswer, ServerAnswer
from lbdns.dnssec.zone_keys import ds_rdata, ds_text
from lbdns.dnssec.zone_state import ZoneState
from lbdns.dnssec.zone_status import KeyRole

_SPLIT: Final = "split"
_KEYS_MAX: Final = 8
"""Of a zone at a time, those on their way out among them."""


def begun(
    state: ZoneState | None, apex: bytes, policy: KeyPolicy, algorithm: int | None, keys: str | None, now_s: float
) -> ZoneState:
    """Return the state of a zone that is to be signed."""
    if state is None:
        is_split = policy.is_split if keys is None else keys == _SPLIT
        return key_states.begin(apex, policy, algorithm or policy.algorithm, is_split, now_s)
    if algorithm not in (None, state.algorithm) or (keys is not None and (keys == _SPLIT) != state.is_split):
        raise LbdnsError(f"{state.zone} is signed already, and by other keys; roll them to have others")
    return key_states.switch(state, True, now_s)


def switched_off(state: ZoneState, now_s: float) -> ZoneState:
    """Return the state of a zone that is to be unsigned."""
    return key_states.switch(state, False, now_s)


def rolled(state: ZoneState, role: KeyRole, algorithm: int | None, is_urgent: bool) -> ZoneState:
    """Return the state of a zone in which another key is wanted in place of that of a role, or of each where the
    algorithm is another."""
    roles = (KeyRole.KSK, KeyRole.ZSK) if state.is_split else (KeyRole.CSK,)
    if not state.is_wanted:
        raise LbdnsError(f"{state.zone} is about to be unsigned; no key of it is rolled")
    if role not in roles:
        has = "a KSK and a ZSK" if state.is_split else "one key for all, a CSK"
        raise LbdnsError(f"{state.zone} has {has}; roll {' or '.join(roles)}")
    wanted = state.algorithm if algorithm is None else algorithm
    if wanted not in CREATED_ALGORITHMS:
        name = ALGORITHM_NAMES.get(wanted, str(wanted))
        raise LbdnsError(f"no keys of {name} are made; give the algorithm to roll to")
    is_other = wanted != state.algorithm
    leaving = [key for key in state.keys if not key.is_wanted]
    under_way = [key for key in leaving if is_other or key.role is role or key.public.algorithm != wanted]
    if under_way and not is_urgent:
        raise LbdnsError(f"a roll of {state.zone} is under way: {under_way[0]} is still needed; wait until it is over")
    if len(state.keys) + len(roles) > _KEYS_MAX:
        raise LbdnsError(f"{state.zone} has {len(state.keys)} keys that caches may need; wait for one to go")
    return key_states.roll(state, roles if is_other else (role,), wanted, is_urgent)


def by_hand(state: ZoneState, policy: KeyPolicy) -> ParentAnswer:
    """Return what the parent would have said if it has what it was asked for; raises LbdnsError where it was asked for
    nothing, or said otherwise since."""
    if not state.is_asked:
        raise LbdnsError(
            f"the zone above is not to have another DS of {state.zone} yet; `lbdns dnssec status` says when"
        )
    wanted = frozenset(ds_rdata(state.apex, key.public.dnskey) for key in state.known(state.asked[-1]))
    said = state.parent.ds
    if said is not None and state.parent.checked_s > state.asked_s and set(said) != set(map(ds_text, wanted)):
        has = "; ".join(said) or "none"
        raise LbdnsError(f"the name servers of the zone above say otherwise: its DS of {state.zone} is {has}")
    return ParentAnswer((ServerAnswer("by hand", wanted, policy.parent_ds_ttl_s),))
