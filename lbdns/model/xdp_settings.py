"""The setting `xdp`: the network interface whose queries do not go through the kernel's sockets."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, PlainValidator, WithJsonSchema

from lbdns.model import bounds
from lbdns.model.fields import Frozen
from lbdns.model.mistakes import shown
from lbdns.model.refusal import refusal

ALL_QUEUES: Final = "all"

_INTERFACE: Final = re.compile(r"(?!\.{1,2}\Z)[^\s/:]{1,15}")


def _check_interface(text: str) -> str:
    if _INTERFACE.fullmatch(text) is None:
        raise refusal(f'"{text}" is no name of a network interface; expected one such as eth0 (`ip link` lists them)')
    return text


def _check_queues(value: Any) -> str | int:
    if value == ALL_QUEUES:
        return ALL_QUEUES
    if type(value) is int and 1 <= value <= bounds.MAX_XDP_QUEUES:
        return value
    raise refusal(f"{shown(value)} is no number of queues; expected all, or a number from 1 to {bounds.MAX_XDP_QUEUES}")


_QUEUES: Final = {"type": "integer", "minimum": 1, "maximum": bounds.MAX_XDP_QUEUES}


class XdpSettings(Frozen):
    """Queries taken from a network card's queues (AF_XDP) beside the sockets, and answered past them."""

    interface: Annotated[str, AfterValidator(_check_interface)]
    """The network interface, an Ethernet, such as `eth0`."""
    queues: Annotated[
        str | int, PlainValidator(_check_queues), WithJsonSchema({"anyOf": [{"const": ALL_QUEUES}, _QUEUES]})
    ] = ALL_QUEUES
    """How many of its receive queues are read, from the first; `all` of them without it."""
