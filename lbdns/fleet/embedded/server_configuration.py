"""The configuration of the nats-server that lbdns starts: the hub, which keeps the fleet's stream, or a leaf.

| | hub | leaf |
|---|---|---|
| listens | for all machines, TLS alone | on loopback, at a free port that it writes into a file |
| JetStream | on, in a domain; a message is on the disk before it is acknowledged | off: the hub's, by its domain |
| goes to | nobody | the hub, by TLS, as long as it runs |
| who may come in | who knows the fleet's user and password | the same |

Pings are short at both ends, so that a link that swallows everything is let go within seconds.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from lbdns.base.errors import LbdnsError
from lbdns.base.nats_binary import INSTALLING, find_nats_server
from lbdns.fleet.embedded.fleet_keys import KeyFiles
from lbdns.model.bus_access import DEFAULT_HUB_LISTEN
from lbdns.model.fleet_secret import FleetSecret
from lbdns.model.fleet_settings import LEAF_PORT, FleetSettings

CONFIGURATION_FILE: Final = "nats-server.conf"
LOG_FILE: Final = "nats-server.log"
FLEET_DOMAIN: Final = "lbdns"
"""The JetStream domain of a hub that lbdns starts."""
WANTED: Final = (2, 11)
_VERSION: Final = re.compile(r"v([0-9]{1,4})\.([0-9]{1,4})\.[0-9]{1,4}")
_ASKING_S: Final = 10.0

_COMMON: Final = """\
# Written by lbdns: what is changed here is lost.
server_name: {name}
ports_file_dir: {folder}
logfile: {log}
logfile_size_limit: 1MB
logfile_max_num: 2
ping_interval: "1s"
ping_max: 2
write_deadline: "5s"
authorization {{ user: {user}, password: {password} }}
"""
_HUB: Final = """\
listen: {listen}
tls {{ cert_file: {certificate}, key_file: {key}, timeout: 5 }}
jetstream {{ domain: {domain}, store_dir: {store}, sync_interval: always }}
"""
_LEAVES: Final = """\
leafnodes {{
  listen: {listen}
  tls {{ cert_file: {certificate}, key_file: {key}, timeout: 5 }}
  authorization {{ user: {user}, password: {password} }}
}}
"""
_LEAF: Final = """\
listen: "127.0.0.1:-1"
leafnodes {{
  reconnect: "500ms"
  remotes: [ {{ urls: [{urls}], tls {{ ca_file: {ca} }} }} ]
}}
"""


def hub_text(settings: FleetSettings, secret: FleetSecret, folder: Path) -> str:
    """Return the configuration of a hub that keeps all it has in a folder."""
    files = KeyFiles(folder)
    user, password = _quoted(secret.user), _quoted(secret.password)
    certificate, key = _quoted(files.hub), _quoted(files.hub_key)
    text = _common(settings, secret, folder) + _HUB.format(
        listen=_quoted(settings.listen or DEFAULT_HUB_LISTEN),
        certificate=certificate,
        key=key,
        domain=_quoted(secret.domain or FLEET_DOMAIN),
        store=_quoted(folder / "jetstream"),
    )
    if settings.leaves is not None:
        listen = _quoted(settings.leaves)
        text += _LEAVES.format(listen=listen, certificate=certificate, key=key, user=user, password=password)
    return text


def leaf_text(settings: FleetSettings, secret: FleetSecret, folder: Path) -> str:
    """Return the configuration of a leaf."""
    urls = ", ".join(_quoted(_leaf_url(one, secret)) for one in settings.join)
    return _common(settings, secret, folder) + _LEAF.format(urls=urls, ca=_quoted(KeyFiles(folder).ca))


def _leaf_url(url: str, secret: FleetSecret) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"tls://{quote(secret.user)}:{quote(secret.password)}@{host}:{parts.port or LEAF_PORT}"


def _common(settings: FleetSettings, secret: FleetSecret, folder: Path) -> str:
    return _COMMON.format(
        name=_quoted(f"lbdns-{secret.fleet_id}-{settings.name}"),
        folder=_quoted(folder),
        log=_quoted(folder / LOG_FILE),
        user=_quoted(secret.user),
        password=_quoted(secret.password),
    )


def _quoted(value: str | Path) -> str:
    return json.dumps(str(value), ensure_ascii=False)


def check_nats_server() -> Path:
    """Return the nats-server that is to be started; raises LbdnsError where there is none, or it is too old."""
    binary = find_nats_server()
    if binary is None:
        raise LbdnsError(f"there is no nats-server beside this Python and none on PATH; {INSTALLING}")
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=_ASKING_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise LbdnsError(f"{binary}: cannot be run: {error}") from error
    found = _VERSION.search(said.stdout)
    if found is None or (int(found[1]), int(found[2])) < WANTED:
        wanted = ".".join(map(str, WANTED))
        version = found[0] if found is not None else said.stdout.strip()
        raise LbdnsError(f"{binary}: nats-server {wanted} or newer is needed, this is {version}; {INSTALLING}")
    return binary
