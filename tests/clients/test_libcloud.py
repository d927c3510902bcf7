"""apache-libcloud's driver: zones and records made, listed, changed, exported and deleted.

Pointed here by the driver's argument `host`, and SSL_CERT_FILE by its own name: libcloud.security.CA_CERTS_PATH.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.client_site import ZONE, ClientSite, run_steps

pytestmark = pytest.mark.process


def libcloud(site: ClientSite, op: str, *arguments: Any, **more: Any) -> Any:
    """Let the driver do one thing; returns what it made of the answer."""
    (result,) = run_steps(site, "libcloud_driver.py", [op, list(arguments), more])
    return result


def test_records_from_beginning_to_end(site: ClientSite, zone: str) -> None:
    made = libcloud(site, "create_record", "www", ZONE, "A", "192.0.2.7", extra={"ttl": 300})
    assert (made["name"], made["type"], made["data"], made["ttl"]) == ("www", "A", "192.0.2.7", 300)
    assert site.dig(f"www.{ZONE}") == ["192.0.2.7"]
    again = libcloud(site, "create_record", "www", ZONE, "A", "192.0.2.7", extra={"ttl": 600})
    assert again == {"raised": "RecordAlreadyExistsError"}
    changed = libcloud(site, "update_record", "www", ZONE, data="192.0.2.8")
    assert changed["data"] == "192.0.2.8"
    assert site.dig(f"www.{ZONE}") == ["192.0.2.8"]
    for name, rtype, data, extra in (
        ("note", "TXT", "hello world", {}),
        ("mail", "MX", f"mx.{ZONE}", {"priority": 10}),
        ("six", "AAAA", "2001:db8::9", {}),
        ("alias", "CNAME", ZONE, {}),
        ("caa", "CAA", "0 issue ca.example.org", {}),
    ):
        libcloud(site, "create_record", name, ZONE, rtype, data, extra=extra)
    assert site.dig(f"note.{ZONE}", "TXT") == ['"hello world"']
    assert site.dig(f"mail.{ZONE}", "MX") == [f"10 mx.{ZONE}."]
    assert site.dig(f"caa.{ZONE}", "CAA") == ['0 issue "ca.example.org"']
    listed = {(one["name"], one["type"], one["data"]) for one in libcloud(site, "list_records", ZONE)}
    assert {("www", "A", "192.0.2.8"), ("note", "TXT", "hello world"), ("alias", "CNAME", ZONE)} <= listed
    exported = libcloud(site, "export_zone_to_bind_format", ZONE).splitlines()
    assert any(line.split() == [f"six.{ZONE}.", "None", "IN", "AAAA", "2001:db8::9"] for line in exported), exported
    assert libcloud(site, "delete_record", "www", ZONE) is True
    assert site.dig(f"www.{ZONE}") == []


def test_zones_from_beginning_to_end(site: ClientSite) -> None:
    made = libcloud(site, "create_zone", "example.net")
    assert made["domain"] == "example.net"
    assert site.dig("example.net", "SOA")
    assert "example.net" in {one["domain"] for one in libcloud(site, "list_zones")}
    assert libcloud(site, "delete_zone", "example.net") is True
    assert site.dig("example.net", "SOA") == []
