"""The smtp, ldap, icmp_ping and udp_icmp probes against peers on loopback."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys

import pytest
from icmplib.exceptions import SocketPermissionError

from lbdns.base.probe_types import OWN_FIELDS, PROBE_TYPES, ProbeType, port_help
from lbdns.health.reasons import Reason
from lbdns.model.monitors import Monitor
from lbdns.monitor.probe_check import timed_out
from lbdns.monitor.probes import icmp
from lbdns.monitor.probes.icmp import PingProbe
from lbdns.monitor.probes.ldap import BIND, LdapProbe
from lbdns.monitor.probes.make import MAKERS, maker_of, probe_of
from lbdns.monitor.probes.result import Probe, Result, Target
from lbdns.monitor.probes.smtp import SmtpProbe
from lbdns.monitor.probes.udp import UdpProbe
from tests.monitor import peers

BOUND = bytes.fromhex("300c02010161070a010004000400")


async def probe(what: Probe, port: int, address: str = "127.0.0.1", timeout: float = 2.0) -> Result:
    return await what.run(Target(address, port), asyncio.get_running_loop().time() + timeout)


def in_turn(what: Probe, *replies: bytes, timeout: float = 2.0) -> tuple[Result, bytes]:
    """Probe a peer that gives the first reply (unless empty) at once and each other one after it was sent something."""

    async def run() -> tuple[Result, bytes]:
        heard = b""

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal heard
            writer.write(replies[0])
            for reply in replies[1:]:
                heard += await reader.read(1000)
                writer.write(reply)
            heard += await reader.read(1000)
            if replies[-1] == b"":
                await asyncio.sleep(1)

        async with peers.serving(handler) as peer:
            result = await probe(what, peer.port, timeout=timeout)
            await asyncio.sleep(0.01)
            return result, heard

    return asyncio.run(run())


def test_every_monitor_type_has_its_probe() -> None:
    kinds = {
        kind: type(probe_of(Monitor.model_validate({"type": kind, "port": 9}))).__name__
        for kind in ("http", "https", "tcp", "udp_icmp", "icmp_ping", "smtp", "ldap")
    }
    assert list(kinds.values()) == [
        "HttpProbe",
        "HttpProbe",
        "TcpProbe",
        "UdpProbe",
        "PingProbe",
        "SmtpProbe",
        "LdapProbe",
    ]


def test_the_table_of_types_is_whole() -> None:
    assert MAKERS.keys() == PROBE_TYPES.keys()
    assert set(OWN_FIELDS) < Monitor.model_fields.keys()
    assert [name for name, row in PROBE_TYPES.items() if name != row.name] == []
    assert port_help() == "Default: 80 for http, 443 for https; tcp, udp_icmp, smtp and ldap need it."


@pytest.mark.parametrize(("module", "told"), [("nothing", "nothing"), ("stream", "no function `make`, which type new")])
def test_a_type_that_no_module_makes_is_an_error_at_import(module: str, told: str) -> None:
    with pytest.raises(ImportError, match=told):
        maker_of(ProbeType("new", module, needs_port=True))


def test_smtp_greets_and_leaves() -> None:
    result, heard = in_turn(SmtpProbe(), b"220 mx ESMTP\r\n", b"250-mx\r\n250 ok\r\n", b"221 bye\r\n")
    assert result.healthy and result.code == 250
    assert [name for name, _ in result.phases] == ["connect", "greeting", "HELO", "QUIT"]
    assert heard.startswith(b"HELO ") and heard.endswith(b"\r\nQUIT\r\n")


@pytest.mark.parametrize(
    ("replies", "reason", "code"),
    [
        ([b"554 no\r\n"], Reason.CODE_MISMATCH, 554),
        ([b"220-mx\r\n220-more\r\n421 busy\r\n"], Reason.CODE_MISMATCH, 421),
        ([b"220 mx\r\n", b"550 no\r\n"], Reason.CODE_MISMATCH, 550),
        ([b"220 mx\r\n", b"250 mx\r\n", b"500 what\r\n"], Reason.CODE_MISMATCH, 500),
        ([b"SSH-2.0-x\r\n"], Reason.OTHER, 0),
        ([b"220-" + b"x" * 80 + b"\r\n220-" * 3000], Reason.OTHER, 0),
        ([b""], Reason.TCP_TIMEOUT, 0),
    ],
)
def test_smtp_failures(replies: list[bytes], reason: Reason, code: int) -> None:
    result, _ = in_turn(SmtpProbe(), *replies, timeout=0.2)
    assert (result.healthy, result.reason, result.code) == (False, reason, code)


def test_ldap_binds_and_unbinds() -> None:
    result, heard = in_turn(LdapProbe(), b"", BOUND)
    assert result.healthy and [name for name, _ in result.phases] == ["connect", "bind"]
    assert heard.startswith(BIND) and heard.endswith(b"\x42\x00")


def test_ldap_answers_in_long_form_and_byte_by_byte() -> None:
    long_form = bytes.fromhex("30840000001002010161840000000 70a010004000400".replace(" ", ""))

    async def run() -> Result:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            for byte in long_form:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.001)
            await reader.read(100)

        async with peers.serving(handler) as peer:
            return await probe(LdapProbe(), peer.port)

    assert asyncio.run(run()).healthy


@pytest.mark.parametrize(
    ("answer", "reason", "code"),
    [
        (BOUND[:9] + b"\x30" + BOUND[10:], Reason.CODE_MISMATCH, 0x30),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Reason.OTHER, 0),
        (bytes.fromhex("300c02010261070a010004000400"), Reason.OTHER, 0),
        (bytes.fromhex("308902010161070a010004000400"), Reason.OTHER, 0),
        (BOUND[:4], Reason.TCP_TIMEOUT, 0),
    ],
)
def test_ldap_failures(answer: bytes, reason: Reason, code: int) -> None:
    result, _ = in_turn(LdapProbe(), b"", answer, b"", timeout=0.2)
    assert (result.healthy, result.reason, result.code) == (False, reason, code)


@pytest.mark.parametrize("what", [SmtpProbe(), LdapProbe()])
def test_refused_reset_and_closed(what: Probe) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        return

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx\r\n" if isinstance(what, SmtpProbe) else b"")
        await peers.resetting(reader, writer)

    async def run() -> list[Reason]:
        async with peers.serving(hang_up) as closing, peers.serving(reset) as resetting:
            ports = [peers.refused_port(), closing.port, resetting.port]
            return [(await probe(what, port)).reason for port in ports]

    refused, closed, cut = asyncio.run(run())
    assert refused is Reason.TCP_FAILED and cut is Reason.RESET
    assert closed in (Reason.OTHER, Reason.RESET)  # RESET where our bytes met a closed socket


# --- pings ---


def may_ping() -> bool:
    try:
        icmp._ping_socket(Target("127.0.0.1", 0)).close()
    except SocketPermissionError:
        return False
    return True


needs_ping = pytest.mark.skipif(not may_ping(), reason=f"no right to ping: {icmp.WHAT_TO_ALLOW}")


@needs_ping
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_ping_is_answered(address: str) -> None:
    result = asyncio.run(probe(PingProbe(), 0, address))
    assert result.healthy and 0 < result.rtt_us < 1_000_000 and result.phases == (("ping", result.rtt_us),)


@needs_ping
def test_pings_at_the_same_time_are_told_apart() -> None:
    async def run() -> list[Result]:
        return await asyncio.gather(*(probe(PingProbe(), 0, f"127.0.0.{number}") for number in range(1, 40)))

    assert all(result.healthy for result in asyncio.run(run()))


@pytest.mark.slow
@needs_ping
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_udp_silence_and_answers_pass_and_a_closed_port_does_not(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as bound:
        bound.bind((address, 0))
        port = bound.getsockname()[1]
        silent = asyncio.run(probe(UdpProbe(), port, address))
        assert bound.recv(100) == icmp.PAYLOAD
    closed = asyncio.run(probe(UdpProbe(), port, address))
    assert silent.healthy and [name for name, _ in silent.phases] == ["ping", "udp"]
    assert silent.rtt_us == silent.phases[0][1]
    assert (closed.healthy, closed.reason, closed.text) == (False, Reason.UDP_UNREACHABLE, "UDP port unreachable")
    assert not timed_out(closed)


INSIDE = """
import asyncio, encodings.idna, os, sys
from lbdns.monitor.probes.icmp import PingProbe
from lbdns.monitor.probes.result import Target
if sys.argv[1] == "drop":
    os.setgid(65534); os.setuid(65534)
async def main():
    for address in sys.argv[2:]:
        deadline = asyncio.get_running_loop().time() + 0.3
        result = await PingProbe().run(Target(address, 9), deadline)
        print(result.reason.name, int(result.silent), result.detail.replace(" ", "_"))
asyncio.run(main())
"""


def run_inside(setup: str, *arguments: str) -> list[list[str]]:
    """Run the script in a network namespace of its own, so that nothing leaves the machine."""
    command = ["unshare", "-n", "sh", "-c", f'{setup} && "$0" -c "$1" {" ".join(arguments)}', sys.executable, INSIDE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines()]


@pytest.mark.process
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace and to drop its rights")
def test_without_the_right_to_ping_the_monitor_says_what_to_allow() -> None:
    (line,) = run_inside("ip link set lo up", "drop", "127.0.0.1")
    assert line[0] == "CONFIG_ERROR" and "net.ipv4.ping_group_range" in line[2] and "CAP_NET_RAW" in line[2]


@pytest.mark.process
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace and to drop its rights")
def test_unprivileged_ping_sockets_are_used_where_they_are_allowed() -> None:
    setup = "ip link set lo up && echo 0 65534 > /proc/sys/net/ipv4/ping_group_range"
    assert [line[0] for line in run_inside(setup, "drop", "127.0.0.1", "127.0.0.2")] == ["NO_FAILURES"] * 2


@pytest.mark.process
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")
def test_pings_that_lead_nowhere() -> None:
    setup = "ip link set lo up && ip route add unreachable 203.0.113.0/24"
    setup += " && echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all"
    lines = run_inside(setup, "keep", "203.0.113.9", "198.51.100.9", "127.0.0.1")
    assert [line[:2] for line in lines] == [["NO_ROUTE", "0"], ["NETWORK_UNREACHABLE", "0"], ["OTHER", "1"]]
    assert lines[2][2] == "no_reply_to_the_ping"
