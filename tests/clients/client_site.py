"""A machine of their own for other people's clients: there, api.cloudflare.com is lbdns.

Half of these clients have the API's address built in. What a user does about that (a line in the hosts file, a
certificate of an authority that the client trusts, the API on port 443) is done here in namespaces of Linux: a network
with nothing but loopback, and mounts that put other files in the place of /etc/hosts and /etc/resolv.conf. Nothing of
it is seen outside, and no client can reach anything else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.store.served import StoreServer

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / "build" / "clients"
"""Where scripts/install-clients puts them."""

PYTHON = INSTALLED / "venv" / "bin" / "python"
COLLECTIONS = INSTALLED / "collections"
NODE_PACKAGE = INSTALLED / "node_modules" / "cloudflare"
HOST = "api.cloudflare.com"
OWN_HOST = "api.example.org"
"""How clients that take an address call the API."""

V4 = "/client/v4"
SERVER = "127.0.0.1"
ZONE = "example.com"
REVERSE = "2.0.192.in-addr.arpa"
RUN_S = 60.0
OLD_KEY, NEW_KEY = "clients-md5", "clients-sha256"
"""TSIG keys that may change and transfer the zone: certbot's default algorithm, and everybody else's."""
KEYS = {
    OLD_KEY: {"algorithm": "hmac-md5", "secret": "c2VjcmV0c2VjcmV0c2VjcmV0"},
    NEW_KEY: {"algorithm": "hmac-sha256", "secret": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U="},
}
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
AS_ROOT = os.geteuid() == 0
UNSHARE = ["unshare", "--mount", "--net", *([] if AS_ROOT else ["--user", "--map-root-user"])]
ENTER = ["nsenter", "--mount", "--net", *([] if AS_ROOT else ["--user", "--preserve-credentials"])]
ARRANGE = """
ip link set lo up
mount --bind "$1" /etc/hosts
mount --bind "$2" /etc/resolv.conf
shift 2
exec "$@"
"""


def program(name: str) -> str:
    """Return the path of a program of the system; the test is skipped by name where it is not installed."""
    path = shutil.which(name, path=PATH)
    if path is None:
        pytest.skip(f"{name} is not installed (scripts/test installs it where it may)")
    return path


def client(name: str) -> str:
    """Return the path of a program that scripts/install-clients installs; the test is skipped where it is not there."""
    path = PYTHON.parent / name
    if not path.exists():
        pytest.skip(f"build/clients has no {name} (scripts/install-clients puts it there)")
    return str(path)


def skip_without_namespaces() -> None:
    """Skip the test where no network and no mounts of one's own can be had."""
    for needed in ("ip", "unshare", "nsenter", "dig"):
        program(needed)
    tried = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no namespaces can be made here (Linux; root, or user namespaces): {tried.stderr.strip()}")


class ClientSite(StoreServer):
    """lbdns with an empty store, on port 53 and the API on port 443 of such a machine; `run` runs programs there."""

    def __init__(self, work: Path) -> None:
        super().__init__(work)
        self.work = work
        self.override = False
        self.ca_file = work / "ca.pem"
        self.key_file, self.certificate_file = work / "key.pem", work / "certificate.pem"
        self._write_certificate()
        (work / "hosts").write_text(f"{SERVER} localhost {HOST} {OWN_HOST}\n")
        (work / "resolv.conf").write_text(f"nameserver {SERVER}\noptions attempts:1 timeout:2\n")
        (work / "home").mkdir()
        settings: dict[str, Any] = {
            "listen": [f"{SERVER}:53"],
            "resolvers": [f"{SERVER}:9"],
            "api": {
                "listen": f"{SERVER}:443",
                "certificate": str(self.certificate_file),
                "key": str(self.key_file),
            },
            "keys": [{"name": name, **key} for name, key in KEYS.items()],
            "zones": {ZONE: {"access": {right: [{"key": name} for name in KEYS] for right in ("update", "transfer")}}},
        }
        settings["zones"][REVERSE] = {"access": {"update": [{"key": NEW_KEY}]}}
        self.settings_file.write_text(json.dumps(settings))
        self.secret = ""

    def _write_certificate(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        issued = authority.issue_cert(HOST, OWN_HOST)
        issued.private_key_pem.write_to_path(self.key_file)
        for pem in issued.cert_chain_pems:
            pem.write_to_path(self.certificate_file, append=True)

    def command(self) -> list[str]:
        """Begin the namespaces with the server."""
        files = [str(self.work / name) for name in ("hosts", "resolv.conf")]
        return [*UNSHARE, "sh", "-euc", ARRANGE, "arrange", *files, *super().command()]

    def environment(self) -> dict[str, str]:
        """Return what a client finds around it: a home of its own and an authority to trust, in every tongue."""
        trusted = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
        return {
            "PATH": PATH,
            "HOME": str(self.work / "home"),
            "LC_ALL": "C.UTF-8",
            "CLOUDFLARE_API_TOKEN": self.secret,
            "CLOUDFLARE_BASE_URL": f"https://{OWN_HOST}{V4}",
            **{name: str(self.ca_file) for name in trusted},
        }

    def run(self, *command: str | Path, status: int = 0, **more: str) -> str:
        """Run a program there, with more environment, and return what it printed; its exit status must be `status`."""
        inside = [*ENTER, "--target", str(self.pid), f"--wd={self.work}", *map(str, command)]
        done = subprocess.run(
            inside,
            env={**self.environment(), **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        assert done.returncode == status, f"{command} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def dig(self, name: str, rdtype: str = "A") -> list[str]:
        """Return the data of the answer's records, as dig prints it, sorted."""
        return sorted(self.run("dig", f"@{SERVER}", "+short", "+time=5", "+tries=1", name, rdtype).splitlines())

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make an object by the UNIX socket, as an operator does beforehand."""
        with self.local as api:
            made = api.post(f"{V4}{path}", json=body)
            made.raise_for_status()
            result: dict[str, Any] = made.json()["result"]
            return result

    def records(self, zone: str) -> list[tuple[str, str, str]]:
        """Return owner, type and data of every record that the zone's API lists, sorted."""
        with self.local as api:
            shown = api.get(f"{V4}/zones/{zone}/dns_records", params={"per_page": 1000}).json()["result"]
            return sorted((one["name"], one["type"], one["content"]) for one in shown)

    @contextmanager
    def zone(self, name: str = ZONE) -> Iterator[str]:
        """Have a zone for a `with` block; its id."""
        made: str = self.create("/zones", {"name": name, "type": "full"})["id"]
        try:
            yield made
        finally:
            with self.local as api:
                api.delete(f"{V4}/zones/{made}")


@contextmanager
def running_site(work: Path) -> Iterator[ClientSite]:
    """Run such a machine for a `with` block."""
    site = ClientSite(work)
    try:
        site.start()
        site.wait_for_api()
        site.secret = site.token()
        yield site
    finally:
        site.close()


def run_steps(site: ClientSite, driver: str, *steps: Sequence[Any]) -> list[Any]:
    """Run a driver of this folder in the clients' Python: each step is a list, each result JSON."""
    told = site.run(client("python"), "-P", Path(__file__).with_name(driver), json.dumps(steps))
    return [json.loads(line.removeprefix("= ")) for line in told.splitlines() if line.startswith("= ")]
