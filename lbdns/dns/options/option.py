"""What an EDNS option is here: a row of the table in option_table.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class ReplyFacts(NamedTuple):
    """What options tell of a reply, beside what those of the query said.

    `scope`: SCOPE PREFIX-LENGTH for the query's Client Subnet; `error`: an extended error code, None for none; `nsid`:
    this server's identifier, empty where it has none; `is_stream`: the reply goes over TCP; `error_text`: what the
    extended error says to people; `expire_s`: how long the zone still holds, None where that is not to be told;
    `cookie`: for the query's, empty where there is none.
    """

    scope: int
    error: int | None
    nsid: bytes
    is_stream: bool
    error_text: str = ""
    expire_s: int | None = None
    cookie: bytes = b""


Decode = Callable[[bytes], Any]
Encode = Callable[[Any, ReplyFacts], bytes | None]


class Option(NamedTuple):
    """How lbdns understands one option.

    `decode`: its data in a query -> what it says, None where it is malformed; without it the option means nothing in a
    query. `encode`: what the query's said (None where malformed) and the reply's facts -> its data in the reply, None
    where the reply has none; asked when the query had the option, or always where `is_unasked`. `is_first_alone`: what
    follows the first of several is not looked at.
    """

    code: int
    decode: Decode | None = None
    encode: Encode | None = None
    is_unasked: bool = False
    is_first_alone: bool = False
