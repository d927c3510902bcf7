"""Explaining an answer, of the running server or of a directory's files, by the responder's own road."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dns.exception

from lbdns.answer.explain.explain import DEFAULT_RESOLVER, Asked, explain
from lbdns.answer.explain.supposed import suppose
from lbdns.answer.explain.view_step import Viewer, number_of
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import DRAW_BITS
from lbdns.base.errors import LbdnsError
from lbdns.base.words import Health
from lbdns.health import forced
from lbdns.mapped.resolved import write_addresses
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.signature_table import SignatureTable, open_signatures
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.rule import Rule
from lbdns.model.settings import PopSettings
from lbdns.model.view_names import parted
from lbdns.model.virtual_network import NetworkTable
from lbdns.places.geodata import Geodata
from lbdns.places.place import Address, Network, address_in, prefix_in, unmapped
from lbdns.places.pops import pop_place
from lbdns.publish.network_health import network_rows
from lbdns.publish.pool_map import Clients, pool_map, read_clients
from lbdns.publish.publisher import Published
from lbdns.publish.replay.two_views import compiled
from lbdns.publish.what_if import (
    moves,
    read_balancer,
    read_networks,
    read_rules,
    with_balancer,
    with_rules,
    with_switched,
)
from lbdns.snapshot.slots import Slots

_NOT_UP: Final = frozenset({Health.UNHEALTHY, Health.CRITICAL, Health.DEGRADED})

Addresses = tuple[Sequence[bytes], Sequence[bytes], int]
"""A hostname's packed addresses, IPv4 and IPv6, and until when they are good (unix seconds)."""


@dataclass(frozen=True, slots=True)
class Supposed:
    """What an operator supposes of the world: endpoints down or up (POOL/ORIGIN patterns), another PoP (IATA code),
    rules that are not configured yet, or a load balancer as it might be; `networks`: whose answers are compared, with
    those and without; `clients`: whose pools are told by country, in place of one answer; `rules_off`, `rules_on`:
    rules and pool sets that are passed over, or not, by name."""

    down: tuple[str, ...] = ()
    up: tuple[str, ...] = ()
    pop: str = ""
    rules: tuple[Rule, ...] = ()
    balancer: LoadBalancer | None = None
    networks: tuple[Network, ...] = ()
    clients: Clients | None = None
    rules_off: tuple[str, ...] = ()
    rules_on: tuple[str, ...] = ()


def parse_request(request: Mapping[str, Any]) -> tuple[Asked, Supposed]:
    """Return what a request for an explanation says; raises LbdnsError naming what is wrong with it.

    An IPv4-mapped resolver is its IPv4 address: sockets are of one family each, so that none asks as a mapped one. A
    mapped ECS prefix stays what it is, family 2, as the responder takes it.
    """
    try:
        resolver, ecs = _clients_in(request)
        name, view = _name_in(request)
        asked = Asked(
            name=name,
            qtype=str(request.get("type") or "A").upper(),
            resolver=resolver,
            ecs=ecs,
            draw=None if request.get("draw") is None else float(request["draw"]),
            scopes=bool(request.get("scopes")),
            viewer=Viewer(view, *(str(request.get(key) or "") for key in ("key", "listener"))),
        )
        down, up, off, on = (tuple(map(str, request.get(key) or ())) for key in ("down", "up", "rules_off", "rules_on"))
        rules = read_rules(request["rules"]) if request.get("rules") else ()
        balancer = read_balancer(request["load_balancer"]) if request.get("load_balancer") else None
        networks = read_networks(request["networks"]) if request.get("networks") else ()
        clients = read_clients(request["clients"]) if request.get("clients") else None
        pop = str(request.get("pop") or "").upper()
        return asked, Supposed(down, up, pop, rules, balancer, networks, clients, off, on)
    except KeyError as error:
        raise LbdnsError(f"the request lacks {error}") from error
    except (ValueError, TypeError) as error:
        raise LbdnsError(str(error)) from error


def _name_in(request: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name that is asked for, and the view that is supposed by `view` or NAME@VIEW, "" where none is; raises
    LbdnsError where they say two."""
    name, said = parted(str(request["name"]))
    view = str(request.get("view") or "")
    if view and said not in ("", view):
        raise LbdnsError(f'"{request["name"]}" is of the view {said}, and view says {view}; give one of the two')
    return name, view or said


def _clients_in(request: Mapping[str, Any]) -> tuple[Address, Network | None]:
    """Return who asks by a request, and for whom; raises LbdnsError naming each that is no address or network."""
    told: list[str] = []
    resolver: Address = DEFAULT_RESOLVER
    ecs: Network | None = None
    try:
        if request.get("resolver"):
            resolver = unmapped(address_in(str(request["resolver"])))
    except LbdnsError as error:
        told.append(f"resolver: {error}")
    try:
        if request.get("ecs"):
            ecs = prefix_in(str(request["ecs"]))
    except LbdnsError as error:
        told.append(f"ecs: {error}")
    if told:
        raise LbdnsError("\n".join(told))
    return resolver, ecs


def explain_running(published: Published, state_dir: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of the generation in force with its health, and the way to it; raises LbdnsError.

    `state_dir` holds what operators forced, which stays in force whatever is supposed.
    """
    asked, supposed = parse_request(request)
    orders = forced.load(state_dir) if supposed.down or supposed.up else ()
    table, now_s = published.table, time.time()
    geodata, signatures = _geodata(published.configuration), _signatures_of(published, state_dir)

    def view_of(configuration: Configuration) -> ServingView:
        slots, snapshot = published.slots, published.snapshot
        if configuration is not published.configuration:
            # What is only supposed is not counted: its rules have slots of no page.
            slots = dataclasses.replace(slots, rule=Slots().assign(configuration).rule, changes=None)
            snapshot = compiled(configuration, geodata, slots, published.generation, table.layout_id)
            return suppose(configuration, snapshot, slots, table, supposed.down, supposed.up, orders, now_s)
        return suppose(configuration, snapshot, slots, table, supposed.down, supposed.up, orders, now_s, signatures)

    try:
        return _told(asked, supposed, geodata, published.configuration, view_of)
    finally:
        if signatures is not None:
            signatures.close()


def _signatures_of(published: Published, state_dir: Path) -> SignatureTable | None:
    """Return the signatures for what a generation steers, None where it has none, or is in force no longer."""
    try:
        return open_signatures(published.snapshot, RunDirectory(state_dir))
    except FileNotFoundError:
        return None


def explain_configuration(
    configuration: Configuration, request: Mapping[str, Any], addresses: Mapping[str, Addresses] | None = None
) -> dict[str, Any]:
    """Return the answer that a configuration would give with every monitored endpoint up; raises LbdnsError.

    `addresses`: what hostnames of endpoints resolve to; those that are not in it do not.
    """
    asked, supposed = parse_request(request)
    geodata = _geodata(configuration)

    def view_of(configuration: Configuration) -> ServingView:
        slots = Slots().assign(configuration)
        snapshot = compiled(configuration, geodata, slots, generation=1, layout_id=0)
        view = suppose(configuration, snapshot, slots, None, supposed.down, supposed.up)
        for (_, _, address, *_), slot in slots.endpoint.items() if addresses else ():
            if found := (addresses or {}).get(address):
                write_addresses(view.table.columns, slot, *found)
        return view

    return _told(asked, supposed, geodata, configuration, view_of)


def _told(
    asked: Asked,
    supposed: Supposed,
    geodata: Geodata,
    configuration: Configuration,
    view_of: Callable[[Configuration], ServingView],
) -> dict[str, Any]:
    """Return the explanation of what is supposed, what that changes for some networks, or who gets which pool."""
    asked = dataclasses.replace(
        asked, view_number=number_of(asked.viewer, configuration.settings, configuration.tsig_keys)
    )
    if supposed.pop:
        configuration = _at_pop(configuration, supposed.pop)
    changed = configuration
    if supposed.balancer is not None:
        changed = with_balancer(configuration, supposed.balancer)
    try:
        if supposed.rules_off or supposed.rules_on:
            changed = with_switched(changed, asked, view_of(changed), supposed.rules_off, supposed.rules_on)
        if supposed.rules:
            changed = with_rules(changed, asked, view_of(changed), supposed.rules)
        if supposed.clients is not None:
            return pool_map(asked, supposed.clients, view_of(changed), geodata, changed)
        if not supposed.networks:
            return _explain(asked, geodata, changed, view_of(changed))
        return moves(asked, supposed.networks, view_of(configuration), view_of(changed))
    except dns.exception.DNSException as error:
        raise _no_such(asked, error) from error


def _no_such(asked: Asked, error: Exception) -> LbdnsError:
    return LbdnsError(f"{asked.name} {asked.qtype}: no such name or type can be asked for ({error})")


def _explain(asked: Asked, geodata: Geodata, configuration: Configuration, view: ServingView) -> dict[str, Any]:
    explained = explain(view, geodata, configuration, asked, int(time.monotonic()), secrets.randbits(DRAW_BITS))
    told = explained.as_dict()
    rows = network_rows(configuration, view.table.columns).values()
    down = {row.name: row.down_text for row in rows if row.is_down}
    if down:
        _tell_networks(told["steps"], down, configuration)
    return told


def _tell_networks(steps: list[dict[str, Any]], down: Mapping[str, str], configuration: Configuration) -> None:
    """Add to what is said of pools and endpoints that are not up the virtual networks in them that are down; `down`:
    what is said of each of those."""
    table = NetworkTable.of(configuration.virtual_networks, configuration.routes)
    for step in steps:
        names = {step.get("virtual_network", "")}
        if step["stage"] == "pool" and step["pool"] in configuration.pools:
            names = {table.network_of(one) for one in configuration.pools[step["pool"]].origins if one.is_used}
        reasons = [text for name, text in down.items() if name in names]
        if reasons and step["health"] in _NOT_UP:
            step["reason"] = "; ".join(reasons)
            step["text"] += f"; {step['reason']}"


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
