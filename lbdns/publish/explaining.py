"""Explaining an answer, of the running server or of a directory's files, by the responder's own road."""

from __future__ import annotations

import dataclasses
import ipaddress
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.exception

from lbdns.answer.explain.explain import DEFAULT_RESOLVER, Asked, explain
from lbdns.answer.explain.supposed import suppose
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import DRAW_BITS
from lbdns.base.errors import LbdnsError
from lbdns.health import forced
from lbdns.mapped.resolved import write_addresses
from lbdns.model.configuration import Configuration
from lbdns.model.settings import PopSettings
from lbdns.places.geodata import Geodata
from lbdns.places.place import unmapped
from lbdns.places.pops import pop_place
from lbdns.publish.publisher import Published
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots

Addresses = tuple[Sequence[bytes], Sequence[bytes], int]
"""A hostname's packed addresses, IPv4 and IPv6, and until when they are good (unix seconds)."""


@dataclass(frozen=True, slots=True)
class Supposed:
    """What an operator supposes of the world: endpoints down or up (POOL/ORIGIN patterns), another PoP (IATA code)."""

    down: tuple[str, ...] = ()
    up: tuple[str, ...] = ()
    pop: str = ""


def parse_request(request: Mapping[str, Any]) -> tuple[Asked, Supposed]:
    """Return what a request for an explanation says; raises LbdnsError naming what is wrong with it.

    An IPv4-mapped resolver is its IPv4 address: sockets are of one family each, so that none asks as a mapped one. A
    mapped ECS prefix stays what it is, family 2, as the responder takes it.
    """
    try:
        asked = Asked(
            name=str(request["name"]),
            qtype=str(request.get("type") or "A").upper(),
            resolver=unmapped(ipaddress.ip_address(request.get("resolver") or DEFAULT_RESOLVER)),
            ecs=ipaddress.ip_network(request["ecs"], strict=False) if request.get("ecs") else None,
            draw=None if request.get("draw") is None else float(request["draw"]),
            scopes=bool(request.get("scopes")),
        )
        down, up = (tuple(map(str, request.get(key) or ())) for key in ("down", "up"))
        return asked, Supposed(down, up, str(request.get("pop") or "").upper())
    except KeyError as error:
        raise LbdnsError(f"the request lacks {error}") from error
    except (ValueError, TypeError) as error:
        raise LbdnsError(str(error)) from error


def explain_running(published: Published, state_dir: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of the generation in force with its health, and the way to it; raises LbdnsError.

    `state_dir` holds what operators forced, which stays in force whatever is supposed.
    """
    asked, supposed = parse_request(request)
    configuration, snapshot = published.configuration, published.snapshot
    geodata = _geodata(configuration)
    if supposed.pop:
        configuration = _at_pop(configuration, supposed.pop)
        layout_id = published.table.layout_id
        snapshot = compile_snapshot(configuration, geodata, published.slots, published.generation, layout_id)
    orders = forced.load(state_dir) if supposed.down or supposed.up else ()
    table, now_s = published.table, time.time()
    view = suppose(configuration, snapshot, published.slots, table, supposed.down, supposed.up, orders, now_s)
    return _explain(asked, geodata, view)


def explain_configuration(
    configuration: Configuration, request: Mapping[str, Any], addresses: Mapping[str, Addresses] | None = None
) -> dict[str, Any]:
    """Return the answer that a configuration would give with every monitored endpoint up; raises LbdnsError.

    `addresses`: what hostnames of endpoints resolve to; those that are not in it do not.
    """
    asked, supposed = parse_request(request)
    geodata = _geodata(configuration)
    if supposed.pop:
        configuration = _at_pop(configuration, supposed.pop)
    slots = Slots().assign(configuration)
    snapshot = compile_snapshot(configuration, geodata, slots, generation=1)
    view = suppose(configuration, snapshot, slots, None, supposed.down, supposed.up)
    for (_, _, address), slot in slots.endpoint.items() if addresses else ():
        if found := (addresses or {}).get(address):
            write_addresses(view.table.columns, slot, *found)
    return _explain(asked, geodata, view)


def _explain(asked: Asked, geodata: Geodata, view: ServingView) -> dict[str, Any]:
    try:
        return explain(view, geodata, asked, int(time.monotonic()), secrets.randbits(DRAW_BITS)).as_dict()
    except dns.exception.DNSException as error:
        raise LbdnsError(f"{asked.name} {asked.qtype}: no such name or type can be asked for ({error})") from error


def _geodata(configuration: Configuration) -> Geodata:
    geodata = configuration.settings.geodata
    return Geodata.open(geodata.city, geodata.asn)


def _at_pop(configuration: Configuration, code: str) -> Configuration:
    """Return the configuration as it would be at another PoP, whose place follows from its code alone.

    The server's own PoP, of a code that no airport has, is where the settings say.
    """
    try:
        pop = PopSettings(code=code)
    except ValueError:
        raise LbdnsError(f"{code} is not an IATA airport code, such as AMS") from None
    if pop_place(code) is None:
        if code == configuration.settings.pop.code:
            return configuration
        raise LbdnsError(f"no airport has the IATA code {code}; a PoP is named by one, such as AMS")
    settings = configuration.settings.model_copy(update={"pop": pop})
    return dataclasses.replace(configuration, settings=settings)
