"""What one machine asks another, `ask.<machine>`: a question and its answer as documents. No I/O.

{"v": 1, "op": "explain", "request": {"name": "www.example.com", "type": "A"}}
{"v": 1, "result": ...}   or   {"v": 1, "error": "why not"}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.fleet.fleet_document import BadDocument, decode_document, encode_document

ASKABLE: Final = ("explain", "health", "status")
"""What may be asked of another machine: nothing that changes it."""
ANSWER_BYTES_MAX: Final = (1 << 20) - 1024
"""A message of the bus is 1 MiB at most, unless whoever runs it says otherwise."""
QUESTION_BYTES_MAX: Final = 1 << 20
ANSWER_S: Final = 10.0


class FleetQuestion(NamedTuple):
    """An operation of ASKABLE, and what it takes."""

    op: str
    request: Mapping[str, Any]


def encode_question(question: FleetQuestion) -> bytes:
    """Return a question's octets."""
    return encode_document({"op": question.op, "request": dict(question.request)})


def decode_question(data: bytes) -> FleetQuestion:
    """Return what is asked; raises LbdnsError with why that is not answered."""
    said = decode_document(data, bytes_max=QUESTION_BYTES_MAX)
    op, request = said.get("op"), said.get("request", {})
    if op not in ASKABLE:
        raise LbdnsError(f"{op!r} is nothing that another machine may ask: expected one of {', '.join(ASKABLE)}")
    if not isinstance(request, dict):
        raise BadDocument("the request of a question is no object")
    return FleetQuestion(op, request)


def encode_answer(result: Any = None, error: str = "") -> bytes:
    """Return an answer's octets: a result of JSON values, or why there is none."""
    data = encode_document({"error": error} if error else {"result": result})
    if len(data) <= ANSWER_BYTES_MAX:
        return data
    return encode_document({"error": f"the answer has {len(data):,} octets, too long for the bus"})


def decode_answer(data: bytes, machine: str) -> Any:
    """Return what a machine answers; raises LbdnsError with what it refuses."""
    said = decode_document(data)
    if said.get("error"):
        raise LbdnsError(f"{machine}: {said['error']}")
    return said.get("result")
