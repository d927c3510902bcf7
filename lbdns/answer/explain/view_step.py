"""Which view a query is explained in, and why: what is supposed, or what says it of a query that comes in.

The number of the view is `view_of`'s; of the settings only the words are read: the network that holds the address.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import listed, nearest
from lbdns.model.named_lists import Network
from lbdns.model.settings import Settings
from lbdns.model.view_names import PUBLIC, view_numbers
from lbdns.model.views import check_listener, network_holding
from lbdns.places.place import Address


@dataclass(frozen=True, slots=True)
class Viewer:
    """What is supposed of who asks, beside addresses: a view by its name, or by the TSIG key that signs the query, or
    by the address that it is sent to; "" where nothing is."""

    view: str = ""
    key: str = ""
    listener: str = ""


NOBODY: Final = Viewer()


def number_of(viewer: Viewer, settings: Settings, keys: Collection[str] = ()) -> int | None:
    """Return the number of the view that is supposed, None where the addresses say it; raises LbdnsError for a view,
    a key or a listener that there is not. `keys`: the names of TSIG keys beside those of the settings."""
    numbers = view_numbers(settings.views)
    if viewer.view:
        if viewer.view not in numbers:
            raise LbdnsError(_no_such("view", viewer.view, [*numbers]))
        return numbers[viewer.view]
    # Both are looked at, so that a mistake in what does not decide is told as well.
    named = [_of_key(viewer.key, settings, keys), _of_listener(viewer.listener, settings)]
    return next((numbers[one] for one in named if one), None)


def _of_key(key: str, settings: Settings, keys: Collection[str]) -> str:
    known = [*dict.fromkeys((*(one.name for one in settings.keys), *keys))]
    if key and key.rstrip(".").lower() not in known:
        raise LbdnsError(_no_such("key", key, known))
    return _view_of_key(key, settings)


def _view_of_key(key: str, settings: Settings) -> str:
    """Return the view that a key is of, "" where it is of none."""
    wanted = key.rstrip(".").lower()
    return next((name for name, view in settings.views.items() if wanted and wanted in view.keys), "")


def _of_listener(listener: str, settings: Settings) -> str:
    if not listener:
        return ""
    try:
        address = check_listener(listener)
    except ValueError as error:
        raise LbdnsError(f"listener: {error}") from error
    if address not in settings.listen:
        raise LbdnsError(_no_such("listener", address, list(settings.listen)))
    return next((name for name, view in settings.views.items() if address in view.listeners), "")


def _no_such(what: str, name: str, known: list[str]) -> str:
    near = nearest(name, known)
    others = f"there are {listed(known)}" if known else f"lbdns.yaml has no {what}s"
    return f'there is no {what} "{name}"; ' + (f'did you mean "{near}"?' if near else others)


def view_step(
    viewer: Viewer, settings: Settings, number: int, resolver: Address, ecs: Network | None
) -> dict[str, Any]:
    """Return the step that names the view of a number, and why it is that one."""
    name = [*view_numbers(settings.views)][number]
    step: dict[str, Any] = {"stage": "view", "view": name}
    if viewer.view:
        return {**step, "by": "supposed", "text": f"{name}, as is supposed"}
    if name == _view_of_key(viewer.key, settings):
        return {**step, "by": "key", "text": f"{name} (the key {viewer.key})"}
    if name == _of_listener(viewer.listener, settings):
        return {**step, "by": "listener", "text": f"{name} (the listener {viewer.listener})"}
    is_trusted = settings.trusts(resolver)
    client = ecs if ecs is not None and ecs.prefixlen > 0 else None
    if is_trusted and client is None:
        return {**step, "by": None, "text": f"{name} (the trusted resolver {resolver} tells no client)"}
    asked: Address | Network = client if client is not None and is_trusted else resolver
    what = f"{asked}, by ECS of the trusted resolver {resolver}" if is_trusted else f"the resolver {resolver}"
    rest = f"; ECS does not say it, for {resolver} is none of trusted_resolvers" if client and not is_trusted else ""
    found = network_holding(settings.views, asked)
    if found is None or name == PUBLIC:
        return {**step, "by": None, "text": f"{name} ({what} is in no view){rest}"}
    step |= {"by": "ecs" if is_trusted else "resolver", "network": str(found[1])}
    return {**step, "text": f"{name} ({found[1]} holds {what}){rest}"}
