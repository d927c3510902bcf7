"""Rows 3 and 4: processes that are killed, or stopped, one after another or at once."""

from __future__ import annotations

import signal
import time

from tests.faults.fault import Fault, Seen, said, took
from tests.faults.rig import until
from tests.strain.process_tree import MONITOR, RESPONDER
from tests.strain.subject import send

BETWEEN_S = 0.9  # what a spare needs to stand ready


class ResponderKilled(Fault):
    """One responder is killed: the spare takes its sockets over."""

    row = 4
    what = "responder killed"
    breaks_connections = True
    late_s = 0.025

    def inject(self) -> None:
        self._took_s = float("inf")
        pid = self.random.choice(self.rig.responders())
        send(pid, signal.SIGKILL)
        self._took_s = until(lambda: pid not in (now := self.rig.responders()) and 0 not in now, 5.0)

    def afterwards(self) -> list[Seen]:
        return [took("another has its place", self._took_s, 1.0), said(self.rig, "died (signal SIGKILL)")]


class RespondersKilledAgain(Fault):
    """Responders are killed again and again, each when a spare may stand ready."""

    row = 4
    what = "responders killed, six times"
    breaks_connections = True
    late_s = 2.0  # there may be no spare yet
    hold_s = 0.5

    def inject(self) -> None:
        for _ in range(6):
            send(self.random.choice([pid for pid in self.rig.responders() if pid]), signal.SIGKILL)
            time.sleep(BETWEEN_S)


class EverybodyKilled(Fault):
    """Every responder and the spare are killed at once: nobody is left to stand in."""

    row = 4
    what = "all responders and the spare killed at once"
    breaks_connections = True
    late_s = 2.5
    may_lose = 200  # the sockets hold what their buffers hold
    hold_s = 3.0

    def inject(self) -> None:
        for pid in self.rig.subject.pids(RESPONDER):
            send(pid, signal.SIGKILL)


class ResponderStopped(Fault):
    """One responder is stopped: it is killed and replaced within a second, and what waited is answered."""

    row = 3
    what = "responder stopped"
    breaks_connections = True
    late_s = 1.2

    def inject(self) -> None:
        self._pid = self.random.choice(self.rig.responders())
        send(self._pid, signal.SIGSTOP)
        self._took_s = until(lambda: self._pid not in (now := self.rig.responders()) and 0 not in now, 5.0)

    def afterwards(self) -> list[Seen]:
        return [took("it is replaced", self._took_s, 1.2), said(self.rig, f"(pid {self._pid}) hangs")]


class MonitorKilled(Fault):
    """The monitor worker is killed: no answer changes, and another one probes."""

    row = 3
    what = "monitor worker killed"

    def inject(self) -> None:
        pid = self.rig.monitor()
        send(pid, signal.SIGKILL)
        self._took_s = until(lambda: self.rig.monitor() not in (0, pid), 5.0)

    def afterwards(self) -> list[Seen]:
        return [took("another has its place", self._took_s, 3.0)]


class MonitorStopped(Fault):
    """The monitor worker is stopped: it is killed and replaced within three seconds."""

    row = 3
    what = "monitor worker stopped"

    def inject(self) -> None:
        self._pid = self.rig.monitor()
        send(self._pid, signal.SIGSTOP)
        self._took_s = until(lambda: self.rig.monitor() not in (0, self._pid), 6.0)

    def afterwards(self) -> list[Seen]:
        return [took("it is replaced", self._took_s, 3.2), said(self.rig, f"(pid {self._pid}) hangs")]


class SupervisorKilled(Fault):
    """The supervisor is killed; the next one takes over from what it left."""

    row = 4
    what = "supervisor killed"
    breaks_connections = True
    late_s = 0.2

    def inject(self) -> None:
        self.rig.end(graceful=False)
        time.sleep(1.0)

    def heal(self) -> None:
        self.rig.begin()

    def afterwards(self) -> list[Seen]:
        return [said(self.rig, "took over from")]


class SupervisorStopped(Fault):
    """The supervisor is stopped for a while: answers and health do not need it."""

    row = 3
    what = "supervisor stopped"
    late_s = 0.2

    def inject(self) -> None:
        self._pid = self.rig.supervisor()
        send(self._pid, signal.SIGSTOP)

    def heal(self) -> None:
        send(self._pid, signal.SIGCONT)

    def afterwards(self) -> list[Seen]:
        hung = sum(" hangs" in line for line in self.rig.server.log.splitlines())
        return [Seen("nobody is blamed for its pause", hung == 0, f"{hung} said to hang")]


class MonitorAndResponderKilled(Fault):
    """Both are killed in the same moment."""

    row = 3
    what = "responder and monitor worker killed at once"
    breaks_connections = True
    late_s = 0.2

    def inject(self) -> None:
        pids = [self.random.choice(self.rig.responders()), *self.rig.subject.pids(MONITOR)]
        for pid in pids:
            send(pid, signal.SIGKILL)
