"""Under which names the dashboard may be asked for: a page elsewhere that points a name of its own here gets nothing.

    what Host names                 over plain HTTP
    an IP address                   yes: no page has one of ours for a name
    localhost, below it             yes: browsers look these up nowhere
    this machine's name             yes
    a name of `api.names`           yes
    anything else                   no (DNS rebinding)

Over TLS every name is good: the browser has held it against the certificate.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Collection
from typing import Final

LOCAL: Final = "localhost"
_AUTHORITY: Final = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:]+))(?::[0-9]*)?", re.ASCII)


def host_of(authority: str) -> str:
    """Return the host of `HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`, in lower case, no final dot; else ""."""
    found = _AUTHORITY.fullmatch(authority)
    return (found["ipv6"] or found["name"]).lower().rstrip(".") if found is not None else ""


def is_served_as(authority: str, names: Collection[str]) -> bool:
    """Tell whether a Host header names this server; `names` are those that settings add."""
    host = host_of(authority)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        own = os.uname().nodename.lower()
        return host in (LOCAL, own, own.partition(".")[0], *names) or host.endswith(f".{LOCAL}")
    return True
