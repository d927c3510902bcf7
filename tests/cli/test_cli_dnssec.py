"""`lbdns dnssec`: what it asks of the running server's signer, and what it tells of the answer."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.dns.name import encode_canonical
from lbdns.dnssec.zone_status import SigningState
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings
from lbdns.processes.supervisor.control_socket import ControlServer
from lbdns.processes.supervisor.dnssec_operations import SignerDesk
from tests.cli.commands import Outcome, run
from tests.dnssec.played_signer import DIGEST, PUBLIC_KEY, PlayedSigner
from tests.loop_thread import LoopThread

Lbdns = Callable[..., Outcome]


@pytest.fixture
def signer() -> PlayedSigner:
    return PlayedSigner()


@pytest.fixture
def dnssec(signer: PlayedSigner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lbdns]:
    """Return `lbdns dnssec` of a server with two zones."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    zones = [SimpleNamespace(apex=encode_canonical(one)) for one in ZONES]
    served = cast(Configuration, SimpleNamespace(zones=zones, settings=Settings()))
    desk = SignerDesk(signer, lambda: served)
    server = ControlServer(tmp_path / "control.sock", {"dnssec": desk.operate})
    loop = LoopThread()
    loop.run(server.start())
    try:
        yield lambda *arguments: run("dnssec", *arguments, "--control", str(server.path))
    finally:
        loop.run(server.close())
        loop.stop()
        monkeypatch.undo()
        time.tzset()


ZONES = ("example.com", "example.net", "bücher.example")
DS = f"example.com. 3600 IN DS 12345 13 2 {DIGEST}"


def lines(outcome: Outcome) -> list[str]:
    assert outcome.status == 0, outcome
    return outcome.out.splitlines()


def test_enable_says_the_ds_what_happens_next_and_what_is_to_do(dnssec: Lbdns) -> None:
    told = lines(dnssec("enable", "Example.COM."))
    assert told[0] == "example.com: pending, since 2027-01-15 08:00:00"
    assert f"  DS          {DS}" in told
    assert "  zone above  has no DS record yet, as of 2027-01-15 08:01:00" in told
    assert any(
        one.startswith("  next        the zone above is asked for the DS, at 2027-01-15 09:00:00 (") for one in told
    )
    assert "  to do       give the DS to the zone above" in told
    assert lines(dnssec("ds", "example.com")) == [DS]
    assert lines(dnssec("ds", "example.com", "--dnskey")) == [f"example.com. 3600 IN DNSKEY 257 3 13 {PUBLIC_KEY}"]
    assert dnssec("ds", "example.com", "--json").json == [DS.split(" DS ")[1]]


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["enable", "example.com"], ("enable", {"algorithm": None, "keys": None})),
        (["enable", "example.com", "--algorithm", "ed25519"], ("enable", {"algorithm": 15, "keys": None})),
        (["enable", "example.com", "--keys", "split"], ("enable", {"algorithm": None, "keys": "split"})),
        (["roll", "example.net", "--key", "zsk"], ("roll", {"role": "zsk", "algorithm": None, "emergency": False})),
        (["roll", "example.net"], ("roll", {"role": "ksk", "algorithm": None, "emergency": False})),
        (
            ["roll", "example.net", "--algorithm", "ECDSAP384SHA384"],
            ("roll", {"role": "ksk", "algorithm": 14, "emergency": False}),
        ),
        (
            ["roll", "example.net", "--emergency"],
            ("roll", {"role": "ksk", "algorithm": None, "emergency": True}),
        ),
        (["roll", "example.net", "--ds-seen"], ("ds_seen", {})),
        (["enable", "example.net", "--ds-seen"], ("ds_seen", {})),
        (["disable", "example.net"], ("disable", {})),
        (["disable", "example.net", "--ds-gone"], ("ds_seen", {})),
        (["export", "example.net"], ("export", {"directory": None})),
        (["export", "example.net", "/keys"], ("export", {"directory": "/keys"})),
        (["import", "example.com", "/"], ("import", {"directory": "/"})),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else one[0],
)
def test_each_verb_reaches_the_signer(
    dnssec: Lbdns, signer: PlayedSigner, arguments: list[str], asked: tuple[str, dict[str, Any]]
) -> None:
    lines(dnssec("enable", "example.net", "--keys", "split"))
    if "--ds-gone" in arguments:
        lines(dnssec("roll", "example.net", "--ds-seen"))
    assert dnssec(*arguments).status == 0
    verb, said = signer.asked[-1]
    assert (verb, said) == (asked[0], {"zone": arguments[1], **asked[1]})


def test_a_zone_that_leaves_says_what_the_zone_above_has_to_lose_first(dnssec: Lbdns, signer: PlayedSigner) -> None:
    lines(dnssec("enable", "example.com"))
    lines(dnssec("enable", "example.com", "--ds-seen"))
    told = lines(dnssec("disable", "example.com"))
    assert told[0].startswith("example.com: pending-disabled")
    assert f"  zone above  has 1 DS record: 12345 13 2 {DIGEST}, as of 2027-01-15 08:01:00" in told
    assert "  to do       have its DS taken out of the zone above" in told
    assert lines(dnssec("disable", "example.com", "--ds-gone"))[0] == "example.com: disabled, since 2027-01-15 08:00:00"
    assert signer.zones == {}
    refused = dnssec("ds", "example.com")
    assert (refused.status, refused.out) == (1, "")
    assert "is to have no DS: it is not signed; `lbdns dnssec enable example.com` has it signed" in refused.err


def test_a_ds_before_its_time_is_not_printed(dnssec: Lbdns, signer: PlayedSigner) -> None:
    lines(dnssec("enable", "example.com"))
    early = dataclasses.replace(signer.zones["example.com"], ds=(), next_step="caches forget the zone unsigned")
    signer.zones["example.com"] = early
    refused = dnssec("ds", "example.com")
    told = "lbdns: example.com is to have no DS yet: caches forget the zone unsigned, at 2027-01-15 09:00:00 ("
    assert (refused.status, refused.out) == (1, "") and refused.err.startswith(told)


def test_status_lists_what_is_signed_and_says_by_its_exit_what_is_to_be_mended(
    dnssec: Lbdns, signer: PlayedSigner
) -> None:
    nothing = dnssec("status")
    assert (nothing.status, nothing.out) == (0, "") and "no zone is signed" in nothing.err
    assert lines(dnssec("status", "example.com")) == ["example.com: disabled"]
    lines(dnssec("enable", "example.com"))
    lines(dnssec("enable", "BÜCHER.example"))
    shown = "\n".join(lines(dnssec("status")))
    assert "example.com" in shown and "12345 CSK active" in shown and "xn--bcher-kva.example" in shown
    assert [one["zone"] for one in dnssec("status", "--json").json] == ["example.com", "xn--bcher-kva.example"]
    signer.zones["example.com"] = dataclasses.replace(
        signer.zones["example.com"], status=SigningState.ERROR, problem="the zone above has a DS of no key here"
    )
    wrong = dnssec("status", "example.com")
    assert wrong.status == 1 and "  problem     the zone above has a DS of no key here" in wrong.out
    assert dnssec("status").status == 1 and dnssec("status", "example.net").status == 0


def test_a_roll_says_when_each_key_goes_on(dnssec: Lbdns) -> None:
    lines(dnssec("enable", "example.com"))
    told = lines(dnssec("roll", "example.com"))
    old, new = (one for one in told if one.startswith("  key "))
    assert old.endswith("12345 CSK ECDSAP256SHA256 active since 2027-01-15 08:00:00; then retired, waits for a roll")
    assert "34567 CSK ECDSAP256SHA256 published since 2027-01-15 08:00:00; ready at 2027-01-15 10:00:00 (" in new
    assert [one.split()[-2:] for one in told if one.startswith("  DS ")] == [["2", DIGEST]] * 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["enable", "exmaple.com"], 'there is no zone "exmaple.com"; did you mean "example.com"?'),
        (["status", "other.org"], 'there is no zone "other.org"'),
        (["roll", "example.com", "--key", "zsk"], "example.com has no ZSK"),
        (["disable", "example.com"], "example.com is not signed"),
        (["export", "example.com"], "example.com has no keys"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_what_is_refused_is_said_in_one_line(dnssec: Lbdns, arguments: list[str], told: str) -> None:
    outcome = dnssec(*arguments)
    assert (outcome.status, outcome.out, outcome.err) == (1, "", f"lbdns: {told}\n")


def test_a_zone_that_is_served_no_more_can_still_be_disabled(dnssec: Lbdns, signer: PlayedSigner) -> None:
    lines(dnssec("enable", "example.com"))
    signer.zones["gone.example"] = dataclasses.replace(signer.zones["example.com"], zone="gone.example")
    assert lines(dnssec("disable", "gone.example"))[0].startswith("gone.example: disabled")
    assert dnssec("enable", "gone.example").status == 1


def test_the_files_of_an_export_are_printed_and_what_they_are_worth(dnssec: Lbdns) -> None:
    lines(dnssec("enable", "example.com"))
    outcome = dnssec("export", "example.com")
    files = [f"/state/dnssec/export/example.com/Kexample.com.+013+12345.{end}" for end in ("key", "private")]
    assert outcome.out.splitlines() == files and "leave no copy" in outcome.err
    assert dnssec("export", "example.com", "--json").json == {"files": files}


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({}, "None is no verb"),
        ({"verb": "sign"}, "'sign' is no verb of the signer; expected one of status, enable"),
        ({"verb": "enable"}, "zone: expected the name of a zone"),
        ({"verb": "enable", "zone": 7}, "zone: expected the name of a zone"),
        ({"verb": "enable", "zone": "a..b"}, "is no name of a zone"),
        ({"verb": "enable", "zone": "example.com", "algorithm": 5}, "algorithm: expected one of 13, 15, 14"),
        ({"verb": "enable", "zone": "example.com", "keys": "two"}, "keys: expected one of csk, split"),
        ({"verb": "roll", "zone": "example.com"}, "role: expected one of ksk, zsk, csk"),
        ({"verb": "roll", "zone": "example.com", "role": "zsk", "emergency": 1}, "emergency: expected true or false"),
        ({"verb": "import", "zone": "example.com"}, "directory: expected an absolute path"),
        ({"verb": "import", "zone": "example.com", "directory": "keys"}, "directory: expected an absolute path"),
        ({"verb": "export", "zone": "example.com", "directory": "/a\0b"}, "directory: expected an absolute path"),
    ],
    ids=str,
)
def test_a_request_that_makes_no_sense_never_reaches_the_signer(request_: dict[str, Any], told: str) -> None:
    signer, loop = PlayedSigner(), LoopThread()
    zone = SimpleNamespace(apex=encode_canonical("example.com"))
    desk = SignerDesk(signer, lambda: cast(Configuration, SimpleNamespace(zones=[zone], settings=Settings())))
    with contextlib.ExitStack() as stack:
        stack.callback(loop.stop)
        with pytest.raises(LbdnsError) as caught:
            loop.run(desk.operate(request_))
    assert told in str(caught.value) and signer.asked == []


@pytest.mark.parametrize("verb", ["enable", "roll", "import"])
def test_in_a_fleet_no_machine_makes_keys_alone(verb: str, tmp_path: Path) -> None:
    signer, loop = PlayedSigner(), LoopThread()
    zone = SimpleNamespace(apex=encode_canonical("example.com"))
    settings = Settings.model_validate({"fleet": {"name": "AMS-1", "join": "nats://192.0.2.1:4222", "id": "F1"}})
    desk = SignerDesk(signer, lambda: cast(Configuration, SimpleNamespace(zones=[zone], settings=settings)))
    request = {"verb": verb, "zone": "example.com", "role": "zsk", "directory": str(tmp_path)}
    with contextlib.ExitStack() as stack:
        stack.callback(loop.stop)
        if verb == "import":
            loop.run(desk.operate(request))
            assert [asked for asked, _ in signer.asked] == ["import"]
            return
        with pytest.raises(LbdnsError, match=r"do not share private keys.*`lbdns dnssec import`"):
            loop.run(desk.operate(request))
    assert signer.asked == []
