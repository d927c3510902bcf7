"""IP addresses as operators write them. Light: processes that answer and probe read addresses too."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from lbdns.model.refusal import refusal

IPV4_LIKE: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*\.?", re.ASCII)


def parse_ip(text: str) -> IPv4Address | IPv6Address:
    """Return an address of either family; raise a refusal that says what is wrong with the text."""
    try:
        return IPv6Address(text) if ":" in text else IPv4Address(text)
    except AddressValueError as error:
        raise refusal(f'"{text}" is not an IP address: {_reason(text, error)}') from error


def _reason(text: str, error: AddressValueError) -> str:
    """Put the library's reason into our words where its own are about its internals."""
    if "/" in text:
        return "expected one address, without a prefix length"
    if text.startswith("["):
        return "expected it without brackets"
    if "Leading zeros" in str(error):
        return "leading zeros are ambiguous; leave them out"
    if ":" in text:
        return "expected one such as 2001:db8::10"
    if not IPV4_LIKE.fullmatch(text):
        return "expected one such as 192.0.2.10, not a name"
    return "expected four numbers from 0 to 255, such as 192.0.2.10"
