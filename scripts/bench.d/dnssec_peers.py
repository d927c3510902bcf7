"""The servers of the DNSSEC benchmark: the zone of the plain loads, signed by each in its own way, with algorithm 13.

| server | steered answers | signed |
|---|---|---|
| lbdns | weighted load balancers | steered ones on demand and ahead, kept in a table; the rest when published |
| knot | mod-geoip, weighted | every RRset that it can give when it loads |
| knot, online | static records in place of steered ones | by mod-onlinesign, each answer anew |
| pdns | Lua records, shared state | each RRset when it is asked for, then kept for some time |
| nsd | static records in place of steered ones | beforehand, by dnspython |
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace

import dns.dnssec
import dns.zone
import peers
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm
from peers import PEERS, Peer, Scene
from questions import APEX, NAMES, ZONE, addresses, static_lines

LIFE_S = 14 * 86400


def _knot_presigned(scene: Scene) -> list[str]:
    command = PEERS["knot"].write(scene)
    _replace_in(
        scene, "knot.conf", "    module: mod-geoip/rules\n", "    module: mod-geoip/rules\n    dnssec-signing: on\n"
    )
    # Without keys at hand mod-geoip is left out of the first start, with an error in the log and nothing else.
    words = ("generate", "algorithm=ECDSAP256SHA256", "ksk=yes", "zsk=yes")
    _run("keymgr", "-c", str(scene.folder / "knot.conf"), ZONE, *words)
    return command


def _knot_online(scene: Scene) -> list[str]:
    command = PEERS["knot"].write(scene)
    _replace_in(scene, "knot.conf", "    module: mod-geoip/rules\n", "    module: mod-onlinesign\n")
    return command


def _run(*command: str) -> None:
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    if said.returncode:
        raise SystemExit(f"bench: {' '.join(command)}: {said.stdout}{said.stderr}")


def _replace_in(scene: Scene, file: str, old: str, new: str) -> None:
    path = scene.folder / file
    text = path.read_text()
    if old not in text:
        raise SystemExit(f"bench: {file} of {scene.folder.name} has no {old.strip()!r}")
    path.write_text(text.replace(old, new))


def _pdns_live(scene: Scene) -> list[str]:
    command = PEERS["pdns"].write(scene)
    database = scene.folder / "keys.sqlite3"
    with (scene.folder / "pdns.conf").open("a") as file:
        file.write(f"bind-dnssec-db={database}\n")
    for words in (("create-bind-db", str(database)), ("secure-zone", ZONE), ("rectify-zone", ZONE)):
        _run("pdnsutil", f"--config-dir={scene.folder}", *words)
    return command


def _nsd_signed(scene: Scene) -> list[str]:
    command = PEERS["nsd"].write(scene)
    steered = "".join(f"lb{number} 30 A {addresses(number)[0][1]}\n" for number in range(NAMES))
    zone = dns.zone.from_text(APEX + static_lines(scene.static_names) + steered, origin=ZONE, relativize=False)
    key = ec.generate_private_key(ec.SECP256R1())
    dnskey = dns.dnssec.make_dnskey(key.public_key(), Algorithm.ECDSAP256SHA256, flags=257)
    now_s = int(time.time())
    dns.dnssec.sign_zone(zone, keys=[(key, dnskey)], inception=now_s - 3600, expiration=now_s + LIFE_S)
    (scene.folder / "zone").write_text(zone.to_text(want_origin=True))
    return command


LOADS = ("signed",)
DENIES_BY_NODATA = frozenset({"knot-online"})
"""Who says NOERROR for a name that does not exist, and denies every type of it."""
SIGNED_PEERS = {
    peer.name: peer
    for peer in (
        PEERS["echo"],
        replace(PEERS["lbdns"], note="steered answers from its table of signatures"),
        Peer("knot", "knotd", _knot_presigned, LOADS, PEERS["knot"].version, note="mod-geoip, signed when it loads"),
        Peer("knot-online", "knotd", _knot_online, LOADS, PEERS["knot"].version, note="mod-onlinesign, static records"),
        Peer("pdns", "pdns_server", _pdns_live, LOADS, PEERS["pdns"].version, note=f"{peers.LUA}, signed live"),
        Peer("nsd", "nsd", _nsd_signed, LOADS, PEERS["nsd"].version, note="signed beforehand, static records only"),
    )
}
