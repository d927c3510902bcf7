"""dns-lexicon: records made, listed, changed and deleted, by its command line or, for types that it lacks, its library.

It has the API's address built in: api.cloudflare.com is a line of the hosts file here, and REQUESTS_CA_BUNDLE names the
authority. It sends every number of `data` as text.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.client_site import ZONE, ClientSite, client, run_steps

pytestmark = pytest.mark.process

HEX = "AB" * 32
TYPES = ("MX", "SRV", "CAA", "TLSA", "SSHFP", "LOC", "NAPTR", "HTTPS", "CERT", "URI")


def lexicon(site: ClientSite, action: str, rtype: str, **options: str) -> Any:
    """Run the command line; returns what it printed."""
    said = [f"--{name}={value}" for name, value in options.items()]
    access = [f"--auth-token={site.secret}", "--output=JSON"]
    told = site.run(client("lexicon"), "cloudflare", *access, action, ZONE, rtype, *said)
    return json.loads(told.splitlines()[-1])


def listed(site: ClientSite, rtype: str, **options: str) -> list[tuple[str, str, int]]:
    """Return owner, content and TTL of the records that it lists."""
    return [(one["name"], one["content"], one["ttl"]) for one in lexicon(site, "list", rtype, **options)]


def test_an_address_from_beginning_to_end(site: ClientSite, zone: str) -> None:
    name = f"www.{ZONE}"
    assert lexicon(site, "create", "A", name="www", content="192.0.2.1", ttl="300") is True
    assert site.dig(name) == ["192.0.2.1"]
    assert lexicon(site, "create", "A", name="www", content="192.0.2.1", ttl="300") is True, "it is there already"
    assert listed(site, "A", name="www") == [(name, "192.0.2.1", 300)]
    assert lexicon(site, "update", "A", name="www", content="192.0.2.2", ttl="300") is True
    assert site.dig(name) == ["192.0.2.2"]
    assert lexicon(site, "delete", "A", name="www") is True
    assert site.dig(name) == []


def test_text_from_beginning_to_end(site: ClientSite, zone: str) -> None:
    name = f"note.{ZONE}"
    for content in ("v=spf1 -all", "another one"):
        assert lexicon(site, "create", "TXT", name="note", content=content) is True
    assert lexicon(site, "create", "TXT", name="note", content="another one") is True, "it is there already"
    assert site.dig(name, "TXT") == ['"another one"', '"v=spf1 -all"']
    assert [content for _, content, _ in listed(site, "TXT", name="note", content="v=spf1 -all")] == ["v=spf1 -all"]
    assert lexicon(site, "delete", "TXT", name="note", content="v=spf1 -all") is True
    assert site.dig(name, "TXT") == ['"another one"']
    assert lexicon(site, "update", "TXT", name="note", content="changed") is True
    assert site.dig(name, "TXT") == ['"changed"']
    assert lexicon(site, "delete", "TXT", name="note") is True
    assert site.dig(name, "TXT") == []


@pytest.mark.parametrize(
    ("rtype", "name", "content", "more", "seen"),
    [
        ("MX", ZONE, f"mail.{ZONE}", {"priority": "10"}, f"10 mail.{ZONE}."),
        ("SRV", "_sip._tcp", f"10 5 5060 sip.{ZONE}", {}, f"10 5 5060 sip.{ZONE}."),
        ("CAA", ZONE, "0 issue ca.example.org", {}, '0 issue "ca.example.org"'),
        ("TLSA", "_443._tcp.www", f"3 1 1 {HEX}", {}, f"3 1 1 {HEX[:56]} {HEX[56:]}"),
        ("SSHFP", "www", f"4 2 {HEX}", {}, f"4 2 {HEX[:56]} {HEX[56:]}"),
        (
            "LOC",
            "loc",
            "52 22 23.000 N 4 53 32.000 E -2.00m 1.00m 10000m 10m",
            {},
            "52 22 23.000 N 4 53 32.000 E -2.00m 1m 10000m 10m",
        ),
        (
            "NAPTR",
            "sip",
            f"100 10 S SIP+D2U !^.*$!sip:info@{ZONE}! .",
            {},
            f'100 10 "S" "SIP+D2U" "!^.*$!sip:info@{ZONE}!" .',
        ),
        ("HTTPS", "www", '1 . alpn="h2,h3"', {}, '1 . alpn="h2,h3"'),
        ("CERT", "cert", "1 2 3 AQIDBAUGBwgJ", {}, "PKIX 2 DSA AQIDBAUGBwgJ"),
        ("URI", "uri", f"20 https://{ZONE}/", {"priority": "10"}, f'10 20 "https://{ZONE}/"'),
    ],
    ids=TYPES,
)
def test_types_of_several_parts(
    site: ClientSite, zone: str, rtype: str, name: str, content: str, more: dict[str, str], seen: str
) -> None:
    owner = ZONE if name == ZONE else f"{name}.{ZONE}"
    record = {"type": rtype, "name": name, "content": content, **more}
    assert run_steps(site, "lexicon_driver.py", ["create", record], ["create", record]) == [True, True]
    assert site.dig(owner, rtype) == [seen]
    assert run_steps(site, "lexicon_driver.py", ["delete", {"type": rtype, "name": name}]) == [True]
    assert site.dig(owner, rtype) == []
