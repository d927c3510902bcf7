"""Clients of dynamic updates (RFC 2136) as people run them, each with a TSIG key of its own algorithm."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clients.acme_server import AcmeServer
from tests.clients.client_site import (
    ENTER,
    KEYS,
    NEW_KEY,
    OLD_KEY,
    REVERSE,
    SERVER,
    ZONE,
    ClientSite,
    client,
    program,
    run_steps,
)
from tests.store.served import wait_until

pytestmark = [pytest.mark.process, pytest.mark.slow]

CHALLENGE = f"_acme-challenge.www.{ZONE}"
OLD, NEW = KEYS[OLD_KEY]["secret"], KEYS[NEW_KEY]["secret"]
CREDENTIALS = f"""
dns_rfc2136_server = {SERVER}
dns_rfc2136_port = 53
dns_rfc2136_name = {OLD_KEY}
dns_rfc2136_secret = {OLD}
dns_rfc2136_algorithm = HMAC-MD5
"""
OCTODNS = """
providers:
  files: {{class: octodns.provider.yaml.YamlProvider, directory: {directory}, default_ttl: 300, enforce_order: false}}
  bind:
    class: octodns_bind.Rfc2136Provider
    host: {server}
    key_name: {key}
    key_secret: {secret}
    key_algorithm: hmac-sha256
zones:
  {zone}.: {{sources: [files], targets: [bind]}}
"""
KEA: dict[str, Any] = {
    "ip-address": SERVER,
    "port": 53001,
    "dns-server-timeout": 5000,
    "tsig-keys": [{"name": NEW_KEY, "algorithm": "HMAC-SHA256", "secret": NEW}],
    **{
        f"{way}-ddns": {
            "ddns-domains": [{"name": f"{zone}.", "key-name": NEW_KEY, "dns-servers": [{"ip-address": SERVER}]}]
        }
        for way, zone in (("forward", ZONE), ("reverse", REVERSE))
    },
    "loggers": [{"name": "kea-dhcp-ddns", "output_options": [{"output": "stdout"}], "severity": "INFO"}],
}
NCR = """
import json, socket, sys
change = json.dumps({"change-type": int(sys.argv[1]), "forward-change": True, "reverse-change": True,
    "fqdn": sys.argv[2], "ip-address": sys.argv[3], "dhcid": "0001" + "5A" * 33, "lease-expires-on": "20991121132401",
    "lease-length": 1800, "use-conflict-resolution": True}).encode()
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(len(change).to_bytes(2, "big") + change, ("127.0.0.1", 53001))
"""
"""A change as Kea's DHCP server tells its DDNS daemon of one."""


def lines(site: ClientSite, command: list[str], *said: str) -> str:
    """Give a program lines of input, and return what it printed."""
    text = "\n".join((f"server {SERVER}", *said, "send", ""))
    return site.run("sh", "-c", f'printf %s "$1" | {" ".join(command)}', "sh", text)


def test_nsupdate_and_knsupdate_add_replace_and_delete(site: ClientSite, zone: str) -> None:
    ours = [program("nsupdate"), "-y", f"hmac-sha256:{NEW_KEY}:{NEW}"]
    lines(site, ours, f"update add a.{ZONE} 60 A 192.0.2.1", f"update add a.{ZONE} 60 A 192.0.2.2")
    assert site.dig(f"a.{ZONE}") == ["192.0.2.1", "192.0.2.2"]
    by_tcp = [*ours, "-v"]
    lines(
        site, by_tcp, f"prereq yxrrset a.{ZONE} A", f"update delete a.{ZONE} A", f"update add a.{ZONE} 60 A 192.0.2.3"
    )
    assert site.dig(f"a.{ZONE}") == ["192.0.2.3"]
    knot = [program("knsupdate"), "-y", f"hmac-sha256:{NEW_KEY}:{NEW}"]
    lines(site, knot, f"zone {ZONE}", f"update add b.{ZONE} 60 TXT hello", f"update delete a.{ZONE} A 192.0.2.3")
    assert (site.dig(f"a.{ZONE}"), site.dig(f"b.{ZONE}", "TXT")) == ([], ['"hello"'])
    without = [program("nsupdate"), "2>&1", "||", "true"]
    assert "REFUSED" in lines(site, without, f"update add c.{ZONE} 60 A 192.0.2.1")
    assert site.dig(f"c.{ZONE}") == []


def test_what_acme_sh_has_nsupdate_do(site: ClientSite, zone: str, tmp_path: Path) -> None:
    """Its hook dns_nsupdate, with a key file of hmac-md5, as older versions of tsig-keygen made them."""
    key = tmp_path / "update.key"
    key.write_text(f'key "{OLD_KEY}" {{\n\talgorithm hmac-md5;\n\tsecret "{OLD}";\n}};\n')
    command = [program("nsupdate"), "-k", str(key)]
    lines(site, command, f'update add {CHALLENGE}. 60 in txt "abc"')
    lines(site, command, f'update add {CHALLENGE}. 60 in txt "def"')
    assert site.dig(CHALLENGE, "TXT") == ['"abc"', '"def"']
    lines(site, command, f"update delete {CHALLENGE}. txt")
    assert site.dig(CHALLENGE, "TXT") == []


@pytest.mark.parametrize("is_signed", [False, True], ids=["soa-unsigned", "soa-signed"])
def test_certbot_gets_a_certificate(
    site: ClientSite, zone: str, acme: AcmeServer, tmp_path: Path, is_signed: bool
) -> None:
    credentials = tmp_path / "credentials.ini"
    credentials.write_text(CREDENTIALS + f"dns_rfc2136_sign_query = {str(is_signed).lower()}\n")
    credentials.chmod(0o600)
    folders = [f"--{name}-dir={tmp_path / name}" for name in ("config", "work", "logs")]
    asked = ["--non-interactive", "--agree-tos", "-m", "ops@example.com", "-d", ZONE, "-d", f"*.{ZONE}"]
    dns = ["--dns-rfc2136", f"--dns-rfc2136-credentials={credentials}", "--dns-rfc2136-propagation-seconds=0"]
    told = site.run(client("certbot"), "certonly", *folders, f"--server={acme.directory}", *asked, *dns)
    assert "Successfully received certificate" in told
    assert [len(values) for _, values in acme.seen()] == [2, 2], "both values stood at the name at once"
    assert site.dig(f"_acme-challenge.{ZONE}", "TXT") == []


def test_lego_gets_a_certificate(site: ClientSite, zone: str, acme: AcmeServer) -> None:
    settings = {
        "RFC2136_NAMESERVER": f"{SERVER}:53",
        "RFC2136_TSIG_ALGORITHM": "hmac-sha256.",
        "RFC2136_TSIG_KEY": NEW_KEY,
        "RFC2136_TSIG_SECRET": NEW,
        "RFC2136_POLLING_INTERVAL": "1",
        "DNSUPDATE_ZONES": ZONE,  # this release takes the root for the zone otherwise (go-acme/lego #3019)
    }
    step = [acme.directory, f"www.{ZONE}", f"{SERVER}:53", "rfc2136", settings]
    (told,) = run_steps(site, "lego_driver.py", step)
    assert told.count("BEGIN CERTIFICATE") == 2
    assert acme.seen() == [(f"www.{ZONE}", acme.seen()[0][1])] and site.dig(CHALLENGE, "TXT") == []


def test_octodns_bind_is_source_and_target(site: ClientSite, zone: str, tmp_path: Path) -> None:
    zones, dumped = tmp_path / "zones", tmp_path / "dumped"
    zones.mkdir()
    config = tmp_path / "octodns.yaml"
    config.write_text(OCTODNS.format(directory=zones, server=SERVER, key=NEW_KEY, secret=NEW, zone=ZONE))
    (own,) = site.dig(ZONE, "NS")

    def sync(**records: Any) -> str:
        kept = {own.removesuffix(f".{ZONE}."): {"type": "A", "ttl": 300, "values": site.dig(own)}}
        (zones / f"{ZONE}.yaml").write_text(yaml.safe_dump({**kept, **records}))
        told = site.run(client("octodns-sync"), f"--config-file={config}", "--doit", "--force")
        return next((line for line in told.splitlines() if "Summary: " in line), "")

    www = {"type": "A", "ttl": 60, "values": ["192.0.2.1", "192.0.2.2"]}
    mail = {"type": "MX", "ttl": 60, "values": [{"preference": 10, "exchange": f"mx.{ZONE}."}]}
    sync(www=www, mail=mail)
    assert (site.dig(f"www.{ZONE}"), site.dig(f"mail.{ZONE}", "MX")) == (["192.0.2.1", "192.0.2.2"], [f"10 mx.{ZONE}."])
    assert sync(www=www, mail=mail) == ""
    assert "Updates=1, Deletes=1" in sync(www={**www, "values": ["192.0.2.9"]})
    assert (site.dig(f"www.{ZONE}"), site.dig(f"mail.{ZONE}", "MX")) == (["192.0.2.9"], [])
    site.run(client("octodns-dump"), f"--config-file={config}", f"--output-dir={dumped}", f"{ZONE}.", "bind")
    assert yaml.safe_load((dumped / f"{ZONE}.yaml").read_text())["www"] == {
        "type": "A",
        "ttl": 60,
        "value": "192.0.2.9",
    }


@contextmanager
def running_kea(site: ClientSite, work: Path) -> Iterator[Path]:
    """Run Kea's DDNS daemon on the clients' machine for a `with` block; its log."""
    config, log = work / "kea.json", work / "kea.log"
    config.write_text(json.dumps({"DhcpDdns": KEA}))
    places = {"KEA_PIDFILE_DIR": str(work), "KEA_LOCKFILE_DIR": str(work)}
    command = [*ENTER, "--target", str(site.pid), f"--wd={work}", program("kea-dhcp-ddns"), "-c", str(config)]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**site.environment(), **places}
        )
    try:
        wait_until(lambda: "DHCP_DDNS_STARTED" in log.read_text(), lambda: f"Kea does not start:\n{log.read_text()}")
        yield log
    finally:
        process.terminate()
        process.wait(20)


def test_kea_adds_and_removes_a_lease(site: ClientSite, zone: str, tmp_path: Path) -> None:
    program("kea-dhcp-ddns")
    host, pointer = f"host.{ZONE}", f"77.{REVERSE}"
    with site.zone(REVERSE), running_kea(site, tmp_path) as log:
        for change, forward, back in ((0, ["192.0.2.77"], [f"{host}."]), (1, [], [])):
            site.run("python3", "-c", NCR, str(change), f"{host}.", "192.0.2.77")
            done = f"DHCP_DDNS_{'REMOVE' if change else 'ADD'}_SUCCEEDED"
            wait_until(lambda done=done: done in log.read_text(), log.read_text)  # type: ignore[misc]
            assert (site.dig(host), site.dig(pointer, "PTR")) == (forward, back), log.read_text()
            assert len(site.dig(host, "DHCID")) == len(forward)
