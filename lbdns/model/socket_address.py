"""Where to listen, whom to ask and where to send from, as operators write it: an IP address, and often a port."""

from __future__ import annotations

import re

from lbdns.model import bounds
from lbdns.model.hostnames import parse_hostname
from lbdns.model.ip_text import parse_ip
from lbdns.model.refusal import refusal


def parse_socket_address(text: str, default_port: int | None = None) -> tuple[str, int]:
    """Return (IP address as canonical text, port) of `192.0.2.1:53`, `[2001:db8::1]:53`, or either without the port.

    An address alone gets `default_port`; where that is None it is refused. Port 0 stands for a free one.
    Raises a refusal.
    """
    host, port = _split_port(text.strip())
    if port is None and default_port is None:
        raise refusal(f'"{text}" has no port; expected one such as 127.0.0.1:8053 or [::1]:8053')
    if not host or host == "*":
        raise refusal(f'"{text}" has no address; 0.0.0.0 stands for every IPv4 address, [::] for every IPv6 address')
    address = parse_ip(host)
    if address.is_multicast:
        raise refusal(f'"{text}": a multicast address cannot be listened on')
    return str(address), _parse_port(text, port) if port is not None else default_port or 0


def _split_port(text: str) -> tuple[str, str | None]:
    """Split host and port. Without brackets, nobody can tell the port of an IPv6 address from its last group."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise refusal(f'"{text}": expected an IPv6 address in brackets and a port, such as [::1]:5353')
        return host, rest[1:] if rest else None
    if text.count(":") > 1:
        raise refusal(f'"{text}": put the IPv6 address into brackets, such as [::1]:5353')
    host, colon, port = text.partition(":")
    return host, port if colon else None


def _parse_port(text: str, port: str) -> int:
    if not (port.isascii() and port.isdigit() and int(port) <= bounds.MAX_PORT):
        raise refusal(f'"{text}": "{port}" is no port; expected a number from 0 to {bounds.MAX_PORT}')
    return int(port)


def format_socket_address(host: str, port: int) -> str:
    """Return `host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reachable(host: str) -> str:
    """Return the address by which this machine reaches what listens at an IP address: loopback for all addresses."""
    address = parse_ip(host)
    return host if not address.is_unspecified else "127.0.0.1" if address.version == 4 else "::1"


def parse_resolver(text: str) -> tuple[str, int]:
    """Return (IP address, port) of a resolver, an address with or without a port; raises a refusal."""
    return parse_server(text, noun="resolver")


def parse_server(text: str, default_port: int = bounds.DNS_PORT, noun: str = "server") -> tuple[str, int]:
    """Return (IP address, port) of a server that is spoken to, an address with or without a port; raises a refusal."""
    host, port = parse_socket_address(_bracketed(text), default_port)
    if port == 0:
        raise refusal(f'"{text}": a {noun}\'s port is 1 to {bounds.MAX_PORT}')
    return host, port


def _bracketed(text: str) -> str:
    """Put a bare IPv6 address into brackets: `2001:db8::53` is a resolver's usual form."""
    return f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text


def check_source(text: str) -> str:
    """Return the address of this machine that something is sent from, in canonical form; raises a refusal."""
    address = parse_ip(text)
    if address.is_unspecified or address.is_multicast:
        raise refusal(f'"{text}" is not the address of one host; expected one of this machine\'s own')
    return str(address)


def parse_mail_server(text: str) -> tuple[str, int]:
    """Return (host, port) of `mail.example.com`, `mail.example.com:25`, `192.0.2.25:25` or `[2001:db8::25]:25`.

    Without a port it is 25. Raises a refusal.
    """
    found = re.fullmatch(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(?::([0-9]{1,5}))?", text)
    port = int(found[3] or bounds.SMTP_PORT) if found else 0
    if found is None or not 1 <= port <= bounds.MAX_PORT:
        raise refusal(f'"{text}" is no mail server; expected HOST or HOST:PORT, such as mail.example.com:25')
    if found[1] is not None:
        return str(parse_ip(found[1])), port
    is_ip = re.fullmatch(r"[0-9.]+", found[2])
    return str(parse_ip(found[2])) if is_ip else _host(found[2]), port


def _host(text: str) -> str:
    """Return a hostname; `localhost` alone may have one label."""
    return text.lower() if text.lower() == "localhost" else parse_hostname(text)
