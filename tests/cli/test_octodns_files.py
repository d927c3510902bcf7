"""`lbdns export --octodns`: octoDNS takes the files, and finds no difference to what is served."""

from __future__ import annotations

import os
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml

from lbdns.base.errors import LbdnsError
from lbdns.cli.frame.octodns_files import octodns_files
from lbdns.testing import running_server
from tests.clients.client_site import client

SECRET = b64encode(b"a secret of thirty-two octets....").decode()
HEX = "AB" * 32
ZONE = f"""$TTL 300
@ SOA ns1 admin 1 3600 600 86400 300
@ NS ns1
@ NS ns.other.example.
@ MX 10 mail
@ CAA 0 issue "ca.example.net; account=1"
ns1 A 192.0.2.53
mail AAAA 2001:db8::1
www 60 A 192.0.2.1
www 60 A 192.0.2.2
www TXT "with; semi \\"quoted\\" back\\\\slash" "second string"
*.wild CNAME www
_sip._tcp SRV 1 2 443 www
_443._tcp TLSA 3 1 1 {HEX}
ssh SSHFP 1 2 {HEX}
n NAPTR 10 20 "S" "SIP+D2U" "" _sip._udp
n NAPTR 10 30 "U" "E2U+sip" "!^.*$!sip:info@example.com!" .
sub NS ns.sub
sub DS 1 13 2 {HEX}
ns.sub A 192.0.2.99
long TXT "{"x" * 255}" "{"y" * 100}"
d DNAME other.example.
u TYPE65280 \\# 4 01020304
"""
BALANCER = {"name": "lb.example.com", "default_pools": ["eu"], "fallback_pool": "eu"}
FILES = {
    "example.com.zone": ZONE,
    "example.com@office.zone": "www A 192.0.2.3\n",
    "load_balancers.yaml": yaml.safe_dump({"load_balancers": [BALANCER]}),
}


def test_records_are_octodnss() -> None:
    made, notes = octodns_files(FILES)
    assert sorted(made) == ["octodns.yaml", "zones/example.com.yaml"]
    records = yaml.safe_load(made["zones/example.com.yaml"])
    assert records["mail"] == {"type": "AAAA", "ttl": 300, "value": "2001:db8::1"}
    assert [one["type"] for one in records[""]] == ["NS", "MX", "CAA"], "the SOA is the server's"
    assert records["www"][1]["value"] == 'with\\; semi "quoted" back\\slashsecond string'
    assert records["sub"][1]["value"]["digest"] == HEX.lower()
    assert len(records["n"]["values"]) == 2 and records["n"]["values"][1]["replacement"] == "."
    config = yaml.safe_load(made["octodns.yaml"])
    assert config["processors"]["steered-example.com"]["rejectlist"] == ["lb"]
    assert config["providers"]["lbdns"]["key_secret"] == "env/LBDNS_TSIG_SECRET", "no secret is in a file"
    assert notes == (
        "records of the type DNAME: left out, write them by hand",
        "records of the type TYPE65280: left out, write them by hand",
        "records that views see (example.com@office): left out, write them by hand",
    )


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(LbdnsError, match=r"example\.com"):
        octodns_files({"example.com.zone": "www A 192.0.2.999\n"})


@pytest.mark.process
def test_octodns_finds_no_difference(tmp_path: Path) -> None:
    program = client("octodns-sync")
    if subprocess.run([str(Path(program).parent / "python"), "-c", "import octodns_bind"], check=False).returncode:
        pytest.skip("octodns-bind is not installed")
    made, _ = octodns_files(FILES)
    settings: dict[str, Any] = {
        "keys": [{"name": "peer", "secret": SECRET}],
        "access": {"transfer": [{"key": "peer"}]},
        "zones": {"example.com": {"transfer": {"steered": "flatten"}}},
    }
    pools = {"eu": {"origins": [{"name": "e", "address": "192.0.2.77"}]}}
    tree = {"settings": settings, "zones": {"example.com": ZONE}, "pools": pools, "load_balancers": [BALANCER]}
    folder = tmp_path / "octodns"
    (folder / "zones").mkdir(parents=True)
    for name, text in made.items():
        (folder / name).write_text(text)
    with running_server(tree, tmp_path / "server") as server:
        told = {"LBDNS_HOST": server.host, "LBDNS_PORT": str(server.port)}
        signed = {"LBDNS_TSIG_NAME": "peer", "LBDNS_TSIG_SECRET": SECRET}
        command = [program, "--config-file=octodns.yaml"]
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **told, **signed}, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0 and "No changes were planned" in done.stdout + done.stderr, done.stdout + done.stderr
