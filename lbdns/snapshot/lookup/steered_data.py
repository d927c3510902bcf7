"""What a decision gives as record data: one place for whoever answers with it and for whoever signs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lbdns.dns.codes import TYPE_A, TYPE_AAAA, TYPE_CNAME
from lbdns.dns.name import read_name
from lbdns.dns.wire import named_head, named_head_bytes
from lbdns.mapped.columns import ADDRESS_BYTES
from lbdns.steering.kernel.numbers import FAMILY_A, FAMILY_NAMED
from lbdns.steering.kernel.view import Decision


class SteeredData(NamedTuple):
    """Record data of one type, uncompressed, in the order of the answer."""

    type: int
    rdatas: tuple[bytes, ...]


def steered_data(columns: Mapping[str, memoryview], qtype: int, family: int, decision: Decision) -> SteeredData | None:
    """Return what a decision for `qtype`, decided in `family`, answers with: None where that is nothing; a CNAME where
    that is the endpoint's way."""
    picks = decision.picked()
    if not picks:
        return None
    if family == FAMILY_NAMED:
        return SteeredData(qtype, tuple(named_rdata(columns, qtype, endpoint) for endpoint in picks))
    if decision.is_alias:
        return SteeredData(TYPE_CNAME, (endpoint_target(columns, picks[0]),))
    packed = decision.packed()
    rtype, size = (TYPE_A, 4) if family == FAMILY_A else (TYPE_AAAA, 16)
    return SteeredData(rtype, tuple(packed[at : at + size] for at in range(0, len(packed), ADDRESS_BYTES)))


def named_rdata(columns: Mapping[str, memoryview], qtype: int, endpoint: int) -> bytes:
    """Return the MX rdata (priority as preference) or SRV rdata (priority, weight x 100, port) of an endpoint."""
    head = named_head(
        qtype,
        columns["endpoint_priority"][endpoint],
        columns["endpoint_weight"][endpoint],
        columns["endpoint_port"][endpoint],
    )
    return head.to_bytes(named_head_bytes(qtype), "big") + endpoint_target(columns, endpoint)


def endpoint_target(columns: Mapping[str, memoryview], endpoint: int) -> bytes:
    """Return the wire name of an endpoint that is a hostname."""
    return read_name(columns["blob"], columns["endpoint_target"][endpoint])
