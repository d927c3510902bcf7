"""Rows 7 and 15: limits of tasks and of descriptors that are reached for a while."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import time
from pathlib import Path

from tests.faults.fault import Fault, Seen
from tests.faults.rig import STORE, until
from tests.strain.process_tree import RESPONDER
from tests.strain.subject import send

CGROUPS = Path("/sys/fs/cgroup/pids")
LIMITED_S = 3.0
CONNECTIONS = 120
LINES_MAX = 60


class TasksLimited(Fault):
    """No process and no thread can be made for a while, and some die in it: the spare goes on, all are back later."""

    row = 7
    what = "task limit reached while processes are killed"
    breaks_connections = True
    late_s = 0.2
    hold_s = LIMITED_S
    recovers_s = 6.0

    @classmethod
    def why_not_here(cls) -> str:
        return "" if os.access(CGROUPS, os.W_OK) and (CGROUPS / "tasks").exists() else "no cgroup of tasks to write to"

    def inject(self) -> None:
        self._group = CGROUPS / f"lbdns-faults-{os.getpid()}"
        self._group.mkdir()
        for one in self.rig.subject.processes():
            with contextlib.suppress(OSError):
                (self._group / "cgroup.procs").write_text(str(one.pid))
        (self._group / "pids.max").write_text("1")
        killed = [self.rig.monitor(), self.rig.responders()[0]]
        for pid in killed:
            send(pid, signal.SIGKILL)

    def while_held(self) -> list[Seen]:
        lines = [line for line in self.rig.server.log.splitlines() if "Resource temporarily unavailable" in line]
        return [Seen("the log says that no process can be made", bool(lines), (lines or ["nothing"])[0][26:140])]

    def heal(self) -> None:
        (self._group / "pids.max").write_text("max")

    def afterwards(self) -> list[Seen]:
        for pid in (self._group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (CGROUPS / "cgroup.procs").write_text(pid)
        is_empty = until(lambda: not (self._group / "cgroup.procs").read_text().split(), 5.0)
        self._group.rmdir()
        return [Seen("its group is empty", is_empty < 5.0, f"{is_empty:.2f} s")]


class DescriptorsLimited(Fault):
    """A responder can open nothing more while many connect: UDP is answered, and the log is not filled."""

    row = 15
    what = "descriptor limit of a responder reached by connections"
    breaks_connections = True
    log_lines = LINES_MAX
    hold_s = LIMITED_S
    late_s = 0.5

    def _pids(self) -> list[int]:
        return [pid for pid in self.rig.responders() if pid]

    def inject(self) -> None:
        self._limits = {}
        for pid in self._pids():
            used = len(os.listdir(f"/proc/{pid}/fd"))
            self._limits[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, self._limits[pid][1]))
        server = (self.rig.server.host, self.rig.server.port)
        self._held = []
        for number in range(CONNECTIONS):
            with contextlib.suppress(OSError):
                self._held.append(socket.create_connection(server, 1.0, (f"127.0.{60 + number % 40}.1", 0)))

    def heal(self) -> None:
        for sock in self._held:
            sock.close()
        for pid, limit in self._limits.items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)


class ApiDescriptorsLimited(Fault):
    """The supervisor can open nothing more while many connect to the API: DNS goes on, and the log is not filled."""

    row = 15
    what = "descriptor limit of the supervisor reached by API connections"
    kinds = (STORE,)
    log_lines = LINES_MAX
    hold_s = LIMITED_S

    def inject(self) -> None:
        pid = self.rig.supervisor()
        self._limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 5, self._limit[1]))
        host, _, port = self.rig.store.api.removeprefix("http://").rpartition(":")
        self._held = []
        for _ in range(CONNECTIONS):
            with contextlib.suppress(OSError):
                self._held.append(socket.create_connection((host, int(port)), 1.0))

    def heal(self) -> None:
        for sock in self._held:
            sock.close()
        resource.prlimit(self.rig.supervisor(), resource.RLIMIT_NOFILE, self._limit)


class ProcessesStarved(Fault):
    """Other work has the processors for a while: nobody is killed for being late."""

    row = 3
    what = "other work has the processors"
    late_s = 2.0
    hold_s = 3.0

    def inject(self) -> None:
        self._before = len(self.rig.server.log)
        self._others = []
        for _ in range(2 * (os.cpu_count() or 1)):
            pid = os.fork()
            if pid == 0:
                while True:
                    pass
            self._others.append(pid)

    def heal(self) -> None:
        for pid in self._others:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        time.sleep(0.5)

    def afterwards(self) -> list[Seen]:
        hung = self.rig.server.log[self._before :].count(" hangs")
        alive = len(self.rig.subject.pids(RESPONDER))
        return [Seen("nobody is said to hang", hung == 0, f"{hung}; {alive} responders live")]
