"""Three machines, each in a network namespace of its own, joined by a bridge; and ways to cut them off from each other.

Runs as root in namespaces made for it (`in_own_network`), so that whatever it made or started goes with it:

    10.77.0.1  bridge, endpoints      10.77.0.11 AMS-1      10.77.0.12 JFK-1      10.77.0.13 SIN-1

Each runs `lbdns serve` over a store, which answers DNS at its own loopback; its API is asked by its UNIX socket, which
no namespace hides. A cut is silent, as a black hole in the Internet is: the sender's neighbour table gets a hardware
address that nobody has, so that it needs no firewall and works in one direction as well. An unplugged machine has no
carrier, and reaches nothing at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dns.message
import dns.query
import dns.rdatatype
import pytest
import yaml

from lbdns.processes.supervisor.child_process import package_environment
from tests.namespaces import NAMESPACES, inside
from tests.store.served import StoreServer, wait_until

ROOT: Final = Path(__file__).parents[2]
BRIDGE_ADDRESS: Final = "10.77.0.1"
NETWORK_BITS: Final = 16
NOBODY: Final = "02:00:00:00:00:01"
"""A hardware address that is nobody's."""
QUERY_S: Final = 3.0
COMMAND_S: Final = 60.0
START_S: Final = 240.0
"""Until a server answers on a machine whose cores start two more at the same time."""
SEEN_S: Final = 30.0
BUS_SERVER: Final = "nats-server"


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a machine stands: its name, its airport, its address on the bridge."""

    name: str
    code: str
    address: str


STANDS: Final = (
    Stand("AMS-1", "AMS", "10.77.0.11"),
    Stand("JFK-1", "JFK", "10.77.0.12"),
    Stand("SIN-1", "SIN", "10.77.0.13"),
)
"""In three regions; the first is the hub."""


def run(*command: str) -> None:
    """Run a command; raises with what it said where it fails."""
    subprocess.run(command, check=True, capture_output=True, text=True)


class Wires:
    """The bridge, and for each machine its end of a cable."""

    def __init__(self, stands: Sequence[Stand] = STANDS) -> None:
        """Make all of it in this process's network, which has nothing yet."""
        self.stands = {one.name: one for one in stands}
        self._cut: set[tuple[str, str]] = set()
        self._unplugged: set[str] = set()
        run("mount", "-t", "tmpfs", "none", "/run")
        NAMESPACES.mkdir()
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "bridge", "type", "bridge")
        run("ip", "addr", "add", f"{BRIDGE_ADDRESS}/{NETWORK_BITS}", "dev", "bridge")
        run("ip", "link", "set", "bridge", "up")
        for one in stands:
            self._join(one)

    @staticmethod
    def _join(one: Stand) -> None:
        run("ip", "netns", "add", one.name)
        run("ip", "-n", one.name, "link", "set", "lo", "up")
        run("ip", "link", "add", f"v{one.name}", "type", "veth", "peer", "name", "wire", "netns", one.name)
        run("ip", "-n", one.name, "addr", "add", f"{one.address}/{NETWORK_BITS}", "dev", "wire")
        run("ip", "-n", one.name, "link", "set", "wire", "up")
        run("ip", "link", "set", f"v{one.name}", "master", "bridge", "up")

    def cut(self, source: str, target: str) -> None:
        """Lose whatever one machine sends to another."""
        address = self.stands[target].address
        lost = ("neigh", "replace", address, "lladdr", NOBODY, "nud", "permanent", "dev", "wire")
        run("ip", "-n", source, *lost)
        self._cut.add((source, target))

    def cut_off(self, name: str, sends: bool = True, hears: bool = True) -> None:
        """Lose what a machine sends to each of the others, what they send to it, or both."""
        for other in self.stands:
            if other != name:
                if sends:
                    self.cut(name, other)
                if hears:
                    self.cut(other, name)

    def unplug(self, name: str) -> None:
        """Take a machine's cable out: it reaches neither machines nor endpoints."""
        run("ip", "link", "set", f"v{name}", "down")
        self._unplugged.add(name)

    def heal(self) -> None:
        """Mend whatever is cut or unplugged."""
        for source, target in sorted(self._cut):
            run("ip", "-n", source, "neigh", "del", self.stands[target].address, "dev", "wire")
        for name in sorted(self._unplugged):
            run("ip", "link", "set", f"v{name}", "up")
        self._cut.clear()
        self._unplugged.clear()


def socket_within(namespace: str, kind: socket.SocketKind) -> socket.socket:
    """Return an IPv4 socket in a namespace."""
    return inside(namespace, lambda: socket.socket(socket.AF_INET, kind))


class Machine(StoreServer):
    """A server over a store in a namespace."""

    start_s = START_S

    def __init__(self, stand: Stand, work: Path, **settings: Any) -> None:
        """Prepare it; `settings` are more keys of lbdns.yaml."""
        work.mkdir()
        self.stand = stand
        self.name = stand.name
        super().__init__(work, yaml.safe_dump({"pop": {"code": stand.code}, **settings}, sort_keys=False))

    def within(self, *command: str) -> list[str]:
        """Return a command that does the same in the machine's namespace."""
        return ["nsenter", f"--net={NAMESPACES / self.name}", *command]

    def command(self) -> list[str]:
        """Return the command that becomes its supervisor."""
        return self.within(*super().command())

    def lbdns(self, *arguments: str) -> str:
        """Run a command of lbdns on the machine and return what it prints; raises RuntimeError with what it said."""
        where = ("--settings", str(self.settings_file), "--state", str(self.state_dir))
        command = self.within(sys.executable, "-P", "-m", "lbdns", *arguments, *where)
        done = subprocess.run(command, capture_output=True, text=True, env=package_environment(), timeout=COMMAND_S)
        if done.returncode:
            raise RuntimeError(f"{self.name}: lbdns {' '.join(arguments)}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    def answer(self, name: str, kind: str = "A", timeout_s: float = QUERY_S) -> list[str]:
        """Ask it over UDP, in its namespace, and return the texts of the records of that type, sorted."""
        with socket_within(self.name, socket.SOCK_DGRAM) as sock:
            query = dns.message.make_query(name, kind)
            reply = dns.query.udp(query, self.host, port=self.port, timeout=timeout_s, sock=sock)
        wanted = dns.rdatatype.from_text(kind)
        return sorted(str(rdata) for rrset in reply.answer if rrset.rdtype == wanted for rdata in rrset)

    def pids(self, program: str = "") -> list[int]:
        """Return who runs in its namespace, oldest first; of one program alone where it is named."""
        said = subprocess.run(["ip", "netns", "pids", self.name], check=True, capture_output=True, text=True).stdout
        return sorted(pid for pid in map(int, said.split()) if not program or _program(pid) == program)

    def kill_process(self, pid: int) -> None:
        """Kill one of its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def kill_supervisor(self) -> None:
        """Kill the supervisor; its responders go on."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


def _program(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


class Fleet:
    """The machines and what joins them."""

    def __init__(self, wires: Wires, machines: Sequence[Machine]) -> None:
        """Hold them; the first is the hub."""
        self.wires = wires
        self.machines = tuple(machines)
        self.by_name = {one.name: one for one in machines}

    @property
    def hub(self) -> Machine:
        """The machine where the others come in."""
        return self.machines[0]

    def wait_for(self, name: str, wanted: Sequence[str], seconds: float = SEEN_S) -> float:
        """Wait until a name has these addresses at every machine; returns how long that took."""
        return wait_until(
            lambda: all(one.answer(name) == list(wanted) for one in self.machines),
            lambda: f"{name} is not {wanted} everywhere: {[one.answer(name) for one in self.machines]}",
            seconds,
        )


def at_once(do: Callable[[Machine], Any], machines: Sequence[Machine]) -> list[Any]:
    """Do something with each machine at the same time, and return what came of it; raises what the first raised."""
    with ThreadPoolExecutor(len(machines)) as pool:
        return list(pool.map(do, machines))


@contextlib.contextmanager
def running_machines(work: Path, stands: Sequence[Stand] = STANDS, **settings: Any) -> Iterator[Fleet]:
    """Run a server on each machine, none of them in a fleet yet."""
    wires = Wires(stands)
    with contextlib.ExitStack() as opened:
        machines = [
            opened.enter_context(contextlib.closing(Machine(one, work / one.name, **settings))) for one in stands
        ]
        at_once(lambda one: one.start(), machines)
        at_once(lambda one: one.wait_for_api(START_S), machines)
        yield Fleet(wires, machines)


def why_no_networks() -> str:
    """Return why there can be no namespaces here, "" where there can."""
    lacking = [name for name in ("unshare", "nsenter", "ip") if shutil.which(name) is None]
    if lacking:
        return f"no namespaces can be made here: {', '.join(lacking)} lacking (Debian's util-linux, iproute2)"
    make = "ip link add bridge type bridge && ip link add v0 type veth peer name v1"
    tried = subprocess.run([*APART, "sh", "-c", make], capture_output=True, text=True)
    return f"no namespaces with bridge and veth can be made here: {tried.stderr.strip()}" if tried.returncode else ""


APART: Final = ("unshare", "-n", "-m", "-p", "-f", "--kill-child", "--mount-proc", "--propagation", "private")
"""A network, mounts and processes of its own, which end with it."""
INSIDE: Final = "LBDNS_TESTS_OWN_NETWORK"
"""Is set in the environment of what runs in them."""


def apart(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module in namespaces made for it; what it says as errors comes out as it is said."""
    command = [*APART, sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | {INSIDE: "yes"})


def go_apart(module: str, *arguments: str) -> None:
    """Become a module in namespaces made for it, where this process is in none yet."""
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "yes"
        os.execvp(APART[0], [*APART, sys.executable, "-m", module, *arguments])


def in_own_network(module: str, *arguments: str, timeout_s: float) -> dict[str, Any]:
    """Run a module in namespaces made for it, for a test; returns what its last line says as JSON."""
    if why := why_no_networks():
        pytest.skip(why)
    command = [*APART, sys.executable, "-m", module, *arguments]
    environment = os.environ | {INSIDE: "yes"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, env=environment)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-8000:]
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said
