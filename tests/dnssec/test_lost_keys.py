"""Keys that are gone: a zone that was signed is not published unsigned for that, only where it was disabled."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.base.words import DNSSEC_DIRECTORY, SIGNED_ZONES_FILE
from lbdns.dnssec.key_keeper import KeyKeeper
from lbdns.dnssec.key_policy import KeyPolicies, key_policy
from lbdns.model.dnssec_settings import DnssecPolicy
from lbdns.processes.supervisor.signed_record import SignedRecord
from lbdns.processes.supervisor.signer_child import is_any_zone_signed
from lbdns.testing import LbdnsServer, ServerError
from tests.dnssec.signed_server import SIGNED, ZONE, SignedServer, signed_server, tree

MAIL = f"mail.{SIGNED}"


def is_signed(served: SignedServer) -> bool:
    return served.signatures(served.question(MAIL, "A")) > 0


@pytest.mark.slow
def test_a_zone_whose_keys_are_gone_stays_signed(lbdns_server: Callable[..., LbdnsServer]) -> None:
    with signed_server(lbdns_server, tree()) as served:
        before = served.signer_pid()
        os.kill(before, signal.SIGSTOP)  # it writes there
        shutil.rmtree(served.server.state_dir / DNSSEC_DIRECTORY)
        os.kill(before, signal.SIGKILL)
        served.wait_for(lambda: served.signer_pid() != before)
        served.wait_for(lambda: [one["status"] for one in served.operate("status")] == ["error"])
        with pytest.raises(
            ServerError, match=f"zone {SIGNED} cannot be signed: it was signed, and .* has no keys of it"
        ):
            served.server.reload({f"{SIGNED}.zone": f"{ZONE}more IN A 192.0.2.77\n"})
        assert is_signed(served)
        served.server.stop()
        served.server.start()
        assert is_signed(served)
        assert served.operate("status", zone=SIGNED)["status"] == "error"
        served.sign()
        served.wait_for(lambda: served.operate("status", zone=SIGNED)["status"] == "pending")
        served.server.reload({})
        served.learn_keys()
        served.proved(f"more.{SIGNED}", "A")
        assert served.operate("status", zone=SIGNED)["status"] == "pending"


@pytest.mark.slow
def test_a_zone_that_is_disabled_in_order_is_unsigned(lbdns_server: Callable[..., LbdnsServer]) -> None:
    with signed_server(lbdns_server, tree()) as served:
        noted = served.server.state_dir / SIGNED_ZONES_FILE
        served.wait_for(lambda: noted.exists() and json.loads(noted.read_text()) == [SIGNED])
        served.operate("disable", zone=SIGNED)
        served.wait_for(lambda: bool(served.operate("status", zone=SIGNED)["to_do"]))
        served.operate("ds_seen", zone=SIGNED)
        served.wait_for(lambda: not is_signed(served))
        served.wait_for(lambda: served.operate("status", zone=SIGNED)["status"] == "disabled")
        assert json.loads(noted.read_text()) == []
        served.server.reload({f"{SIGNED}.zone": f"{ZONE}more IN A 192.0.2.77\n"})
        assert not is_signed(served)


@pytest.mark.parametrize("text", ["", "[1]", '["a..b"]', "7", "{"])
def test_a_record_that_cannot_be_read_is_told_of(text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / SIGNED_ZONES_FILE).write_text(text)
    record = SignedRecord(tmp_path)
    assert record.zones == frozenset()
    assert "cannot be read" in caplog.text


def test_a_directory_that_cannot_be_read_is_not_one_without_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is taken for unsigned where nobody can tell which zones are signed."""
    keeper = KeyKeeper(tmp_path / DNSSEC_DIRECTORY, KeyPolicies(key_policy(DnssecPolicy()), {}))
    keeper.load()
    assert not is_any_zone_signed(tmp_path) and keeper.zone_keys() == {}

    def refuse(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", refuse)
    assert not is_any_zone_signed(tmp_path)  # no such directory, as far as one may look
    (tmp_path / DNSSEC_DIRECTORY).mkdir()
    assert is_any_zone_signed(tmp_path)
    with pytest.raises(LbdnsError, match="dnssec: cannot be read: Permission denied"):
        keeper.load()
