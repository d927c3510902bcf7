"""Transfers as the v4 API has them (secondary DNS): keys, peers and networks, and what zones do with them.

| of the account | |
|---|---|
| `tsigs` | keys that messages are signed with |
| `peers` | other servers |
| `acls` | networks beside the peers' addresses |

| of a zone | its peers |
|---|---|
| `incoming` | are its primaries; its zone has no records of its own |
| `outgoing` | are told of changes, and may transfer it: by their keys, or from their addresses where they have none |
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from lbdns.model import bounds
from lbdns.model.alerting import AlertingName
from lbdns.model.dnssec_settings import ZoneName
from lbdns.model.fields import NEVER_SHOWN, Frozen
from lbdns.model.ip_text import parse_ip
from lbdns.model.plain_fields import SHOWN_WHERE_SET, Flag, Reference, Whole
from lbdns.model.refusal import Mistake, refusal, refuse_all
from lbdns.model.transfer_settings import AccessNetwork, Steered
from lbdns.model.tsig_key import Algorithm, KeyName, KeySecret


def _check_ip(text: str) -> str:
    address = parse_ip(text)
    if address.is_unspecified or address.is_multicast:
        raise refusal(f'"{text}" is not the address of one server')
    return str(address)


PeerReference = Annotated[str, StringConstraints(min_length=1, max_length=bounds.MAX_ALERTING_NAME_CHARS)]
Peers = Annotated[tuple[PeerReference, ...], Field(max_length=bounds.MAX_PRIMARIES)]


class StoredKey(Frozen):
    """A TSIG key (RFC 8945)."""

    name: KeyName
    """Its name, a domain name that both sides have."""
    algo: Algorithm = "hmac-sha256"
    """The hash that it is made with."""
    secret: Annotated[KeySecret | None, NEVER_SHOWN, Field(repr=False)] = None
    """The secret that both sides share, in base64. It is shown once, when the key is made; without it nothing is signed
    with the key."""


class Peer(Frozen):
    """Another server that zones are exchanged with."""

    name: AlertingName
    """Its name."""
    ip: Annotated[str, AfterValidator(_check_ip)] | None = None
    """Its IP address: what a zone is transferred from, or what is told of changes."""
    port: Annotated[Whole, Field(ge=1, le=bounds.MAX_PORT)] = bounds.DNS_PORT
    """Its port."""
    ixfr_enable: Flag = False
    """Whether a zone is transferred from it by its changes alone (IXFR) where it can."""
    tsig: Reference | None = None
    """The key that both sides sign with; the API says its `tsig_id`."""


class Acl(Frozen):
    """A network beside the peers' addresses: who may say from there that a secondary zone has changed, and transfer
    zones that have outgoing transfers and no keys."""

    name: AlertingName
    """Its name."""
    ip_range: AccessNetwork
    """The network, or an address."""


class IncomingTransfer(Frozen):
    """A secondary zone: it is transferred from its peers."""

    name: ZoneName
    """The zone's name."""
    peers: Peers = ()
    """Its primaries."""
    auto_refresh_seconds: Annotated[Whole, Field(ge=0, le=bounds.MAX_REFRESH_S)] = 0
    """How often its primaries are asked whether it has changed, in place of what its SOA says; 0 leaves that to it."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("IncomingTransfer", _repeated(self.peers))
        return self


class OutgoingTransfer(Frozen):
    """A zone that peers have copies of."""

    name: ZoneName
    """The zone's name."""
    peers: Peers = ()
    """Who is told of changes, and may transfer it."""
    enabled: Annotated[Flag, SHOWN_WHERE_SET] = True
    """Whether anything of this holds."""
    steered: Annotated[Steered | None, SHOWN_WHERE_SET] = None
    """What becomes of names that load balancers answer: `flatten` gives what a client at this server's place gets,
    `refuse` refuses the transfer of a zone that has any. It has to be said where there are some."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("OutgoingTransfer", _repeated(self.peers))
        return self


def _repeated(peers: tuple[str, ...]) -> Iterator[Mistake]:
    for index, name in enumerate(peers):
        if name in peers[:index]:
            yield Mistake(("peers", index), f'"{name}" is listed already; list it once', (("peers", index),))
