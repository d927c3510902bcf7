"""octoDNS with octodns-cloudflare: a zone dumped, changed, synced, and synced again without a difference.

Pointed here by the provider's `api_url`, and REQUESTS_CA_BUNDLE.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clients.client_site import OWN_HOST, V4, ZONE, ClientSite, client

pytestmark = pytest.mark.process

HEX = "AB" * 32
PROVIDERS = """
providers:
  files: {{class: octodns.provider.yaml.YamlProvider, directory: {directory}, default_ttl: 3600, enforce_order: false}}
  lbdns:
    class: octodns_cloudflare.CloudflareProvider
    api_url: https://{host}{v4}
    token: env/CLOUDFLARE_API_TOKEN
    retry_count: 0
zones:
  {zone}.: {{sources: [files], targets: [lbdns]}}
"""
RECORDS: dict[str, Any] = {
    "": [
        {"type": "A", "ttl": 300, "values": ["192.0.2.1", "192.0.2.2"]},
        {"type": "AAAA", "value": "2001:db8::1"},
        {"type": "MX", "values": [{"preference": 10, "exchange": f"mail.{ZONE}."}]},
        {"type": "TXT", "values": ["v=spf1 -all", "with\\; a semicolon"]},
        {
            "type": "CAA",
            "values": [
                {"flags": 0, "tag": "issue", "value": "ca.example.org"},
                {"flags": 0, "tag": "iodef", "value": f"mailto:ops@{ZONE}"},
            ],
        },
    ],
    "*.wild": {"type": "A", "value": "192.0.2.9"},
    "_443._tcp.www": {
        "type": "TLSA",
        "value": {"certificate_usage": 3, "selector": 1, "matching_type": 1, "certificate_association_data": HEX},
    },
    "_sip._tcp": {
        "type": "SRV",
        "values": [
            {"priority": 10, "weight": 5, "port": 5060, "target": f"sip.{ZONE}."},
            {"priority": 20, "weight": 5, "port": 5061, "target": f"sip2.{ZONE}."},
        ],
    },
    "https": {
        "type": "HTTPS",
        "value": {"svcpriority": 1, "targetname": ".", "svcparams": {"alpn": ["h2", "h3"]}},
    },
    "loc": {
        "type": "LOC",
        "value": {
            "lat_degrees": 52,
            "lat_minutes": 22,
            "lat_seconds": 23.0,
            "lat_direction": "N",
            "long_degrees": 4,
            "long_minutes": 53,
            "long_seconds": 32.0,
            "long_direction": "E",
            "altitude": -2.0,
            "size": 1.0,
            "precision_horz": 10000.0,
            "precision_vert": 10.0,
        },
    },
    "long": {"type": "TXT", "value": "x" * 300},
    "mail": {"type": "A", "value": "192.0.2.3"},
    "naptr": {
        "type": "NAPTR",
        "value": {
            "order": 100,
            "preference": 10,
            "flags": "S",
            "service": "SIP+D2U",
            "regexp": "!^.*$!sip:info@example.com!",
            "replacement": ".",
        },
    },
    "ptr": {"type": "PTR", "value": "host.example.net."},
    "ssh": {"type": "SSHFP", "value": {"algorithm": 4, "fingerprint_type": 2, "fingerprint": HEX}},
    "sub": [
        {"type": "NS", "values": ["ns1.example.net.", "ns2.example.net."]},
        {"type": "DS", "value": {"key_tag": 60485, "algorithm": 13, "digest_type": 2, "digest": HEX}},
    ],
    "svc": {
        "type": "SVCB",
        "value": {"svcpriority": 1, "targetname": f"svc1.{ZONE}.", "svcparams": {"alpn": ["h2"], "port": "8443"}},
    },
    "www": {"type": "CNAME", "value": f"{ZONE}."},
}


class OctoDns:
    """octoDNS over a folder of zones."""

    def __init__(self, site: ClientSite, work: Path) -> None:
        self.site = site
        self.zones = work / "zones"
        self.zones.mkdir()
        self.config = work / "octodns.yaml"
        self.config.write_text(PROVIDERS.format(directory=self.zones, zone=ZONE, host=OWN_HOST, v4=V4))

    def write(self, records: dict[str, Any]) -> None:
        """Say what the zone is to hold."""
        (self.zones / f"{ZONE}.yaml").write_text(yaml.safe_dump(records))

    def sync(self) -> str:
        """Bring the server in step; returns the plan's summary, "" where there was nothing to do."""
        told = self.site.run(client("octodns-sync"), f"--config-file={self.config}", "--doit", "--force")
        summaries = [line.rpartition("Summary: ")[2] for line in told.splitlines() if "Summary: " in line]
        assert summaries or "No changes were planned" in told, told
        return "\n".join(summaries)

    def dump(self) -> dict[str, Any]:
        """Return what the server has, as octoDNS writes it."""
        dumped = self.zones.with_name("dumped")
        self.site.run(
            client("octodns-dump"), f"--config-file={self.config}", f"--output-dir={dumped}", f"{ZONE}.", "lbdns"
        )
        loaded: dict[str, Any] = yaml.safe_load((dumped / f"{ZONE}.yaml").read_text())
        return loaded


@pytest.fixture
def octodns(site: ClientSite, tmp_path: Path) -> OctoDns:
    return OctoDns(site, tmp_path)


def test_a_new_zone_is_synced_once(octodns: OctoDns, site: ClientSite, zone: str) -> None:
    octodns.write(RECORDS)
    assert "Deletes=0" in octodns.sync()
    assert octodns.sync() == ""
    assert site.dig(ZONE) == ["192.0.2.1", "192.0.2.2"]
    assert site.dig(f"www.{ZONE}", "CNAME") == [f"{ZONE}."]
    assert site.dig(f"_sip._tcp.{ZONE}", "SRV") == [f"10 5 5060 sip.{ZONE}.", f"20 5 5061 sip2.{ZONE}."]
    assert site.dig(f"svc.{ZONE}", "SVCB") == [f'1 svc1.{ZONE}. alpn="h2" port=8443']
    assert site.dig(ZONE, "TXT") == ['"v=spf1 -all"', '"with; a semicolon"']
    (name_server,) = site.dig(ZONE, "NS")
    assert site.dig(name_server), "the zone's own name server keeps its address"


def test_a_dump_changed_is_synced(octodns: OctoDns, site: ClientSite, zone: str) -> None:
    octodns.write(RECORDS)
    octodns.sync()
    dumped = octodns.dump()
    octodns.write(dumped)
    assert octodns.sync() == "", "what was dumped is what is there"
    del dumped["ptr"]
    dumped["mail"]["value"] = "192.0.2.33"
    dumped["new"] = {"type": "AAAA", "value": "2001:db8::7"}
    octodns.write(dumped)
    assert "Creates=1, Updates=1, Deletes=1" in octodns.sync()
    assert octodns.sync() == ""
    assert [site.dig(f"{name}.{ZONE}", rtype) for name, rtype in (("mail", "A"), ("new", "AAAA"), ("ptr", "PTR"))] == [
        ["192.0.2.33"],
        ["2001:db8::7"],
        [],
    ]


def test_an_empty_zone_keeps_its_name_servers(octodns: OctoDns, site: ClientSite, zone: str) -> None:
    octodns.write({"www": {"type": "A", "value": "192.0.2.1"}})
    octodns.sync()
    octodns.write({})
    assert "Deletes=1" in octodns.sync()
    assert octodns.sync() == ""
    assert site.dig(f"www.{ZONE}") == []
    (name_server,) = site.dig(ZONE, "NS")
    assert site.dig(name_server)
