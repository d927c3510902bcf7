"""What a nats-server is started with, written whenever it is looked at: program, configuration, keys."""

from __future__ import annotations

import datetime
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.whole_file import write_whole
from lbdns.base.words import FLEET_DIRECTORY
from lbdns.fleet.embedded.fleet_keys import KeyFiles, make_hub_certificate
from lbdns.fleet.embedded.server_configuration import (
    CONFIGURATION_FILE,
    LOG_FILE,
    check_nats_server,
    hub_text,
    leaf_text,
)
from lbdns.model.fleet_secret import read_fleet_secret
from lbdns.model.fleet_settings import FleetSettings, secret_path

PRIVATE_DIRECTORY: Final = 0o700
_FATAL: Final = "[FTL]"
_TAIL_OCTETS: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class PreparedServer:
    """The program, its configuration, and a digest of all that it reads at its start."""

    binary: Path
    configuration: Path
    digest: str


def fleet_folder(state_dir: Path) -> Path:
    """Return where a machine has what it keeps of its fleet, made for its owner alone; raises LbdnsError."""
    folder = state_dir / FLEET_DIRECTORY
    try:
        folder.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    except OSError as error:
        raise LbdnsError(f"{folder}: cannot be made: {error.strerror}") from error
    return folder


def prepare_server(settings: FleetSettings, state_dir: Path, now: datetime.datetime) -> PreparedServer:
    """Write what the nats-server of these settings reads; raises LbdnsError."""
    binary = check_nats_server()
    path = secret_path(settings, state_dir)
    assert path is not None, "the settings' own check"
    secret = read_fleet_secret(path)
    folder = fleet_folder(state_dir)
    files = KeyFiles(folder)
    if settings.is_hub:
        make_hub_certificate(files, now)
        text = hub_text(settings, secret, folder)
    else:
        write_whole(files.ca, secret.ca, "the fleet's CA", is_private=True)
        text = leaf_text(settings, secret, folder)
    configuration = folder / CONFIGURATION_FILE
    write_whole(configuration, text, "the configuration of nats-server", is_private=True)
    read = [text.encode(), *(one.read_bytes() for one in (files.hub, files.ca) if one.exists())]
    return PreparedServer(binary, configuration, hashlib.sha256(b"\0".join(read)).hexdigest())


def configuration_of(state_dir: Path) -> Path:
    """Return where the configuration of a machine's nats-server is, where it has one."""
    return state_dir / FLEET_DIRECTORY / CONFIGURATION_FILE


def last_words(state_dir: Path) -> str:
    """Return the last that a nats-server said of why it ends; it writes a log of its own."""
    path = state_dir / FLEET_DIRECTORY / LOG_FILE
    try:
        with open(path, "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - _TAIL_OCTETS, 0))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return f"{path}: {error.strerror}"
    fatal = [line.partition(_FATAL)[2].strip() for line in lines if _FATAL in line]
    return fatal[-1] if fatal else f"nothing of why; {path} has its log"
