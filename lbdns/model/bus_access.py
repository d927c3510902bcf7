"""How a machine reaches the fleet's bus: addresses, names and files. What is secret stays in the files."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lbdns.base.words import FLEET_DIRECTORY
from lbdns.model.fleet_secret import FleetSecret, read_fleet_secret
from lbdns.model.fleet_settings import NATS_PORT, FleetSettings, secret_path
from lbdns.model.fleet_terms import BusAccess
from lbdns.model.socket_address import format_socket_address, parse_socket_address, reachable

PORTS_FILE: Final = "nats-server_*.ports"
"""What a nats-server writes when it listens, by its process id."""
FLEET_SERVER_NAME: Final = "lbdns-fleet"
"""The name in the certificate of a fleet's own hub: its machines trust their CA, whatever the address."""
DEFAULT_HUB_LISTEN: Final = f"0.0.0.0:{NATS_PORT}"


def bus_access(settings: FleetSettings, state_dir: Path) -> BusAccess:
    """Return how settings reach the bus; raises LbdnsError where their secret file cannot be read."""
    path = secret_path(settings, state_dir)
    secret = None if path is None else read_fleet_secret(path)
    tls = settings.tls
    files = (settings.credentials, *((tls.ca, tls.certificate, tls.key) if tls else (None, None, None)))
    credentials, ca, certificate, key = ("" if one is None else str(one) for one in files)
    return BusAccess(
        machine=settings.name,
        fleet_id=settings.id if secret is None else secret.fleet_id,
        urls=bus_urls(settings),
        domain=_domain(settings, secret),
        secret_file="" if path is None else str(path),
        ports_file=str(state_dir / FLEET_DIRECTORY / PORTS_FILE) if settings.is_leaf else "",
        credentials=credentials,
        ca=ca,
        certificate=certificate,
        key=key,
        has_begun=settings.is_hub if secret is None else secret.role == "hub",
    )


def bus_urls(settings: FleetSettings) -> tuple[str, ...]:
    """Return where this machine's processes find the bus; none on a leaf, whose nats-server says it by a file."""
    if settings.is_leaf:
        return ()
    if settings.is_hub:
        host, port = parse_socket_address(settings.listen or DEFAULT_HUB_LISTEN)
        return (f"tls://{format_socket_address(reachable(host), port)}",)
    return tuple(url if urlsplit(url).port else f"{url}:{NATS_PORT}" for url in settings.join)


def _domain(settings: FleetSettings, secret: FleetSecret | None) -> str:
    return settings.domain or (secret.domain if secret is not None else "")
