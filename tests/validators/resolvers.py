"""Four validating resolvers of other people, each a process on loopback that follows delegations from a root of ours.

Each has the root's key for its trust anchor, keeps what it learns (aggressive use of NSEC and
NSEC3, RFC 8198, by its defaults or switched on), and tells clients' networks (ECS) where it can.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import pytest

from tests.answer.unbound import free_port, program

START_S = 60.0
STARTS = 5  # another process may take the port meanwhile
STOP_S = 10.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a resolver is given: the root's address and DS, servers that are told networks."""

    root: str
    anchor: str
    told: Sequence[str]


class Resolver:
    """A resolver that runs: its port, and what is known of its ways."""

    name = ""
    program = ""
    tells_networks = False
    networks_of_none: tuple[str, ...] = ()
    """The networks that it may tell of a client on loopback who names none."""
    denies_for_all = False
    """Whether a negative answer is kept for every network, whatever its scope says."""
    refuses: frozenset[str] = frozenset()
    """Types that it says SERVFAIL to whatever the zone; or where an alias leads into an unsigned one (ANY), or an alias
    was made of a wildcard or a DNAME (DNAME)."""

    def __init__(self, folder: Path, port: int, surroundings: Surroundings) -> None:
        self.folder = folder
        self.port = port
        self.surroundings = surroundings

    def write(self) -> Sequence[str]:
        """Write its files; return the arguments of its program."""
        raise NotImplementedError

    @property
    def log(self) -> str:
        """What it has written."""
        return (self.folder / "log").read_text(errors="replace")

    def hints(self) -> Path:
        """Write where the root is, as a file of hints."""
        path = self.folder / "root.hints"
        path.write_text(f". 3600000 NS a.root.\na.root. 3600000 A {self.surroundings.root}\n")
        return path

    def _is_answering(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + START_S
        query = dns.message.make_query(".", "NS")
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError, dns.exception.DNSException):
                reply = dns.query.udp(query, "127.0.0.1", 1.0, self.port)
                if reply.answer:
                    return True
            time.sleep(0.05)
        return False


class Unbound(Resolver):
    """unbound, with its cache by client subnet."""

    name = "unbound"
    program = "unbound"
    tells_networks = True
    networks_of_none = ("127.0.0.0/24",)
    refuses = frozenset({"ANY"})

    def write(self) -> Sequence[str]:
        """Write its files."""
        known = self.surroundings
        lines = [
            "server:",
            f' directory: "{self.folder}"',
            f" interface: 127.0.0.1\n port: {self.port}\n num-threads: 1\n do-ip6: no",
            " outgoing-interface: 127.0.0.1\n do-not-query-localhost: no",
            ' username: ""\n chroot: ""\n pidfile: ""\n use-syslog: no',
            ' module-config: "subnetcache validator iterator"',
            *(f" send-client-subnet: {address}" for address in known.told),
            " client-subnet-always-forward: yes",
            " aggressive-nsec: yes\n qname-minimisation: yes\n harden-below-nxdomain: yes",
            " val-log-level: 2",
            f' root-hints: "{self.hints()}"',
            f' trust-anchor: ". DS {known.anchor}"',
            "remote-control:\n control-enable: no",
        ]
        (self.folder / "unbound.conf").write_text("\n".join(lines) + "\n")
        return ["-d", "-p", "-c", str(self.folder / "unbound.conf")]


class Bind(Resolver):
    """BIND; `synth-from-dnssec` is its aggressive use of NSEC, for which it wants to have asked for much."""

    name = "bind"
    program = "named"

    def write(self) -> Sequence[str]:
        """Write its files."""
        *numbers, digest = self.surroundings.anchor.split()
        (self.folder / "named.conf").write_text(
            f'options {{\n directory "{self.folder}"; pid-file none; session-keyfile none; lock-file none;\n'
            f" listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n"
            " recursion yes; dnssec-validation yes; synth-from-dnssec yes; empty-zones-enable no;\n"
            " qname-minimization relaxed; max-cache-size 64m; servfail-ttl 0; minimal-responses yes;\n};\n"
            "controls { };\n"
            f'trust-anchors {{ . static-ds {" ".join(numbers)} "{digest}"; }};\n'
            f'zone "." {{ type hint; file "{self.hints()}"; }};\n'
        )
        return ["-g", "-n", "1", "-c", str(self.folder / "named.conf")]


class KnotResolver(Resolver):
    """Knot Resolver; it keeps records for five seconds at least unless it is told otherwise."""

    name = "knot-resolver"
    program = "kresd"
    refuses = frozenset({"ANY"})

    def write(self) -> Sequence[str]:
        """Write its files."""
        known = self.surroundings
        lines = [
            "log_target('stdout')",
            f"net.listen('127.0.0.1', {self.port}, {{ kind = 'dns' }})",
            "net.ipv6 = false",
            "modules = { 'hints > iterate' }",
            f"hints.root({{ ['a.root.'] = {{ '{known.root}' }} }})",
            "option('ALLOW_LOCAL', true)",
            "cache.size = 20 * MB",
            "cache.min_ttl(0)",
            "trust_anchors.remove('.')",
            f"trust_anchors.add('. DS {known.anchor}')",
        ]
        (self.folder / "kresd.conf").write_text("\n".join(lines) + "\n")
        return ["-n", "-c", str(self.folder / "kresd.conf"), str(self.folder)]


class PowerDns(Resolver):
    """PowerDNS Recursor, which tells the networks that its clients name."""

    name = "powerdns"
    program = "pdns_recursor"
    tells_networks = True
    networks_of_none = ("127.0.0.1/32", "127.0.0.0/24")
    denies_for_all = True
    refuses = frozenset({"RRSIG", "NSEC3", "DNAME"})

    def write(self) -> Sequence[str]:
        """Write its files."""
        known = self.surroundings
        (self.folder / "anchors.lua").write_text(f'clearTA(".")\naddTA(".", "{known.anchor}")\n')
        settings = {
            "config-dir": self.folder,
            "socket-dir": ".",  # it runs in its folder; a socket's path of more than 107 octets would be refused
            "local-address": "127.0.0.1",
            "local-port": self.port,
            "query-local-address": "127.0.0.1",
            "hint-file": self.hints(),
            "lua-config-file": self.folder / "anchors.lua",
            "dont-query": "",
            "dnssec": "validate",
            "dnssec-log-bogus": "yes",
            "edns-subnet-allow-list": ",".join(known.told),
            "use-incoming-edns-subnet": "yes",
            "threads": 1,
            "max-cache-bogus-ttl": 1,
            "packetcache-servfail-ttl": 1,
            "serve-rfc1918": "no",
            "disable-syslog": "yes",
            "daemon": "no",
            "security-poll-suffix": "",
            "setuid": "",
            "setgid": "",
            "any-to-tcp": "no",
        }
        text = "".join(f"{key}={value}\n" for key, value in settings.items())
        (self.folder / "recursor.conf").write_text(text)
        return [f"--config-dir={self.folder}"]


RESOLVERS: tuple[type[Resolver], ...] = (Unbound, Bind, KnotResolver, PowerDns)


@contextlib.contextmanager
def running(kind: type[Resolver], folder: Path, surroundings: Surroundings) -> Iterator[Resolver]:
    """Run a resolver for a `with` block; the test is skipped by name where it is not installed."""
    binary = program(kind.program)
    said = ""
    for _ in range(STARTS):
        resolver = kind(folder, free_port(), surroundings)
        with (folder / "log").open("wb") as out:
            process = subprocess.Popen(
                [binary, *resolver.write()], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=folder
            )
        try:
            if resolver._is_answering(process):
                yield resolver
                return
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        said = resolver.log
    pytest.fail(f"{kind.name} does not start:\n{said}")
