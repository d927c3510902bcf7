"""Zones are signed whole: chains as the RFCs have them, every signature valid, and only what changed signed anew."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha512

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.dns.canonical import signed_data
from lbdns.dns.codes import (
    ECDSAP256SHA256,
    ECDSAP384SHA384,
    ED25519,
    TYPE_A,
    TYPE_AAAA,
    TYPE_CDNSKEY,
    TYPE_CDS,
    TYPE_DNSKEY,
    TYPE_NS,
    TYPE_NSEC3PARAM,
    TYPE_TXT,
)
from lbdns.dns.name import encode_canonical
from lbdns.dns.zone import RRset, Zone
from lbdns.dnssec.bulk_signing import LOT
from lbdns.dnssec.zone_keys import ZoneKeys
from lbdns.dnssec.zone_signing import ZoneSigning
from lbdns.snapshot.compile.signed_zones import BalancerStanding
from tests.dnssec.in_process import NOW_S, InProcessSigning, Policy, SigningHand, SomeKeys, sign, signs
from tests.dnssec.naive_chain import NaiveZone, check_signatures, rrset_of, type_text
from tests.dnssec.random_zones import APEX, SOA, random_zone

DENIALS = ("nsec", "nsec3", "compact")
WEEK_S = 7 * 86_400


def all_rrsets(zone: Zone) -> list[RRset]:
    """Return the RRsets of a signed zone, those of NSEC3 among them."""
    assert zone.signed is not None
    return [*zone.rrsets, *(rrset for _, rrset in zone.signed.nsec3)]


def check(zone: Zone, standing: Sequence[BalancerStanding], signed: Zone, now_s: int = NOW_S) -> None:
    """Assert that a zone is signed as it is to be."""
    at_apex = {rrset.type: rrset for rrset in signed.rrsets if rrset.owner == zone.apex}
    made = [type_text(one) for one in (TYPE_DNSKEY, TYPE_CDS, TYPE_CDNSKEY, TYPE_NSEC3PARAM) if one in at_apex]
    NaiveZone(zone, standing, made).check(signed)
    rrsets = all_rrsets(signed)
    count = check_signatures(rrsets, rrset_of(at_apex[TYPE_DNSKEY]), now_s)
    assert count == sum(len(rrset.signatures) for rrset in rrsets) > 0


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("denial", ["nsec", "nsec3"])
def test_random_zones(denial: str, seed: int) -> None:
    draw = random.Random(f"{denial} {seed}")
    zone, standing = random_zone(draw)
    algorithm = draw.choice((ECDSAP256SHA256, ECDSAP384SHA384, ED25519))
    keys = SomeKeys.make("example.com", algorithm, split=draw.random() < 0.5)
    if draw.random() < 0.5:
        keys = keys.with_cds()
    (signed,) = signs(keys, policy=Policy(denial)).sign([zone], [standing])
    check(zone, standing, signed)


def sign_all(signing: InProcessSigning, zone: Zone, standing: Sequence[BalancerStanding]) -> tuple[Zone, int]:
    """Return a zone signed, and how many signatures that took."""
    assert isinstance(signing.hand, SigningHand)
    before = len(signing.hand.asked)
    (signed,) = signing.sign([zone], [standing])
    return signed, len(signing.hand.asked) - before


def scene(seed: int, denial: str, name_count: int = 25) -> tuple[InProcessSigning, Zone, list[BalancerStanding]]:
    """Return a zone with load balancers, and what signs it."""
    zone, standing = random_zone(random.Random(seed), name_count)
    return signs(SomeKeys.make("example.com"), policy=Policy(denial)), zone, standing


def changed(zone: Zone, draw: random.Random) -> Zone:
    """Return a zone with one record more, less or other, as it is when it was read anew: no object is the same."""
    rrsets = list(zone.rrsets)
    kind = draw.choice(("other", "more", "new name", "less"))
    data = [at for at, one in enumerate(rrsets) if one.type == TYPE_TXT]
    if kind == "new name" or not data:
        rrsets.append(RRset(encode_canonical(f"new{draw.random()}.example.com"), TYPE_TXT, 300, (b"\3new",)))
    elif kind == "less":
        del rrsets[draw.choice(data)]
    else:
        at = draw.choice(data)
        texts = (*(rrsets[at].rdatas if kind == "more" else ()), b"\5other")
        rrsets[at] = replace(rrsets[at], rdatas=texts)
    return replace(zone, rrsets=tuple(replace(one, line=one.line + 1) for one in rrsets))


@pytest.mark.parametrize("denial", DENIALS)
def test_a_change_of_one_record_signs_few_anew(denial: str) -> None:
    draw = random.Random(denial)
    signing, zone, standing = scene(7, denial)
    signed, made = sign_all(signing, zone, standing)
    assert made == sum(bool(rrset.signatures) for rrset in all_rrsets(signed))
    total = 0
    for _ in range(15):
        zone = changed(zone, draw)
        signing.now_s += 10
        signed, made = sign_all(signing, zone, standing)
        assert made < 10
        total += made
        check(zone, standing, signed, signing.now_s)
    assert total >= 15  # but for what stands below cuts


def test_nothing_changed_is_the_same_zone() -> None:
    signing, zone, standing = scene(3, "nsec")
    signed, _ = sign_all(signing, zone, standing)
    again, made = sign_all(signing, zone, list(standing))
    assert again is signed and made == 0
    # Another object with the same content costs no signature either.
    again, made = sign_all(signing, replace(zone), standing)
    assert again == signed and made == 0


def test_another_load_balancer_is_another_chain() -> None:
    signing, zone, standing = scene(5, "nsec")
    sign_all(signing, zone, standing)
    more = [*standing, BalancerStanding(encode_canonical("more.example.com"), "A", (TYPE_A, TYPE_AAAA), 900)]
    signed, made = sign_all(signing, zone, more)
    check(zone, more, signed)
    assert 0 < made <= 2
    assert signed.signed is not None and signed.signed.ttl_max_s == 3600


@pytest.mark.parametrize("denial", DENIALS)
def test_two_weeks_of_renewals(denial: str) -> None:
    """Signatures are made anew when a week is left, evenly spread, and none before."""
    signing, zone, standing = scene(11, denial, name_count=150)
    signed, first = sign_all(signing, zone, standing)
    begun_s, by_day = signing.now_s, [0] * 14
    assert signed.signed is not None
    while signed.signed.renewal_s < begun_s + 2 * WEEK_S:
        left = [expiration_of(one) - signing.now_s for rrset in all_rrsets(signed) for one in rrset.signatures]
        assert min(left) > WEEK_S and max(left) <= 2 * WEEK_S
        # A moment before, nothing is to be done.
        signing.now_s = signed.signed.renewal_s - 1
        again, made = sign_all(signing, zone, standing)
        assert again is signed and made == 0
        signing.now_s += 1
        signed, made = sign_all(signing, zone, standing)
        assert made and signed.signed is not None and signed.signed.renewal_s > signing.now_s
        by_day[(signing.now_s - begun_s) // 86_400] += made
    check(zone, standing, signed, signing.now_s)
    assert sum(by_day) == 2 * first
    assert max(by_day) < 1.5 * first / 7 and min(by_day) > 0.5 * first / 7


def expiration_of(signature: bytes) -> int:
    """Return when a signature ends."""
    return int.from_bytes(signature[8:12], "big")


def inception_of(signature: bytes) -> int:
    """Return when a signature begins."""
    return int.from_bytes(signature[12:16], "big")


def test_inception_is_an_hour_back_and_of_keys_five_minutes() -> None:
    signing, zone, standing = scene(2, "nsec")
    signing = replace(signing, several=[SomeKeys.make("example.com").with_cds()])
    signed, _ = sign_all(signing, zone, standing)
    for rrset in all_rrsets(signed):
        of_keys = rrset.type in (TYPE_DNSKEY, TYPE_CDS, TYPE_CDNSKEY)
        for signature in rrset.signatures:
            assert NOW_S - inception_of(signature) == (300 if of_keys else 3600)


def test_a_clock_that_was_set_back_before_inception() -> None:
    """What was signed under a later clock is not valid yet, and signed anew; by less than its inception it stays."""
    signing, zone, standing = scene(2, "nsec")
    signed, first = sign_all(signing, zone, standing)
    signing.now_s -= 250
    again, made = sign_all(signing, zone, standing)
    assert again.rrsets == signed.rrsets and made == 0
    signing.now_s -= 5000
    again, made = sign_all(signing, zone, standing)
    assert made == first
    check(zone, standing, again, signing.now_s)


@pytest.mark.parametrize("denial", DENIALS)
def test_keys_that_change(denial: str) -> None:
    """A ZSK that follows another signs all anew; one that is only published signs its DNSKEY RRset anew."""
    signing, zone, standing = scene(9, denial)
    before, after = (SomeKeys.make("example.com", split=True, seed=seed) for seed in ("", "next"))
    assert isinstance(signing.hand, SigningHand)
    signing.hand.private |= {**before.private, **after.private}
    ksk, zsk, following = before.keys.dnskeys[0], before.keys.zone_signers, after.keys.zone_signers
    for dnskeys, signers in (
        ((ksk, zsk[0].dnskey), zsk),
        ((ksk, zsk[0].dnskey, following[0].dnskey), zsk),
        ((ksk, zsk[0].dnskey, following[0].dnskey), following),
        ((ksk, following[0].dnskey), following),
    ):
        before = replace(before, keys=replace(before.keys, dnskeys=dnskeys, zone_signers=signers))
        signing.several = [before]
        was = signing.zone_signing
        signed, made = sign_all(signing, zone, standing)
        assert signing.zone_signing is was
        check(zone, standing, signed)
        assert signed.signed is not None and signed.signed.keys_digest == before.keys.digest
        assert signed.signed.key_ids == (signers[0].id,)
        total = sum(bool(rrset.signatures) for rrset in all_rrsets(signed))
        if signers is zsk:
            assert made in (1, total)
        else:
            assert made == (total - 1 if len(dnskeys) == 3 else 1)


def test_two_algorithms_at_once() -> None:
    signing, zone, standing = scene(4, "nsec")
    first, second = (SomeKeys.make("example.com", one) for one in (ECDSAP256SHA256, ED25519))
    assert isinstance(signing.hand, SigningHand)
    signing.hand.private |= {**first.private, **second.private}
    both = ZoneKeys(
        APEX,
        (*first.keys.dnskeys, *second.keys.dnskeys),
        (*first.keys.key_signers, *second.keys.key_signers),
        (*first.keys.zone_signers, *second.keys.zone_signers),
    )
    _, one_each = sign_all(signing, zone, standing)
    signing.several = [replace(first, keys=both)]
    signed, made = sign_all(signing, zone, standing)
    # Those of the first key stay, but over the keys themselves, which are others now.
    assert made == one_each + 1
    assert {len(rrset.signatures) for rrset in all_rrsets(signed)} == {0, 2}
    check(zone, standing, signed)


def test_a_key_with_the_tag_of_another_signs_for_itself() -> None:
    """A key that was not in the zone made none of its signatures, whatever its tag."""
    signing, zone, standing = scene(6, "nsec")
    _, first = sign_all(signing, zone, standing)
    other = SomeKeys.make("example.com", seed="other")
    tag = SomeKeys.make("example.com").keys.zone_signers[0].tag
    alike = replace(other.keys.zone_signers[0], tag=tag)
    keys = replace(other.keys, zone_signers=(alike,), key_signers=(alike,))
    assert isinstance(signing.hand, SigningHand)
    signing.hand.private |= other.private
    signing.several = [replace(other, keys=keys)]
    _, made = sign_all(signing, zone, standing)
    assert made == first


def test_a_signer_that_is_away() -> None:
    """What is to be made anew goes on as it is; what changed is refused, and nothing is unsigned or lost."""
    signing, zone, standing = scene(8, "nsec")
    signed, _ = sign_all(signing, zone, standing)
    assert isinstance(signing.hand, SigningHand) and signed.signed is not None
    signing.hand.fault = LbdnsError("the signer is away")
    signing.now_s = signed.signed.renewal_s
    again, made = sign_all(signing, zone, standing)
    assert again.rrsets == signed.rrsets and made == 0
    check(zone, standing, again, signing.now_s)
    assert again.signed is not None and again.signed.renewal_s <= signing.now_s  # tried again
    with pytest.raises(LbdnsError, match="away"):
        sign_all(signing, changed(zone, random.Random(1)), standing)
    # After the last signature's end nothing is handed out any more.
    signing.now_s += 3 * WEEK_S
    with pytest.raises(LbdnsError, match="away"):
        sign_all(signing, zone, standing)
    signing.hand.fault = None
    signed, _ = sign_all(signing, zone, standing)
    check(zone, standing, signed, signing.now_s)


def test_a_ttl_that_outlives_signatures_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Once, when the zone is signed; not where all TTLs are shorter."""
    zone, standing = random_zone(random.Random(3))
    signing = signs(SomeKeys.make("example.com"))
    sign_all(signing, zone, standing)
    assert not caplog.text
    long = RRset(encode_canonical("long.example.com"), TYPE_TXT, 8 * 86_400, (b"\4text",))
    zone = replace(zone, rrsets=(*zone.rrsets, long))
    for _ in range(2):
        sign_all(signing, zone, standing)
    told = "zone example.com has a TTL of 691200 s, and signatures hold for 604800 s at least"
    assert [record.message.partition(":")[0] for record in caplog.records] == [told]


def test_a_zone_whose_name_leaves_no_room_for_hashes() -> None:
    for last, denial in ((52, "nsec3"), (53, "nsec")):
        apex = ".".join(("x" * 55, "x" * 55, "x" * 55, "x" * last))
        zone = Zone(encode_canonical(apex), (replace(SOA, owner=encode_canonical(apex)),), "long.zone")
        signing = signs(SomeKeys.make(apex), policy=Policy(denial))
        (signed,) = signing.sign([zone], [()])
        assert signed.signed is not None
    with pytest.raises(LbdnsError, match="the name is too long for NSEC3; take denial: nsec for it"):
        replace(signing, policy=Policy("nsec3"), zone_signing=ZoneSigning()).sign([zone], [()])


def test_many_lots() -> None:
    """More than one lot is signed at once; a fault in any ends all."""
    names = 3 * LOT // 2
    owners = [encode_canonical(f"n{number}.example.com") for number in range(names)]
    rrsets = tuple(RRset(owner, TYPE_A, 60, (bytes(4),)) for owner in owners)
    zone = Zone(APEX, (SOA, RRset(APEX, TYPE_NS, 60, (APEX,)), *rrsets), "example.com.zone")
    keys = SomeKeys.make("example.com", ED25519)
    lots: list[int] = []

    def hand(wanted: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """Sign the first, which is verified; of the others a digest stands for the signature."""
        lots.append(len(wanted))
        if fault and len(lots) == fault:
            raise LbdnsError("no more")
        (key_id, first), *others = wanted
        return [sign(keys.private[key_id], first), *(sha512(data).digest() for _, data in others)]

    for fault in (0, 1, 2, 3):
        lots.clear()
        signing = InProcessSigning([keys], Policy(), hand, ZoneSigning())
        if fault:
            with pytest.raises(LbdnsError, match="no more"):
                signing.sign([zone], [()])
            continue
        (signed,) = signing.sign([zone], [()])
        assert sum(lots) == 2 * names + 4 and max(lots) == LOT
        digests = 0
        for rrset in signed.rrsets:
            (signature,) = rrset.signatures
            head = signature[:-64]
            data = signed_data(head, rrset.owner, rrset.type, rrset.ttl, rrset.rdatas)
            digests += signature == head + sha512(data).digest()
        assert digests == sum(lots) - len(lots)


def test_a_hand_that_signs_otherwise_has_nothing_published() -> None:
    signing, zone, standing = scene(1, "nsec")
    right = signing.hand
    other = SigningHand(SomeKeys.make("example.com", seed="other"))
    other.private = dict.fromkeys(signing.several[0].private, next(iter(other.private.values())))
    signing.hand = other
    with pytest.raises(LbdnsError, match=r"a signature that is none of key \d+"):
        signing.sign([zone], [standing])
    signing.hand = lambda wanted: right(wanted)[1:]
    with pytest.raises(LbdnsError, match="the signer gave"):
        signing.sign([zone], [standing])
    signing.hand = lambda wanted: [b""] * len(wanted)
    with pytest.raises(LbdnsError, match="none of key"):
        signing.sign([zone], [standing])


def test_a_zone_served_here_is_below_a_cut_of_a_signed_one() -> None:
    """Whether the zone above delegates to it or not: else what it answers could not be told from a forgery."""
    zone, standing = random_zone(random.Random(1))
    child_apex = encode_canonical("sub.deep.example.com")
    servers = RRset(child_apex, TYPE_NS, 77, (encode_canonical("ns.example.net"),), line=9)
    child = Zone(child_apex, (replace(SOA, owner=child_apex), servers), "sub.zone")
    grandchild = replace(child, apex=b"\1x" + child_apex, rrsets=(replace(servers, owner=b"\1x" + child_apex),))
    hidden = RRset(b"\1h" + child_apex, TYPE_A, 60, (bytes(4),))
    zone = replace(zone, rrsets=(*zone.rrsets, hidden))
    signing = signs(SomeKeys.make("example.com"))
    alone, _ = sign_all(signing, zone, standing)
    signed, same_child, _ = signing.sign([zone, child, grandchild], [standing, [], []])
    assert same_child is child
    with_cut = replace(zone, rrsets=(*zone.rrsets, replace(servers, line=0)))
    check(with_cut, standing, signed)
    assert [one for one in signed.rrsets if one.owner in (child_apex, hidden.owner) and not one.signatures] == [
        hidden,
        replace(servers, line=0),
    ]
    # Where it delegates itself, that stays; a zone of another view is none of this one's.
    (own, _) = signing.sign([with_cut, child], [standing, []])
    assert [one.rdatas for one in own.rrsets if one.type == TYPE_NS and one.owner == child_apex] == [servers.rdatas]
    (of_view, _) = signing.sign([zone, replace(child, view="lab")], [standing, []])
    assert of_view.rrsets == alone.rrsets
    # And it goes when the zone does.
    again, _ = sign_all(signing, zone, standing)
    assert again.rrsets == alone.rrsets


def test_zones_without_keys_stay_as_they_are() -> None:
    zone, standing = random_zone(random.Random(1))
    unready = Zone(APEX, (), "broken.zone")
    other = replace(zone, apex=encode_canonical("example.org"))
    signing = signs(SomeKeys.make("example.com"))
    found = signing.sign([other, unready, zone], [[], [], standing])
    assert found[0] is other and found[1] is unready and found[2].signed is not None


def test_a_zone_whose_keys_cannot_be_had_stays_signed() -> None:
    zone, standing = random_zone(random.Random(1))
    keys, hand, zone_signing = SomeKeys.make("example.com"), SigningHand(SomeKeys.make("example.com")), ZoneSigning()

    def sign(of: Zone, problems: dict[bytes, str]) -> tuple[Zone, ...]:
        known = {} if problems else {APEX: keys.keys}
        return zone_signing.sign([of], [standing], known, lambda apex: Policy(), hand, NOW_S, problems)

    with pytest.raises(LbdnsError, match=r"zone example.com cannot be signed: damaged"):
        sign(zone, {APEX: "damaged"})
    signed = sign(zone, {})
    assert sign(zone, {APEX: "damaged"}) == signed
    with pytest.raises(LbdnsError, match="damaged"):
        sign(changed(zone, random.Random(1)), {APEX: "damaged"})
