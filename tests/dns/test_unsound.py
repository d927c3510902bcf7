"""Data that other servers refuse: no update adds it, no client or file makes it, and BIND is asked what it refuses."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import pytest

from lbdns.dns.codes import CLASS_IN, CLASS_NONE
from lbdns.dns.name import ROOT
from lbdns.dns.rdata.master_form import encode_rdata
from lbdns.dns.rdata.record_types import parse_type
from lbdns.dns.rdata.unsound import unsound_reason
from tests.answer.unbound import program
from tests.dns.test_mandatory import added, from_client, from_file, generic

HEAD = "$TTL 60\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n"
CHECK_S = 60
RANDOM = 400
REFUSED = {
    "MD": ["0161016200"],
    "MF": ["0161016200"],
    "WKS": ["c0000201064000", "c00002010600"],
    "X25": ["00", "03313233", "053132333461"],
    "KEY": ["000003fd0161"],
    "NXT": ["0161", "01610081", "01610000", "0161004000"],
    "TYPE31": [""],
    "TYPE32": [""],
    "TYPE34": ["", "01", "013161"],
    "A6": ["", "81", "0000", "00" * 16, "40ffffffffffffffff", "04f0" + "00" * 15 + "0161016200", "8000ff"],
    "TYPE40": ["0102"],
    "RRSIG": ["00010d010000003c7000000060000000000101610162000101", "00010d000000003c70000000600000000001016100ff"],
    "DNSKEY": ["010003fd0161", "010003fdc001"],
    "CDNSKEY": ["010003fd01"],
    "TYPE57": ["00010305ff", "00000305"],
    "TYPE58": ["00", "01610000ff"],
    "SVCB": [
        "00010000070001" + "2f",
        "0001000007000b" + b"dns{?dns}ab".hex(),
        "0001000007000a" + b"/q{?dns}\xff\xff".hex(),
    ],
    "HTTPS": ["00010000070008" + b"/{?dnss}".hex(), "0001000007000a" + b"/{?dns}{a{".hex()],
    "TYPE67": [""],
    "TYPE68": [""],
    "TYPE259": ["00" * 9, "00" * 9 + "0261"],
    "TYPE32768": ["0000000100", "000000ff", "00000001" + "00" * 21],
}
TAKEN = {
    "WKS": ["c0000201064080", "c000020106"],
    "X25": ["0431323334"],
    "KEY": ["000003fd016100", "000003fe01"],
    "NXT": ["01610040", "016100"],
    "TYPE34": ["0131", "00ff"],
    "A6": ["00" * 17, "40ffffffffffffffff0161016200", "80016100", "040f" + "ff" * 15 + "00"],
    "RRSIG": ["00010d010000003c70000000600000000001016100ff"],
    "DNSKEY": ["010003fd016100ff", "010003fe01", "0100030dc001"],
    "TYPE57": ["00000305ff"],
    "TYPE58": ["016100016200"],
    "SVCB": ["00010000070010" + b"/dns-query{?dns}".hex(), "000100", "0001000007000a" + b"/{+a,dns}x".hex()],
    "TYPE259": ["00" * 10, "00" * 9 + "0161ff"],
    "TYPE32768": ["00000001" + "00" * 20, "000000ff00"],
}
REGEXPS = [
    "",
    "!^.*$!sip:a@b.example!",
    "!^\\+1(...)(.*)$!tel:\\1\\2!i",
    "/[[:digit:]]{2,3}|(a|b)*/x\\\\y/",
    "!{!x!",
    "!a}!!",
]
BAD_REGEXPS = [
    "u",
    "!",
    "!a!",
    "!a!b",
    "!a!b!x",
    "!a!b!!",
    "1a1b1",
    "iaibi",
    "\\a\\b\\",
    "!(a!b!",
    "!a)!\\1!",
    "!a!\\0!",
]
BAD_REGEXPS += [
    "!a|!b!",
    "!*!b!",
    "!a**!b!",
    "![b!c!",
    "![[:wrong:]]!!",
    "!a{3,2}!!",
    "!a{256}!!",
    "![c-a]!!",
    "!a\\!b",
    "!!!",
]
TOKENS = [
    "a",
    "(",
    ")",
    "[",
    "]",
    "{1,2}",
    "{",
    "}",
    "*",
    "?",
    "|",
    "^",
    "$",
    ".",
    "\\1",
    "\\(",
    "[a-c]",
    "[:alpha:]",
    "(a)",
    "-",
]


def naptr(regexp: str) -> str:
    octets = regexp.encode()
    return f"000100010175{'0178'}{len(octets):02x}{octets.hex()}00"


def cases(of: dict[str, list[str]], regexps: list[str]) -> list[tuple[str, str]]:
    return [
        *((kind, one) for kind, octets in of.items() for one in octets),
        *(("NAPTR", naptr(one)) for one in regexps),
    ]


def refused_by_bind(folder: Path, records: list[tuple[str, str]]) -> set[int]:
    """Return which of these records, type and octets, BIND does not take."""
    lines = [f"n{at} TYPE{parse_type(kind)} {generic(bytes.fromhex(one))}" for at, (kind, one) in enumerate(records)]
    (folder / "zone").write_text(HEAD + "".join(f"{line}\n" for line in lines))
    command = [program("named-checkzone"), "-k", "ignore", "-i", "none", "example.com", str(folder / "zone")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_S, check=False)
    told = re.findall(r"zone:([0-9]+): (.*)", done.stdout + done.stderr)
    first = HEAD.count("\n") + 1
    return {int(line) - first for line, what in told if "near eol" in what or "obsolete" in what}


@pytest.mark.parametrize(("kind", "octets"), cases(REFUSED, BAD_REGEXPS))
def test_what_others_refuse_is_not_made_but_deleted_and_read(kind: str, octets: str) -> None:
    rdtype, rdata = parse_type(kind), bytes.fromhex(octets)
    assert unsound_reason(rdtype, rdata)
    assert added(rdtype, rdata, CLASS_IN) is None
    assert added(rdtype, rdata, CLASS_NONE) == rdata
    text = generic(rdata)
    reason = f'"{text}" is not data of type'
    [told] = from_client(rdtype, text)
    assert told.startswith(reason)
    assert any(one.startswith(reason) for one in from_file(rdtype, text))
    assert encode_rdata(rdtype, [text], ROOT) == rdata


@pytest.mark.parametrize(("kind", "octets"), cases(TAKEN, REGEXPS))
def test_what_others_take_is_made(kind: str, octets: str) -> None:
    rdtype, rdata = parse_type(kind), bytes.fromhex(octets)
    assert added(rdtype, rdata, CLASS_IN) == rdata
    assert from_client(rdtype, generic(rdata)) == []


def test_bind_refuses_the_same_and_takes_the_same(starts_processes: None, tmp_path: Path) -> None:
    records = [*cases(REFUSED, BAD_REGEXPS), *cases(TAKEN, REGEXPS), *random_substitutions(random.Random(14))]
    ours = {at for at, (kind, octets) in enumerate(records) if unsound_reason(parse_type(kind), bytes.fromhex(octets))}
    differing = ours ^ refused_by_bind(tmp_path, records)
    assert not differing, [records[at] for at in differing]


def random_substitutions(rng: random.Random) -> list[tuple[str, str]]:
    def text(tokens: list[str], most: int) -> str:
        return "".join(rng.choice(tokens) for _ in range(rng.randrange(most)))

    def made() -> str:
        replacement = text(["x", "\\1", "\\\\"], 3)
        return f"!{text(TOKENS, 6)}!{replacement}!{text(['i'], 3)}"

    return [("NAPTR", naptr(made())) for _ in range(RANDOM)]
