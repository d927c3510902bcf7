"""What is particular about answers of signed zones that steer: by name what validators and caches made necessary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest
from dns.rdatatype import RdataType

from lbdns.answer.answer import Road
from lbdns.answer.reply import Transport
from lbdns.answer.respond import respond
from lbdns.dns.codes import ED25519
from tests.dnssec.aggressive_cache import OPT_OUT
from tests.dnssec.in_process import SomeKeys
from tests.dnssec.naive_validator import types_of
from tests.dnssec.signed_asking import CLIENT, MONOTONIC_S, SignedAsking
from tests.dnssec.signed_views import DENIALS, asking_of, check, validator_of

ZONE = """$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 90
@ NS ns1
ns1 A 192.0.2.53
www TXT "beside"
*.apps TXT "static beside a wildcard load balancer"
*.wild A 192.0.2.99
alias CNAME www
*.wx CNAME www
old DNAME apps
mail MX 10 ns1
"""
TREE = {
    "settings": {"resolvers": ["127.0.0.1:9"]},
    "zones": {"example.com": ZONE},
    "pools": {
        "four": {"origins": [{"name": "a", "address": "198.51.100.1"}]},
        "both": {"origins": [{"name": "b", "address": "198.51.100.2"}, {"name": "c", "address": "2001:db8::2"}]},
        "off": {"origins": [{"name": "d", "address": "198.51.100.3"}], "enabled": False},
    },
    "load_balancers": [
        {"name": "www.example.com", "default_pools": ["four"], "fallback_pool": "both", "ttl": 20},
        {"name": "*.apps.example.com", "default_pools": ["four"], "fallback_pool": "four", "ttl": 20},
        {"name": "*.mixed.example.com", "default_pools": ["four"], "fallback_pool": "both", "ttl": 20},
        {"name": "long.example.com", "default_pools": ["off"], "fallback_pool": "off", "ttl": 3600},
    ],
}
WHEREVER = pytest.mark.parametrize("denial", DENIALS)


@pytest.fixture(scope="module")
def askings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SignedAsking]:
    """The zone with each way to deny."""
    folder = tmp_path_factory.mktemp("views")
    return {denial: asking_of(TREE, folder / denial, denial, "example.com") for denial in DENIALS}


def denial_in(reply: dns.message.Message) -> dns.rrset.RRset:
    """Return the one NSEC or NSEC3 RRset of a reply."""
    (found,) = (one for one in reply.authority if one.rdtype in (RdataType.NSEC, RdataType.NSEC3))
    return found


def soa_in(reply: dns.message.Message) -> dns.rrset.RRset:
    """Return the SOA of a negative reply."""
    (found,) = (one for one in reply.authority if one.rdtype == RdataType.SOA)
    return found


@WHEREVER
def test_no_type_that_the_balancer_may_have_is_denied_but_the_one_asked(
    askings: dict[str, SignedAsking], denial: str
) -> None:
    """unbound answers other types from such a record: its types are what fallback pools have as well."""
    reply = askings[denial].ask("www.example.com.", "AAAA")
    assert {RdataType.A, RdataType.TXT, RdataType.RRSIG} <= types_of(denial_in(reply)[0])
    assert RdataType.AAAA not in types_of(denial_in(reply)[0])
    static = askings[denial].ask("www.example.com.", "MX")
    assert {RdataType.A, RdataType.AAAA, RdataType.TXT} <= types_of(denial_in(static)[0])


@WHEREVER
def test_what_steering_denies_lives_as_long_as_the_balancer(askings: dict[str, SignedAsking], denial: str) -> None:
    """SOA, denial and their signatures, and never longer than other denials do."""
    reply = askings[denial].ask("www.example.com.", "AAAA")
    assert {one.ttl for one in reply.authority} == {20}
    reply = askings[denial].ask("long.example.com.", "A")
    assert (soa_in(reply).ttl, denial_in(reply).ttl) == (90, 60)


@WHEREVER
@pytest.mark.parametrize("name", ["*.apps", "*.x.apps", "*.old", "*.APPS"])
def test_a_literal_wildcard_is_denied_what_steering_answers(
    askings: dict[str, SignedAsking], denial: str, name: str
) -> None:
    """A signature over it would be one over every name below; and its denial is for now alone."""
    asking = askings[denial]
    reply = asking.ask(f"{name}.example.com.", "A")
    assert check(validator_of(asking, "example.com"), reply, f"{name}.example.com.", "A") == "nodata"
    assert (soa_in(reply).ttl, denial_in(reply).ttl) == (0, 0)
    assert RdataType.TXT in types_of(denial_in(reply)[0])
    assert not any(one.owner.startswith(b"\1*") and one.rtype == RdataType.A for one in asking.given)
    plain = asking.ask(f"{name}.example.com.", "A", dnssec=False)
    assert plain.answer[-1][0].to_text() == "198.51.100.1"


@WHEREVER
def test_below_a_wildcard_balancer_all_is_signed_as_asked(askings: dict[str, SignedAsking], denial: str) -> None:
    """Steered or static: with a wildcard's signature, caches would answer for the names beside it."""
    for qtype in ("A", "TXT"):
        reply = askings[denial].ask("one.Apps.example.com.", qtype)
        assert reply.answer[1][0].labels == 4
        assert not reply.authority
        assert reply.answer[1].name == dns.name.from_text("one.apps.example.com.")
    reply = askings[denial].ask("one.apps.example.com.", "MX")
    if denial != "nsec3":
        assert denial_in(reply).name == dns.name.from_text("one.apps.example.com.")
        assert denial_in(reply)[0].next.to_text() == "\\000.one.apps.example.com."


@pytest.mark.parametrize(("name", "qtype", "ttl"), [("apps", "MX", 60), ("apps", "AAAA", 20), ("mixed", "AAAA", 20)])
def test_no_cache_keeps_a_hash_that_is_said_to_exist_below_a_wildcard_balancer(
    askings: dict[str, SignedAsking], name: str, qtype: str, ttl: int
) -> None:
    """It would be a closest encloser, of which the chain denies all that is below (PowerDNS Recursor did, for a second
    with a TTL of 0 too): so it has Opt-Out. It is at the name, where no other one counts (unbound had met one)."""
    asking = askings["nsec3"]
    reply = asking.ask(f"one.{name}.example.com.", qtype)
    assert check(validator_of(asking, "example.com"), reply, f"one.{name}.example.com.", qtype) == "nodata"
    denial = denial_in(reply)
    hashed = dns.dnssec.nsec3_hash(f"one.{name}.example.com.", None, 0, "SHA1").lower()
    assert denial.name.to_text().startswith(hashed)
    assert (denial[0].flags, denial.ttl) == (OPT_OUT, ttl)
    chain = asking.ask("nothing.example.com.", "A").authority
    assert {one[0].flags for one in chain if one.rdtype == RdataType.NSEC3} == {0}


@WHEREVER
def test_what_an_alias_of_a_wildcard_leads_to_is_not_denied(askings: dict[str, SignedAsking], denial: str) -> None:
    """The proof of the wildcard is no sign that there is nothing at the alias's end."""
    reply = askings[denial].ask("one.wx.example.com.", "A")
    assert reply.answer[-2][0].to_text() == "198.51.100.1"
    end = dns.name.from_text("www.example.com.")
    assert all(one.name != end or one.rdtype == RdataType.RRSIG for one in reply.authority)
    assert len(reply.authority) == (0 if denial == "compact" else 2)


@pytest.mark.parametrize(("compact", "rcode"), [(True, dns.rcode.NXDOMAIN), (False, dns.rcode.NOERROR)])
def test_nxdomain_of_a_compact_denial_is_for_who_asks(
    askings: dict[str, SignedAsking], compact: bool, rcode: int
) -> None:
    """Resolvers that do not know RFC 9824 take NXDOMAIN with it for bogus."""
    for name in ("nothing", "NoThing"):
        reply = askings["compact"].ask(f"{name}.example.com.", "A", compact=compact)
        assert reply.rcode() == rcode
        assert types_of(denial_in(reply)[0]) == {RdataType.RRSIG, RdataType.NSEC, 128}
    assert askings["compact"].ask("nothing.example.com.", "A", dnssec=False).rcode() == dns.rcode.NXDOMAIN
    assert askings["nsec"].ask("nothing.example.com.", "A", compact=compact).rcode() == dns.rcode.NXDOMAIN


def test_spelling_needs_no_other_signature(askings: dict[str, SignedAsking]) -> None:
    """Resolvers ask in random case; what is signed is lower case."""
    asking = askings["nsec"]
    for qtype in ("A", "AAAA"):
        asking.ask("www.example.com.", qtype)
        before = len(asking.given)
        reply = asking.ask("wWw.eXample.com.", qtype)
        assert len(asking.given) == before
        check(validator_of(asking, "example.com"), reply, "www.example.com.", qtype)


@WHEREVER
def test_any(askings: dict[str, SignedAsking], denial: str) -> None:
    """One RRset with its signatures; of a load balancer HINFO, signed."""
    asking = askings[denial]
    reply = asking.ask("www.example.com.", "ANY", transport=Transport.UDP)
    assert [(one.rdtype, one.covers) for one in reply.answer] == [
        (RdataType.HINFO, RdataType.NONE),
        (RdataType.RRSIG, RdataType.HINFO),
    ]
    reply = asking.ask("example.com.", "ANY", transport=Transport.UDP)
    assert [one.rdtype for one in reply.answer] == [RdataType.SOA, RdataType.RRSIG]
    reply = asking.ask("example.com.", "ANY", transport=Transport.TCP)
    assert RdataType.NSEC not in {one.rdtype for one in reply.answer}
    assert RdataType.DNSKEY in {one.rdtype for one in reply.answer}


@WHEREVER
@pytest.mark.parametrize("dnssec", [True, False])
def test_rrsig_and_nsec(askings: dict[str, SignedAsking], denial: str, dnssec: bool) -> None:
    """NODATA to them would be bogus; without DO they are asked for all the same."""
    names = ("mail", "www", "alias", "one.apps", "x.wild", "*.wild")
    for name in (f"{one}.example.com." for one in names):
        reply = askings[denial].ask(name, "RRSIG", dnssec=dnssec)
        assert [one.rdtype for one in reply.answer] == [RdataType.RRSIG], name
        reply = askings[denial].ask(name, "NSEC", dnssec=dnssec)
        types = [one.rdtype for one in reply.answer]
        if denial != "nsec3":
            assert types == [RdataType.NSEC, RdataType.RRSIG] if dnssec else [RdataType.NSEC], name
        else:
            assert RdataType.NSEC not in types


@pytest.mark.parametrize("denial", ["compact"])
def test_a_compact_zone_shows_nothing_of_its_chain(askings: dict[str, SignedAsking], denial: str) -> None:
    """Nobody walks it, whatever he asks for."""
    for name in ("", "mail.", "www.", "alias.", "nothing.", "x.wild.", "apps.", "one.apps.", "below.old."):
        for qtype in ("A", "MX", "NSEC", "ANY", "DS", "RRSIG"):
            reply = askings[denial].ask(f"{name}example.com.", qtype)
            for one in (*reply.answer, *reply.authority):
                if one.rdtype == RdataType.NSEC:
                    assert one[0].next == dns.name.Name((b"\0", *one.name.labels)), (name, qtype)


@WHEREVER
def test_nothing_unsigned(askings: dict[str, SignedAsking], denial: str) -> None:
    """Where a signature is lacking and nobody makes it: SERVFAIL, extended error 14, and what lacks is said."""
    asking = replace(askings[denial], given={}, signs=False)
    reply = asking.ask("www.example.com.", "A")
    assert (reply.rcode(), reply.answer, reply.authority) == (dns.rcode.SERVFAIL, [], [])
    assert reply.options[0].code == 14
    (lacking,) = asking.road.lacking
    assert (lacking.owner, lacking.rtype, lacking.ttl) == (b"\3www\7example\3com\0", RdataType.A, 20)
    assert asking.ask("mail.example.com.", "MX").rcode() == dns.rcode.NOERROR


def test_each_algorithm_signs_while_a_zone_rolls(tmp_path: Path) -> None:
    """A zone whose DNSKEY records have two algorithms is signed by both (RFC 4035 section 2.2)."""
    first, second = SomeKeys.make("example.com"), SomeKeys.make("example.com", ED25519)
    keys = replace(
        first.keys,
        dnskeys=first.keys.dnskeys + second.keys.dnskeys,
        key_signers=first.keys.key_signers + second.keys.key_signers,
        zone_signers=first.keys.zone_signers + second.keys.zone_signers,
    )
    both = SomeKeys(keys, {**first.private, **second.private})
    asking = asking_of(TREE, tmp_path, "nsec", both)
    for name, qtype in (("www", "A"), ("www", "AAAA"), ("mail", "MX"), ("nothing", "A"), ("one.apps", "TXT")):
        reply = asking.ask(f"{name}.example.com.", qtype)
        signatures = [one for one in (*reply.answer, *reply.authority) if one.rdtype == RdataType.RRSIG]
        assert signatures
        assert all({one.algorithm for one in those} == {13, ED25519} for those in signatures)
        check(validator_of(asking, "example.com"), reply, f"{name}.example.com.", qtype)


@pytest.mark.parametrize("denial", ["nsec", "nsec3"])
def test_no_name_is_said_two_things_of(askings: dict[str, SignedAsking], denial: str) -> None:
    """What proves that an alias is a wildcard's may be the record of the load balancer that it leads to, which has
    none of the type: then the aliases are answered alone."""
    asking, cut_short = askings[denial], 0
    for number in range(60):
        name = f"\\033{number}.wx.example.com."
        reply = asking.ask(name, "AAAA")
        said = check(validator_of(asking, "example.com"), reply, name, "AAAA")
        assert len({one.name for one in reply.authority if one.rdtype != RdataType.RRSIG}) == len(
            [one for one in reply.authority if one.rdtype != RdataType.RRSIG]
        )
        assert reply.answer[0].rdtype == RdataType.CNAME
        cut_short += said == "elsewhere"
    assert cut_short


@WHEREVER
def test_names_of_the_greatest_length(askings: dict[str, SignedAsking], denial: str) -> None:
    """They have no room for what comes before them."""
    asking = askings[denial]
    validator = validator_of(asking, "example.com")
    for below in ("apps.example.com.", "wild.example.com.", "example.com.", "www.example.com."):
        for last in (1, 2, 3):
            labels = [b"a" * 63] * 3
            rest = 255 - last - len(dns.name.from_text(below).to_wire() or b"") - 3 * 64 - 1
            name = dns.name.Name((b"b" * rest, *labels)).concatenate(dns.name.from_text(below))
            for qtype in ("A", "AAAA", "TXT", "MX", "NSEC", "RRSIG"):
                check(validator, asking.ask(name.to_text(), qtype), name.to_text(), qtype)


def test_what_is_given_is_used_before_the_table(askings: dict[str, SignedAsking]) -> None:
    """A signature that the signer gave is sent, whether it has a place in the table or not."""
    asking = askings["nsec"]
    query = dns.message.make_query("www.example.com.", "A", use_edns=0, ednsflags=dns.flags.DO)
    first = Road()
    respond(asking.view, query.to_wire(), CLIENT, Transport.UDP, MONOTONIC_S, 0, first)
    given = {one: asking.sign(one) for one in first.lacking}
    wire = respond(asking.view, query.to_wire(), CLIENT, Transport.UDP, MONOTONIC_S, 0, Road(given=given))
    reply = dns.message.from_wire(wire or b"")
    check(validator_of(asking, "example.com"), reply, "www.example.com.", "A")
