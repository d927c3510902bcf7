"""Ansible's community.general.cloudflare_dns: records that are there, and not, and a second run that changes nothing.

It has the API's address built in: api.cloudflare.com is a line of the hosts file here, and SSL_CERT_FILE names the
authority. Before it writes it looks for what it wants by type, name and content, the content in words of its own (an
SRV's without priority, parts between tabs), and compares `data` with what it would send. It cannot remove a CAA record:
it looks for its value alone, which is no record's content (community.general's issue 7766).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.clients.client_site import COLLECTIONS, PYTHON, ZONE, ClientSite, client

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]  # a Python for each task

HEX = "ab" * 32
SPACED = f"{HEX[:56]} {HEX[56:]}".upper()
WANTED: dict[str, dict[str, Any]] = {
    "A": {"record": "www", "type": "A", "value": "192.0.2.1", "ttl": 300, "comment": "a host", "tags": ["team:web"]},
    "TXT": {"record": "note", "type": "TXT", "value": "hello world"},
    "SRV": {
        "service": "sip",
        "proto": "tcp",
        "port": 5060,
        "priority": 10,
        "weight": 5,
        "type": "SRV",
        "value": f"sip.{ZONE}",
    },
    "CAA": {"record": "@", "type": "CAA", "flag": 0, "tag": "issue", "value": "ca.example.org"},
    "TLSA": {
        "record": "www",
        "type": "TLSA",
        "port": 443,
        "proto": "tcp",
        "cert_usage": 3,
        "selector": 1,
        "hash_type": 1,
        "value": HEX,
    },
    "SSHFP": {"record": "www", "type": "SSHFP", "algorithm": 4, "hash_type": 2, "value": HEX},
    "NS": {"record": "sub", "type": "NS", "value": "ns1.example.net"},
    "DS": {"record": "sub", "type": "DS", "key_tag": 60485, "algorithm": 13, "hash_type": 2, "value": HEX},
}
SEEN = {
    "A": (f"www.{ZONE}", ["192.0.2.1"]),
    "TXT": (f"note.{ZONE}", ['"hello world"']),
    "SRV": (f"_sip._tcp.{ZONE}", [f"10 5 5060 sip.{ZONE}."]),
    "CAA": (ZONE, ['0 issue "ca.example.org"']),
    "TLSA": (f"_443._tcp.www.{ZONE}", [f"3 1 1 {SPACED}"]),
    "SSHFP": (f"www.{ZONE}", [f"4 2 {SPACED}"]),
    "DS": (f"sub.{ZONE}", [f"60485 13 2 {SPACED}"]),
}
RESULT = re.compile(r"^(changed|ok|fatal): \[localhost\]", re.MULTILINE)


def play(site: ClientSite, work: Path, tasks: dict[str, dict[str, Any]], **more: Any) -> dict[str, str]:
    """Run a playbook of a task for each; returns what became of each."""
    if not COLLECTIONS.exists():
        pytest.skip("Ansible's community.general is not installed (scripts/install-clients)")
    steps = [
        {"name": name, "community.general.cloudflare_dns": {"zone": ZONE, "api_token": site.secret, **task, **more}}
        for name, task in tasks.items()
    ]
    playbook = work / "playbook.json"  # which is YAML as well
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": steps}]))
    local = ["--inventory=localhost,", "--connection=local", f"--extra-vars=ansible_python_interpreter={PYTHON}"]
    told = site.run(
        client("ansible-playbook"),
        *local,
        playbook,
        ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS),
        ANSIBLE_LOCALHOST_WARNING="0",
        ANSIBLE_NOCOLOR="1",
        ANSIBLE_PIPELINING="1",
    )
    return dict(zip(tasks, RESULT.findall(told), strict=True))


def test_records_are_there_and_then_not_and_a_second_run_changes_nothing(
    site: ClientSite, zone: str, tmp_path: Path
) -> None:
    assert play(site, tmp_path, WANTED) == dict.fromkeys(WANTED, "changed")
    assert {rtype: site.dig(name, rtype) for rtype, (name, _) in SEEN.items()} == {
        rtype: values for rtype, (_, values) in SEEN.items()
    }
    assert play(site, tmp_path, WANTED) == dict.fromkeys(WANTED, "ok")
    gone = {name: WANTED[name] for name in ("A", "TXT", "SRV", "TLSA")}
    assert play(site, tmp_path, gone, state="absent") == dict.fromkeys(gone, "changed")
    assert [site.dig(SEEN[rtype][0], rtype) for rtype in gone] == [[]] * len(gone)
    assert play(site, tmp_path, gone, state="absent") == dict.fromkeys(gone, "ok")


def test_the_one_address_of_a_name(site: ClientSite, zone: str, tmp_path: Path) -> None:
    two = {value: {"record": "www", "type": "A", "value": value} for value in ("192.0.2.1", "192.0.2.2")}
    play(site, tmp_path, two)
    one = {"solo": {"record": "www", "type": "A", "value": "192.0.2.3", "solo": True}}
    assert play(site, tmp_path, one) == {"solo": "changed"}
    assert site.dig(f"www.{ZONE}") == ["192.0.2.3"]
    assert play(site, tmp_path, one) == {"solo": "ok"}
