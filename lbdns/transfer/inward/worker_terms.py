"""What the supervisor tells the transfer worker, as JSON on its channel: which zones come from where, and who is told
of which.

    {"secondaries": [{"apex", "primaries": [{"address", "port", "key": {"name", "algorithm", "secret"} | null,
                                             "tls": {"name", "ca_file"} | null, "takes_ixfr"}], "refresh_s"}],
     "notified": [{"apex", "soa", "targets": [{"address", "port", "key"}], "servers": [name, [address]]}]}

Apexes, SOA data and secrets are hexadecimal. Secrets travel on this channel alone, a socket between the two processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from lbdns.transfer.inward.primary_client import AskedKey, AskedPrimary, AskedTls


class NotifiedZone(NamedTuple):
    """A zone that others are told of: the data of the SOA that is served, who is told by address, and the name servers
    (names as text) with the addresses that the zone itself has of them."""

    apex: bytes
    soa: bytes
    targets: tuple[AskedPrimary, ...]
    servers: tuple[tuple[str, tuple[str, ...]], ...]


class SecondaryTerms(NamedTuple):
    """Where a zone comes from, and how often its primaries are asked, in place of what its SOA says; 0: that counts."""

    primaries: tuple[AskedPrimary, ...]
    refresh_s: int = 0


class WorkerTerms(NamedTuple):
    """All that a worker goes by; secondary zones by apex, and those that others are told of."""

    secondaries: Mapping[bytes, SecondaryTerms]
    notified: Mapping[bytes, NotifiedZone]

    def as_json(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        secondaries = [
            {
                "apex": apex.hex(),
                "primaries": [_server_json(one) for one in terms.primaries],
                "refresh_s": terms.refresh_s,
            }
            for apex, terms in self.secondaries.items()
        ]
        notified = [
            {
                "apex": one.apex.hex(),
                "soa": one.soa.hex(),
                "targets": [_server_json(target) for target in one.targets],
                "servers": [[name, list(addresses)] for name, addresses in one.servers],
            }
            for one in self.notified.values()
        ]
        return {"secondaries": secondaries, "notified": notified}

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> WorkerTerms:
        """Return what `as_json` made JSON of."""
        secondaries = {
            bytes.fromhex(one["apex"]): SecondaryTerms(tuple(map(_server, one["primaries"])), one["refresh_s"])
            for one in said["secondaries"]
        }
        notified = {}
        for one in said["notified"]:
            apex = bytes.fromhex(one["apex"])
            servers = tuple((name, tuple(addresses)) for name, addresses in one["servers"])
            targets = tuple(map(_server, one["targets"]))
            notified[apex] = NotifiedZone(apex, bytes.fromhex(one["soa"]), targets, servers)
        return WorkerTerms(secondaries, notified)


def _server_json(one: AskedPrimary) -> dict[str, Any]:
    key = None if one.key is None else {**one.key._asdict(), "secret": one.key.secret.hex()}
    return {
        "address": one.address,
        "port": one.port,
        "key": key,
        "tls": one.tls and one.tls._asdict(),
        "takes_ixfr": one.takes_ixfr,
    }


def _server(said: Mapping[str, Any]) -> AskedPrimary:
    key, tls = said["key"], said["tls"]
    return AskedPrimary(
        said["address"],
        said["port"],
        None if key is None else AskedKey(key["name"], key["algorithm"], bytes.fromhex(key["secret"])),
        None if tls is None else AskedTls(**tls),
        said["takes_ixfr"],
    )
