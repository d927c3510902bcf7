"""What may be done with a zone beyond asking, resolved: the one noun that all who transfer, notify and update go by.

It is made of the settings `access`, `zones` and `keys`, and of what a store says of the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple

from lbdns.base.words import RIGHTS
from lbdns.dns.name import encode_canonical
from lbdns.model import bounds
from lbdns.model.catalog_settings import CatalogMember
from lbdns.model.secondary_dns import Acl, IncomingTransfer, OutgoingTransfer, Peer, StoredKey
from lbdns.model.settings import Settings
from lbdns.model.socket_address import format_socket_address, parse_server
from lbdns.model.transfer_settings import (
    AccessEntry,
    AccessSettings,
    NotifyTarget,
    PrimarySettings,
    Steered,
    ZoneSettings,
)
from lbdns.model.tsig_key import TsigKey


class TlsCheck(NamedTuple):
    """How a primary is known over TLS: the name that its certificate is to be of, "" where it is not looked at; and the
    file of certificates that it is to come from, None for those that the system trusts."""

    name: str = ""
    ca_file: Path | None = None


class Primary(NamedTuple):
    """A server that a zone is transferred from: IP address, port, the name of the TSIG key ("" for none), how it is
    known over TLS, None where plain TCP is spoken, and whether it may be asked for changes alone (IXFR)."""

    address: str
    port: int = bounds.DNS_PORT
    key: str = ""
    tls: TlsCheck | None = None
    takes_ixfr: bool = True

    def __str__(self) -> str:
        return format_socket_address(self.address, self.port)


class Notified(NamedTuple):
    """A server that is told when a zone has changed: IP address, port, and the name of the TSIG key ("" for none)."""

    address: str
    port: int = bounds.DNS_PORT
    key: str = ""

    def __str__(self) -> str:
        return format_socket_address(self.address, self.port)


@dataclass(frozen=True, slots=True)
class TransferPolicy:
    """What may be done with one zone, and with whom it is exchanged.

    `transfer`, `notify`, `update`: who may, nobody where there is no entry; `query`: who may ask, None for everybody.
    `primaries`: the servers that it is transferred from; without any, this server is the primary. `notify_targets`:
    who is told of changes, beside the zone's name servers. `steered`: what becomes of names that load balancers answer,
    None where nobody has said. `refresh_s`: how often its primaries are asked for its serial, in place of what its SOA
    says; 0: as that says. `catalog`: what a catalog is to this server, CONSUMER or PRODUCER, "" for any other zone.
    """

    apex: bytes = b""
    transfer: tuple[AccessEntry, ...] = ()
    notify: tuple[AccessEntry, ...] = ()
    update: tuple[AccessEntry, ...] = ()
    query: tuple[AccessEntry, ...] | None = None
    primaries: tuple[Primary, ...] = ()
    notify_targets: tuple[Notified, ...] = ()
    steered: Steered | None = None
    refresh_s: int = 0
    catalog: str = ""

    @property
    def is_secondary(self) -> bool:
        """Whether the zone comes from another server."""
        return bool(self.primaries)

    @property
    def has_followers(self) -> bool:
        """Whether others have copies of the zone, or are told of it: then its serial has to rise with its content."""
        return bool(self.transfer or self.notify_targets)

    def entries(self, right: str) -> tuple[AccessEntry, ...] | None:
        """Return who has a right, None for everybody. A zone's own primaries may always say that it has changed: from
        their addresses, signed or not, since all that follows is that they are asked."""
        if right != "notify":
            found: tuple[AccessEntry, ...] | None = getattr(self, right)
            return found
        return (*self.notify, *_own_primaries(self.primaries))


def _own_primaries(primaries: Iterable[Primary]) -> Iterator[AccessEntry]:
    for address in dict.fromkeys(one.address for one in primaries):
        yield AccessEntry.model_validate({"network": address})


@dataclass(frozen=True, slots=True)
class TransferPolicies:
    """The policy of every zone. `own`: those of zones of which anything is said, by apex; all others have the `general`
    one, which is the server's."""

    general: TransferPolicy = TransferPolicy()
    own: Mapping[bytes, TransferPolicy] = field(default_factory=dict)

    def of(self, apex: bytes) -> TransferPolicy:
        """Return a zone's policy; `apex`: wire format, lower case."""
        found = self.own.get(apex)
        return replace(self.general, apex=apex) if found is None else found

    @property
    def secondaries(self) -> Iterator[TransferPolicy]:
        """The policies of zones that come from other servers."""
        return (one for one in self.own.values() if one.primaries)

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is said of transfers, updates and access."""
        return not self.own and self.general == NO_POLICY


NO_POLICY: Final = TransferPolicy()


class SecondaryDns(NamedTuple):
    """What a store has of transfers, by names: lbdns.model.secondary_dns."""

    tsigs: Mapping[str, StoredKey] = {}
    peers: Mapping[str, Peer] = {}
    acls: Mapping[str, Acl] = {}
    incoming: Mapping[str, IncomingTransfer] = {}
    outgoing: Mapping[str, OutgoingTransfer] = {}


NOTHING_STORED: Final = SecondaryDns()


def known_keys(settings: Settings, stored: Mapping[str, StoredKey]) -> dict[str, TsigKey]:
    """Return the TSIG keys of settings and store by name, those without a secret left out."""
    keys = {key.name: key for key in settings.keys if key.secret is not None}
    for name, one in stored.items():
        if one.secret is not None and name not in keys:
            keys[name] = TsigKey(name=one.name, algorithm=one.algo, secret=one.secret)
    return keys


def transfer_policies(
    settings: Settings, stored: SecondaryDns = NOTHING_STORED, members: Iterable[CatalogMember] = ()
) -> TransferPolicies:
    """Return the policies that settings and what is stored make; `members`: the zones that catalogs list, which come
    from where their catalog comes from."""
    general = _with_access(NO_POLICY, settings.access)
    own = {}
    for name, zone in settings.zones.items():
        apex = encode_canonical(name)
        own[apex] = _with_zone(replace(general, apex=apex), zone)
    for name, incoming in stored.incoming.items():
        apex = encode_canonical(name)
        own[apex] = _with_incoming(own.get(apex) or replace(general, apex=apex), incoming, stored)
    for name, outgoing in stored.outgoing.items():
        if outgoing.enabled:
            apex = encode_canonical(name)
            own[apex] = _with_outgoing(own.get(apex) or replace(general, apex=apex), outgoing, stored)
    for member in members:
        catalog = own.get(member.catalog)
        if catalog is not None and not own.get(member.apex, NO_POLICY).primaries:
            there = own.get(member.apex) or replace(general, apex=member.apex)
            own[member.apex] = replace(there, primaries=catalog.primaries)
    return TransferPolicies(general, own)


def _peers(names: Iterable[str], stored: SecondaryDns) -> Iterator[tuple[str, Peer]]:
    """Yield the address and the rest of each peer that has one."""
    for name in names:
        peer = stored.peers.get(name)
        if peer is not None and peer.ip is not None:
            yield peer.ip, peer


def _with_incoming(policy: TransferPolicy, incoming: IncomingTransfer, stored: SecondaryDns) -> TransferPolicy:
    primaries = [
        Primary(ip, peer.port, peer.tsig or "", takes_ixfr=peer.ixfr_enable)
        for ip, peer in _peers(incoming.peers, stored)
    ]
    notifying = [AccessEntry(network=acl.ip_range) for acl in stored.acls.values()]
    return replace(
        policy,
        primaries=(*policy.primaries, *primaries),
        notify=(*policy.notify, *notifying),
        refresh_s=incoming.auto_refresh_seconds,
    )


def _with_outgoing(policy: TransferPolicy, outgoing: OutgoingTransfer, stored: SecondaryDns) -> TransferPolicy:
    """Return a policy by which the peers are told, and may transfer: who has a key has to sign, from wherever he comes;
    who has none, from his address or one of the networks."""
    peers = [*_peers(outgoing.peers, stored)]
    keys = dict.fromkeys(peer.tsig for _, peer in peers if peer.tsig)
    entries = [AccessEntry(key=key) for key in keys]
    networks = [ip for ip, peer in peers if not peer.tsig]
    entries += [AccessEntry.model_validate({"network": ip}) for ip in dict.fromkeys(networks)]
    if not keys:
        entries += [AccessEntry(network=acl.ip_range) for acl in stored.acls.values()]
    return replace(
        policy,
        transfer=(*policy.transfer, *entries),
        notify_targets=(*policy.notify_targets, *(Notified(ip, peer.port, peer.tsig or "") for ip, peer in peers)),
        steered=policy.steered or outgoing.steered,
    )


def _with_access(policy: TransferPolicy, access: AccessSettings) -> TransferPolicy:
    """Return a policy with the lists that are said in place of its own."""
    said = {right: getattr(access, right) for right in RIGHTS if getattr(access, right) is not None}
    return replace(policy, **said) if said else policy


def _with_zone(policy: TransferPolicy, zone: ZoneSettings) -> TransferPolicy:
    made = replace(
        _with_access(policy, zone.access),
        primaries=tuple(map(_primary, zone.primaries)),
        notify_targets=tuple(map(_notified, zone.also_notify)),
        steered=zone.transfer.steered,
    )
    if zone.catalog is None:
        return made
    # A catalog is for those who transfer it: it names every zone (RFC 9432 section 7).
    query = made.query if made.query is not None else made.transfer
    return replace(made, query=query, catalog=zone.catalog.role)


def _primary(said: PrimarySettings) -> Primary:
    tls = None if said.tls is None else TlsCheck(said.tls.name or "", said.tls.ca_file)
    host, port = parse_server(said.address, bounds.DNS_PORT if tls is None else bounds.DNS_OVER_TLS_PORT)
    return Primary(host, port, said.key or "", tls)


def _notified(said: NotifyTarget) -> Notified:
    return Notified(*parse_server(said.address), said.key or "")
