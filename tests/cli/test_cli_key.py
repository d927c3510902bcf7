"""`lbdns key`: keys are made, their secrets shown once and to nobody after that, and deleted."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.tsig
import pytest

from tests.cli.commands import done, refused, run
from tests.store.served import StoreServer

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def server(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    """A server whose store has a zone; LBDNS_SETTINGS says where it is."""
    work: Path = tmp_path_factory.mktemp("keys")
    started = StoreServer(work, f"state: {work / 'state'}")
    try:
        started.start()
        started.wait_for_api()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LBDNS_SETTINGS", str(started.settings_file))
            done("zone", "create", "example.com")
            yield started
    finally:
        started.close()


def test_a_secret_is_shown_once_and_signs(server: StoreServer, tmp_path: Path) -> None:
    made = run("key", "create", "NS2.example.net.", "--algorithm", "hmac-sha512")
    secret = made.out.strip()
    assert made.status == 0 and len(b64decode(secret, validate=True)) == 64
    assert "key ns2.example.net, hmac-sha512: keep the secret" in made.err
    key = dns.tsig.Key("ns2.example.net.", secret, "hmac-sha512")
    asked = dns.message.make_query("example.com.", "SOA")
    asked.use_tsig(key)
    reply = dns.query.udp(asked, "127.0.0.1", port=server.port, timeout=10)
    assert reply.rcode() == dns.rcode.NOERROR and reply.had_tsig
    done("export", str(tmp_path / "out"))
    files = "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    (number,) = [one["revision"] for one in run("revision", "list", "--json").json if "ns2" in str(one)] or [2]
    shown = [
        done("key", "list"),
        done("key", "list", "--json"),
        done("key", "show", "ns2.example.net"),
        done("key", "show", "ns2.example.net", "--json"),
        done("revision", "show", str(number)),
        server.log,
        files,
    ]
    assert all(secret not in text for text in shown)
    assert "ns2.example.net" in shown[0] and "hmac-sha512" in shown[2] and "ns2.example.net" in files
    assert done("key", "delete", "ns2.example.net", "--yes") == "tsig key ns2.example.net: deleted\n"
    with pytest.raises(dns.tsig.PeerBadKey):
        dns.query.udp(asked, "127.0.0.1", port=server.port, timeout=10)


def test_a_secret_may_be_given_and_a_key_printed_for_others(tmp_path: Path, server: StoreServer) -> None:
    (tmp_path / "secret").write_text("c2VjcmV0IHNlY3JldCBz\nZWNyZXQ=\n")
    printed = done(
        "key", "create", "certbot", "--algorithm", "hmac-md5", "--secret-file", str(tmp_path / "secret"), "--bind"
    )
    assert printed == 'key "certbot" {\n\talgorithm hmac-md5;\n\tsecret "c2VjcmV0IHNlY3JldCBzZWNyZXQ=";\n};\n'


def test_what_is_refused(server: StoreServer, tmp_path: Path) -> None:
    assert "no secret can be read" in "".join(refused("key", "create", "a", "--secret-file", str(tmp_path / "gone")))
    said = "".join(refused("key", "create", "a", "--algorithm", "hmac-sha3"))
    assert "hmac-sha256" in said
    assert "there is no tsig key" in "".join(refused("key", "show", "nobody"))
