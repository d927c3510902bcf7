"""The setting `dnstap`: to whom queries and replies are told of, packet by packet."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from lbdns.model import bounds
from lbdns.model.fields import FilePath, Frozen
from lbdns.model.plain_fields import Flag
from lbdns.model.refusal import Mistake, refuse_all

_DRAWS: Final = 1 << 64


class DnstapSettings(Frozen):
    """Queries and replies as dnstap messages, in Frame Streams: to a collector's UNIX socket, or to a file."""

    socket: FilePath | None = None
    """The UNIX socket that a collector listens at; lbdns connects to it whenever it is there."""
    file: FilePath | None = None
    """The file to write to, in place of a socket. One that was moved, or removed, is made anew."""
    share: Annotated[float, Field(gt=0.0, le=1.0, allow_inf_nan=False)] = 1.0
    """The share of exchanges that is told of, each drawn by itself."""
    queries: Flag = True
    """Whether queries are told of: AUTH_QUERY."""
    responses: Flag = True
    """Whether replies are told of: AUTH_RESPONSE, with the query's time, its own and the zone."""
    identity: Annotated[str, StringConstraints(max_length=bounds.MAX_NAME_CHARS)] | None = None
    """What the server calls itself; without it the name of the machine."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        mistakes = []
        if (self.socket is None) == (self.file is None):
            told = "neither socket nor file; give one of them" if self.socket is None else "socket and file; give one"
            mistakes.append(Mistake((), told, (("socket",), ("file",))))
        if not self.queries and not self.responses:
            told = "nothing is told of; switch queries or responses on, or leave dnstap out"
            mistakes.append(Mistake(("responses",), told, (("queries",), ("responses",))))
        refuse_all("DnstapSettings", mistakes)
        return self


def tapped_share(settings: DnstapSettings | None) -> int:
    """Return of 2^64 draws how many are told of, less one; 0 for none."""
    return 0 if settings is None else max(int(settings.share * _DRAWS) - 1, 1)
