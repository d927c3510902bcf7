"""A case: a query and everything that its reply shows. Each runs through every lane that it applies to."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.answer.lanes import Lane, ask
from tests.answer.packets import Query
from tests.answer.replies import Reply


@dataclass(frozen=True)
class Case:
    """One observable: `row` says which row of PROTOCOL or section of an RFC, the rest what the reply must hold.

    Sections are texts, `OWNER TTL TYPE DATA`, compared as sets and with names in any case.
    """

    row: str
    query: Query
    rcode: str = "NOERROR"
    aa: bool = True
    answer: list[str] = field(default_factory=list)
    authority: list[str] = field(default_factory=list)
    additional: list[str] = field(default_factory=list)
    tc: bool = False
    ede: int | None = None
    scope: int | None = None

    def check(self, lane: Lane) -> Reply:
        """Ask, and compare."""
        reply = ask(lane, self.query)
        _same("RCODE", reply.rcode, self.rcode)
        _same("AA", reply.aa, self.aa)
        _same("TC", reply.tc, self.tc)
        _same("answer", _folded(reply.answer), _folded(self.answer))
        _same("authority", _folded(reply.authority), _folded(self.authority))
        _same("additional", _folded(reply.additional), _folded(self.additional))
        _same("EDE", reply.ede, self.ede)
        _same("SCOPE", reply.scope, 0 if self.scope is None and self.query.subnet is not None else self.scope)
        return reply


def _same(what: str, found: object, wanted: object) -> None:
    if isinstance(found, list) and isinstance(wanted, list):
        surplus, missing = (
            [line for line in found if line not in wanted],
            [line for line in wanted if line not in found],
        )
        assert not surplus and not missing, f"{what}: {surplus} too much, {missing} missing"
    assert found == wanted, f"{what}: {found}, not {wanted}"


def _folded(lines: list[str]) -> list[str]:
    """Return records in an order that does not depend on spelling, the case of their owners put aside."""
    return sorted(" ".join([owner.lower(), *rest]) for owner, *rest in (line.split(" ") for line in lines))


def error(row: str, query: Query, rcode: str, ede: int | None = None) -> Case:
    """Return the case of an error: not authoritative and without records."""
    return Case(row, query, rcode, aa=False, ede=ede)


def refused(row: str, query: Query) -> Case:
    """Return the case of a query for a name in no zone here (RFC 8914: EDE 20, where there is an OPT to hold it)."""
    return error(row, query, "REFUSED", 20 if query.has_opt else None)
