"""Where the API and the metrics listen, and whom views are for: what an operator should have meant."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address

from lbdns.base.errors import Problem
from lbdns.config.yaml.source import Source
from lbdns.model.settings import Settings
from lbdns.model.socket_address import parse_socket_address


def check_listeners(settings: Settings, source: Source) -> Iterator[Problem]:
    """Yield a warning for each address that others reach and where what is said can be read, or is told to anybody."""
    api = settings.api
    if api is not None and api.certificate is None and is_exposed(api.listen):
        message = (
            f"the API at {api.listen} speaks plain HTTP to {_whom(api.listen)}: tokens can be read on the way; "
            "give it certificate and key, or let it listen on 127.0.0.1 or [::1]"
        )
        yield source.warning(("api", "listen"), message)
    if settings.metrics is not None and is_exposed(settings.metrics):
        message = (
            f"the metrics at {settings.metrics} are for {_whom(settings.metrics)}, without TLS and without a password; "
            "let them listen on 127.0.0.1 or [::1], or see to it that a firewall stands before them"
        )
        yield source.warning(("metrics",), message)


def check_empty_views(settings: Settings, source: Source) -> Iterator[Problem]:
    """Yield a warning for each view that nobody is in."""
    for name, view in settings.views.items():
        if not (view.networks or view.keys or view.listeners):
            yield source.warning(("views", name), "nobody is in this view; give it networks, keys or listeners")


def check_trust(settings: Settings, source: Source) -> Iterator[Problem]:
    """Yield a warning for each network of trusted resolvers that holds everybody."""
    for index, network in enumerate(settings.trusted_resolvers):
        if network.prefixlen == 0:
            message = f"{network} trusts everybody, so that anybody chooses a view by ECS; name your resolvers alone"
            yield source.warning(("trusted_resolvers", index), message)


def is_exposed(listen: str) -> bool:
    """Tell whether more than this machine reaches a TCP address, `IP:PORT`."""
    host = ip_address(parse_socket_address(listen)[0])
    if isinstance(host, IPv6Address) and host.ipv4_mapped is not None:
        host = host.ipv4_mapped
    return not host.is_loopback


def _whom(listen: str) -> str:
    host = ip_address(parse_socket_address(listen)[0])
    return "every network of this machine" if host.is_unspecified else "whoever reaches that address"
