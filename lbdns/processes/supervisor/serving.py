"""What is in force beside the snapshot: settings, and the addresses that they came to."""

from __future__ import annotations

from dataclasses import dataclass

from lbdns.model.settings import Settings
from lbdns.processes.supervisor.binding import choose_ports


@dataclass(frozen=True, slots=True)
class Serving:
    """Settings, with the addresses where DNS is spoken and those where it is over TLS, each with its port."""

    settings: Settings
    listen: tuple[str, ...]
    tls: tuple[str, ...] = ()

    @staticmethod
    def begin(settings: Settings) -> Serving:
        """Return what settings come to; raises BindError where no port is free."""
        return Serving(settings, choose_ports(settings.listen), choose_ports(settings.tls_listen))

    def moved(self, settings: Settings) -> Serving:
        """Return what other settings come to; ports that were chosen stay where the addresses do. Raises as `begin`."""
        before = self.settings
        listen = self.listen if settings.listen == before.listen else choose_ports(settings.listen)
        tls = self.tls if settings.tls_listen == before.tls_listen else choose_ports(settings.tls_listen)
        return Serving(settings, listen, tls)
