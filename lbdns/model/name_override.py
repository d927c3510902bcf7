"""Overrides: names that a private load balancer answers for, beside its own."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from lbdns.model.fields import Frozen
from lbdns.model.hostnames import parse_owner_name
from lbdns.model.private_names import as_address, is_numeric
from lbdns.model.refusal import refusal


def _check_name(text: str) -> str:
    name = parse_owner_name(text)
    if as_address(name) is not None:
        raise refusal(f'"{name}" is an IP address; an override is of a name, such as app.corp')
    if is_numeric(name):
        raise refusal(f'"{name}" has nothing but numbers; an override is of a name, such as app.corp')
    return name


class NameOverride(Frozen):
    """A name that is answered, in the views of a private load balancer, as that load balancer's own name is."""

    name: Annotated[str, AfterValidator(_check_name)]
    """The name; `*.` at its beginning stands for all names below."""
    load_balancer: Annotated[str, AfterValidator(parse_owner_name)]
    """The private load balancer: its address or its name."""
