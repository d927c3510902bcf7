"""Who may do what, as a snapshot's meta data have it (ACCESS): each list of entries once, and which a zone has.

    {"lists": [[[network, key, [name pattern, ...], [type, ...]], ...], ...],
     "general": [number, number, number, number], "zones": {apex: [...]}, "elsewhere": [apex, ...]}

A zone's four numbers are of lists, in the order of RIGHTS. Apexes are wire format in hexadecimal; `elsewhere`: of the
zones that come from other servers.
"""

from __future__ import annotations

from typing import Any

from lbdns.base.words import EVERYBODY, RIGHTS
from lbdns.dns.rdata.record_types import parse_type
from lbdns.model.transfer_policy import TransferPolicies, TransferPolicy
from lbdns.model.transfer_settings import AccessEntry

_Entries = tuple[AccessEntry, ...]


def access_rows(policies: TransferPolicies) -> dict[str, Any]:
    """Return what is said of access; nothing where nothing is."""
    if policies.is_empty:
        return {}
    numbers: dict[_Entries, int] = {}
    general = _numbers(policies.general, numbers)
    zones = {apex.hex(): _numbers(policy, numbers) for apex, policy in policies.own.items()}
    return {
        "lists": [[_row(entry) for entry in entries] for entries in numbers],
        "general": general,
        "zones": {apex: row for apex, row in zones.items() if row != general},
        "elsewhere": [policy.apex.hex() for policy in policies.secondaries],
    }


def _numbers(policy: TransferPolicy, numbers: dict[_Entries, int]) -> list[int]:
    row = []
    for right in RIGHTS:
        entries = policy.entries(right)
        row.append(EVERYBODY if entries is None else numbers.setdefault(entries, len(numbers)))
    return row


def _row(entry: AccessEntry) -> list[Any]:
    network = "" if entry.network is None else str(entry.network)
    return [network, entry.key or "", list(entry.names), [parse_type(one) for one in entry.types]]
