"""What options and arguments are read as: addresses, networks and regions, each refused with what would be right."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import click
from pydantic_core import PydanticCustomError

from lbdns.places.place import Address, Network


def address_of(context: click.Context, parameter: click.Parameter, text: str) -> Address:
    """Return the address that a text stands for; end as a usage error where it stands for none."""
    try:
        return ip_address(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not an IPv4 or IPv6 address, such as 192.0.2.1 or 2001:db8::1") from None


def prefix_of(context: click.Context, parameter: click.Parameter, text: str | None) -> Network | None:
    """Return the network that a text stands for, bits behind its prefix left out as EDNS Client Subnet has it; end as a
    usage error where it stands for none."""
    try:
        return ip_network(text, strict=False) if text else None
    except ValueError:
        message = f"{text!r} is not an IPv4 or IPv6 network, such as 192.0.2.0/24 or 2001:db8::/32"
        raise click.BadParameter(message) from None


def region_of(context: click.Context, parameter: click.Parameter, text: str) -> str:
    """Return a region's code in upper case, "" where none is given; end as a usage error where there is no such."""
    from lbdns.model.steering_fields import check_region

    try:
        return check_region(text.upper()) if text else ""
    except PydanticCustomError as error:
        raise click.BadParameter(error.message()) from None
