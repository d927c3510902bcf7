"""What private load balancers are called by: addresses that are handed out here, private addresses, hostnames.

| a name                                      | as a private load balancer's                                     |
|---------------------------------------------|------------------------------------------------------------------|
| an address of 100.112.0.0/16                | HANDED_OUT: given where none is asked, each once; asked for, too |
| an address of RFC 1918                      | asked for                                                        |
| any other address, or numbers that are none | a mistake                                                        |
| anything else                               | a name like any                                                  |

In DNS an address is a name by its letters: `dig 100.112.0.3` asks for it.
"""

from __future__ import annotations

from collections.abc import Container
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from typing import Final

HANDED_OUT: Final = IPv4Network("100.112.0.0/16")
"""Where addresses are given out from, in order, its first one included: nobody routes it as a network."""
RFC_1918: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


def as_address(name: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a load balancer's name is, None where it is a name."""
    if not (name[-1:].isdigit() and name[:1].isdigit()) and ":" not in name:
        return None  # nearly all
    try:
        return ip_address(name)
    except ValueError:
        return None


def name_mistake(name: str) -> str:
    """Return why a private load balancer cannot have a name, "" where it can."""
    address = as_address(name)
    if address is None:
        return "" if not is_numeric(name) else _expected(f"{name} is no IP address, nor a hostname")
    if address.version == 4 and (address in HANDED_OUT or any(address in one for one in RFC_1918)):
        return ""
    return _expected(f"{address} is no address of a private load balancer")


def is_numeric(name: str) -> bool:
    """Tell whether a name has nothing but numbers: a mistyped address where it is none, `010.0.0.1` or `10.0.0.300`."""
    return name.replace(".", "").isdigit()


def _expected(what: str) -> str:
    ranges = ", ".join(str(one) for one in (*RFC_1918, HANDED_OUT))
    return f"{what}; expected a hostname, or an address of {ranges}"


def next_address(last: int, taken: Container[str]) -> tuple[int, str] | None:
    """Return which address is given out after the one of number `last`, as its number and text; the first is 1.

    Those that are `taken`, since somebody asked for them, are passed over; None where all were given out.
    """
    for number in range(last + 1, HANDED_OUT.num_addresses + 1):
        text = str(HANDED_OUT[number - 1])
        if text not in taken:
            return number, text
    return None
