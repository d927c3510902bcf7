"""Monitors and monitor groups: how an endpoint's health is found out. What they say stands in monitor_terms.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from lbdns.base.probe_types import PROBE_TYPES, acts
from lbdns.model import bounds
from lbdns.model.fields import Frozen
from lbdns.model.headers import Headers
from lbdns.model.monitor_terms import EXPECTED_PATH, GroupMemberTerms, MonitorGroupTerms, MonitorTerms
from lbdns.model.plain_fields import Laid
from lbdns.model.refusal import Mistake, refuse_all


class Monitor(Frozen, MonitorTerms):
    """One kind of probe: what is sent, what must come back, how often, and how many results flip a state.

    The type is `http` where none is given. `port` is what is probed, whatever port an endpoint's service has; 0 means
    the endpoint's, else the type's own.
    """

    header: Headers = Field(default_factory=dict)  # pydantic knows no factory of a dataclass

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("Monitor", self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        if PROBE_TYPES[self.type].needs_port and self.port == 0:
            yield Mistake(
                ("port",), f"a monitor of type {self.type} needs a port, 1 to {bounds.MAX_PORT}", (("type",), ("port",))
            )
        if self.client_key is not None and self.client_certificate is None:
            yield Mistake(
                ("client_key",),
                "client_key without client_certificate; TLS needs both",
                (("client_certificate",), ("client_key",)),
            )
        if not acts(self.type, "method"):
            return
        if self.method in ("connection_established", ""):
            which = f'"{self.method}" is for type tcp' if self.method else "no method is given"
            yield Mistake(("method",), f"{which}; expected GET, HEAD or OPTIONS", (("type",), ("method",)))
        if not self.path:
            yield Mistake(("path",), f'"" is no path; {EXPECTED_PATH}', (("type",), ("path",)))
        if not self.expected_codes:
            yield Mistake(
                ("expected_codes",),
                'no code is expected, so every probe would fail; expected "200" or "2xx"',
                (("type",),),
            )
        if self.method == "HEAD" and self.expected_body:
            yield Mistake(
                ("expected_body",),
                "an answer to HEAD has no body, so every probe would fail; use method GET",
                (("method",), ("expected_body",)),
            )


class GroupMember(Frozen, GroupMemberTerms):
    """A monitor's part in a group. Disabled and monitoring_only members do not vote."""


class MonitorGroup(Frozen, MonitorGroupTerms):
    """Several monitors that judge an endpoint together."""

    members: Annotated[tuple[GroupMember, ...], Laid(min_length=1, max_length=bounds.MAX_GROUP_MEMBERS)]

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("MonitorGroup", self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        seen: set[str] = set()
        for index, member in enumerate(self.members):
            if member.monitor in seen:
                yield Mistake(
                    ("members", index, "monitor"),
                    f'"{member.monitor}" is a member already; name it once',
                    (("members",),),
                )
            seen.add(member.monitor)
            if member.must_be_healthy and member.monitoring_only:
                yield Mistake(
                    ("members", index, "monitoring_only"),
                    "a member that only watches cannot be must_be_healthy as well; keep one of the two",
                    (("members", index),),
                )
