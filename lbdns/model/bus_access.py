"""How a machine reaches the fleet's bus: addresses, names and files. What is secret stays in the files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BusAccess:
    """`machine`: what this machine is called. `urls`: `nats://HOST:PORT` or `tls://HOST:PORT`, each tried in turn.

    Files, each "" where there is none: `secret_file` is what `lbdns fleet init` or `join` wrote; `ports_file` is where
    a nats-server of this machine says at which port it listens; `credentials` is a NATS credentials file; `ca`,
    `certificate` and `key` are in PEM. `domain`: the JetStream domain that the stream is kept in, "" for none.
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
