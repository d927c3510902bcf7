"""How a zone's DNSSEC stands, as lines for people: the same for every command that shows or changes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lbdns.base.wording import counted, moment
from lbdns.dnssec.zone_status import KeyStatus, SigningState, ZoneStatus, algorithm_text
from lbdns.health.events import when_text

DS_TTL_S: Final = 3600
"""What a DS is shown with: the zone above has its own say."""
_KEY_WIDTH: Final = 11


def status_lines(status: ZoneStatus, now_s: float) -> Iterator[str]:
    """Yield all that is known of a zone: its keys, what the zone above is to have and has, what happens next and when,
    and what somebody has to do."""
    since = f", since {moment(status.since_s)}" if status.since_s else ""
    yield f"{status.zone}: {status.status}{since}"
    if status.problem:
        yield _row("problem", status.problem)
    for key in status.keys:
        yield _row("key", _key(key, now_s))
    for row in ds_lines(status):
        yield _row("DS", row)
    if status.keys:
        yield _row("zone above", parent_text(status))
    if status.denial:
        yield _row("denial", status.denial)
    if status.expires_s is not None:
        yield _row("signatures", f"the first ends {_at(status.expires_s, now_s)}")
    if status.next_step:
        yield _row("next", _next_told(status, now_s))
    if status.to_do:
        yield _row("to do", status.to_do)


def ds_lines(status: ZoneStatus) -> Iterator[str]:
    """Yield the DS records that the zone above is to have, in master-file form."""
    for one in status.ds:
        yield f"{_absolute(status.zone)} {DS_TTL_S} IN DS {one}"


def no_ds_yet(status: ZoneStatus, now_s: float) -> str:
    """Return why a zone is to have no DS: when it will be, where it is being signed; else how it stands."""
    if status.status == SigningState.DISABLED:
        return f": it is not signed; `lbdns dnssec enable {status.zone}` has it signed"
    if status.status != SigningState.PENDING or not status.next_step:
        return f": it is {status.status}"
    return f" yet: {_next_told(status, now_s)}"


def dnskey_lines(status: ZoneStatus) -> Iterator[str]:
    """Yield the same keys as DNSKEY records, for registrars that ask for these."""
    for key in status.keys:
        if key.ds in status.ds:
            yield f"{_absolute(status.zone)} {DS_TTL_S} IN DNSKEY {key.flags} 3 {key.algorithm} {key.public_key}"


def parent_text(status: ZoneStatus) -> str:
    """Return what the zone above has, of when, and whether that is as it is to be."""
    at = "" if status.parent_checked_s is None else moment(status.parent_checked_s)
    if status.parent_ds is None:
        return (
            "not known"
            + (f", asked {at}" if at else "")
            + (f": {status.parent_problem}" if status.parent_problem else "")
        )
    wanted, seen = set(status.ds), set(status.parent_ds)
    if wanted == seen:
        told = "has these DS records" if wanted else "has no DS record, as it is to be"
    elif not seen:
        told = "has no DS record yet"
    else:
        told = f"has {counted(len(seen), 'DS record')}: {'; '.join(sorted(seen))}"
    return told + (f", as of {at}" if at else "")


def table_rows(statuses: Sequence[ZoneStatus], now_s: float) -> Iterator[tuple[str, str, str, str]]:
    """Yield a row for each zone: name, state, keys, and what comes next or is wrong."""
    for one in statuses:
        keys = ", ".join(f"{key.tag} {key.role.upper()} {key.state}" for key in one.keys)
        yield one.zone, one.status, keys or "none", one.problem or one.to_do or _next_told(one, now_s)


def is_wrong(status: ZoneStatus) -> bool:
    """Tell whether a zone is in a state that somebody has to mend."""
    return status.status == SigningState.ERROR or bool(status.problem)


def _key(key: KeyStatus, now_s: float) -> str:
    told = f"{key.tag} {key.role.upper()} {algorithm_text(key.algorithm)} {key.state} since {moment(key.since_s)}"
    if not key.next_state:
        return told
    if key.next_at_s is not None:
        return f"{told}; {key.next_state} {_at(key.next_at_s, now_s)}"
    return f"{told}; then {key.next_state}" + (f", waits for {key.waits_for}" if key.waits_for else "")


def _absolute(zone: str) -> str:
    return f"{zone.removesuffix('.')}."


def _next_told(status: ZoneStatus, now_s: float) -> str:
    """Return what happens next to a zone, and when, where that is a matter of time."""
    if not status.next_step or status.next_at_s is None:
        return status.next_step
    return f"{status.next_step}, {_at(status.next_at_s, now_s)}"


def _at(at_s: float, now_s: float) -> str:
    return f"at {moment(at_s)} ({when_text(at_s, now_s)})"


def _row(name: str, text: str) -> str:
    return f"  {name:<{_KEY_WIDTH}} {text}"
