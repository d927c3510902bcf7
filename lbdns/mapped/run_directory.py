"""Where a server keeps what its processes share: the state directory with its lock, and the run directory in memory.

One supervisor at a time holds the lock of a state directory. Snapshots, the health table and the control file lie in
the run directory, in shared memory where the machine has it, under a name derived from the state directory: so a new
supervisor finds what an earlier one that was killed left serving.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from lbdns.base.errors import LbdnsError
from lbdns.base.system_user import SystemUser
from lbdns.base.words import LOCK_FILE, RUN_DIRECTORY
from lbdns.mapped.directory_locks import DirectoryLocks, lock_holder

SHARED_MEMORY = Path("/dev/shm")
CONTROL_FILE = "control"
PRIVATE = 0o700
OTHERS = 0o077
OTHERS_WRITE = 0o022
UNIX_PATH_MAX = 100  # bytes; the kernel takes 107


class StateLock:
    """The right to be the supervisor of a state directory; released when the process ends, however it ends.

    It is on a file, and on the state directory and the run directory as well: who removes the file lets no second
    server in. Where the directory takes no lock, one in shared memory stands in for it, and excludes as much.
    `problem`: why the directory cannot be used, "" where it can.
    """

    def __init__(self, state_dir: Path, may_stand_in: bool = False) -> None:
        """Take the lock; raises LbdnsError naming the process that has it.

        `may_stand_in`: whoever serves does without the directory where he must, who changes what is in it does not.
        """
        self.problem = ""
        self._state_dir = state_dir
        self._directories = DirectoryLocks()
        self.path, stand_in = state_dir / LOCK_FILE, RunDirectory.location(state_dir).with_suffix(".lock")
        try:
            state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._handle = _take_lock(self.path, state_dir)
        except OSError as error:
            self.problem = f"{state_dir}: cannot use it as the state directory: {error.strerror}"
            if not may_stand_in:
                raise LbdnsError(self.problem) from error
            self.path = stand_in
            try:
                self._handle = _take_lock(stand_in, state_dir)
            except OSError:
                raise LbdnsError(self.problem) from error
        else:
            try:
                _check_free(stand_in, state_dir)
                self._take_state()
            except LbdnsError:
                self.release()
                raise
        try:
            self.take_run()
        except LbdnsError:
            self.release()
            raise
        self._write_holder()

    def _take_state(self) -> None:
        try:
            self._directories.take(self._state_dir)
        except BlockingIOError as error:
            raise _held_by(str(error), self._state_dir) from None

    def take_run(self) -> None:
        """Lock the run directory too, where it is there; raises LbdnsError where another process has it."""
        try:
            owners = {os.geteuid(), os.stat(self._state_dir).st_uid}
        except OSError:
            owners = {os.geteuid()}
        for path in run_places(self._state_dir):
            try:
                self._directories.take(path, owners)
            except BlockingIOError as error:
                raise _held_by(str(error), self._state_dir) from None

    def told(self) -> str:
        """Return what it is and where, in words."""
        return f"the lock {self.path}"

    def is_lost(self) -> bool:
        """Whether its file was removed or replaced: a lock on a removed file excludes nobody.

        Directories that were made anew are locked as they are found.
        """
        try:
            return not os.path.samestat(os.stat(self.path), os.fstat(self._handle))
        except OSError:
            return True
        finally:
            self._follow_directories()

    def _follow_directories(self) -> None:
        with contextlib.suppress(LbdnsError):  # another server's, which was started on it in that moment
            self.take_run()
            if not self.problem:
                self._take_state()

    def renew(self) -> None:
        """Take the lock on another file at the same place; raises LbdnsError, with what is held held on."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
            handle = _take_lock(self.path, self._state_dir)
        except OSError as error:
            raise LbdnsError(f"{self.path}: {error.strerror or error}") from error
        os.close(self._handle)
        self._handle = handle
        self._follow_directories()
        self._write_holder()

    def _write_holder(self) -> None:
        """Say who holds it, for people; a full disk must not keep a server from starting."""
        with contextlib.suppress(OSError):
            os.truncate(self._handle, 0)
            os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def give(self, user: SystemUser) -> None:
        """Give the lock's file to whom this process becomes, so that it can remove it; raises OSError."""
        if os.fstat(self._handle).st_nlink <= 1:
            os.fchown(self._handle, user.uid, user.gid)

    def release(self) -> None:
        """Give the lock up and remove its file, and the state directory where nothing else is in it."""
        if not self.is_lost():  # what is there then is another server's
            with contextlib.suppress(OSError):  # the disk has become read-only, say
                self.path.unlink()
        os.close(self._handle)
        self._directories.release()
        if not self.problem:
            with contextlib.suppress(OSError):
                self.path.parent.rmdir()


def _take_lock(path: Path, state_dir: Path) -> int:
    """Return the handle of a locked file; raises LbdnsError where another process has it, OSError where none can be."""
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            try:
                handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # one that was there before the disk was read-only
            except FileNotFoundError:
                raise error from None
        try:
            _lock(handle, state_dir)
            # The holder before us removes the file on leaving; a lock on a removed file excludes nobody.
            with contextlib.suppress(FileNotFoundError):
                if os.stat(path).st_ino == os.fstat(handle).st_ino:
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _check_free(path: Path, state_dir: Path) -> None:
    """Raise LbdnsError where a process of this user has a lock that need not be there."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        if os.fstat(handle).st_uid == os.geteuid():
            _lock(handle, state_dir)
            path.unlink(missing_ok=True)  # left by one that was killed
    finally:
        os.close(handle)


def _lock(handle: int, state_dir: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 32, 0).decode(errors="replace").strip()
        raise _held_by(holder or lock_holder(os.fstat(handle)), state_dir) from None


def _held_by(holder: str, state_dir: Path) -> LbdnsError:
    return LbdnsError(
        f"another lbdns server (pid {holder or 'not known yet'}) already uses the state directory "
        f"{state_dir}; stop it, or give this one its own `state:` in lbdns.yaml"
    )


def run_places(state_dir: Path) -> tuple[Path, Path]:
    """Return where the run directory of a state directory may be: in shared memory, or in the state directory."""
    return RunDirectory.location(state_dir), state_dir / RUN_DIRECTORY


def snapshot_path(run_dir: Path, generation: int) -> Path:
    """Return where in a run directory the compiled configuration of a generation is."""
    return run_dir / f"snapshot-{generation}.bin"


def targets_path(run_dir: Path, generation: int) -> Path:
    """Return where in a run directory it stands what the monitor worker is to probe in a generation."""
    return run_dir / f"targets-{generation}.json"


def all_targets_paths(run_dir: Path, generation: int) -> tuple[Path, Path, Path]:
    """Return the same, and where the lists are that belong to it: of pools, and of load balancers."""
    lists = run_dir / f"pools-{generation}.json", run_dir / f"balancers-{generation}.json"
    return targets_path(run_dir, generation), *lists


def slots_path(run_dir: Path, generation: int) -> Path:
    """Return where in a run directory it stands who has which slot in a generation."""
    return run_dir / f"slots-{generation}.json"


def table_path(run_dir: Path, number: int) -> Path:
    """Return where in a run directory the health table of a layout id is."""
    return run_dir / f"health-{number}.bin"


def signatures_path(run_dir: Path, number: int) -> Path:
    """Return where in a run directory a table of signatures for what is steered is."""
    return run_dir / f"signatures-{number}.bin"


def opener_path(run_dir: Path) -> Path:
    """Return where in a run directory the UNIX socket of who opens sockets in network namespaces is."""
    return run_dir / "opener.sock"


class RunDirectory:
    """The files that the processes of one server share, by what they are."""

    def __init__(self, state_dir: Path) -> None:
        """Find or make the run directory of a state directory; raises LbdnsError."""
        self.state_dir = state_dir
        self.places = run_places(state_dir)
        self.find()

    def find(self) -> None:
        """Find or make it again, in another place where the first is not ours alone any more; raises LbdnsError."""
        for path in self.places:
            if _made_private(path):
                self.path = path
                return
        raise LbdnsError(f"{self.places[-1]}: cannot make a directory there that is ours alone")

    @property
    def control(self) -> Path:
        """The control file."""
        return self.path / CONTROL_FILE

    @staticmethod
    def location(state_dir: Path) -> Path:
        """Return where the run directory of a state directory is, on a machine with shared memory."""
        return SHARED_MEMORY / ("lbdns-" + hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:16])

    @staticmethod
    def stand_in(path: Path, state_dir: Path) -> Path:
        """Return where a socket is that could not be made at `path`, on a machine with shared memory."""
        return RunDirectory.location(state_dir) / path.name

    @staticmethod
    def socket_in_use(path: Path, state_dir: Path) -> Path:
        """Return where a socket that belongs at `path` is: there, or where it stands in."""
        stand_in = RunDirectory.stand_in(path, state_dir)
        return stand_in if _is_socket(stand_in) and not _is_socket(path) else path

    def snapshot(self, generation: int) -> Path:
        """The compiled configuration of a generation."""
        return snapshot_path(self.path, generation)

    def tries(self, generation: int) -> Path:
        """The tries that a generation brought; later ones may share them."""
        return self.path / f"tries-{generation}.bin"

    def targets(self, generation: int) -> Path:
        """What the monitor worker is to probe in a generation."""
        return targets_path(self.path, generation)

    def all_targets(self, generation: int) -> tuple[Path, Path, Path]:
        """The same, and the lists of pools and of load balancers that belong to it."""
        return all_targets_paths(self.path, generation)

    def slots(self, generation: int) -> Path:
        """Who has which slot of the health table in a generation; what a new supervisor continues from."""
        return slots_path(self.path, generation)

    def table(self, number: int) -> Path:
        """A health table; a new one is made when the old has no room."""
        return table_path(self.path, number)

    def signatures(self, number: int) -> Path:
        """A table of signatures for what is steered; a new one is made when the old has no room."""
        return signatures_path(self.path, number)

    @property
    def updates(self) -> Path:
        """The UNIX socket to which responders bring dynamic updates."""
        return self.path / "updates.sock"

    @property
    def xdp(self) -> Path:
        """The UNIX socket at which responders ask for the sockets of a network card's queues."""
        return self.path / "xdp.sock"

    @property
    def signer(self) -> Path:
        """The UNIX socket on which the signer is asked for what the table lacks."""
        return self.path / "signer.sock"

    @property
    def transfer_notices(self) -> Path:
        """The UNIX socket on which the transfer worker is told of NOTIFY that came in, a datagram each."""
        return self.path / "notices.sock"

    @property
    def rates(self) -> Path:
        """What is counted of networks of clients, by all threads of all responders."""
        return self.path / "rates.bin"

    def counters(self, index: int, part: int) -> Path:
        """The counters of one thread of a responder; part 0 is its slow path."""
        return self.path / f"counters-{index}-{part}.bin"

    def former_counters(self, part: int) -> Path:
        """What was counted in files that were removed meanwhile: by slow paths (part 0), by fast paths (part 1)."""
        return self.path / f"counters-former-{part}.bin"

    def all_counters(self) -> list[Path]:
        """The counters of all threads of all responders, those of earlier ones among them."""
        return sorted(self.path.glob("counters-*.bin"))

    def samples(self, index: int, part: int) -> Path:
        """The samples of one thread of a responder; part 0 is its slow path."""
        return self.path / f"samples-{index}-{part}.bin"

    def all_samples(self) -> list[Path]:
        """The samples of all threads of all responders, those of earlier ones among them."""
        return sorted(self.path.glob("samples-*.bin"))

    def taps(self, index: int, part: int) -> Path:
        """What one thread of a responder copies for dnstap; part 0 is its slow path."""
        return self.path / f"taps-{index}-{part}.bin"

    def all_taps(self) -> list[Path]:
        """What all threads of all responders copy for dnstap."""
        return sorted(self.path.glob("taps-*.bin"))

    def responder(self, pid: int) -> Path:
        """The UNIX socket on which a responder hands its listening sockets to a new supervisor."""
        return self.path / f"responder-{pid}.sock"

    def responders(self) -> list[Path]:
        """The sockets of all responders, those that died badly among them, wherever they were put."""
        return sorted(path for place in self._ours() for path in place.glob("responder-*.sock"))

    def clear(self) -> None:
        """Remove every file in it: nobody serves from here."""
        for place in self._ours():
            for path in place.iterdir():
                with contextlib.suppress(OSError):
                    path.unlink()

    def remove(self) -> None:
        """Remove it with everything in it."""
        for place in self.places:
            if _mode_of_ours(place) is not None:
                shutil.rmtree(place, ignore_errors=True)

    def _ours(self) -> list[Path]:
        return [place for place in self.places if is_private(place)]


def run_directory_in_use(state_dir: Path) -> Path | None:
    """Return the run directory that there is of a state directory and that belongs to whom that belongs to, root's
    looking on, None where there is none."""
    for path in run_places(state_dir):
        try:
            found, owner = path.lstat(), state_dir.stat().st_uid
        except OSError:
            continue
        if stat.S_ISDIR(found.st_mode) and found.st_uid in (owner, os.geteuid()) and not found.st_mode & OTHERS:
            return path
    return None


def is_private(path: Path) -> bool:
    """Whether there is a directory, no link to one, that is ours and that nobody else may look into."""
    mode = _mode_of_ours(path)
    return mode is not None and not mode & OTHERS


def _mode_of_ours(path: Path) -> int | None:
    """Return the mode of a directory that is ours, None where there is none, or something else."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_mode if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() else None


def _made_private(path: Path) -> bool:
    """Make `path` a directory of mode 0700 unless it is one of ours; False where it can be neither."""
    with contextlib.suppress(OSError):
        path.mkdir(mode=PRIVATE)
    mode = _mode_of_ours(path)
    if mode is None or mode & OTHERS_WRITE:  # whatever is in it may be another's
        return False
    if stat.S_IMODE(mode) != PRIVATE:
        with contextlib.suppress(OSError):
            path.chmod(PRIVATE)
    return is_private(path)


def _is_socket(path: Path) -> bool:
    """Whether a socket is at a path, as far as one may look."""
    try:
        return path.is_socket()
    except OSError:
        return False


@contextlib.contextmanager
def unix_address(path: Path) -> Iterator[str]:
    """Yield an address for a UNIX socket at `path` that is short enough for the kernel, however deep the path is."""
    if len(os.fsencode(path)) <= UNIX_PATH_MAX:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
