"""DNS over TLS (RFC 7858), by which zones are transferred too (RFC 9103): where, and by which certificate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from lbdns.model import bounds
from lbdns.model.fields import FilePath, Frozen
from lbdns.model.refusal import Mistake
from lbdns.model.socket_address import format_socket_address, parse_socket_address


def _check_tls_listener(text: str) -> str:
    return format_socket_address(*parse_socket_address(text, bounds.DNS_OVER_TLS_PORT))


class TlsSettings(Frozen):
    """Where DNS over TLS is spoken, and by which certificate. TLS 1.3 and above; clients may leave out the protocol's
    name (ALPN `dot`)."""

    listen: Annotated[
        tuple[Annotated[str, AfterValidator(_check_tls_listener)], ...], Field(max_length=bounds.MAX_LISTEN)
    ] = ()
    """The addresses and ports; without a port it is 853. Without any, port 853 of the addresses of `listen`."""
    certificate: FilePath
    """The file of the certificate and its chain, in PEM; read again when it is renewed."""
    key: FilePath
    """The file of the certificate's private key, which the server's user has to be able to read."""
    client_ca: FilePath | None = None
    """A file with certificates, in PEM: who connects has to show one that comes from these, nobody without it."""

    def addresses(self, listen: tuple[str, ...]) -> tuple[str, ...]:
        """Return where it listens; `listen`: where DNS is spoken without TLS."""
        if self.listen:
            return self.listen
        hosts = dict.fromkeys(parse_socket_address(text)[0] for text in listen)
        return tuple(format_socket_address(host, bounds.DNS_OVER_TLS_PORT) for host in hosts)

    def mistakes(self, listen: tuple[str, ...]) -> Iterator[Mistake]:
        """Yield a mistake for each address that is listed twice, here or among `listen`."""
        seen = set(listen)
        for index, address in enumerate(self.listen):
            if address in seen and not address.endswith(":0"):
                at = ("tls", "listen", index)
                yield Mistake(at, f"{address} is listed already; DNS over TLS has ports of its own", (at, ("listen",)))
            seen.add(address)


def tls_row(settings: TlsSettings | None) -> list[str]:
    """Return the names of the files as a snapshot has them; empty where no TLS is spoken."""
    if settings is None:
        return []
    return [str(path) for path in (settings.certificate, settings.key, settings.client_ca) if path is not None]
