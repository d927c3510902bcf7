"""How a zone's transfers stand, as lines for people: the same for every command that shows or changes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lbdns.base.wording import counted, moment
from lbdns.health.events import when_text
from lbdns.transfer.zone_transfer_status import TransferPeer, TransferRole, ZoneTransferStatus

TRANSFER_HEADINGS: Final = ("zone", "role", "state", "serial", "last check", "next check", "last error")
_NAME_WIDTH: Final = 13
_COUNTED: Final = {
    "checks": ("check", "checks"),
    "axfr": ("AXFR", "AXFR"),
    "ixfr": ("IXFR", "IXFR"),
    "transfers_failed": ("failed transfer", "failed transfers"),
    "notifies": ("NOTIFY received", "NOTIFY received"),
    "notifies_sent": ("NOTIFY sent", "NOTIFY sent"),
    "notifies_failed": ("NOTIFY without an answer", "NOTIFY without an answer"),
}
"""What of a zone's counts is told, as a noun and its plural."""


def transfer_rows(statuses: Sequence[ZoneTransferStatus], now_s: float) -> Iterator[tuple[str, ...]]:
    """Yield a row for each zone, of TRANSFER_HEADINGS."""
    for one in statuses:
        checks = [when_text(at_s, now_s) if at_s is not None else "-" for at_s in (one.last_check_s, one.next_check_s)]
        yield one.zone, one.role, one.state, _serial(one), *checks, _error(one, now_s) or "; ".join(one.warnings) or "-"


def transfer_lines(status: ZoneTransferStatus, now_s: float) -> Iterator[str]:
    """Yield all that is known of a zone."""
    since = f" since {moment(status.since_s)}" if status.since_s else ""
    yield f"{status.zone}: {status.role}, {status.state}{since}"
    yield _row("serial", _serial(status))
    if status.last_transfer:
        yield _row("transferred", f"by {status.last_transfer.upper()}{_told(', ', status.last_transfer_s, now_s)}")
    for name, at_s in (
        ("last check", status.last_check_s),
        ("next check", status.next_check_s),
        ("expires", status.expires_s),
    ):
        if at_s is not None:
            yield _row(name, _told("", at_s, now_s))
    for peer in status.primaries:
        yield _row("primary", _peer(peer, "has", now_s))
    for peer in status.notified:
        yield _row("notified", _peer(peer, "knows", now_s))
    error = _error(status, now_s)
    if error:
        yield _row("last error", error)
    for warning in status.warnings:
        yield _row("look at", warning)
    counts = [counted(status.counts[word], *nouns) for word, nouns in _COUNTED.items() if status.counts.get(word)]
    if counts:
        yield _row("since start", ", ".join(counts))


def _serial(status: ZoneTransferStatus) -> str:
    if status.serial is not None:
        return str(status.serial)
    return "none yet" if status.role == TransferRole.SECONDARY else "-"


def _error(status: ZoneTransferStatus, now_s: float) -> str:
    if not status.last_error:
        return ""
    over = "" if status.is_wrong else "; over"
    at = "" if status.last_error_s is None else f" ({when_text(status.last_error_s, now_s)}{over})"
    return f"{status.last_error}{at}"


def _peer(peer: TransferPeer, verb: str, now_s: float) -> str:
    ways = [*(["TLS"] if peer.tls else []), *([f"key {peer.key}"] if peer.key else [])]
    told = peer.address + (f" ({', '.join(ways)})" if ways else "")
    if peer.serial is not None:
        told += f", {verb} {peer.serial}{_told(' as of ', peer.heard_s, now_s)}"
    return told + (f": {peer.problem}" if peer.problem else "")


def _told(before: str, at_s: float | None, now_s: float) -> str:
    return "" if at_s is None else f"{before}{moment(at_s)} ({when_text(at_s, now_s)})"


def _row(name: str, text: str) -> str:
    return f"  {name:<{_NAME_WIDTH}} {text}"
