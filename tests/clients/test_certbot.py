"""certbot with certbot-dns-cloudflare: the plugin by itself, and certificates from beginning to end.

Pointed here by the environment variable CLOUDFLARE_BASE_URL of the SDK that it is made with, and SSL_CERT_FILE.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.acme_server import AcmeServer
from tests.clients.client_site import ClientSite, client, run_steps

pytestmark = pytest.mark.process

CHALLENGE = "_acme-challenge.example.com"
VALUE = "jRWKRMTwJkq4MbbRY3EwFBbE4xAjLGkmHk7tUxyz0A"
OTHER = "LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo"


def plugin(site: ClientSite, *steps: tuple[str, str]) -> list[str]:
    """Let the plugin add or remove values; returns what dig sees then."""
    run_steps(site, "certbot_driver.py", *[[what, "example.com", CHALLENGE, value] for what, value in steps])
    return site.dig(CHALLENGE, "TXT")


def test_the_plugin_adds_cleans_up_and_adds_again(site: ClientSite, zone: str) -> None:
    assert plugin(site, ("add", VALUE)) == [f'"{VALUE}"']
    # What a run left behind is no error to the next.
    assert plugin(site, ("add", VALUE), ("add", OTHER)) == sorted([f'"{VALUE}"', f'"{OTHER}"'])
    assert plugin(site, ("remove", VALUE)) == [f'"{OTHER}"']
    assert plugin(site, ("remove", OTHER)) == []
    assert plugin(site, ("add", VALUE)) == [f'"{VALUE}"']
    assert plugin(site, ("remove", VALUE)) == []


def test_certificates_for_a_zone_and_all_below_it(
    site: ClientSite, zone: str, acme: AcmeServer, tmp_path: Path
) -> None:
    credentials = tmp_path / "credentials.ini"
    credentials.write_text(f"dns_cloudflare_api_token = {site.secret}\n")
    credentials.chmod(0o600)
    folders = [f"--{name}-dir={tmp_path / name}" for name in ("config", "work", "logs")]
    asked = ["--non-interactive", "--agree-tos", "-m", "ops@example.com", "-d", "example.com", "-d", "*.example.com"]
    dns = ["--dns-cloudflare", f"--dns-cloudflare-credentials={credentials}", "--dns-cloudflare-propagation-seconds=0"]
    certbot = [client("certbot"), "certonly", *folders, f"--server={acme.directory}", *asked, *dns]
    for more in ([], ["--force-renewal"]):
        assert "Successfully received certificate" in site.run(*certbot, *more)
        assert site.dig(CHALLENGE, "TXT") == []
    (lineage,) = (tmp_path / "config" / "live").glob("example.com")
    assert (lineage / "fullchain.pem").read_text().count("BEGIN CERTIFICATE") == 2
    seen = acme.seen()
    assert [len(values) for _, values in seen] == [2, 2, 2, 2], "both values stood at the name at once"
    assert {name for name, _ in seen} == {"example.com"}
