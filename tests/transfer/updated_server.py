"""A server over a store that takes updates, for tests that send them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update

from tests.store.served import StoreServer

SECRET = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IQ=="
SETTINGS = f"""
keys:
  - {{name: all, algorithm: hmac-sha256, secret: "{SECRET}"}}
  - {{name: acme, algorithm: hmac-sha512, secret: "{SECRET}"}}
  - {{name: stranger, algorithm: hmac-sha256, secret: "{SECRET}"}}
access:
  update:
    - {{key: all}}
    - {{key: acme, names: ["_acme-challenge.*"], types: [TXT]}}
    - {{network: 127.0.0.5/32}}
"""
ALL, ACME, STRANGER = "all", "acme", "stranger"
ALGORITHMS = {ALL: dns.tsig.HMAC_SHA256, ACME: dns.tsig.HMAC_SHA512, STRANGER: dns.tsig.HMAC_SHA256}


class UpdatedServer(StoreServer):
    """Such a server; `zone_id` is that of example.com."""

    zone_id = ""

    def begin(self) -> None:
        """Start it, with a zone."""
        self.start()
        self.wait_for_api()
        self.zone_id = self.api_ask("POST", "/client/v4/zones", {"name": "example.com"})["id"]

    def api_ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return what the API says."""
        with self.local as client:
            reply = client.request(method, path, json=body)
            reply.raise_for_status()
            return reply.json()["result"]

    def send(
        self, made: dns.update.UpdateMessage, key: str | None = ALL, *, tcp: bool = False, source: str = "127.0.0.1"
    ) -> dns.message.Message:
        """Send an UPDATE, signed by a key, and return its reply."""
        if key is not None:
            made.use_tsig(dns.tsigkeyring.from_text({key: SECRET}), key, algorithm=ALGORITHMS[key])
        ask = dns.query.tcp if tcp else dns.query.udp
        return ask(made, self.host, port=self.port, timeout=20, source=source)

    def rcode(self, made: dns.update.UpdateMessage, key: str | None = ALL, **options: Any) -> str:
        """Return the RCODE of the reply to an UPDATE."""
        return dns.rcode.to_text(self.send(made, key, **options).rcode())

    def revisions(self) -> list[dict[str, Any]]:
        """Return the newest revisions."""
        found: list[dict[str, Any]] = self.api_ask("GET", "/lbdns/v1/revisions")
        return found


@contextlib.contextmanager
def updated_server(work: Path, settings: str = SETTINGS) -> Iterator[UpdatedServer]:
    """Yield a server with a zone."""
    with contextlib.closing(UpdatedServer(work, settings)) as server:
        server.begin()
        yield server


def tool(name: str) -> str | None:
    """Return where a client is installed, None where it is not."""
    return shutil.which(name)


def run_tool(command: list[str], script: str) -> subprocess.CompletedProcess[str]:
    """Run a client with a script at its standard input."""
    return subprocess.run(command, input=script, capture_output=True, text=True, timeout=30, check=False)
