"""The servers under test: how each is configured to answer the same questions, and how it is started.

Every server gets one thread or process for UDP and no more. Where one cannot serve a load, or only by means that make
the comparison unfair, `loads` leaves it out and `apart` says why.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from questions import APEX, COUNTRIES, KINDS, NAMES, WEIGHTS, ZONE, addresses, kind_lines, static_lines

NEGATIVE = ("static", "nxdomain", "nodata", "refused")
ALL = ("plain", *NEGATIVE, "mixed")
POOLS = 10  # of the geo load


@dataclass(frozen=True)
class Scene:
    """What a server is configured for: `main` has weighted and static names, `geo` geo-steered ones."""

    folder: Path  # of this server alone
    port: int
    kind: str  # main, geo, size or kinds
    static_names: int = NAMES
    city: Path | None = None
    host: str = "127.0.0.1"
    extra: str = ""  # of the server's own settings


Write = Callable[[Scene], list[str]]


@dataclass(frozen=True)
class Peer:
    """A server: `write` puts its files into the scene's folder and returns the command that runs it in foreground."""

    name: str
    program: str
    write: Write
    loads: tuple[str, ...]
    version: tuple[str, ...] = ()
    apart: dict[str, str] = field(default_factory=dict)  # load -> why it is left out
    note: str = ""

    def is_installed(self) -> bool:
        """Return whether the program is at hand."""
        return not self.program or shutil.which(self.program) is not None

    def version_text(self) -> str:
        """Return the version that the program says it has, "" where it does not say."""
        if not self.version:
            return ""
        said = subprocess.run(self.version, capture_output=True, text=True, check=False)
        found = re.search(r"\d+\.\d+[.\d]*", said.stdout + said.stderr)
        return found[0] if found else ""


def _geo_pool(number: int) -> str:
    return f"pool{number % POOLS}"


def _lbdns(scene: Scene) -> list[str]:
    folder = scene.folder
    settings = f'listen: ["{scene.host}:{scene.port}"]\nworkers: 1\npop: {{code: AMS}}\nstate: state\n{scene.extra}'
    if scene.city is not None:
        settings += f"geodata: {{city: {scene.city}}}\n"
    (folder / "lbdns.yaml").write_text(settings)
    kinds = kind_lines() if scene.kind == "kinds" else ""
    (folder / f"{ZONE}.zone").write_text(APEX + static_lines(scene.static_names) + kinds)

    def pool(name: str, number: int) -> str:
        origins = ", ".join(
            f"{{name: x{place}, address: {address}, weight: {weight / 100}}}"
            for place, (weight, address) in enumerate(addresses(number))
        )
        return f"  {name}: {{origins: [{origins}]}}\n"

    if scene.kind == "main":
        text = "pools:\n" + "".join(pool(f"p{number}", number) for number in range(NAMES)) + "load_balancers:\n"
        for number in range(NAMES):
            text += f"  - {{name: lb{number}.{ZONE}, default_pools: [p{number}], fallback_pool: p{number}"
            text += ', steering_policy: "off"}\n'
        (folder / "balancing.yaml").write_text(text)
    elif scene.kind == "geo":
        countries = ", ".join(f'"{code}": [{_geo_pool(place)}]' for place, code in enumerate(COUNTRIES))
        text = "pools:\n" + "".join(pool(_geo_pool(number), number) for number in range(POOLS)) + "load_balancers:\n"
        for number in range(NAMES):
            text += (
                f"  - {{name: geo{number}.{ZONE}, default_pools: [pool9], fallback_pool: pool9, steering_policy: geo, "
                f"country_pools: {{{countries}}}, location_strategy: {{mode: resolver_ip, prefer_ecs: always}}}}\n"
            )
        (folder / "balancing.yaml").write_text(text)
    return [sys.executable, "-P", "-m", "lbdns", "serve", str(folder)]


def beside(checkout: Path) -> Peer:
    """Return another checkout of lbdns as a peer: its own Python and its own build."""
    version = os.environ.get("LBDNS_PYTHON", "")
    python = str(checkout.resolve() / f".venv{'-' + version if version else ''}" / "bin" / "python")
    return Peer("before", "", lambda scene: [python, *_lbdns(scene)[1:]], (*ALL, "geo", *KINDS))


def _echo(scene: Scene) -> list[str]:
    return [str(scene.folder.parent / "echo"), str(scene.port)]


def _gdnsd(scene: Scene) -> list[str]:
    folder = scene.folder
    (folder / "zones").mkdir()
    zone = APEX + static_lines(scene.static_names)
    if scene.kind == "geo":
        zone += "".join(f"geo{number} 30 DYNA geoip!geo\n" for number in range(NAMES))
        resources = "".join(f"  {_geo_pool(number)} => {{ {_gdnsd_origins(number)} }}\n" for number in range(POOLS))
        continents: dict[str, list[str]] = {}
        for place, (country, continent) in enumerate(COUNTRIES.items()):
            continents.setdefault(continent, []).append(f"{country} => [{_geo_pool(place)}]")
        places = ", ".join(
            f"{continent} => {{ default => [{_geo_pool(9)}], {', '.join(lines)} }}"
            for continent, lines in continents.items()
        )
        names = ", ".join(_geo_pool(number) for number in range(POOLS))
        geo = (
            f"geoip => {{ maps => {{ m => {{ geoip2_db => {scene.city}, datacenters => [{names}], "
            f"map => {{ default => [{_geo_pool(9)}], {places} }} }} }}, "
            "resources => { geo => { map => m, dcmap => { "
            + ", ".join(f"{_geo_pool(n)} => %weighted!{_geo_pool(n)}" for n in range(POOLS))
            + " } } } }\n"
        )
    else:
        zone += "".join(f"lb{number} 30 DYNA weighted!r{number}\n" for number in range(NAMES))
        resources = "".join(f"  r{number} => {{ {_gdnsd_origins(number)} }}\n" for number in range(NAMES))
        geo = ""
    (folder / "zones" / ZONE).write_text(zone)
    (folder / "config").write_text(
        f"options => {{ listen => [127.0.0.1:{scene.port}], run_dir = {folder}, state_dir = {folder}, "
        f"udp_threads = 1, tcp_threads = 1 }}\n"
        f"plugins => {{ {geo} weighted => {{ multi = false, service_types = up\n{resources} }} }}\n"
    )
    return ["gdnsd", "-c", str(folder), "start"]


def _gdnsd_origins(number: int) -> str:
    pairs = ", ".join(f"x{place} = [{address}, {weight}]" for place, (weight, address) in enumerate(addresses(number)))
    return f"addrs_v4 => {{ {pairs} }}"


def _knot(scene: Scene) -> list[str]:
    folder = scene.folder
    zone = APEX + static_lines(scene.static_names)
    if scene.kind == "geo":
        zone += "".join(f"geo{number} 30 A {addresses(9)[0][1]}\n" for number in range(NAMES))
        rules = "".join(
            f"geo{number}.{ZONE}:\n"
            + "".join(f'  - geo: "{code}"\n    A: {addresses(place)[0][1]}\n' for place, code in enumerate(COUNTRIES))
            for number in range(NAMES)
        )
        key = "country/iso_code" if _is_maxmind(scene.city) else "country_code"
        mode = f'    mode: geodb\n    geodb-file: "{scene.city}"\n    geodb-key: {key}\n'
    else:
        zone += "".join(f"lb{number} 30 A {addresses(number)[0][1]}\n" for number in range(NAMES))
        rules = "".join(
            f"lb{number}.{ZONE}:\n" + "".join(f"  - weight: {weight}\n    A: {a}\n" for weight, a in addresses(number))
            for number in range(NAMES)
        )
        mode = "    mode: weighted\n"
    (folder / "zone").write_text(zone)
    (folder / "rules.conf").write_text(rules)
    (folder / "knot.conf").write_text(
        f'server:\n    rundir: "{folder}"\n    listen: [ {scene.host}@{scene.port} ]\n    udp-workers: 1\n'
        f"    tcp-workers: 1\n    background-workers: 1\n"
        + ("    edns-client-subnet: on\n" if scene.kind == "geo" else "")
        + scene.extra
        + f'database:\n    storage: "{folder}"\n'
        f'mod-geoip:\n  - id: rules\n    config-file: "{folder}/rules.conf"\n    ttl: 30\n{mode}'
        f'zone:\n  - domain: {ZONE}\n    file: "{folder}/zone"\n    zonefile-load: whole\n    module: mod-geoip/rules\n'
    )
    return ["knotd", "-c", str(folder / "knot.conf")]


def _is_maxmind(city: Path | None) -> bool:
    """Return whether a database has MaxMind's fields (DB-IP's by way of npm has flat ones)."""
    import maxminddb

    with maxminddb.open_database(str(city)) as reader:
        return "geo" in reader.metadata().database_type.lower()


def _nsd(scene: Scene) -> list[str]:
    folder = scene.folder
    steered = "".join(f"lb{number} 30 A {addresses(number)[0][1]}\n" for number in range(NAMES))
    (folder / "zone").write_text(APEX + static_lines(scene.static_names) + steered)
    (folder / "nsd.conf").write_text(
        f'server:\n  ip-address: 127.0.0.1@{scene.port}\n  server-count: 1\n  username: ""\n  pidfile: "{folder}/pid"\n'
        f'  xfrdfile: "{folder}/xfrd"\n  zonelistfile: "{folder}/list"\n  database: ""\n  rrl-ratelimit: 0\n'
        f'remote-control:\n  control-enable: no\nzone:\n  name: {ZONE}\n  zonefile: "{folder}/zone"\n'
    )
    return ["nsd", "-d", "-c", str(folder / "nsd.conf")]


def _pdns(scene: Scene) -> list[str]:
    folder = scene.folder
    steered = "".join(
        f'lb{number} 30 IN LUA A "pickwrandom({{'
        + ",".join(f"{{{weight},'{address}'}}" for weight, address in addresses(number))
        + '})"\n'
        for number in range(NAMES)
    )
    (folder / "zone").write_text(APEX + static_lines(scene.static_names) + steered)
    (folder / "named.conf").write_text(f'zone "{ZONE}" {{ type master; file "{folder}/zone"; }};')
    (folder / "pdns.conf").write_text(
        f"launch=bind\nbind-config={folder}/named.conf\nlocal-address=127.0.0.1\nlocal-port={scene.port}\n"
        f"socket-dir={folder}\nenable-lua-records=shared\nreceiver-threads=1\ndistributor-threads=1\ndaemon=no\n"
        f"guardian=no\nsetuid=\nsetgid=\n"
    )
    return ["pdns_server", f"--config-dir={folder}"]


LUA = f"weighted {'/'.join(map(str, WEIGHTS))} by Lua records, shared state"
PEERS = {
    peer.name: peer
    for peer in (
        Peer("echo", "", _echo, (*ALL, "geo", *KINDS), note="sends each datagram back: the floor"),
        Peer("lbdns", "", _lbdns, (*ALL, "geo", *KINDS)),
        Peer("gdnsd", "gdnsd", _gdnsd, (*ALL, "geo"), ("gdnsd", "-h"), note="plugins weighted and geoip"),
        Peer("knot", "knotd", _knot, (*ALL, "geo"), ("knotd", "-V"), note="mod-geoip; geo without weights"),
        Peer(
            "nsd",
            "nsd",
            _nsd,
            ALL,
            ("nsd", "-v"),
            {"geo": "NSD has static records only"},
            note="static records only, also where others steer",
        ),
        Peer(
            "pdns",
            "pdns_server",
            _pdns,
            ALL,
            ("pdns_server", "--version"),
            {"geo": "PowerDNS would need its geoip backend beside the Lua records"},
            note=LUA,
        ),
    )
}
