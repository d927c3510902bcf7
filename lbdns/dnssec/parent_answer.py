"""What the zone above says of a zone's DS, server by server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """What one of the parent's servers said. `ds`: rdata of the DS RRset, empty where the zone has none; None where
    there was no answer that can be used, and `problem` says why. `ttl_s`: the RRset's."""

    server: str
    ds: frozenset[bytes] | None
    ttl_s: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ParentAnswer:
    """What all of the parent's servers said. `problem`: why they could not be asked."""

    servers: tuple[ServerAnswer, ...]
    problem: str = ""

    @property
    def ds(self) -> frozenset[bytes] | None:
        """The DS RRset that every server has; None where one did not answer, or they differ: then nothing is known."""
        seen = {one.ds for one in self.servers}
        return next(iter(seen)) if len(seen) == 1 else None

    @property
    def ttl_s(self) -> int:
        """The longest TTL that was seen."""
        return max((one.ttl_s for one in self.servers), default=0)

    def why(self) -> str:
        """Return why nothing is known, "" where something is."""
        if self.ds is not None:
            return ""
        silent = [f"{one.server}: {one.problem}" for one in self.servers if one.ds is None]
        return self.problem or "; ".join(silent) or "its name servers do not agree yet"
