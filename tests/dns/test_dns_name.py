"""Names: text and wire against dnspython, the tree of names against their labels, and names in any buffer."""

from __future__ import annotations

import dns.exception
import dns.message
import dns.name
import dns.wirebase
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbdns.dns.codes import NAME_BYTES_MAX
from lbdns.dns.name import (
    ROOT,
    WILDCARD_LABEL,
    BadName,
    ancestors,
    checked_name_end,
    encode_canonical,
    encode_host,
    encode_name,
    encode_owner,
    expand_name,
    is_at_or_below,
    labels_of,
    longest_match,
    name_end,
    parent,
    read_name,
    relative_to,
    show_absolute,
    show_host,
    show_name,
    skip_name,
    text_suffixes,
)

QUICK = settings(max_examples=200)
LABEL = st.one_of(
    st.sampled_from([b"a", b"b", b"www", b"WWW", b"*", b"_sip", b"a.b", b"\\", b'"', b"\0", b"\xc3\xa9", b"x" * 63]),
    st.binary(min_size=1, max_size=8),
)
LABELS = st.lists(LABEL, max_size=8).filter(lambda labels: sum(map(len, labels)) + len(labels) < NAME_BYTES_MAX)
PLAIN = st.lists(st.text("az09_-", min_size=1, max_size=4), min_size=1, max_size=5).map(".".join)


def wire_of(labels: list[bytes]) -> bytes:
    return b"".join(bytes((len(label),)) + label for label in labels) + ROOT


@QUICK
@given(LABELS)
def test_every_name_is_shown_as_dnspython_shows_it_and_read_back(labels: list[bytes]) -> None:
    wire = wire_of(labels)
    library = dns.name.from_wire(wire, 0)[0]
    assert (show_name(wire), show_absolute(wire)) == (library.to_text(omit_final_dot=True) or ".", library.to_text())
    assert encode_name(show_absolute(wire)) == wire
    assert encode_canonical(show_name(wire)) == encode_canonical(show_absolute(wire)) == wire.lower()
    assert labels_of(wire) == labels


@pytest.mark.slow
@QUICK
@given(LABELS.filter(bool), PLAIN)
def test_a_host_of_content_is_read_back_in_any_zone(labels: list[bytes], zone: str) -> None:
    wire = wire_of(labels)
    if all(octet > 0x20 for octet in wire.replace(b"\x7f", b"")):
        assert encode_host(show_host(wire), zone) == wire
    assert show_host(wire).endswith(".") == (len(labels) == 1 or labels[-1].endswith(b"."))


@pytest.mark.slow
@QUICK
@given(PLAIN, PLAIN)
def test_an_owner_is_complete_or_relative(name: str, zone: str) -> None:
    apex = encode_canonical(zone)
    assert encode_owner("@", zone) == encode_owner(zone, zone) == encode_owner(f"{zone}.", zone) == apex
    owner = encode_owner(name, zone)
    assert is_at_or_below(owner, apex)
    inside = name == zone or name.endswith(f".{zone}")
    assert show_name(owner) == (name if inside else f"{name}.{zone}")
    if not inside:
        with pytest.raises(BadName, match="outside the zone"):
            encode_owner(f"{name}.", zone)


@QUICK
@given(LABELS, LABELS)
def test_the_tree_of_names_is_that_of_their_labels(labels: list[bytes], above: list[bytes]) -> None:
    for apex_labels in (above, *(labels[start:] for start in range(len(labels) + 1))):
        name, apex = wire_of(labels), wire_of(apex_labels)
        is_below = labels[len(labels) - len(apex_labels) :] == apex_labels and len(labels) >= len(apex_labels)
        assert is_at_or_below(name, apex) == is_below
        if is_below:
            assert ancestors(name, apex) == [
                wire_of(labels[at:]) for at in range(1, len(labels) - len(apex_labels) + 1)
            ]
            assert labels_of(relative_to(name, apex)) == labels[: len(labels) - len(apex_labels)]
    if labels:
        assert parent(wire_of(labels)) == wire_of(labels[1:])


def test_bytes_inside_a_label_are_no_name_above() -> None:
    assert not is_at_or_below(b"\x0bwww\x07example\x03com\0", b"\x07example\x03com\0")
    assert longest_match(b"\x0bwww\x07example\x03com\0", {b"\x07example\x03com\0": 1}) is None


def test_the_longest_apex_matches() -> None:
    apexes = {encode_canonical(name): name for name in ("example.com", "sub.example.com", "com")}
    assert longest_match(encode_canonical("a.sub.example.com"), apexes) == "sub.example.com"
    assert longest_match(encode_canonical("sub.example.com"), apexes) == "sub.example.com"
    assert longest_match(encode_canonical("example.com"), apexes) == "example.com"
    assert longest_match(encode_canonical("example.net"), apexes) is None
    assert longest_match(ROOT, apexes) is None
    assert longest_match(encode_canonical("example.net"), {ROOT: "."}) == "."
    assert list(text_suffixes("a.b.c")) == ["a.b.c", "b.c", "c"]
    assert encode_canonical("*.example.com") == WILDCARD_LABEL + encode_canonical("example.com")


def test_names_have_their_bounds() -> None:
    fits = ".".join(["x" * 63, "x" * 63, "x" * 63, "x" * 61])
    assert len(encode_name(fits)) == len(encode_canonical(fits)) == NAME_BYTES_MAX
    for encode in (encode_name, encode_canonical):
        with pytest.raises(BadName, match="longer than 255 octets"):
            encode(f"{fits}x")
        with pytest.raises(BadName, match="more than 63 characters"):
            encode("x" * 64)
        with pytest.raises(BadName, match="empty label"):
            encode("a..b")


@QUICK
@given(st.binary(max_size=4), LABELS, st.binary(max_size=4))
def test_a_name_in_a_buffer_ends_itself(before: bytes, labels: list[bytes], behind: bytes) -> None:
    wire = wire_of(labels)
    buffer = before + wire + behind
    end = len(before) + len(wire)
    assert name_end(buffer, len(before)) == checked_name_end(buffer, len(before)) == end
    assert skip_name(buffer, len(before)) == end
    assert read_name(memoryview(buffer), len(before)) == expand_name(buffer, len(before)) == wire


@QUICK
@given(st.binary(max_size=40), st.integers(0, 40))
def test_any_bytes_are_a_name_or_none(datagram: bytes, start: int) -> None:
    try:
        parser = dns.wirebase.Parser(datagram, min(start, len(datagram)))
        expected = dns.name.from_wire_parser(parser)
        end = parser.current
    except (dns.exception.DNSException, ValueError):
        assert expand_name(datagram, start) is None
        return
    assert expand_name(datagram, start) == expected.to_wire()
    assert skip_name(datagram, start) == end
    assert checked_name_end(datagram, start) in (None, end)
