"""lego, by pylego: Canonical's binding of the Go program, here to have a certificate from beginning to end.

Pointed here by the environment variable CLOUDFLARE_BASE_URL, and SSL_CERT_FILE.
"""

from __future__ import annotations

import pytest

from tests.clients.acme_server import AcmeServer
from tests.clients.client_site import SERVER, ClientSite, run_steps

pytestmark = pytest.mark.process

CHALLENGE = "_acme-challenge.www.example.com"


def test_a_certificate(site: ClientSite, zone: str, acme: AcmeServer) -> None:
    for _ in range(2):
        (told,) = run_steps(site, "lego_driver.py", [acme.directory, "www.example.com", f"{SERVER}:53"])
        assert told.count("BEGIN CERTIFICATE") == 2
        assert site.dig(CHALLENGE, "TXT") == []
    assert [(name, len(values)) for name, values in acme.seen()] == [("www.example.com", 1)] * 2
