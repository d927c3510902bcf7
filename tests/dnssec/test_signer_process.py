"""The signer as a process of a real server: begun when the first zone is signed, missed by nobody but who lacks it."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from lbdns.base.words import SIGNER_MODULE
from lbdns.mapped.counter_words import SIGNATURES_ASKED, SIGNATURES_SENT
from lbdns.mapped.counters import open_counters
from lbdns.processes.responder.fast_port import load_loop
from lbdns.testing import LbdnsServer
from tests.dnssec.signed_server import PLAIN, SIGNED, ZONE, SignedLoad, SignedServer, signed_server, tree

pytestmark = pytest.mark.slow

NOERROR, SERVFAIL = dns.rcode.NOERROR, dns.rcode.SERVFAIL


def signers(server: LbdnsServer) -> list[int]:
    """Return the processes that run as signers of a server, those that sign in bulk for one among them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if SIGNER_MODULE.encode() in arguments and os.fsencode(server.state_dir) in arguments:
            found.append(int(path.parent.name))
    return found


def test_there_is_no_signer_before_a_zone_is_signed(lbdns_server: Callable[..., LbdnsServer]) -> None:
    served = SignedServer(lbdns_server(tree()))
    assert "signer" not in served.status() and signers(served.server) == []
    assert not list(served.server.run_directory.glob("signatures-*"))
    assert not (served.server.state_dir / "dnssec").exists()
    assert served.operate("status") == []
    assert served.signatures(served.question(f"www.{SIGNED}", "A")) == 0
    assert "signer" not in served.status()
    served.sign()
    assert served.status()["signer"] == {"pid": served.signer_pid(), "restarts": 0}
    [status] = served.operate("status")
    assert status["zone"] == SIGNED and status["status"] == "pending"


def test_every_answer_of_a_signed_zone_is_signed(lbdns_server: Callable[..., LbdnsServer]) -> None:
    with signed_server(lbdns_server, tree()) as served:
        for over_tcp in (False, True):
            for name, qtype, proves in (
                (f"www.{SIGNED}", "A", "positive"),
                (f"www.{SIGNED}", "AAAA", "nodata"),
                (f"one.apps.{SIGNED}", "A", "positive"),
                (f"mail.{SIGNED}", "A", "positive"),
                (f"mail.{SIGNED}", "TXT", "nodata"),
                (f"nobody.{SIGNED}", "A", "nxdomain"),
                (SIGNED, "DNSKEY", "positive"),
            ):
                assert served.proved(name, qtype, over_tcp) == proves, (name, qtype)
            assert served.signatures(served.question(f"www.{PLAIN}", "A", over_tcp)) == 0
        served.proved(f"www.{SIGNED}", "A")
        words = [open_counters(path) for path in served.server.run_directory.glob("counters-*.bin")]
        assert sum(one[SIGNATURES_ASKED] for one in words) >= 1  # names below a wildcard are not foreseen
        if load_loop() is not None:
            assert sum(one[SIGNATURES_SENT] for one in words) >= 1


def test_what_the_signer_knows_is_not_for_others_to_look_into(lbdns_server: Callable[..., LbdnsServer]) -> None:
    with signed_server(lbdns_server, tree()) as served:
        pid = served.signer_pid()
        assert Path(f"/proc/{pid}/status").exists()
        # A process that is not dumpable is root's in /proc, whoever's it is, and leaves no core (prctl(2)).
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0
        for path in (served.server.state_dir / "dnssec").iterdir():
            assert path.stat().st_mode & 0o077 == 0 or path.suffix == ".key", path
        for path in (served.server.run_directory / "signer.sock", *served.server.run_directory.glob("signatures-*")):
            assert path.stat().st_mode & 0o077 == 0


def test_a_signer_that_is_killed_under_load_costs_nothing_that_is_known(
    lbdns_server: Callable[..., LbdnsServer],
) -> None:
    """Nothing bogus, nothing unsigned; what stands in the zone, what is in the table and other zones go on."""
    known = [(f"www.{SIGNED}", "A"), (f"mail.{SIGNED}", "A"), (f"none.{SIGNED}", "A"), (f"www.{PLAIN}", "A")]

    def names(number: int) -> tuple[str, str]:
        place = number % (len(known) + 1)
        return (f"n{number}.apps.{SIGNED}", "A") if place == len(known) else known[place]

    with signed_server(lbdns_server, tree()) as served:
        served.learn_keys()
        assert served.proved(f"www.{SIGNED}", "A") == "positive"
        with SignedLoad(served.server, names).kept(100) as load:
            before = served.signer_pid()
            os.kill(before, signal.SIGKILL)
            killed_s = time.monotonic()
            served.wait_for(lambda: served.signer_pid() != before)
            at = load.answered
            served.wait_for(lambda: any(_is_new(one) for one in load.replies[at:]))
            back_s = time.monotonic() - killed_s
            load.wait_for(100)
        rcodes = Counter(
            (name if (name, qtype) in known else "new", reply.rcode()) for name, qtype, reply in load.replies
        )
        print(f"signer killed: signs again after {back_s:.2f} s; {dict(rcodes)}")  # shown by pytest -s
        assert load.lost == 0
        for name, qtype, reply in load.replies:
            if name.endswith(PLAIN):
                assert reply.rcode() == NOERROR and served.signatures(reply) == 0
            elif (name, qtype) in known or reply.rcode() != SERVFAIL:
                served.check(reply, name, qtype)
            else:
                assert not reply.answer and not reply.authority
        assert served.status()["signer"]["restarts"] == 1
        # The table is the one that was: what it held needed no signer.
        assert [path.name for path in served.server.run_directory.glob("signatures-*")] == ["signatures-1.bin"]


def _is_new(reply: tuple[str, str, dns.message.Message]) -> bool:
    return reply[0].endswith(f".apps.{SIGNED}") and reply[2].rcode() == NOERROR


def test_a_restart_begins_signed_by_the_same_keys(lbdns_server: Callable[..., LbdnsServer]) -> None:
    with signed_server(lbdns_server, tree()) as served:
        served.learn_keys()
        served.server.stop()
        assert signers(served.server) == []
        served.server.start()
        for name, qtype in ((f"www.{SIGNED}", "A"), (f"mail.{SIGNED}", "A"), (f"x.apps.{SIGNED}", "A")):
            served.proved(name, qtype)


def test_the_next_supervisor_takes_over_from_one_that_was_killed(lbdns_server: Callable[..., LbdnsServer]) -> None:
    with signed_server(lbdns_server, tree()) as served:
        served.learn_keys()
        before = served.signer_pid()
        known = f"www.{SIGNED}"
        served.proved(known, "A")
        os.kill(served.server.pid, signal.SIGKILL)
        assert served.server.process is not None
        served.server.process.wait()
        # Without a supervisor all goes on, the signer too.
        served.proved("alone.apps.example.com", "A")
        assert before in signers(served.server)
        served.server.start()
        after = served.signer_pid()
        assert after != before and before not in signers(served.server)
        for name in (known, f"later.apps.{SIGNED}", f"mail.{SIGNED}"):
            served.proved(name, "A")
        served.operate("status")


def test_a_reload_leaves_the_signer_and_its_table_alone(lbdns_server: Callable[..., LbdnsServer]) -> None:
    with signed_server(lbdns_server, tree()) as served:
        served.learn_keys()
        before = served.signer_pid()
        [path] = served.server.directory.rglob(f"{SIGNED}*")
        served.server.reload({str(path.relative_to(served.server.directory)): f"{ZONE}more IN A 192.0.2.77\n"})
        served.wait_for(lambda: served.question(f"more.{SIGNED}", "A").rcode() == NOERROR)
        served.proved(f"more.{SIGNED}", "A")
        assert served.signer_pid() == before
        assert [path.name for path in served.server.run_directory.glob("signatures-*")] == ["signatures-1.bin"]


def test_nothing_is_left_of_a_signer_whose_server_is_gone(lbdns_server: Callable[..., LbdnsServer]) -> None:
    with signed_server(lbdns_server, tree()) as served:
        assert served.signer_pid() in signers(served.server)
        os.kill(served.server.pid, signal.SIGKILL)
        assert served.server.process is not None
        served.server.process.wait()
        shutil.rmtree(served.server.run_directory)
        served.wait_for(lambda: signers(served.server) == [])


def test_a_run_directory_that_was_removed_is_rebuilt_with_its_table(lbdns_server: Callable[..., LbdnsServer]) -> None:
    with signed_server(lbdns_server, tree()) as served:
        served.learn_keys()
        shutil.rmtree(served.server.run_directory)
        served.wait_for(lambda: (served.server.run_directory / "signer.sock").exists())
        served.wait_for(lambda: served.question(f"again.apps.{SIGNED}", "A").rcode() == NOERROR)
        for name in (f"www.{SIGNED}", f"again.apps.{SIGNED}", f"mail.{SIGNED}"):
            served.proved(name, "A")


def test_a_signer_that_hangs_is_killed_and_others_are_answered_meanwhile(
    lbdns_server: Callable[..., LbdnsServer],
) -> None:
    with signed_server(lbdns_server, tree()) as served:
        served.learn_keys()
        served.proved(f"www.{SIGNED}", "A")
        before = served.signer_pid()
        os.kill(before, signal.SIGSTOP)
        served.proved(f"www.{SIGNED}", "A")
        assert served.question(f"hung.apps.{SIGNED}", "A").rcode() == SERVFAIL
        for over_tcp in (False, True):
            assert served.question(f"www.{PLAIN}", "A", over_tcp).rcode() == NOERROR
        served.proved(f"hung.apps.{SIGNED}", "A")
        assert served.signer_pid() != before and "the signer (pid " in served.server.log
