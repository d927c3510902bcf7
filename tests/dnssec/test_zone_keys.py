"""Keys: tags, DS and signatures as dnspython and BIND's tools have them."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import dns.dnssec
import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.RRSIG import RRSIG

from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import CREATED_ALGORITHMS, DIGEST_SHA256, DIGEST_SHA384, RSASHA256
from lbdns.dns.name import encode_canonical
from lbdns.dnssec.key import PrivateKey, generate_key, private_key
from lbdns.dnssec.zone_keys import (
    CDNSKEY_DELETE,
    CDS_DELETE,
    SigningKey,
    ZoneKeys,
    dnskey_rdata,
    ds_rdata,
    ds_text,
    key_tag,
    signing_key,
)

APEX = encode_canonical("example.com")
NAME = dns.name.from_text("example.com.")


def keys() -> list[PrivateKey]:
    """Return a key of each algorithm, KSK and ZSK in turn."""
    made = [generate_key(APEX, algorithm, flag) for algorithm in CREATED_ALGORITHMS for flag in (True, False)]
    return [*made, private_key(APEX, RSASHA256, True, rsa.generate_private_key(65537, 2048))]


KEYS = keys()
ids = [f"{key.public.algorithm}-{key.public.flags}" for key in KEYS]


def as_dnspython(key: SigningKey) -> DNSKEY:
    """Return a key's DNSKEY as dnspython reads it."""
    found = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.DNSKEY, key.dnskey, 0, len(key.dnskey))
    assert isinstance(found, DNSKEY)
    return found


@pytest.mark.parametrize("key", KEYS, ids=ids)
def test_tags_and_ds_are_those_of_dnspython(key: PrivateKey) -> None:
    dnskey = as_dnspython(key.public)
    assert dns.dnssec.key_id(dnskey) == key.public.tag
    assert (dnskey.flags, int(dnskey.algorithm)) == (key.public.flags, key.public.algorithm)
    assert key.public.is_entry_point == (key.public.flags == 257)
    for number, name in ((DIGEST_SHA256, "SHA256"), (DIGEST_SHA384, "SHA384")):
        theirs = dns.dnssec.make_ds(NAME, dnskey, name)
        assert ds_rdata(APEX, key.public.dnskey, number) == theirs.to_wire()


@pytest.mark.parametrize("key", KEYS, ids=ids)
def test_signatures_are_valid(key: PrivateKey) -> None:
    """What dnspython would have signed is signed here, and dnspython validates it."""
    rrset = dns.rrset.from_text("www.example.com.", 300, "IN", "A", "192.0.2.1", "192.0.2.2")
    unsigned = _rrsig(key, b"\0")
    signature = key.sign(dns.dnssec._make_rrsig_signature_data(rrset, unsigned))
    keyset = dns.rrset.from_rdata("example.com.", 300, as_dnspython(key.public))
    dns.dnssec.validate_rrsig(rrset, _rrsig(key, signature), {NAME: keyset}, now=1_500_000_000)
    with pytest.raises(dns.exception.ValidationFailure):
        wrong = _rrsig(key, bytes((signature[0] ^ 1,)) + signature[1:])
        dns.dnssec.validate_rrsig(rrset, wrong, {NAME: keyset}, now=1_500_000_000)


def _rrsig(key: PrivateKey, signature: bytes) -> RRSIG:
    """Return an RRSIG of an A RRset as dnspython reads it."""
    text = (
        f"A {key.public.algorithm} 3 300 20330518033320 20010909014640 {key.public.tag} example.com. "
        f"{b64encode(signature).decode()}"
    )
    found = dns.rdata.from_text("IN", "RRSIG", text)
    assert isinstance(found, RRSIG)
    return found


@pytest.mark.process
@pytest.mark.skipif(shutil.which("dnssec-dsfromkey") is None, reason="dnssec-dsfromkey (bind9-utils) is not installed")
def test_ds_are_those_of_bind(tmp_path: Path) -> None:
    """BIND's own tool makes the same DS of the same DNSKEYs, SHA-256 and SHA-384."""
    text = "".join(
        f"example.com. 3600 IN DNSKEY {key.public.flags} 3 {key.public.algorithm} "
        f"{b64encode(key.public.dnskey[4:]).decode()}\n"
        for key in KEYS
    )
    (tmp_path / "keys").write_text(text)
    command = ["dnssec-dsfromkey", "-a", "SHA-256", "-a", "SHA-384", "-A", "-f", str(tmp_path / "keys"), "example.com"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    theirs = {line.partition(" DS ")[2] for line in told.splitlines()}
    ours = {ds_text(ds_rdata(APEX, key.public.dnskey, kind)) for key in KEYS for kind in (DIGEST_SHA256, DIGEST_SHA384)}
    assert ours == theirs


def test_a_key_is_known_by_its_zone_and_content() -> None:
    """Ids tell the keys of all zones apart; the same key in another zone is another key."""
    public = KEYS[0].public
    assert signing_key(APEX, public.dnskey) == public
    assert signing_key(encode_canonical("example.net"), public.dnskey).id != public.id
    assert len({key.public.id for key in KEYS}) == len(KEYS)
    assert 0 < public.id < 1 << 64
    assert key_tag(public.dnskey) == public.tag


def test_no_text_shows_a_private_key() -> None:
    key = KEYS[0]
    assert repr(key) == f"<private key 13 {key.public.tag:05}>" == f"{key}"


def test_keys_of_other_algorithms_are_not_made() -> None:
    for algorithm in (RSASHA256, 16, 5):
        with pytest.raises(LbdnsError, match="ECDSAP256SHA256"):
            generate_key(APEX, algorithm, True)


def test_what_asks_for_the_removal_of_ds() -> None:
    """RFC 8078 section 4, as dnspython reads it."""
    cds = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.CDS, CDS_DELETE, 0, len(CDS_DELETE))
    assert cds.to_text() == "0 0 0 00"
    cdnskey = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.CDNSKEY, CDNSKEY_DELETE, 0, len(CDNSKEY_DELETE))
    assert cdnskey.to_text() == "0 3 0 AA=="


def test_what_a_zone_says_is_told_apart() -> None:
    """Each field counts, and moving a key from one to another too."""
    one, two = KEYS[0].public, KEYS[1].public
    said = [
        ZoneKeys(APEX, (), (), ()),
        ZoneKeys(APEX, (one.dnskey,), (), ()),
        ZoneKeys(APEX, (one.dnskey,), (one,), ()),
        ZoneKeys(APEX, (one.dnskey,), (), (one,)),
        ZoneKeys(APEX, (one.dnskey,), (one,), (two,)),
        ZoneKeys(APEX, (), (), (), (one.dnskey,), ()),
        ZoneKeys(APEX, (), (), (), (), (one.dnskey,)),
        ZoneKeys(encode_canonical("example.net"), (), (), ()),
    ]
    assert len({keys.digest for keys in said}) == len(said)


def test_flags_and_algorithm_stand_before_the_key() -> None:
    assert dnskey_rdata(257, 13, b"xy") == b"\x01\x01\x03\x0dxy"
