"""ddclient and inadyn, which tell a zone where a line at home is reached: addresses that change, of both families.

ddclient is pointed here by `server`, and `ssl_ca_file`. inadyn has the API's address built in: api.cloudflare.com is a
line of the hosts file here, and `ca-trust-file` names the authority.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.clients.client_site import OWN_HOST, V4, ZONE, ClientSite, program

pytestmark = pytest.mark.process

HOME = f"home.{ZONE}"
DDCLIENT = """\
ssl=yes
ssl_ca_file={authority}
use=no
usev4=ipv4, ipv4={ipv4}
usev6=ipv6, ipv6={ipv6}
protocol=cloudflare, server={api}{v4}, zone={zone}, login=token, password={token} {host}
"""
INADYN = """\
allow-ipv6 = true
ca-trust-file = {authority}
provider cloudflare.com:1 {{
  username = {zone}
  password = {token}
  hostname = {host}
  checkip-command = "/bin/echo {ipv4}"
  ttl = 300
  proxied = false
}}
provider cloudflare.com:2 {{
  username = {zone}
  password = {token}
  hostname = {host}
  checkip-command = "/bin/echo {ipv6}"
}}
"""


def write(path: Path, text: str, site: ClientSite, ipv4: str, ipv6: str) -> Path:
    """Write a client's configuration."""
    said = {"authority": site.ca_file, "token": site.secret, "zone": ZONE, "host": HOME, "api": OWN_HOST, "v4": V4}
    path.write_text(text.format(**said, ipv4=ipv4, ipv6=ipv6))
    path.chmod(0o600)
    return path


def addresses(site: ClientSite) -> list[list[str]]:
    """Return what is answered for the host, of either family."""
    return [site.dig(HOME, "A"), site.dig(HOME, "AAAA")]


def ddclient(site: ClientSite, work: Path, ipv4: str, ipv6: str) -> str:
    """Let ddclient tell of these addresses; returns what it printed."""
    config = write(work / "ddclient.conf", DDCLIENT, site, ipv4, ipv6)
    files: list[str | Path] = ["-file", config, "-cache", work / "ddclient.cache", "-pid", work / "ddclient.pid"]
    return site.run(program("ddclient"), *files, "-daemon=0", "-verbose", "-noquiet")


def test_ddclient_changes_addresses_of_both_families(site: ClientSite, zone: str, tmp_path: Path) -> None:
    if subprocess.run(["perl", "-MIO::Socket::SSL", "-e", "1"], capture_output=True, check=False).returncode:
        pytest.skip("ddclient speaks no TLS without Debian's libio-socket-ssl-perl (scripts/test installs it)")
    program("ddclient")
    for rtype, content in (("A", "192.0.2.1"), ("AAAA", "2001:db8::1")):
        site.create(f"/zones/{zone}/dns_records", {"type": rtype, "name": "home", "content": content, "ttl": 300})
    for last in (77, 78):
        told = ddclient(site, tmp_path, f"192.0.2.{last}", f"2001:db8::{last}")
        assert told.count("SUCCESS") == 2, told
        assert addresses(site) == [[f"192.0.2.{last}"], [f"2001:db8::{last}"]]
        (tmp_path / "ddclient.cache").unlink()


def test_inadyn_makes_and_changes_addresses_of_both_families(site: ClientSite, zone: str, tmp_path: Path) -> None:
    inadyn = [
        program("inadyn"),
        "--once",
        "--foreground",
        "--force",
        "--loglevel=info",
        "--no-pidfile",
        f"--cache-dir={tmp_path}",
    ]
    for last in (88, 89):
        config = write(tmp_path / "inadyn.conf", INADYN, site, f"192.0.2.{last}", f"2001:db8::{last}")
        told = site.run(*inadyn, f"--config={config}")
        assert told.count("Successful alias table update") == 2, told
        assert addresses(site) == [[f"192.0.2.{last}"], [f"2001:db8::{last}"]]
