"""Making a server one of a fleet, and alone again: secret files in its state directory, the key `fleet` in its
settings, and a reload by the server that runs. What the server refuses is undone.

    init   alone --keys, secret, settings--> hub, or who began a fleet at an operator's NATS    again: prints the token
    join   alone --secret, settings--------> member                                             again: says so
    leave  in a fleet --settings, then all in state/fleet--> alone, with what it serves         again: says so
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import secrets
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from pydantic_core import PydanticCustomError

from lbdns.base.errors import LbdnsError
from lbdns.base.whole_file import write_whole
from lbdns.base.words import FLEET_DIRECTORY, FLEET_REPLACE_FILE, SETTINGS_FILE, STORE_FILE
from lbdns.cli.frame.running import RunningServer
from lbdns.cli.frame.settings_block import with_block, without_block
from lbdns.fleet.embedded.fleet_keys import KeyFiles, make_ca, make_hub_certificate
from lbdns.fleet.embedded.prepared_server import fleet_folder
from lbdns.fleet.embedded.server_configuration import FLEET_DOMAIN, check_nats_server
from lbdns.mapped.ownership import keep_owner
from lbdns.model.bus_access import DEFAULT_HUB_LISTEN
from lbdns.model.fleet_secret import FleetSecret, read_fleet_secret
from lbdns.model.fleet_settings import NATS_PORT, check_bus_url, check_machine_name, secret_path
from lbdns.model.settings import Settings
from lbdns.model.socket_address import format_socket_address
from lbdns.processes.supervisor.control_socket import ask

KEY: Final = "fleet"
SECRET_FILE: Final = "secret.json"
USER: Final = "lbdns"
QUIET_S: Final = 1.0
"""What was removed and has not come back for so long stays away."""
LEAVE_S: Final = 10.0
PAUSE_S: Final = 0.05
_NO_SERVER: Final = "no server answers"
_ELSEWHERE: Final = "192.0.2.1"
"""An address that nobody has (RFC 5737): the system says from which of its own it would go there; nothing is sent."""


class OwnNats(NamedTuple):
    """The files by which a nats-server of the operator's own is reached; None: none is needed."""

    credentials: Path | None = None
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class SetupPlace:
    """The server that is set up: its settings file, what that says now, and whether it runs."""

    running: RunningServer
    settings_file: Path
    settings: Settings
    is_up: bool

    @property
    def state_dir(self) -> Path:
        """The state directory."""
        return self.settings.state_dir()

    @property
    def secret_file(self) -> Path:
        """Where the secret file is, or is to be."""
        fleet = self.settings.fleet
        named = None if fleet is None else secret_path(fleet, self.state_dir)
        return named or self.state_dir / FLEET_DIRECTORY / SECRET_FILE

    def secret(self) -> FleetSecret | None:
        """Return the secret that is there, None where none is; raises LbdnsError."""
        return read_fleet_secret(self.secret_file) if os.path.lexists(self.secret_file) else None


def find_setup_place(running: RunningServer) -> SetupPlace:
    """Return the server that options and environment name; raises LbdnsError."""
    local = running.place()
    told: Mapping[str, Any] = {}
    with contextlib.suppress(LbdnsError):
        told = ask(running.control(), "status")
    found = local.settings_path
    if found is None:
        found = Path(told["directory"]) if told else Path()
    settings_file = (found / SETTINGS_FILE if found.is_dir() else found).resolve()
    return SetupPlace(running, settings_file, local.readable_settings(), bool(told))


def machine_name(place: SetupPlace, said: str | None) -> str:
    """Return what a machine is called: as said, by its PoP, or as its host is."""
    code = place.settings.pop.code
    host = re.sub(r"[^A-Za-z0-9_-]+", "-", socket.gethostname().partition(".")[0]).strip("-")
    try:
        return check_machine_name(said or (f"{code}-1" if code else host))
    except PydanticCustomError as error:
        raise LbdnsError(f"{error.message()} (--name NAME)") from None


def own_address() -> str:
    """Return the address by which others probably reach this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((_ELSEWHERE, NATS_PORT))
            return str(sock.getsockname()[0])
        except OSError:
            raise LbdnsError("this machine has no address that others reach; say one: --address HOST") from None


def hub_url(address: str) -> str:
    """Return `tls://HOST:PORT` of an address, with or without a port; raises LbdnsError."""
    try:
        url = check_bus_url(f"tls://{address}")
    except PydanticCustomError:
        raise LbdnsError(f'"{address}" is no address; expected one such as hub.example or 192.0.2.1:4222') from None
    return url if urlsplit(url).port else f"{url}:{NATS_PORT}"


def host_of(url: str) -> str:
    """Return the host of a URL, without brackets."""
    return urlsplit(url).hostname or ""


def listen_for(url: str, port: int | None = None) -> str:
    """Return where to listen for who comes to a URL: at every address of the same family."""
    every = "::" if ":" in host_of(url) else "0.0.0.0"
    return format_socket_address(every, port or urlsplit(url).port or NATS_PORT)


def begin_hub(place: SetupPlace, name: str, url: str, leaf_port: int | None) -> FleetSecret:
    """Make this machine the hub of a new fleet; raises LbdnsError with nothing changed."""
    listen, leaf_listen = listen_for(url), None if leaf_port is None else listen_for(url, leaf_port)
    check_nats_server()
    for one in filter(None, (listen, leaf_listen)):
        _check_is_free(one)
    now = datetime.datetime.now(datetime.UTC)
    fleet_id, files = secrets.token_hex(4), KeyFiles(fleet_folder(place.state_dir))
    ca = make_ca(files, fleet_id, now)
    make_hub_certificate(files, now, [host_of(url)])
    leaves = () if leaf_port is None else (f"tls://{format_socket_address(host_of(url), leaf_port)}",)
    secret = FleetSecret(
        fleet_id=fleet_id,
        role="hub",
        user=USER,
        password=secrets.token_urlsafe(32),
        ca=ca,
        urls=(url,),
        leaf_urls=leaves,
        domain=FLEET_DOMAIN,
    )
    values: dict[str, Any] = {"name": name, "embedded": True, "secret": _secret_said()}
    values |= {} if listen == DEFAULT_HUB_LISTEN else {"listen": listen}
    values |= {} if leaf_listen is None else {"leaves": leaf_listen}
    _set_up(place, secret, values)
    return secret


def begin_elsewhere(place: SetupPlace, name: str, urls: tuple[str, ...], own_nats: OwnNats, domain: str) -> FleetSecret:
    """Begin a fleet at a NATS that somebody else runs; raises LbdnsError with nothing changed."""
    secret = FleetSecret(fleet_id=secrets.token_hex(4), role="hub", urls=urls, domain=domain)
    _set_up(place, secret, _member_values(name, urls, own_nats))
    return secret


def join_fleet(
    place: SetupPlace, secret: FleetSecret, name: str, is_leaf: bool, own_nats: OwnNats, replaces: bool
) -> None:
    """Make this machine one of a fleet; raises LbdnsError with nothing changed. `replaces`: the fleet's configuration
    takes the place of a store's own, of which a copy is kept."""
    urls = secret.leaf_urls if is_leaf else secret.urls
    if not urls:
        told = "it takes no leaves: lbdns fleet init --leaf-port PORT there" if is_leaf else "it says of no address"
        raise LbdnsError(f"this token does not lead to the fleet: {told}")
    values = _member_values(name, urls, own_nats) | ({"embedded": True} if is_leaf else {})
    if replaces:
        write_whole(fleet_folder(place.state_dir) / FLEET_REPLACE_FILE, "", "that the store is to be replaced")
    _set_up(place, secret, values)


def move_hub(place: SetupPlace, secret: FleetSecret, url: str) -> FleetSecret:
    """Have a hub reached at another address as well, and told of by tokens from now on."""
    files = KeyFiles(fleet_folder(place.state_dir))
    make_hub_certificate(files, datetime.datetime.now(datetime.UTC), [host_of(url)])
    leaves = [format_socket_address(host_of(url), urlsplit(one).port or 0) for one in secret.leaf_urls]
    moved = secret.model_copy(update={"urls": (url,), "leaf_urls": tuple(f"tls://{one}" for one in leaves)})
    _write_secret(place, moved)
    keep_owner(place.state_dir)
    _reload(place)
    return moved


def leave_fleet(place: SetupPlace) -> None:
    """Make this machine a server of its own, which serves on what it has; raises LbdnsError with nothing changed."""
    before = _read(place.settings_file)
    if before is not None:
        _write_settings(place.settings_file, without_block(before, KEY, str(place.settings_file)))
        _reload_or(place, lambda: _write_settings(place.settings_file, before))
    if not place.is_up:
        _end_servers(place.state_dir)
    _remove_folder(place)


def _remove_folder(place: SetupPlace) -> None:
    """Remove what the machine has of its fleet; a server that runs may still write there while it takes it up."""
    folder = place.state_dir / FLEET_DIRECTORY
    if folder.is_symlink():
        return
    quiet_s = QUIET_S if place.is_up else 0.0
    now_s = time.monotonic()
    due_s, end_s = now_s + quiet_s, now_s + LEAVE_S
    while now_s < min(due_s, end_s) or folder.is_dir():
        if folder.is_dir():
            due_s = now_s + quiet_s
            try:
                shutil.rmtree(folder)
            except OSError as error:
                if now_s >= end_s:
                    raise LbdnsError(f"{folder}: cannot be removed: {error.strerror}") from error
        else:
            time.sleep(PAUSE_S)
        now_s = time.monotonic()


def own_objects(place: SetupPlace) -> int:
    """Return how many objects the store of a server has that serves from it: a fleet's would take their place."""
    path, settings = place.state_dir / STORE_FILE, place.running.place().settings_path
    if (settings is not None and settings.is_dir()) or not path.exists():
        return 0
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as store:
            return int(store.execute("SELECT count(*) FROM objects").fetchone()[0])
    except sqlite3.Error as error:
        raise LbdnsError(f"{path}: cannot see whether it has a configuration of its own: {error}") from error


def _member_values(name: str, urls: Iterable[str], own_nats: OwnNats) -> dict[str, Any]:
    several = list(urls)
    values: dict[str, Any] = {"name": name, "join": several[0] if len(several) == 1 else several}
    values["secret"] = _secret_said()
    if own_nats.credentials is not None:
        values["credentials"] = str(own_nats.credentials.resolve())
    return values | ({} if own_nats.ca is None else {"tls": {"ca": str(own_nats.ca.resolve())}})


def _secret_said() -> str:
    return f"{FLEET_DIRECTORY}/{SECRET_FILE}"


def _set_up(place: SetupPlace, secret: FleetSecret, values: Mapping[str, Any]) -> None:
    before = _read(place.settings_file)
    text = with_block(before or "", KEY, values, str(place.settings_file))

    def undo() -> None:
        _remove_folder(place)
        if before is None:
            place.settings_file.unlink(missing_ok=True)
        else:
            _write_settings(place.settings_file, before)

    _write_secret(place, secret)
    keep_owner(place.state_dir)
    try:
        _write_settings(place.settings_file, text)
        _check_settings(place.settings_file)
    except LbdnsError:
        undo()
        raise
    _reload_or(place, undo)


def _check_settings(path: Path) -> None:
    """Raise LbdnsError where the key that was added has mistakes; others are told by the server."""
    from lbdns.base.errors import ConfigError
    from lbdns.config.settings_loading import load_settings

    try:
        load_settings(path)
    except ConfigError as error:
        ours = [str(one) for one in error.problems if one.path.split(".")[0] == KEY]
        if ours:
            raise LbdnsError("\n".join(ours)) from error


def _reload_or(place: SetupPlace, undo: Callable[[], None]) -> None:
    """Have the server that runs take the settings up; where it refuses, `undo` and raise LbdnsError."""
    try:
        _reload(place)
    except LbdnsError as error:
        undo()
        raise LbdnsError(f"the running server refuses it, and nothing was changed: {error}") from error


def _reload(place: SetupPlace) -> None:
    if place.is_up:
        ask(place.running.control(), "reload")


def _write_secret(place: SetupPlace, secret: FleetSecret) -> None:
    fleet_folder(place.state_dir)
    text = secret.model_dump_json(indent=2) + "\n"
    write_whole(place.secret_file, text, "the fleet's secret", is_lasting=True, is_private=True)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise LbdnsError(f"{path}: cannot be read: {error}") from error


def _write_settings(path: Path, text: str) -> None:
    """Put a text in place of the settings file's, which stays whose it was, for whom it was."""
    try:
        found = path.stat()
    except FileNotFoundError:
        found = None
    write_whole(path, text, "the settings", is_lasting=True)
    if found is not None:
        try:
            os.chmod(path, found.st_mode & 0o7777)
            if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
                os.chown(path, found.st_uid, found.st_gid)
        except OSError as error:
            raise LbdnsError(f"{path}: cannot be given back to its owner: {error.strerror}") from error


def _check_is_free(listen: str) -> None:
    host, _, port = listen.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host.strip("[]"), int(port)))
        except OSError as error:
            raise LbdnsError(
                f"cannot listen on {listen} for the fleet: {error.strerror} (--address HOST:PORT)"
            ) from error


def _end_servers(state_dir: Path) -> None:
    """End a nats-server that a supervisor left which was killed."""
    import signal

    from lbdns.fleet.embedded.prepared_server import configuration_of
    from lbdns.processes.supervisor.nats_child import running_by

    configuration = configuration_of(state_dir)
    for pid in running_by(configuration) if configuration.exists() else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
