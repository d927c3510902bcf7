"""Keys in a token: SoftHSM by python-pkcs11, in a directory of the test's own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from pydantic import ValidationError

from lbdns.base.errors import LbdnsError
from lbdns.dns.name import encode_canonical
from lbdns.dnssec.bind_keys import read_key
from lbdns.dnssec.key_keeper import KeyKeeper
from lbdns.dnssec.key_policy import KeyPolicies, key_policies
from lbdns.dnssec.token import RETRY_S, KeyToken, TokenKey, TokenPlace, label_of
from lbdns.model.settings import Settings
from lbdns.testing import LbdnsServer
from tests.dnssec.signed_server import SIGNED, signed_server, tree

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "81 secret 53"
APEX = encode_canonical("example.com")
NOW_S = 1_800_000_000.0

needs_token = pytest.mark.skipif(
    shutil.which("softhsm2-util") is None or not MODULE.exists(), reason="softhsm2-util (softhsm2) is missing"
)
needs_library = pytest.mark.skipif(
    importlib.util.find_spec("pkcs11") is None, reason="python-pkcs11 (lbdns[pkcs11]) is missing"
)
pytestmark = [pytest.mark.process, needs_token, needs_library]


class Device:
    """A SoftHSM token, and the settings that name it."""

    def __init__(self, folder: Path) -> None:
        """Make the token in a folder."""
        self.tokens = folder / "tokens"
        self.tokens.mkdir()
        (folder / "softhsm2.conf").write_text(f"directories.tokendir = {self.tokens}\nlog.level = ERROR\n")
        self.environment = {"SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
        pins = ["--pin", PIN, "--so-pin", "another one"]
        command = ["softhsm2-util", "--init-token", "--free", "--label", "lbdns", *pins]
        subprocess.run(command, check=True, env=os.environ | self.environment, capture_output=True, timeout=30)
        self.pin_file = folder / "pin"
        self.pin_file.write_text(PIN + "\n")
        self.said = {"module": str(MODULE), "token": "lbdns", "pin_file": str(self.pin_file)}

    def leave(self) -> None:
        """Take the token away."""
        self.tokens.rename(self.tokens.with_name("elsewhere"))

    def return_(self) -> None:
        """Bring it back."""
        self.tokens.with_name("elsewhere").rename(self.tokens)


class Clock:
    """A clock that tests set."""

    now_s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


@pytest.fixture(name="device")
def make_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    device = Device(tmp_path)
    monkeypatch.setenv("SOFTHSM2_CONF", device.environment["SOFTHSM2_CONF"])
    yield device


def policies(device: Device, **more: Any) -> KeyPolicies:
    """Return what the signer is told, by way of JSON."""
    settings = Settings.model_validate({"dnssec": {"pkcs11": device.said, **more}})
    return KeyPolicies.from_json(key_policies(settings).as_json())


def keeper(device: Device, folder: Path, clock: Clock, **more: Any) -> KeyKeeper:
    return KeyKeeper(folder / "dnssec", policies(device, **more), KeyToken(clock))


def check(key: TokenKey, signature: bytes, data: bytes) -> None:
    """Hold a signature against the public half; raises InvalidSignature."""
    curve, hashed, octets = {
        13: (ec.SECP256R1(), hashes.SHA256(), 32),
        14: (ec.SECP384R1(), hashes.SHA384(), 48),
    }[key.public.algorithm]
    assert len(signature) == 2 * octets
    public = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + key.public.dnskey[4:])
    r, s = (int.from_bytes(half, "big") for half in (signature[:octets], signature[octets:]))
    public.verify(encode_dss_signature(r, s), data, ec.ECDSA(hashed))


@pytest.mark.parametrize("algorithm", [13, 14])
def test_keys_are_made_in_the_token(device: Device, tmp_path: Path, algorithm: int) -> None:
    """A file says where the private half is and has none of it; a keeper that begins anew signs by it."""
    kept = keeper(device, tmp_path, Clock())
    kept.enable("example.com", algorithm, None, NOW_S)
    [number] = [key.id for key in kept.zone_keys()[APEX].zone_signers]
    key = kept.signer(number)
    assert isinstance(key, TokenKey) and key.public.algorithm == algorithm
    assert key.label == f"example.com.+{algorithm:03}+{key.public.tag:05}"
    check(key, key.sign(b"some data"), b"some data")
    [path] = (tmp_path / "dnssec").glob("K*.private")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "PrivateKey:" not in path.read_text() and "Engine: cGtjczExAA==" in path.read_text()
    assert read_key(path, APEX).label == key.label and read_key(path, APEX).private is None
    for file in (tmp_path / "dnssec").iterdir():
        assert PIN not in file.read_text()
    again = keeper(device, tmp_path, Clock())
    again.load()
    assert not again.problems() and again.zone_keys() == kept.zone_keys()
    other = again.signer(number)
    assert isinstance(other, TokenKey) and other.public == key.public
    check(other, other.sign(b"more"), b"more")


def test_no_private_half_can_be_taken_out(device: Device) -> None:
    import pkcs11

    token = KeyToken(Clock())
    token.place = TokenPlace(**device.said)
    key = token.generate(APEX, 13, True)
    key.sign(b"")
    session = pkcs11.lib(str(MODULE)).get_token(token_label="lbdns").open()
    [private] = session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY})
    assert private[pkcs11.Attribute.NEVER_EXTRACTABLE] and private[pkcs11.Attribute.SENSITIVE]
    with pytest.raises(pkcs11.PKCS11Error):
        assert private[pkcs11.Attribute.VALUE]
    token.destroy(key)
    assert list(session.get_objects({})) == []
    with pytest.raises(LbdnsError, match="has 0 private keys of the label"):
        key.sign(b"")


def test_a_fork_signs_too(device: Device) -> None:
    """What signs in bulk is a fork, which opens the token for itself; the signer goes on as before."""
    token = KeyToken(Clock())
    token.place = TokenPlace(**device.said)
    key = token.generate(APEX, 13, True)
    check(key, key.sign(b"before"), b"before")
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(theirs, key.sign(b"in a fork"))
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as out:
        check(key, out.read(), b"in a fork")
    os.waitpid(pid, 0)
    check(key, key.sign(b"after"), b"after")


def test_a_token_that_went_away_is_used_again(device: Device, tmp_path: Path) -> None:
    clock = Clock()
    kept = keeper(device, tmp_path, clock)
    kept.enable("example.com", None, None, NOW_S)
    [number] = [key.id for key in kept.zone_keys()[APEX].zone_signers]
    key = kept.signer(number)
    assert isinstance(key, TokenKey)
    key.sign(b"")
    device.leave()
    for _ in range(3):
        with pytest.raises(LbdnsError, match=r'cannot sign: .*"lbdns"') as told:
            key.sign(b"")
        assert PIN not in str(told.value)
        clock.now_s += RETRY_S
    away = keeper(device, tmp_path, clock)
    away.load()
    assert not away.problems() and APEX in away.zone_keys()
    with pytest.raises(LbdnsError, match="a key cannot be made"):
        away.enable("example.net", None, None, NOW_S)
    device.return_()
    clock.now_s += RETRY_S
    check(key, key.sign(b"back"), b"back")


def test_mistakes_are_told_in_words(device: Device, tmp_path: Path) -> None:
    clock = Clock()
    token = KeyToken(clock)
    for field, value, words in (
        ("token", "lost", 'has no token "lost"'),
        ("module", "/nowhere/lib.so", "cannot open shared object file"),
        ("pin_file", "/nowhere/pin", "/nowhere/pin: cannot be read: No such file"),
    ):
        token.place = TokenPlace(**device.said | {field: value})
        with pytest.raises(LbdnsError, match=words):
            token.generate(APEX, 13, True)
    device.pin_file.write_text("not this one")
    token.place = TokenPlace(**device.said)
    with pytest.raises(LbdnsError, match=r"the PIN in .* is not that of the token") as told:
        token.generate(APEX, 13, True)
    assert "not this one" not in str(told.value)
    with pytest.raises(LbdnsError, match="no keys of algorithm 15 are made in a token"):
        keeper(device, tmp_path, clock).enable("example.com", 15, None, NOW_S)


def test_no_export_of_what_cannot_leave(device: Device, tmp_path: Path) -> None:
    kept = keeper(device, tmp_path, Clock())
    kept.enable("example.com", None, None, NOW_S)
    with pytest.raises(LbdnsError, match=r"is not exported: its private half is in a token"):
        kept.export_keys("example.com", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    other = KeyKeeper(tmp_path / "other", KeyPolicies(kept.policies.general, {}))
    with pytest.raises(LbdnsError, match="its private half is in a token; only keys that are files are imported"):
        other.import_keys("example.com", tmp_path / "dnssec", (), NOW_S)


def test_keys_move_into_a_token_by_a_roll(device: Device, tmp_path: Path) -> None:
    """What is there stays where it is when the setting comes, and signs still when it goes."""
    kept = keeper(device, tmp_path, Clock())
    kept.policies = KeyPolicies(kept.policies.general, {})
    kept.enable("example.com", None, None, NOW_S)
    [first] = [key.id for key in kept.zone_keys()[APEX].zone_signers]
    kept.policies = policies(device)
    kept.step(NOW_S)
    signer = kept.signer(first)
    assert signer is not None and not isinstance(signer, TokenKey) and len(signer.sign(b"")) == 64
    kept.enable("example.net", None, None, NOW_S)
    [number] = [key.id for key in kept.zone_keys()[encode_canonical("example.net")].zone_signers]
    kept.policies = KeyPolicies(kept.policies.general, {})
    inside = kept.signer(number)
    assert isinstance(inside, TokenKey)
    with pytest.raises(LbdnsError, match=r"the setting dnssec\.pkcs11 names none"):
        inside.sign(b"")


def test_algorithms_that_no_token_makes_are_refused(device: Device) -> None:
    for more in ({"algorithm": "ED25519"}, {"zones": {"example.com": {"algorithm": 15}}}):
        with pytest.raises(ValidationError, match=r"no keys of ED25519 are made in a token \(pkcs11\)"):
            policies(device, **more)


def test_labels_of_other_makers_are_read() -> None:
    assert label_of("pkcs11:token=a%20b;object=x%3By;id=%01?pin-source=/etc/pin") == "x;y"
    assert label_of("pkcs11:token=a;id=%01") is None and label_of("a label") is None


@pytest.mark.slow
def test_a_server_signs_by_a_token(device: Device, lbdns_server: Callable[..., LbdnsServer]) -> None:
    """In bulk and on demand; while the token is away, what is signed already is served; it comes back by itself."""
    configured = tree()
    configured["settings"]["dnssec"] = {"pkcs11": device.said}
    with signed_server(lbdns_server, configured) as served:
        assert served.proved(f"mail.{SIGNED}", "A") == served.proved(f"www.{SIGNED}", "A") == "positive"
        assert served.proved(f"one.apps.{SIGNED}", "A") == "positive"
        device.leave()
        assert served.proved(f"mail.{SIGNED}", "A") == served.proved(f"www.{SIGNED}", "A") == "positive"
        assert served.question(f"two.apps.{SIGNED}", "A").rcode() == 2
        device.return_()
        assert served.proved(f"two.apps.{SIGNED}", "A") == "positive"
        assert PIN not in served.server.log
        [path] = (served.server.state_dir / "dnssec").glob("K*.private")
        assert "Label:" in path.read_text()
