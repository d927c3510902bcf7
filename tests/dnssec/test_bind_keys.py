"""Keys as BIND's tools have them: theirs are read, ours are read by them; imports without a gap, and refusals."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import RSASHA256
from lbdns.dns.name import encode_canonical
from lbdns.dnssec.bind_keys import file_stem, read_key, write_key, write_secret
from lbdns.dnssec.key import PrivateKey, generate_key, private_key
from lbdns.dnssec.key_keeper import KeyKeeper
from lbdns.dnssec.key_policy import KeyPolicies, key_policy
from lbdns.dnssec.parent_answer import ParentAnswer, ServerAnswer
from lbdns.dnssec.zone_keys import dnskey_rdata, ds_rdata, key_tag
from lbdns.dnssec.zone_status import SigningState
from lbdns.model.dnssec_settings import DnssecPolicy

ZONE = "example.com"
APEX = encode_canonical(ZONE)
NOW_S = 1_800_000_000.0
DAY_S = 86_400.0

needs_bind = pytest.mark.skipif(shutil.which("dnssec-keygen") is None, reason="dnssec-keygen (bind9-utils) is missing")


def keeper(directory: Path, **fields: Any) -> KeyKeeper:
    """Return a keeper with a policy of some fields."""
    return KeyKeeper(directory, KeyPolicies(key_policy(DnssecPolicy.model_validate(fields)), {}))


def keys_in(directory: Path, *flags: bool, algorithm: int = 13) -> list[PrivateKey]:
    """Write new keys to a directory, KSKs or ZSKs, and return them."""
    directory.mkdir(exist_ok=True)
    made = [generate_key(APEX, algorithm, is_entry_point=flag) for flag in flags]
    for key in made:
        write_key(directory, APEX, key, NOW_S)
    return made


@needs_bind
@pytest.mark.process
@pytest.mark.parametrize("algorithm", ["RSASHA256", "ECDSAP256SHA256", "ECDSAP384SHA384", "ED25519"])
@pytest.mark.parametrize("is_ksk", [True, False])
def test_keys_of_bind_are_read(tmp_path: Path, algorithm: str, is_ksk: bool) -> None:
    """As dnssec-keygen writes them, with its comments and times; the halves fit, and sign."""
    command = ["dnssec-keygen", "-q", "-K", str(tmp_path), "-a", algorithm, "-I", "+1d"]
    command += [
        *(("-f", "KSK") if is_ksk else ()),
        *(("-b", "2048") if algorithm == "RSASHA256" else ()),
        "Example.COM",
    ]
    stem = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    found = read_key(tmp_path / f"{stem}.key", APEX)
    assert found.private is not None and found.public.is_entry_point is is_ksk
    assert file_stem(APEX, found.public).lower() == stem.lower()
    assert found.times_s["Inactive"] - found.times_s["Activate"] == pytest.approx(DAY_S, abs=5)
    assert found.private.sign(b"data")


def in_pem(key: PrivateKey, password: bytes = b"") -> bytes:
    """Return the private half of a key, in PEM."""
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.numbers.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize("algorithm", [13, 14, 15, RSASHA256])
def test_private_halves_in_pem_are_read(tmp_path: Path, algorithm: int) -> None:
    """Knot DNS keeps its keys so, and prints the public half without TTL and class (`keymgr ZONE dnskey ID`)."""
    rsa_numbers = rsa.generate_private_key(65537, 2048) if algorithm == RSASHA256 else None
    key = private_key(APEX, algorithm, True, rsa_numbers) if rsa_numbers else generate_key(APEX, algorithm, True)
    stem = tmp_path / file_stem(APEX, key.public)
    public = b64encode(key.public.dnskey[4:]).decode()
    stem.with_name(f"{stem.name}.key").write_text(f"{ZONE}. DNSKEY 257 3 {algorithm} {public}\n")
    private = stem.with_name(f"{stem.name}.private")
    private.write_bytes(in_pem(key))
    found = read_key(private, APEX)
    assert found.public == key.public and found.private is not None and found.private.sign(b"data")
    copies = tmp_path / "copies"
    copies.mkdir()
    copied, _ = write_key(copies, APEX, found.private, NOW_S)
    assert read_key(copied, APEX).private is not None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (in_pem(generate_key(APEX, 15, True)), "no key of algorithm 13"),
        (in_pem(generate_key(APEX, 14, True)), "no key of algorithm 13"),
        (in_pem(generate_key(APEX, 13, True)), "is not the private half of"),
        (in_pem(generate_key(APEX, 13, True), b"x"), "without a password"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n", "no private key in PEM"),
    ],
)
def test_what_is_no_such_key_in_pem(tmp_path: Path, text: bytes, told: str) -> None:
    (key,) = keys_in(tmp_path, True)
    path = tmp_path / f"{file_stem(APEX, key.public)}.private"
    path.write_bytes(text)
    with pytest.raises(LbdnsError, match=told):
        read_key(path, APEX)


@needs_bind
@pytest.mark.process
def test_keys_of_ours_are_read_by_bind(tmp_path: Path) -> None:
    """dnssec-signzone signs by them, and its own check of the zone is content."""
    (tmp_path / "zone").write_text("$TTL 300\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n")
    keys = [key for algorithm in (13, 14, 15) for key in keys_in(tmp_path, True, False, algorithm=algorithm)]
    keys.append(private_key(APEX, RSASHA256, True, rsa.generate_private_key(65537, 2048)))
    keys.append(private_key(APEX, RSASHA256, False, rsa.generate_private_key(65537, 2048)))
    for key in keys[-2:]:
        write_key(tmp_path, APEX, key, NOW_S)
    stems = [str(tmp_path / file_stem(APEX, key.public)) for key in keys]
    command = ["dnssec-signzone", "-o", ZONE, "-K", str(tmp_path), "-S", "-d", str(tmp_path)]
    command += ["-f", str(tmp_path / "signed"), str(tmp_path / "zone"), *stems]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    signed = (tmp_path / "signed").read_text()
    assert all(str(key.public.tag) in signed for key in keys)


def test_copies_are_for_their_owner_alone(tmp_path: Path) -> None:
    """From the first moment, whatever the umask is; a link in its place is not followed."""
    before = os.umask(0)
    try:
        (key,) = keys_in(tmp_path / "keys", True)
        private = tmp_path / "keys" / f"{file_stem(APEX, key.public)}.private"
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
        (tmp_path / f".secret.{os.getpid()}").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(LbdnsError, match="cannot be written"):
            write_secret(tmp_path / "secret", "text")
        assert not (tmp_path / "elsewhere").exists()
    finally:
        os.umask(before)


def test_no_message_repeats_a_secret(tmp_path: Path) -> None:
    """Whatever is wrong with the private half."""
    (key,) = keys_in(tmp_path, True)
    private = tmp_path / f"{file_stem(APEX, key.public)}.private"
    text = private.read_text()
    secret = next(line for line in text.splitlines() if line.startswith("PrivateKey:")).partition(" ")[2]
    for wrong in (
        text.replace(secret, secret[:-4]),
        text.replace(secret, f"{secret[:10]}!{secret[10:]}"),
        text.replace("v1.3", "v9"),
        text.replace("Algorithm: 13", "Algorithm: 15"),
        text.replace("PrivateKey:", "Label:"),
        secret,
        text.replace(secret, "AAAA"),
    ):
        private.write_text(wrong)
        with pytest.raises(LbdnsError) as caught:
            read_key(private, APEX)
        assert secret[:10] not in str(caught.value) and private.name in str(caught.value)


def import_from(folder: Path, directory: Path, dnskeys: list[bytes], **fields: Any) -> KeyKeeper:
    """Return a keeper that took keys over."""
    kept = keeper(folder / "dnssec", **fields)
    arguments = {"zone": ZONE, "directory": str(directory), "dnskeys": [one.hex() for one in dnskeys]}
    kept.ask("import", arguments, NOW_S)
    return kept


def in_force(kept: KeyKeeper, now_s: float) -> None:
    """Tell the keeper that what it says is in force, until it says nothing new."""
    said = None
    while said != kept.zone_keys()[APEX]:
        said = kept.zone_keys()[APEX]
        kept.published(APEX, said.digest, 300, now_s)


def test_an_import_leaves_no_gap(tmp_path: Path) -> None:
    """The same keys sign from the first moment; nothing is removed, and the parent is asked for nothing else."""
    ksk, zsk = keys_in(tmp_path / "from", True, False)
    kept = import_from(tmp_path, tmp_path / "from", [zsk.public.dnskey, ksk.public.dnskey])
    keys = kept.zone_keys()[APEX]
    assert set(keys.dnskeys) == {ksk.public.dnskey, zsk.public.dnskey}
    assert keys.key_signers == (ksk.public,) and keys.zone_signers == (zsk.public,)
    in_force(kept, NOW_S)
    assert kept.zone_keys()[APEX].cds == (ds_rdata(APEX, ksk.public.dnskey),)
    answer = ParentAnswer((ServerAnswer("ns", frozenset(kept.zone_keys()[APEX].cds), 300),))
    kept.parent_answered(ZONE, answer, NOW_S)
    assert kept.status(ZONE, NOW_S).status is SigningState.ACTIVE
    again = keeper(tmp_path / "dnssec")
    again.load()
    assert again.zone_keys() == kept.zone_keys() and not again.problems()
    for step in range(200):
        kept.step(NOW_S + step * 3600)
        in_force(kept, NOW_S + step * 3600)
    assert set(kept.zone_keys()[APEX].dnskeys) == {ksk.public.dnskey, zsk.public.dnskey}


def test_an_old_zsk_stays_published(tmp_path: Path) -> None:
    """One without its private half, and one that is inactive: caches may hold what they signed."""
    ksk, zsk, idle = keys_in(tmp_path / "from", True, False, False)
    (away,) = keys_in(tmp_path / "away", False)
    private = tmp_path / "from" / f"{file_stem(APEX, idle.public)}.private"
    private.write_text(private.read_text() + "Inactive: 20200101000000\n")
    served = [key.public.dnskey for key in (ksk, zsk, idle, away)]
    kept = import_from(tmp_path, tmp_path / "from", served)
    assert kept.zone_keys()[APEX].zone_signers == (zsk.public,)
    in_force(kept, NOW_S)
    kept.step(NOW_S + 6 * DAY_S)
    assert set(kept.zone_keys()[APEX].dnskeys) == set(served)
    kept.step(NOW_S + 8 * DAY_S)
    assert set(kept.zone_keys()[APEX].dnskeys) == {ksk.public.dnskey, zsk.public.dnskey}


def test_keys_that_are_not_made_here(tmp_path: Path) -> None:
    """RSASHA256 is taken over, signs, and does not roll by itself; to another algorithm it does."""
    key = private_key(APEX, RSASHA256, True, rsa.generate_private_key(65537, 2048))
    (tmp_path / "from").mkdir()
    write_key(tmp_path / "from", APEX, key, NOW_S)
    kept = import_from(tmp_path, tmp_path / "from", [key.public.dnskey], ksk_lifetime="30d")
    in_force(kept, NOW_S)
    kept.step(NOW_S + 60 * DAY_S)
    assert kept.zone_keys()[APEX].dnskeys == (key.public.dnskey,)
    signer = kept.signer(key.public.id)
    assert signer is not None and len(signer.sign(b"data")) == 256
    with pytest.raises(LbdnsError, match="no keys of RSASHA256"):
        kept.ask("roll", {"zone": ZONE, "role": "csk", "algorithm": None}, NOW_S)
    kept.ask("roll", {"zone": ZONE, "role": "csk", "algorithm": 13}, NOW_S + 60 * DAY_S)
    assert {one.algorithm for one in kept.zone_keys()[APEX].zone_signers} == {8, 13}


def _other_zone(folder: Path) -> list[bytes]:
    key = generate_key(encode_canonical("example.net"), 13, is_entry_point=True)
    write_key(folder, encode_canonical("example.net"), key, NOW_S)
    return []


def _inside_is_another(folder: Path) -> list[bytes]:
    (key,) = keys_in(folder, True)
    path = folder / f"{file_stem(APEX, key.public)}.key"
    path.write_text(path.read_text().replace("example.com.", "example.net."))
    return []


def _halves(folder: Path) -> list[bytes]:
    one, other = keys_in(folder, True, True)
    text = (folder / f"{file_stem(APEX, other.public)}.private").read_text()
    (folder / f"{file_stem(APEX, one.public)}.private").write_text(text)
    return []


def _no_ksk(folder: Path) -> list[bytes]:
    keys_in(folder, False)
    return []


def _no_zsk(folder: Path) -> list[bytes]:
    ksk, zsk = keys_in(folder, True, False)
    (folder / f"{file_stem(APEX, zsk.public)}.private").unlink()
    return [ksk.public.dnskey, zsk.public.dnskey]


def _not_of_the_zone(folder: Path) -> list[bytes]:
    keys_in(folder, True)
    return [generate_key(APEX, 13, is_entry_point=True).public.dnskey]


def _like_tags(folder: Path, flags: int) -> list[bytes]:
    """Let the zone publish a ZSK of elsewhere beside a key: its tag is that of the key once `flags` are set, made so by
    its last octets, which the ones' complement sum of a tag takes like any other."""
    (key,) = keys_in(folder, True)
    tag = key_tag((key.public.flags | flags).to_bytes(2, "big") + key.public.dnskey[2:])
    for last in range(0x10000):
        other = dnskey_rdata(256, 13, bytes(62) + last.to_bytes(2, "big"))
        if key_tag(other) == tag:
            return [key.public.dnskey, other]
    raise AssertionError(tag)


def _like_tag(folder: Path) -> list[bytes]:
    return _like_tags(folder, 0)


def _like_revoked(folder: Path) -> list[bytes]:
    return _like_tags(folder, 0x80)


@pytest.mark.parametrize(
    ("prepare", "part"),
    [
        (_like_tag, "two keys of algorithm 13 have the key tag"),
        (_like_revoked, "two keys of algorithm 13 have the key tag"),
        (_other_zone, "has no key of example.com."),
        (_inside_is_another, "is a key of example.net., not of example.com."),
        (_halves, "is not the private half of"),
        (_no_ksk, "has no key of algorithm 13 that signs example.com.'s keys"),
        (_no_zsk, "has no key of algorithm 13 that signs example.com. "),
        (_not_of_the_zone, "has no private half of example.com.'s key"),
    ],
)
def test_what_is_not_imported(tmp_path: Path, prepare: Callable[[Path], list[bytes]], part: str) -> None:
    """Nothing is kept of it."""
    (tmp_path / "from").mkdir()
    served = prepare(tmp_path / "from")
    with pytest.raises(LbdnsError) as caught:
        import_from(tmp_path, tmp_path / "from", served)
    assert part in str(caught.value)
    assert not (tmp_path / "dnssec").exists()


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(LbdnsError, match="cannot be read"):
        import_from(tmp_path, tmp_path / "missing", [])


def test_export_and_import_again(tmp_path: Path) -> None:
    """What is exported is a zone's keys as they were, for its owner alone; a zone with keys takes no others."""
    kept = keeper(tmp_path / "dnssec", keys="split")
    kept.ask("enable", {"zone": ZONE, "algorithm": 15, "keys": None}, NOW_S)
    in_force(kept, NOW_S)
    files, _ = kept.ask("export", {"zone": ZONE, "directory": str(tmp_path / "out")}, NOW_S)
    assert len(files["files"]) == 4
    modes = {stat.S_IMODE(Path(one).stat().st_mode) for one in files["files"] if one.endswith(".private")}
    assert modes == {0o600} and stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
    other = import_from(tmp_path / "other", tmp_path / "out", [])
    ours, theirs = kept.zone_keys()[APEX], other.zone_keys()[APEX]
    assert set(theirs.dnskeys) == set(ours.dnskeys) and theirs.zone_signers == ours.zone_signers
    with pytest.raises(LbdnsError, match="signed already"):
        kept.ask("import", {"zone": ZONE, "directory": str(tmp_path / "out")}, NOW_S)
    files, _ = kept.ask("export", {"zone": ZONE, "directory": None}, NOW_S)
    assert all(Path(one).is_relative_to(tmp_path / "dnssec") for one in files["files"])
