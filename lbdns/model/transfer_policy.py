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


class TlsCheck(NamedTuple):
    """How a primary is known over TLS: the name that its certificate is to be of, "" where it is not looked at; and the
    file of certificates that it is to come from, None for those that the system trusts."""

    name: str = ""
    ca_file: Path | None = None


class Primary(NamedTuple):
    """A server that a zone is transferred from: IP address, port, the name of the TSIG key ("" for none), and how it is
    known over TLS, None where plain TCP is spoken."""

    address: str
    port: int = bounds.DNS_PORT
    key: str = ""
    tls: TlsCheck | None = None

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
    None where nobody has said.
    """

    apex: bytes = b""
    transfer: tuple[AccessEntry, ...] = ()
    notify: tuple[AccessEntry, ...] = ()
    update: tuple[AccessEntry, ...] = ()
    query: tuple[AccessEntry, ...] | None = None
    primaries: tuple[Primary, ...] = ()
    notify_targets: tuple[Notified, ...] = ()
    steered: Steered | None = None

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


def transfer_policies(settings: Settings) -> TransferPolicies:
    """Return the policies that settings make."""
    general = _with_access(NO_POLICY, settings.access)
    own = {}
    for name, zone in settings.zones.items():
        apex = encode_canonical(name)
        own[apex] = _with_zone(replace(general, apex=apex), zone)
    return TransferPolicies(general, own)


def _with_access(policy: TransferPolicy, access: AccessSettings) -> TransferPolicy:
    """Return a policy with the lists that are said in place of its own."""
    said = {right: getattr(access, right) for right in RIGHTS if getattr(access, right) is not None}
    return replace(policy, **said) if said else policy


def _with_zone(policy: TransferPolicy, zone: ZoneSettings) -> TransferPolicy:
    return replace(
        _with_access(policy, zone.access),
        primaries=tuple(map(_primary, zone.primaries)),
        notify_targets=tuple(map(_notified, zone.also_notify)),
        steered=zone.transfer.steered,
    )


def _primary(said: PrimarySettings) -> Primary:
    tls = None if said.tls is None else TlsCheck(said.tls.name or "", said.tls.ca_file)
    host, port = parse_server(said.address, bounds.DNS_PORT if tls is None else bounds.DNS_OVER_TLS_PORT)
    return Primary(host, port, said.key or "", tls)


def _notified(said: NotifyTarget) -> Notified:
    return Notified(*parse_server(said.address), said.key or "")
