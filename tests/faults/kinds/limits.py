"""Rows 7 and 15: limits of tasks and of descriptors that are reached for a while."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import time

import yaml

from lbdns.testing import ServerError
from tests.faults.fault import Fault, Seen
from tests.faults.rig import FILES, STORE
from tests.processes.task_limit import EMPTY_S, TaskLimit, why_no_task_limit
from tests.strain.process_tree import RESPONDER
from tests.strain.subject import send

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
        return why_no_task_limit()

    def limit(self) -> None:
        """Let nobody of the server make a process or a thread."""
        pids = [one.pid for one in self.rig.subject.processes()]
        self._limit = TaskLimit(f"lbdns-faults-{os.getpid()}", pids)

    def inject(self) -> None:
        self.limit()
        killed = [self.rig.monitor(), self.rig.responders()[0]]
        for pid in killed:
            send(pid, signal.SIGKILL)

    def while_held(self) -> list[Seen]:
        lines = [line for line in self.rig.server.log.splitlines() if "Resource temporarily unavailable" in line]
        return [Seen("the log says that no process can be made", bool(lines), (lines or ["nothing"])[0][26:140])]

    def heal(self) -> None:
        self._limit.lift()

    def afterwards(self) -> list[Seen]:
        left_s = self._limit.leave()
        return [Seen("its group is empty", left_s < EMPTY_S, f"{left_s:.2f} s")]


class MoreWorkersUnderTaskLimit(TasksLimited):
    """More workers are asked for while no process can be made: that fails, and what came to their sockets is
    answered."""

    what = "more workers while the task limit is reached"
    kinds = (FILES,)
    breaks_connections = False
    late_s = 1.5

    def inject(self) -> None:
        self.limit()
        path = self.rig.server.directory / "lbdns.yaml"
        self._before = path.read_text()
        settings = yaml.safe_load(self._before)
        self._refused = ""
        try:
            self.rig.server.reload({"lbdns.yaml": yaml.safe_dump({**settings, "workers": 4})})
        except ServerError as error:
            self._refused = str(error)

    def while_held(self) -> list[Seen]:
        return [Seen("it is refused", "does not start" in self._refused, self._refused[-100:])]

    def heal(self) -> None:
        super().heal()
        (self.rig.server.directory / "lbdns.yaml").write_text(self._before)


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
