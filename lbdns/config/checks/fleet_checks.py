"""The setting `fleet`: the files that it names, and what has to be installed for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lbdns.base.errors import LbdnsError, Problem
from lbdns.base.nats_binary import INSTALLING, find_nats_server, has_nats_client
from lbdns.config.yaml.source import Source
from lbdns.model.fleet_secret import read_fleet_secret
from lbdns.model.fleet_settings import secret_path
from lbdns.model.settings import Settings


def check_fleet(settings: Settings, source: Source) -> Iterator[Problem]:
    """Yield what is wrong with a fleet's settings, whose paths are absolute but that of the secret."""
    fleet = settings.fleet
    if fleet is None:
        return
    if not has_nats_client():
        yield source.problem(("fleet",), f"a fleet needs the Python package nats-py; {INSTALLING}")
    if fleet.embedded and find_nats_server() is None:
        told = f"there is no nats-server beside this Python and none on PATH; {INSTALLING}, or give join instead"
        yield source.problem(("fleet", "embedded"), told)
    named: list[tuple[tuple[str, ...], Path | None]] = [(("fleet", "credentials"), fleet.credentials)]
    if fleet.tls is not None:
        named += [(("fleet", "tls", key), getattr(fleet.tls, key)) for key in ("ca", "certificate", "key")]
    for at, path in named:
        if path is not None and not os.path.isfile(path):
            yield source.problem(at, f'there is no file "{path}"; a relative path starts where lbdns.yaml is')
    # The command line may say another state directory: what is relative to it can be looked for where the file says it.
    is_known = settings.state is not None or (fleet.secret is not None and fleet.secret.is_absolute())
    secret = secret_path(fleet, settings.state_dir()) if is_known else None
    if secret is not None and _can_be_looked_for(secret):
        try:
            found = read_fleet_secret(secret)
        except LbdnsError as error:
            yield source.problem(("fleet", "secret"), str(error))
        else:
            if fleet.is_hub and found.role != "hub":
                told = f"{secret} is of a machine that joined; the hub's is written by lbdns fleet init; give join here"
                yield source.problem(("fleet", "secret"), told)


def _can_be_looked_for(path: Path) -> bool:
    """Whether this process may look whether the file is there, and read it: the server's user may, others need not."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return os.access(path, os.R_OK)
