"""The keeper of keys: what is on disk, what operators want, steps by the clock; rolls as their RFCs draw them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.dns.name import encode_canonical
from lbdns.dnssec.key_policy import KeyPolicies, key_policies, key_policy
from lbdns.dnssec.zone_keys import CDNSKEY_DELETE, CDS_DELETE, ds_text
from lbdns.dnssec.zone_status import KeyRole, SigningState, ZoneStatus
from lbdns.model.dnssec_settings import DnssecPolicy
from lbdns.model.settings import Settings
from tests.dnssec.keys_desk import APEX, DAY_S, HOUR_S, TTL_S, ZONE, Desk


@pytest.fixture(name="desk")
def make_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Return what makes a desk."""
    yield lambda **fields: Desk(tmp_path / "dnssec", **fields)


def test_a_zone_becomes_secure(desk: Callable[..., Desk]) -> None:
    """Keys and signatures at once; CDS when no cache holds what is unsigned; active when the parent has the DS."""
    at = desk()
    assert at.ask("enable", algorithm=None, keys=None)["status"] == "pending"
    assert len(at.zone.dnskeys) == 1 and at.zone.key_signers == at.zone.zone_signers and not at.zone.cds
    at.wait(4000)
    assert len(at.zone.cds) == len(at.zone.cdnskey) == 1
    status = at.keeper.status(ZONE, at.now_s)
    assert status.status is SigningState.PENDING and "this alone" in status.to_do and len(status.ds) == 1
    assert at.states() == [("csk", "ready")]
    at.answer(frozenset(at.zone.cds), frozenset())
    assert at.status() is SigningState.PENDING
    at.answer(frozenset(at.zone.cds), None)
    assert "did not" in at.keeper.status(ZONE, at.now_s).parent_problem or at.status() is SigningState.PENDING
    at.parent()
    assert at.status() is SigningState.ACTIVE and at.states() == [("csk", "active")]
    assert at.keeper.status(ZONE, at.now_s).to_do == ""


def test_a_zsk_rolls_by_itself(desk: Callable[..., Desk]) -> None:
    """Pre-publication (RFC 7583 section 3.2.1): both in DNSKEY, one signature at any time."""
    at = desk(keys="split", zsk_lifetime="30d")
    at.begin()
    first = at.zone.zone_signers
    seen = []
    for _ in range(24 * 40):
        at.wait(HOUR_S)
        seen.append((len(at.zone.dnskeys), at.zone.zone_signers == first, len(at.zone.zone_signers)))
    order = [one for index, one in enumerate(seen) if index == 0 or one != seen[index - 1]]
    assert order == [(2, True, 1), (3, True, 1), (3, False, 1), (2, False, 1)]
    assert at.states() == [("ksk", "active"), ("zsk", "active")]
    assert len(at.zone.cds) == 1


@pytest.mark.parametrize(
    ("fields", "role", "most_ds"),
    [
        ({}, KeyRole.CSK, 1),
        ({"keys": "split"}, KeyRole.KSK, 1),
        ({"keys": "split", "ksk_roll": "double_ds"}, KeyRole.KSK, 2),
        ({"ksk_roll": "double_ds"}, KeyRole.CSK, 2),
    ],
)
def test_a_key_that_the_parent_names_rolls(
    desk: Callable[..., Desk], fields: dict[str, Any], role: KeyRole, most_ds: int
) -> None:
    """Double signature: one change of the DS, both keys in DNSKEY. Double DS of a KSK: never both in DNSKEY."""
    at = desk(**fields)
    at.begin()
    old = next(key for key in at.zone.key_signers)
    at.ask("roll", role=role, algorithm=None)
    with pytest.raises(LbdnsError, match="under way"):
        at.ask("roll", role=role, algorithm=None)
    at.wait(10 * DAY_S)
    assert old in at.zone.key_signers, "the parent has its DS alone"
    ds_seen, keys_seen = [], []
    for _ in range(24 * 10):
        at.parent()
        at.wait(HOUR_S)
        ds_seen.append(len(at.ds))
        keys_seen.append(len(at.zone.key_signers))
    assert max(ds_seen) == most_ds and len(at.ds) == 1
    assert max(keys_seen) == (1 if most_ds == 2 and role is KeyRole.KSK else 2)
    assert old not in at.zone.key_signers and at.status() is SigningState.ACTIVE
    assert len(at.zone.dnskeys) == (1 if role is KeyRole.CSK else 2)


@pytest.mark.parametrize("keys", ["csk", "split"])
def test_the_algorithm_rolls(desk: Callable[..., Desk], keys: str) -> None:
    """RFC 6781 section 4.1.4: signatures first, then keys, then DS, then keys go, then signatures."""
    at = desk(keys=keys)
    at.begin()
    at.ask("roll", role=KeyRole.ZSK if keys == "split" else KeyRole.CSK, algorithm=15)
    seen = []
    for _ in range(24 * 10):
        at.wait(HOUR_S)
        at.parent()
        algorithms = [sorted({one[3] for one in at.zone.dnskeys}), sorted({one[2] for one in at.ds})]
        seen.append((sorted({key.algorithm for key in at.zone.zone_signers}), *algorithms))
    order = [one for index, one in enumerate(seen) if index == 0 or one != seen[index - 1]]
    assert order == [
        ([13, 15], [13], [13]),
        ([13, 15], [13, 15], [13]),
        ([13, 15], [13, 15], [15]),
        ([13, 15], [15], [15]),
        ([15], [15], [15]),
    ]
    assert at.status() is SigningState.ACTIVE


def test_an_emergency_signs_twice(desk: Callable[..., Desk]) -> None:
    """Both keys at once in DNSKEY and signatures: the old one goes after one TTL, not after one after the other."""
    at = desk(keys="split")
    at.begin()
    old = at.zone.zone_signers[0]
    at.ask("roll", role=KeyRole.ZSK, algorithm=None, emergency=True)
    assert len(at.zone.zone_signers) == 2 and len(at.zone.dnskeys) == 3
    at.wait(HOUR_S + 300 + HOUR_S + 60)  # the TTL of DNSKEY, propagation, safety
    assert old not in at.zone.zone_signers and len(at.zone.dnskeys) == 2


def test_a_removed_key_is_not_exported(desk: Callable[..., Desk], tmp_path: Path) -> None:
    """Whoever took it in elsewhere would publish it again; its files stay until caches have the zone without it."""
    at = desk(keys="split")
    at.begin()
    at.ask("roll", role=KeyRole.ZSK, algorithm=None, emergency=True)
    removed: list[int] = []
    for _ in range(300):
        at.wait(60)
        removed = [key.tag for key in shown(at).keys if key.state == "removed"]
        if removed:
            break
    assert len(removed) == 1
    files = at.ask("export", directory=str(tmp_path / "out"))["files"]
    assert len(files) == 4 and not [file for file in files if f"+{removed[0]:05}" in file]


def test_unsigned_without_a_gap(desk: Callable[..., Desk]) -> None:
    """CDS asks to remove the DS; signatures and keys stay until it is in no cache; then all goes, files too."""
    at = desk()
    at.begin()
    at.ask("disable")
    assert at.zone.cds == (CDS_DELETE,) and at.zone.cdnskey == (CDNSKEY_DELETE,)
    at.wait(30 * DAY_S)
    assert at.status() is SigningState.PENDING_DISABLED and at.zone.zone_signers
    at.parent()
    assert at.zone.zone_signers, "caches may hold the DS"
    at.wait(HOUR_S + 2 * HOUR_S - 60)
    assert at.zone.zone_signers
    at.wait(120)
    assert at.keys is None and at.status() is SigningState.DISABLED
    assert list(at.directory.iterdir()) == []


def shown(at: Desk) -> ZoneStatus:
    """Return how the zone stands, as people are shown it."""
    return at.keeper.status(ZONE, at.now_s)


def test_no_key_is_said_to_go_before_it_can(desk: Callable[..., Desk]) -> None:
    """While another key is on its way, the old one has no date; of a zone that is to be unsigned, no key becomes
    active any more."""
    at = desk(keys="split")
    at.begin()
    at.ask("roll", role=KeyRole.ZSK, algorithm=None, emergency=False)
    old, new = (next(key for key in shown(at).keys if key.state == state) for state in ("retired", "published"))
    assert (old.next_state, old.next_at_s) == ("removed", None) and new.next_at_s is not None
    assert shown(at).next_step == "the next key takes over when every cache has it"
    at.wait(new.next_at_s - at.now_s + 1)
    old = next(key for key in shown(at).keys if key.state == "retired")
    assert old.next_at_s is not None, "it signs no longer"
    at.wait(old.next_at_s - at.now_s + 1)
    at.ask("roll", role=KeyRole.KSK, algorithm=None, emergency=False)
    old = next(key for key in shown(at).keys if key.state == "retired")
    assert (old.next_at_s, old.waits_for) == (None, "the zone above to have the DS of the new one")
    at.ask("disable")
    assert {(key.next_state, key.waits_for) for key in shown(at).keys} == {
        ("removed", "the zone above to have no DS of the zone")
    }
    texts = [event.what for event in at.events]
    assert "the zone above is asked to have no DS of the zone" in texts
    assert not [text for text in texts if "nothing" in text and "may hold" not in text]


def test_disable_is_taken_back(desk: Callable[..., Desk]) -> None:
    """As long as it is signed, it stays so by the same keys."""
    at = desk()
    at.begin()
    before = at.zone.dnskeys
    at.ask("disable")
    at.ask("enable", algorithm=None, keys=None)
    at.wait(DAY_S)
    at.parent()
    assert at.zone.dnskeys == before and len(at.zone.cds) == 1 and at.status() is SigningState.ACTIVE


def test_nothing_goes_on_before_it_is_in_force(desk: Callable[..., Desk]) -> None:
    """Timers begin when what was made is served; what another generation said counts for nothing."""
    at = desk()
    at.keeper.ask("enable", {"zone": ZONE, "algorithm": None, "keys": None}, at.now_s)
    at.in_force = at.zone  # so that it is not told to be
    digest = at.zone.digest
    at.wait(30 * DAY_S)
    assert not at.zone.cds
    assert at.keeper.published(APEX, digest ^ 1, TTL_S, at.now_s) == ()
    at.keeper.published(APEX, digest, TTL_S, at.now_s)
    at.wait(4000)
    assert at.zone.cds


def test_what_is_refused(desk: Callable[..., Desk]) -> None:
    """In an operator's words, and nothing is changed by it."""
    at = desk()
    for verb in ("disable", "roll", "ds_seen", "export"):
        with pytest.raises(LbdnsError, match="not signed"):
            at.ask(verb, role="csk", algorithm=None, directory=None)
    at.ask("enable", algorithm=None, keys=None)
    for arguments, part in (
        ({"role": "ksk", "algorithm": None}, "one key for all"),
        ({"role": "csk", "algorithm": 8}, "no keys of RSASHA256"),
    ):
        with pytest.raises(LbdnsError, match=part):
            at.ask("roll", **arguments)
    with pytest.raises(LbdnsError, match="not to have another DS"):
        at.ask("ds_seen")
    with pytest.raises(LbdnsError, match="signed already"):
        at.ask("enable", algorithm=15, keys=None)
    at.ask("enable", algorithm=13, keys="csk")


def test_an_operator_says_that_the_ds_is_there(desk: Callable[..., Desk]) -> None:
    """Where the parent cannot be asked; where it was, and says otherwise, it is believed instead."""
    at = desk()
    at.ask("enable", algorithm=None, keys=None)
    at.wait(2 * DAY_S)
    at.answer(frozenset(), frozenset())
    with pytest.raises(LbdnsError, match=r"say otherwise: .* is none"):
        at.ask("ds_seen")
    at.answer(frozenset(), None)
    assert at.ask("ds_seen")["status"] == "active"


def test_what_the_zone_does_not_ask_for_yet_is_not_wanted(desk: Callable[..., Desk]) -> None:
    """Until the CDS is in force that asks for a DS, whoever reads the zone's CDS may put the DS before back: nobody is
    told to change it, and a key whose DS may come back stays."""
    at = desk()
    at.begin()
    (old,) = at.ds
    at.ask("roll", role="csk", algorithm=None)
    while not any("asked to have" in event.what for event in at.keeper.step(at.now_s)):
        at.now_s += HOUR_S
    status = at.keeper.status(ZONE, at.now_s)
    assert status.to_do == "" and status.ds == (ds_text(old),)
    with pytest.raises(LbdnsError, match="not to have another DS"):
        at.ask("ds_seen")
    (new,) = at.zone.cds
    at.answer(frozenset((new,)))
    at.answer(frozenset((old,)))
    at.take(at.keeper.published(APEX, at.zone.digest, TTL_S, at.now_s))
    assert at.keeper.status(ZONE, at.now_s).ds == (ds_text(new),)
    at.wait(30 * DAY_S)
    assert len(at.zone.dnskeys) == 2
    at.parent()
    at.wait(3 * DAY_S)
    assert len(at.zone.dnskeys) == 1


def test_the_first_ds_is_asked_for_soon(desk: Callable[..., Desk]) -> None:
    """When what was unsigned is gone: the zone's longest TTL and propagation, without what rolls wait for safety."""
    at = desk()
    at.ask("enable", algorithm=None, keys=None)
    at.wait(TTL_S + 299)
    assert not at.zone.cds
    at.wait(2)
    assert at.zone.cds
    later = desk(unsigned_ttl="1h")
    later.keeper.ask("enable", {"zone": "example.net", "algorithm": None, "keys": None}, at.now_s)
    apex = encode_canonical("example.net")
    later.keeper.published(apex, later.keeper.zone_keys()[apex].digest, TTL_S, at.now_s)
    later.keeper.step(at.now_s + 3890)
    assert not later.keeper.zone_keys()[apex].cds
    later.keeper.step(at.now_s + 3910)
    assert later.keeper.zone_keys()[apex].cds


def test_without_cds(desk: Callable[..., Desk]) -> None:
    """By `cds: false` the zone says nothing to its parent; an operator is told all the same, and all ends well."""
    at = desk(cds=False)
    at.ask("enable", algorithm=None, keys=None)
    at.wait(2 * DAY_S)
    assert at.zone.cds == () == at.zone.cdnskey
    status = at.keeper.status(ZONE, at.now_s)
    assert status.to_do.endswith(status.ds[0])
    assert at.ask("ds_seen")["status"] == "active"
    at.ask("disable")
    assert "remove the DS" in at.keeper.status(ZONE, at.now_s).to_do
    at.ask("ds_seen")
    at.wait(2 * DAY_S)
    assert at.status() is SigningState.DISABLED


def test_a_ds_of_nobody(desk: Callable[..., Desk]) -> None:
    """A DS that names no key of the zone is a problem that is told of; the zone's own is asked for all the same."""
    at = desk()
    at.ask("enable", algorithm=None, keys=None)
    at.answer(frozenset((bytes((0, 1, 13, 2)) + bytes(32),)))
    status = at.keeper.status(ZONE, at.now_s)
    assert status.status is SigningState.ERROR and "validators refuse" in status.problem
    at.wait(2 * DAY_S)
    assert at.zone.cds
    at.parent()
    assert at.status() is SigningState.ACTIVE


def test_the_settings_roll(desk: Callable[..., Desk]) -> None:
    """A changed algorithm, and a changed form of keys, are rolled to by themselves."""
    at = desk()
    at.begin()
    at.policies = KeyPolicies(key_policy(DnssecPolicy.model_validate({"algorithm": 15, "keys": "split"})), {})
    at.keeper.policies = KeyPolicies.from_json(json.loads(json.dumps(at.policies.as_json())))
    for _ in range(40):
        at.wait(6 * HOUR_S)
        at.parent()
    assert at.states() == [("ksk", "active"), ("zsk", "active")]
    assert {key.algorithm for key in at.zone.zone_signers} == {15}


def test_policies_travel_whole() -> None:
    settings = Settings.model_validate(
        {"dnssec": {"parent": ["192.0.2.1"], "zones": {ZONE: {"keys": "split"}}}, "resolvers": ["192.0.2.53"]}
    )
    policies = key_policies(settings)
    assert KeyPolicies.from_json(json.loads(json.dumps(policies.as_json()))) == policies
    assert policies.of(ZONE).is_split and not policies.of("example.net").is_split
    assert policies.of(ZONE).parent == ("192.0.2.1",) and policies.resolvers == ("192.0.2.53",)


def test_a_clock_that_is_set_back_does_not_keep_the_parent_from_being_asked(desk: Callable[..., Desk]) -> None:
    at = desk()
    at.begin()
    at.now_s += 365 * DAY_S
    at.parent()
    assert at.keeper.parent_due(at.now_s) == []
    at.now_s -= 365 * DAY_S
    assert [zone for zone, _ in at.keeper.parent_due(at.now_s)] == [ZONE]
    at.parent()
    assert at.keeper.parent_due(at.now_s) == []


def test_withdrawn_zones_wait_for_nobody(desk: Callable[..., Desk]) -> None:
    """A zone that is not served can be disabled: its DS has to go all the same."""
    at = desk()
    at.keeper.ask("enable", {"zone": ZONE, "algorithm": None, "keys": None}, at.now_s)
    at.keeper.withdrawn(APEX, at.now_s)
    at.keeper.ask("disable", {"zone": ZONE}, at.now_s)
    at.keeper.withdrawn(APEX, at.now_s)
    at.answer(frozenset())
    at.now_s += 3 * DAY_S
    at.keeper.step(at.now_s)
    at.keeper.withdrawn(APEX, at.now_s)
    assert at.status() is SigningState.DISABLED
