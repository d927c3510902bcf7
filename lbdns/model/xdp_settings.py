"""The setting `xdp`: the network interface whose queries do not go through the kernel's sockets."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from lbdns.model import bounds
from lbdns.model.fields import Frozen, Whole
from lbdns.model.refusal import refusal

_INTERFACE: Final = re.compile(r"(?!\.{1,2}\Z)[^\s/:]{1,15}")


def _check_interface(text: str) -> str:
    if _INTERFACE.fullmatch(text) is None:
        raise refusal(f'"{text}" is no name of a network interface; expected one such as eth0 (`ip link` lists them)')
    return text


class XdpSettings(Frozen):
    """Queries taken from a network card's queues (AF_XDP) beside the sockets, and answered past them."""

    interface: Annotated[str, AfterValidator(_check_interface)]
    """The network interface, an Ethernet, such as `eth0`."""
    queues: Literal["all"] | Annotated[Whole, Field(ge=1, le=bounds.MAX_XDP_QUEUES)] = "all"
    """How many of its receive queues are read, from the first; `all` of them without it."""
