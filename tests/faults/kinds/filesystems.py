"""Rows 5, 6 and 11: shared memory and the state directory full, read-only, or removed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
from collections.abc import Iterable
from pathlib import Path

from lbdns.testing import ServerError
from tests.faults.fault import Fault, Seen, said, took
from tests.faults.rig import FILES, SHARED_MEMORY, fill, remount, until
from tests.strain.subject import send

OWN_MOUNTS = "LBDNS_FAULTS_MOUNTS"
"""Set where this process is in a mount namespace of its own, with a small /dev/shm."""
REBUILT_S = 10.0


class OnFilesystem(Fault):
    """A fault of a file system of the server's own."""

    @classmethod
    def why_not_here(cls) -> str:
        return "" if os.environ.get(OWN_MOUNTS) else "no mount namespaces here"

    @property
    def state(self) -> Path:
        """The state directory, a file system of its own."""
        return self.rig.server.state_dir


class SharedMemoryFull(OnFilesystem):
    """Shared memory is full: nothing that serves changes, and what cannot be done is said."""

    row = 5
    what = "/dev/shm full"

    def inject(self) -> None:
        self._filler = fill(SHARED_MEMORY)

    def while_held(self) -> list[Seen]:
        refused = self.rig.change()
        is_sentence = ("No space left" in refused or "no room" in refused) and "Traceback" not in refused
        pid = self.rig.responders()[0]
        send(pid, signal.SIGKILL)
        took_s = until(lambda: pid not in (now := self.rig.responders()) and 0 not in now, 5.0)
        return [
            Seen("a change is refused with a sentence", is_sentence, refused[-100:]),
            took("a responder that is killed is replaced", took_s, 2.0),
        ]

    breaks_connections = True

    def heal(self) -> None:
        self._filler.unlink()

    def afterwards(self) -> list[Seen]:
        died = self.rig.server.log.count("SIGBUS")
        return [Seen("nobody dies of SIGBUS", died == 0, str(died))]


class SupervisorKilledWhileFull(OnFilesystem):
    """The supervisor is killed while shared memory is full: the next start says so, and who serves serves on."""

    row = 5
    what = "supervisor killed while /dev/shm is full"
    breaks_connections = True
    late_s = 0.2

    def inject(self) -> None:
        self._filler = fill(SHARED_MEMORY)
        self.rig.end(graceful=False)
        self._refused = ""
        before = len(self.rig.server.log)
        with contextlib.suppress(ServerError):
            self.rig.begin()
        self._refused = self.rig.server.log[before:]

    def while_held(self) -> list[Seen]:
        is_right = "bytes are needed" in self._refused and "another program" not in self._refused
        return [Seen("a start says what there is no room for", is_right, self._refused[-100:])]

    def heal(self) -> None:
        self._filler.unlink()
        self.rig.begin()

    def afterwards(self) -> list[Seen]:
        return [said(self.rig, "took over from")]


def kinds_of_files(names: Iterable[str]) -> set[str]:
    """Return what files are there of, whatever their generation: what is rebuilt may bear another number."""
    return {re.split(r"[-.]", name)[0] for name in names}


class RunDirectoryRemoved(OnFilesystem):
    """The run directory is removed: it is noticed, and rebuilt from what is held open."""

    row = 6
    what = "run directory removed"
    late_s = 1.2
    hold_s = 4.0

    def inject(self) -> None:
        self._path = self.rig.server.run_directory
        before = kinds_of_files(os.listdir(self._path))
        shutil.rmtree(self._path)
        self._took_s = until(lambda: before <= kinds_of_files(os.listdir(self._path)), REBUILT_S)

    def while_held(self) -> list[Seen]:
        refused = self.rig.change()
        return [
            took("it is rebuilt", self._took_s, REBUILT_S),
            Seen("a change is served", not refused, refused[-100:] or "it is"),
        ]


class RunFilesRemoved(OnFilesystem):
    """Some of the run directory's files are removed."""

    row = 6
    what = "files of the run directory removed"
    late_s = 1.2
    hold_s = 4.0

    def inject(self) -> None:
        self._names = sorted(os.listdir(self.rig.server.run_directory))
        self._gone = self.random.sample(self._names, self.random.randrange(1, len(self._names)))
        for name in self._gone:
            (self.rig.server.run_directory / name).unlink()
        gone, place = kinds_of_files(self._gone), self.rig.server.run_directory
        self._took_s = until(lambda: gone <= kinds_of_files(os.listdir(place)), REBUILT_S)

    def while_held(self) -> list[Seen]:
        return [took(f"{', '.join(self._gone)[:60]} rebuilt", self._took_s, REBUILT_S)]


class RunDirectoryRemovedAndKilled(OnFilesystem):
    """The run directory is removed and a responder killed before anybody may have noticed."""

    row = 6
    what = "run directory removed, then a responder killed"
    breaks_connections = True
    late_s = 2.5
    hold_s = 4.0

    def inject(self) -> None:
        pid = self.random.choice(self.rig.responders())
        shutil.rmtree(self.rig.server.run_directory)
        send(pid, signal.SIGKILL)


class StateFull(OnFilesystem):
    """The state directory is full: answers go on, and changes of files are served."""

    row = 11
    what = "state directory full"

    def inject(self) -> None:
        self._filler = fill(self.state)

    def while_held(self) -> list[Seen]:
        if self.rig.kind != FILES:
            return []
        refused = self.rig.change()
        return [Seen("a change is served", not refused, refused[-100:] or "it is")]

    def heal(self) -> None:
        self._filler.unlink()


class StateReadOnly(OnFilesystem):
    """The state directory's file system becomes read-only, and the server is started anew on it."""

    row = 11
    what = "state directory read-only over a restart"
    kinds = (FILES,)
    breaks_connections = True
    hold_s = 2.0
    recovers_s = 15.0

    def inject(self) -> None:
        self._refused = ""
        self.rig.end(graceful=True)
        remount(self.state, "ro")
        self._start()

    def _start(self) -> None:
        """Start and wait for answers: the control socket may have nowhere to be."""
        try:
            self.rig.begin()
        except Exception as error:
            self._refused = str(error)[:300]

    def while_held(self) -> list[Seen]:
        return [Seen("it starts and serves", not self._refused, self._refused or "it does")]

    def heal(self) -> None:
        remount(self.state, "rw")
        if self._refused:
            with contextlib.suppress(Exception):
                self.rig.end(graceful=False)
            self.rig.begin()


class StateFullOverRestart(StateReadOnly):
    """The state directory is full when the server starts."""

    what = "state directory full over a restart"

    def inject(self) -> None:
        self._refused = ""
        self.rig.end(graceful=True)
        self._filler = fill(self.state)
        self._start()

    def heal(self) -> None:
        self._filler.unlink()
        if self._refused:
            with contextlib.suppress(Exception):
                self.rig.end(graceful=False)
            self.rig.begin()
