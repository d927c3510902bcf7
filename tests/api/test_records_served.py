"""What is written over the API, or by the command line, is what a client of DNS is answered, for every common type."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dns.rdatatype
import httpx
import pytest

from lbdns.processes.supervisor.child_process import package_environment
from tests.store.served import StoreServer

pytestmark = pytest.mark.process

HASH = "ab" * 32
# type, content given, data answered
ANSWERS = [
    ("A", "192.0.2.1", "192.0.2.1"),
    ("AAAA", "2001:db8::1", "2001:db8::1"),
    ("CNAME", "www.example.net", "www.example.net."),
    ("MX", "10 mail.example.net", "10 mail.example.net."),
    ("TXT", "v=spf1 -all", '"v=spf1 -all"'),
    ("SRV", "1 2 443 www.example.net", "1 2 443 www.example.net."),
    ("CAA", '0 issue "ca.example.net"', '0 issue "ca.example.net"'),
    ("PTR", "host.example.net", "host.example.net."),
    ("SVCB", "1 svc.example.net alpn=h2", '1 svc.example.net. alpn="h2"'),
    ("HTTPS", '1 . alpn="h2,h3"', '1 . alpn="h2,h3"'),
    ("TLSA", f"3 1 1 {HASH}", f"3 1 1 {HASH}"),
    ("SSHFP", f"4 2 {HASH}", f"4 2 {HASH}"),
    ("DNAME", "example.net", "example.net."),
    ("TYPE65280", r"\# 4 01020304", r"\# 4 01020304"),
]


@pytest.fixture
def server(starts_processes: None, tmp_path: Path) -> Iterator[StoreServer]:
    with contextlib.closing(StoreServer(tmp_path)) as made:
        made.start()
        made.wait_for_api()
        yield made


def serial(server: StoreServer) -> int:
    """Return the serial that is answered."""
    return int(next(iter(server.query("example.com", "SOA").answer[0])).serial)


def test_records_are_answered(server: StoreServer) -> None:
    with server.local as client:
        zone = client.post("/client/v4/zones", json={"name": "example.com"}).json()["result"]
        assert [str(one) for one in server.query("example.com", "NS").answer[0]] == ["ns1.example.com."]
        assert server.addresses("ns1.example.com") == ["127.0.0.1"]
        before = serial(server)
        path = f"/client/v4/zones/{zone['id']}/dns_records"
        posts = [
            {"name": f"n{index}", "type": rdtype, "content": content, "ttl": 60}
            for index, (rdtype, content, _) in enumerate(ANSWERS)
        ]
        assert client.post(f"{path}/batch", json={"posts": posts}).status_code == 200
        for index, (rdtype, _, data) in enumerate(ANSWERS):
            answer = server.query(f"n{index}.example.com", rdtype).answer[0]
            assert (answer.ttl, answer.rdtype) == (60, dns.rdatatype.from_text(rdtype))
            assert [str(one) for one in answer] == [data]
        assert serial(server) == before + 1
        record = client.get(path, params={"name": "n0.example.com"}).json()["result"][0]
        client.patch(f"{path}/{record['id']}", json={"content": "192.0.2.9"})
        assert server.addresses("n0.example.com") == ["192.0.2.9"]
        assert client.delete(f"{path}/{record['id']}").status_code == 200
        assert server.query("n0.example.com", "A").rcode() == 3  # NXDOMAIN
        assert client.delete(f"/client/v4/zones/{zone['id']}").status_code == 200
        assert server.query("example.com", "SOA").rcode() == 5  # REFUSED


def lbdns(server: StoreServer, *arguments: str) -> str:
    """Run a command beside the server; return what it prints."""
    command = [sys.executable, "-m", "lbdns", *arguments, "--settings", str(server.settings_file)]
    environment = package_environment()
    done = subprocess.run(
        [*command, "--state", str(server.state_dir)],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_line_changes_what_a_server_answers(server: StoreServer, tmp_path: Path) -> None:
    file = tmp_path / "example.org.zone"
    file.write_text("$TTL 60\n@ SOA ns1 a 5 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n")
    assert lbdns(server, "zone", "import", str(file)) == "zone example.org: created, 2 records, serial 5\n"
    lbdns(server, "record", "add", "example.org", "www", "A", "192.0.2.1")
    assert server.addresses("www.example.org") == ["192.0.2.1"]
    with server.local as client:
        assert told(client) == ['create record "www" A of zone "example.org"', 'import zone "example.org"']


def told(client: httpx.Client) -> list[str]:
    """Return the messages of the audit trail, the newest first."""
    return [one["message"] for one in client.get("/lbdns/v1/revisions").json()["result"]]
