"""A real cluster of nats-servers for tests: on loopback, each at ports that stay its own over restarts."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

from tests.fleet.nats_server import NatsServer

NAME = "c"


def nats_cluster(folder: Path, count: int = 3, more: str = "") -> list[NatsServer]:
    """Return the servers of one cluster; nothing is started yet. `more` is of the configuration of each."""
    servers = [NatsServer(folder / f"n{index}") for index in range(count)]
    taken = {one.port for one in servers}
    ports: list[int] = []
    with ExitStack() as held:  # until all are found, so that no two are the same
        while len(ports) < count:
            found = held.enter_context(socket.socket())
            found.bind(("127.0.0.1", 0))
            if found.getsockname()[1] not in taken:
                ports.append(found.getsockname()[1])
    routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports)
    for one, port in zip(servers, ports, strict=True):
        jetstream = f'jetstream {{ store_dir: "{one.folder}/js" }}'
        cluster = f'cluster {{ name: {NAME}, listen: "127.0.0.1:{port}", routes: [{routes}] }}'
        one.configuration = f"server_name: {one.folder.name}\n{jetstream}\n{cluster}\n{more}"
    return servers
