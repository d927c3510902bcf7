"""Which networks may be probed, and be sent webhooks: judged by the address that a connection goes to."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Final

from lbdns.model import bounds
from lbdns.model.plain_fields import CheckedBy, Laid, plain_term
from lbdns.model.refusal import refusal

Network = IPv4Network | IPv6Network

DENIED: Final = tuple(
    map(
        ip_network,
        (
            "169.254.0.0/16",  # link-local, with the metadata services of most clouds
            "fe80::/10",
            "fd00:ec2::254/128",  # Amazon's metadata by IPv6
            "fd20:ce::254/128",  # Google's
            "100.100.100.200/32",  # Alibaba's
            "168.63.129.16/32",  # Azure's host
            "192.0.0.192/32",  # Oracle's
        ),
    )
)
"""Link-local networks and the addresses where clouds tell a machine's secrets: denied unless `allow` names them."""
LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_TRANSLATED: Final = tuple(
    map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0/96", "::ffff:0:0:0/96", "::/96"))
)
"""Prefixes that hold an IPv4 address in their last 32 bits (RFC 6052, 8215, 4291 section 2.5.5, 2765 section 2.1)."""
_JUDGED_MAX: Final = 65_536


def _check_network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise refusal(f'"{text}" is no network: {error}; expected one such as 192.0.2.0/24 or 2001:db8::/32') from None


Networks = Annotated[tuple[Annotated[str, CheckedBy(_check_network)], ...], Laid(max_length=bounds.MAX_PROBE_NETWORKS)]


@plain_term
class ReachTerms:
    """What monitors, previews and webhooks may reach. Of the networks that an address is in the smallest decides.

    In none of them: link-local networks and the metadata services of clouds are denied, all others allowed; loopback is
    for whoever works on this machine (`is_local`), and for the objects that nobody else had a hand in.
    """

    allow: Networks = ()
    """Networks that may be probed though they are denied by default, or lie within one of `deny`."""
    deny: Networks = ()
    """Networks that may not be probed."""

    def refuses(self, address: str, is_local: bool = True) -> bool:
        """Tell whether an IP address may not be reached; `is_local`: for an operator on this machine, or its files."""
        return _refuses(self.allow, self.deny, address, is_local)


DEFAULT: Final = ReachTerms()


def is_loopback(address: str) -> bool:
    """Tell whether a connection to an IP address ends on this machine's loopback."""
    judged = meant(address)
    return any(judged in one for one in LOOPBACK)


def refused_words(address: str, is_local: bool = True) -> str:
    """Return what to say of an address that may not be probed; `is_local`: as `ReachTerms.refuses` has it."""
    if not is_local and is_loopback(address):
        return f"{address} is the loopback of this machine, probed for its operators alone (probe_networks)"
    return f"{address} is not in a network that may be probed (probe_networks)"


@lru_cache(maxsize=_JUDGED_MAX)
def _refuses(allow: tuple[str, ...], deny: tuple[str, ...], address: str, is_local: bool) -> bool:
    judged = meant(address)
    smallest, is_denied = -1, any(judged in one for one in DENIED)
    is_denied = is_denied or (not is_local and any(judged in one for one in LOOPBACK))
    for networks, denies in ((allow, False), (deny, True)):
        for network in map(ip_network, networks):
            if judged in network and network.prefixlen >= smallest:  # of two alike the one that denies
                smallest, is_denied = network.prefixlen, denies
    return is_denied


def meant(address: str) -> IPv4Address | IPv6Address:
    """Return where a connection to an IP address leads: the unspecified addresses are this machine's loopback, and an
    IPv4 address within an IPv6 one is what it is."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found not in LOOPBACK[1]:
        if any(found in one for one in _TRANSLATED) and not found.is_unspecified:
            found = IPv4Address(int(found) & 0xFFFFFFFF)
        elif found.sixtofour is not None:
            found = found.sixtofour
    if found.is_unspecified:
        return ip_address("127.0.0.1") if found.version == 4 else ip_address("::1")
    return found
