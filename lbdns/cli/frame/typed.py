"""What options and arguments are read as: addresses, networks and regions, each refused with what would be right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from pydantic_core import PydanticCustomError

from lbdns.base.errors import LbdnsError
from lbdns.places.place import Address, Network, address_in, prefix_in

Read = TypeVar("Read")
Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def address_of(context: click.Context, parameter: click.Parameter, text: str | None) -> Address | None:
    """Return the address that a text stands for; end as a usage error where it stands for none."""
    return _read(address_in, text) if text is not None else None


def addresses_of(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[Address, ...]:
    """Return the addresses that texts stand for; end as a usage error that tells each which stands for none."""
    found, mistakes = [], []
    for text in texts:
        try:
            found.append(address_in(text))
        except LbdnsError as error:
            mistakes.append(str(error))
    if mistakes:
        raise click.BadParameter("\n".join(mistakes))
    return tuple(found)


def prefix_of(context: click.Context, parameter: click.Parameter, text: str | None) -> Network | None:
    """Return the network that a text stands for, bits behind its prefix left out as EDNS Client Subnet has it; end as a
    usage error where it stands for none."""
    return _read(prefix_in, text) if text else None


def _read(reader: Callable[[str], Read], text: str) -> Read:
    try:
        return reader(text)
    except LbdnsError as error:
        raise click.BadParameter(str(error)) from None


def type_option(command: Decorated) -> Decorated:
    """Add `[TYPE]` as an argument, and `--type TYPE` as another way to say the same."""
    command = click.option("--type", "type_said", metavar="TYPE", help="The same as TYPE.")(command)
    return click.argument("qtype", metavar="[TYPE]", required=False)(command)


def type_of(qtype: str | None, type_said: str | None) -> str:
    """Return the record type that is asked for, in upper case, A where none is said; end as a usage error where two are
    said."""
    types = {one.upper() for one in (qtype, type_said) if one is not None}
    if len(types) > 1:
        raise click.UsageError(f"two types, {qtype} and --type {type_said}: leave one out")
    return types.pop() if types else "A"


def region_of(context: click.Context, parameter: click.Parameter, text: str) -> str:
    """Return a region's code in upper case, "" where none is given; end as a usage error where there is no such."""
    from lbdns.model.steering_fields import check_region

    try:
        return check_region(text.upper()) if text else ""
    except PydanticCustomError as error:
        raise click.BadParameter(error.message()) from None
