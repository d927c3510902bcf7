"""From a monitor's settings to the probe that it asks for."""

from __future__ import annotations

from lbdns.model.monitors import Monitor, parse_expected_codes
from lbdns.monitor.probes.http import HttpProbe
from lbdns.monitor.probes.icmp import PingProbe, UdpProbe
from lbdns.monitor.probes.ldap import LdapProbe
from lbdns.monitor.probes.result import Probe
from lbdns.monitor.probes.smtp import SmtpProbe
from lbdns.monitor.probes.tcp import TcpProbe

_BARE: dict[str, Probe] = {
    "tcp": TcpProbe(),
    "udp_icmp": UdpProbe(),
    "icmp_ping": PingProbe(),
    "smtp": SmtpProbe(),
    "ldap": LdapProbe(),
}


def probe_of(monitor: Monitor) -> Probe:
    """Return the probe for a monitor; the model has checked its settings."""
    if monitor.type in ("http", "https"):
        return HttpProbe(
            scheme=monitor.type,
            method=monitor.method,
            path=monitor.path,
            header=tuple(
                (name, value)
                for name, values in monitor.header.items()
                for value in values
                if name.lower() not in ("host", "connection")
            ),
            codes=parse_expected_codes(monitor.expected_codes),
            body=monitor.expected_body,
            follow_redirects=monitor.follow_redirects,
            allow_insecure=monitor.allow_insecure,
        )
    return _BARE[monitor.type]
