"""The keeper of keys and the disk: what stands there, for whom, and what is made of it where it is torn or full."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.config.keyed_zones import keys_file, zones_with_keys
from lbdns.dns.name import encode_canonical
from lbdns.dnssec.zone_status import SigningState
from tests.dnssec.keys_desk import APEX, DAY_S, ZONE, Desk


@pytest.fixture(name="desk")
def make_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Return what makes a desk."""
    yield lambda **fields: Desk(tmp_path / "dnssec", **fields)


def test_what_is_on_disk(desk: Callable[..., Desk]) -> None:
    """Keys and states for their owner alone; after a restart everything is as it was."""
    at = desk(keys="split")
    at.begin()
    names = sorted(path.name for path in at.directory.iterdir())
    assert [name.rpartition(".")[2] for name in names] == ["key", "private", "key", "private", "json"]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in at.directory.iterdir()}
    assert all(mode == (0o644 if name.endswith(".key") else 0o600) for name, mode in modes.items())
    assert stat.S_IMODE(at.directory.stat().st_mode) == 0o700
    before, status = at.keys, at.keeper.status(ZONE, at.now_s)
    at.restart()
    assert at.keys == before and at.keeper.problems() == {}
    assert at.keeper.status(ZONE, at.now_s).keys == status.keys
    signer = at.keeper.signer(at.zone.zone_signers[0].id)
    assert signer is not None and len(signer.sign(b"data")) == 64
    assert at.keeper.signer(1) is None


@pytest.mark.parametrize("harm", ["half", "empty", "changed", "no key", "another key", "other zone"])
def test_a_torn_state_is_not_believed(desk: Callable[..., Desk], harm: str) -> None:
    """Such a zone is a problem, not an unsigned zone; its files stay as they are, and other zones go on."""
    at = desk()
    at.begin()
    at.keeper.ask("enable", {"zone": "example.net", "algorithm": None, "keys": None}, at.now_s)
    state = at.directory / f"{ZONE}.json"
    private = next(path for path in at.directory.glob("Kexample.com.*.private"))
    other = next(path for path in at.directory.glob("Kexample.net.*.private"))
    text = state.read_text()
    match harm:
        case "half":
            state.write_text(text[: len(text) // 2])
        case "empty":
            state.write_text("")
        case "changed":
            state.write_text(text.replace('"is_wanted": true', '"is_wanted": false', 1))
        case "no key":
            private.unlink()
        case "another key":
            private.write_text(other.read_text())
        case _:
            state.write_text((at.directory / "example.net.json").read_text())
    at.restart()
    assert set(at.keeper.problems()) == {APEX} and APEX not in at.keeper.zone_keys()
    assert encode_canonical("example.net") in at.keeper.zone_keys()
    assert at.keeper.status(ZONE, at.now_s).status is SigningState.ERROR
    for verb in ("enable", "disable", "roll", "import", "ds_seen", "export"):
        with pytest.raises(LbdnsError, match="cannot be read"):
            at.ask(verb, algorithm=None, keys=None, role="csk", directory=str(at.directory))
    assert state.exists()


def test_a_full_disk_changes_nothing(desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is not done; a step tells of it once and tries again."""
    at = desk(zsk_lifetime="30d", keys="split")
    at.begin()
    before = at.keys

    def full(*_: object) -> None:
        raise LbdnsError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lbdns.dnssec.key_keeper.write_secret", full)
        with pytest.raises(LbdnsError, match="No space"):
            at.ask("roll", role="ksk", algorithm=None)
        at.now_s += 40 * DAY_S
        told = [at.keeper.step(at.now_s + again) for again in range(3)]
        assert [[(event.level, event.what) for event in events] for events in told] == [
            [("error", "No space left on device")],
            [],
            [],
        ]
        assert at.keys == before and at.status() is SigningState.ERROR
    at.now_s += 61
    at.take(at.keeper.step(at.now_s))
    assert len(at.zone.dnskeys) == 3 and at.status() is SigningState.ACTIVE


def test_a_zone_whose_name_has_a_slash(desk: Callable[..., Desk]) -> None:
    """As reverse zones without a class have (RFC 2317): its files are found again, by who looks at their names too."""
    at = desk()
    zone = "0/25.2.0.192.in-addr.arpa"
    at.keeper.ask("enable", {"zone": zone, "algorithm": None, "keys": None}, at.now_s)
    at.restart()
    assert list(at.keeper.zone_keys()) == [encode_canonical(zone)] == list(zones_with_keys(at.directory.parent))
    assert keys_file(at.directory.parent, encode_canonical(zone)).exists()
