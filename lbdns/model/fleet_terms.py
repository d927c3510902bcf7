"""On which terms this machine takes part in a fleet's health, for its monitor worker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BusAccess:
    """`machine`: what this machine is called. `urls`: `nats://HOST:PORT` or `tls://HOST:PORT`, each tried in turn.

    Files, each "" where there is none: `secret_file` is what `lbdns fleet init` or `join` wrote; `ports_file` is where
    a nats-server of this machine says at which port it listens; `credentials` is a NATS credentials file; `ca`,
    `certificate` and `key` are in PEM. `domain`: the JetStream domain that the stream is kept in, "" for none.
    `has_begun`: the fleet was begun here, so that what it has begins with this machine's configuration.
    """

    machine: str
    fleet_id: str
    urls: tuple[str, ...] = ()
    domain: str = ""
    secret_file: str = ""
    ports_file: str = ""
    credentials: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""
    has_begun: bool = False


@dataclass(frozen=True, slots=True)
class FleetTerms:
    """`access`: how the bus is reached, and what this machine is called; `probe_from`: how many vantage points of a
    region probe the same thing, None for all of them."""

    access: BusAccess
    probe_from: int | None = 3

    @property
    def machine(self) -> str:
        """What this machine is called."""
        return self.access.machine
