"""Who the server is: a start as root becomes another user before anything is read that is served.

    root: settings --> who --> lock --> state, run directory given --> keys read --> that user --> read, bind, start
                                                                                         |             |
                                              what a start needs of root is kept so long +-------------+--> settled

Settled, the supervisor may bind to ports below 1024, so that a reload may add addresses, and lends the monitor worker
what pings need, and where a virtual network is reached by a network namespace its opener what entering one takes;
responders get nothing, and nobody gets more by starting a program. Sockets are made by that user:
SO_REUSEPORT joins those of one user alone. The supervisor is not dumpable from then on (prctl(2)), which is right: it
holds a key that only root may read, and processes of the same user cannot look into it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import lbdns
from lbdns.base.errors import ConfigError, LbdnsError
from lbdns.base.system_user import ROOT_UID, SystemUser, find_system_user, user_name
from lbdns.mapped.ownership import check_is_own, give_run, give_state
from lbdns.mapped.run_directory import StateLock
from lbdns.model.bounds import DEFAULT_USER
from lbdns.model.settings import Settings
from lbdns.processes.sockets import ListenerSet
from lbdns.processes.supervisor.capabilities import Capability, become, keep_only
from lbdns.processes.supervisor.configuration_source import ConfigurationSource
from lbdns.processes.supervisor.ready_pool import ready_pool

SERVING: Final = frozenset({Capability.NET_BIND_SERVICE})
"""What the supervisor keeps: a reload may add addresses."""
PINGS: Final = frozenset({Capability.NET_RAW})
"""What the monitor worker is lent where the system has no sockets for pings (ping_group_range in icmp(7))."""
NAMESPACES: Final = frozenset({Capability.SYS_ADMIN})
"""What is lent to who enters network namespaces (setns(2)), where the configuration at the start has any."""
STARTING: Final = SERVING | PINGS | {Capability.NET_ADMIN, Capability.CHOWN, Capability.KILL}
"""What a start needs beside it: buffers of its sockets, and the sockets and processes of a start before as root."""
FILTERS: Final = frozenset({Capability.NET_ADMIN, Capability.BPF})
"""What a start needs for `xdp`: the filter at an interface."""
FRAMES: Final = frozenset({Capability.NET_RAW})
"""What stays without effect, but for the moment in which a responder is given a socket for frames, where there is
`xdp`."""

_INSTALL: Final = (
    "install lbdns where that user can read, such as /opt/lbdns, with a Python that lies outside of home directories: "
    "/usr/bin/python3 -m venv /opt/lbdns && /opt/lbdns/bin/pip install lbdns"
)

log = logging.getLogger("lbdns.processes")


class Privileges:
    """What the process may do, and as whom. `user`: whom root makes of it, None where root did not start it."""

    def __init__(self, source: ConfigurationSource, settings: Settings) -> None:
        """Find out who it is to be; nothing is changed yet.

        Raises LbdnsError with a line for each thing that a user would lack, and where keys would be another's than
        said, and ConfigError for a `user` that is none: nothing is served as root by mistake.
        """
        self._settings = settings
        self.user: SystemUser | None = None
        if os.geteuid() == ROOT_UID:
            self.user = _choose(source, settings)
        elif settings.user is not None:
            _compare(settings, settings.user)

    def drop(self, source: ConfigurationSource, lock: StateLock) -> None:
        """Where root started the server, give away what it writes, and become who it is to be; raises LbdnsError.

        It has the state directory's lock.
        """
        if self.user is not None:
            try:
                self._become(source, lock, self.user)
            except OSError as error:
                raise LbdnsError(f"cannot become the user {self.user.name}: {error.strerror}") from error
        elif os.geteuid() != ROOT_UID:
            keep_only(self._starting(), lendable=NAMESPACES)
        _limit_threads()

    def _become(self, source: ConfigurationSource, lock: StateLock, user: SystemUser) -> None:
        settings = self._settings
        state_dir = settings.state_dir()
        if os.path.exists(state_dir):  # no error where none may look
            with _where_it_can_be_written():
                give_run(state_dir, user)
        if user.is_root:
            return
        lock.give(user)
        if not lock.problem:
            with _where_it_can_be_written():
                give_state(state_dir, user)
        _prepare_control(settings, user)
        source.read_as_root(settings)
        os.environ.setdefault("HOME", str(Path.home()))  # what follows from who started it stays so
        become(user.uid, user.gid, user.groups, self._starting(), lendable=NAMESPACES)
        log.info("runs as user %s (%d:%d)", user.name, user.uid, user.gid)
        _tell_unreadable(settings, user)

    def own_sockets(self, held: Iterable[ListenerSet]) -> None:
        """Make sockets that were taken over the user's, so that others can join them; raises LbdnsError."""
        if self.user is None:
            return
        try:
            for descriptor in (one for each in held for one in each.filenos()):
                if os.fstat(descriptor).st_uid != self.user.uid:
                    os.fchown(descriptor, self.user.uid, self.user.gid)
        except OSError as error:
            raise LbdnsError(f"cannot take sockets over for {self.user.name}: {error.strerror}") from error

    def settle(self, enters_namespaces: bool) -> None:
        """Give up what only the start needed; `enters_namespaces`: what is served has networks in namespaces."""
        if os.geteuid() != ROOT_UID:
            lendable = NAMESPACES | PINGS if enters_namespaces else _for_pings()
            keep_only(SERVING, lendable=lendable | FRAMES if self._settings.xdp else lendable)

    def _starting(self) -> frozenset[Capability]:
        return STARTING | FILTERS if self._settings.xdp else STARTING


def _compare(settings: Settings, text: str) -> None:
    """Say where a user is named who the server cannot become; raises LbdnsError where keys were to be that user's."""
    with contextlib.suppress(ValueError):  # the files' own mistake, told with its line
        if find_system_user(text).uid == os.geteuid():
            return
        runs_as = user_name(os.geteuid())
        if settings.dnssec.user is not None:
            raise LbdnsError(
                f"dnssec.user: {settings.dnssec.user} needs a start by root; the server would run as {runs_as}, who "
                "could read the keys: start it as root, or leave dnssec.user out"
            )
        log.warning("user: %s needs a start by root; the server runs as %s", text, runs_as)


def _choose(source: ConfigurationSource, settings: Settings) -> SystemUser:
    """Return who a server that root starts is to be; raises LbdnsError."""
    broken = _mistakes(source)
    if broken is not None and any(problem.at[:1] == ("user",) for problem in broken.problems):
        raise broken
    if settings.user is not None:
        user = find_system_user(settings.user)
        if not user.is_root:
            _check_reach(source, settings, user)
        return user
    if broken is not None:
        # Who it is to be may stand in what cannot be read: whose the state is knows best.
        owner = _owner(settings.state_dir())
        if owner is not None:
            return owner
    try:
        user = find_system_user(DEFAULT_USER)
        _check_reach(source, settings, user)
    except (ValueError, LbdnsError) as error:
        why = str(error).replace("\n", "; ")
        told = 'every process stays root: %s; "user:" in lbdns.yaml names another, or root for no warning'
        log.warning(told, why)
        return find_system_user(str(ROOT_UID))
    return user


def _tell_unreadable(settings: Settings, user: SystemUser) -> None:
    api = settings.api
    for path in (api.certificate, api.key) if api else ():
        if path is not None and not os.access(path, os.R_OK):
            told = "%s: was read as root; %s may not read it, so that a renewed one needs a restart"
            log.warning(told, path, user.name)


@contextlib.contextmanager
def _where_it_can_be_written() -> Iterator[None]:
    """Do without what a disk that is read-only does not take: it has been said of the state directory."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EROFS:
            raise


def _settle_thread() -> None:
    """Have a thread do without what only the start needs."""
    if os.geteuid() != ROOT_UID:
        keep_only(SERVING)


def _limit_threads() -> None:
    """Make the threads of the running loop, which never have what only the start needs; raises LbdnsError."""
    asyncio.get_running_loop().set_default_executor(ready_pool(_settle_thread))


def _mistakes(source: ConfigurationSource) -> ConfigError | None:
    try:
        source.check_settings()
    except ConfigError as error:
        return error
    return None


def _owner(state_dir: Path) -> SystemUser | None:
    """Return whose a state directory is, where it is there and not root's."""
    try:
        found = state_dir.stat()
    except OSError:
        return None
    if found.st_uid == ROOT_UID:
        return None
    return find_system_user(f"{found.st_uid}:{found.st_gid}")


def _check_reach(source: ConfigurationSource, settings: Settings, user: SystemUser) -> None:
    """Raise LbdnsError with a line for each thing that an account cannot use, and the server could not do without."""
    state_dir = settings.state_dir().resolve()
    there = next(path for path in (state_dir, *state_dir.parents) if os.path.exists(path))
    above = there.parent if there == state_dir else there
    wanted = [
        *_own_files(),
        (source.directory, os.R_OK | os.X_OK, "read the configuration"),
        *((path, os.R_OK, "read the database") for _, path in settings.geodata.databases()),
        (above, os.X_OK, "come to the state directory"),
    ]
    control = settings.control_path().parent
    if control != settings.state_dir() and os.path.exists(control):
        wanted.append((control, os.W_OK | os.X_OK, "make the control socket in a directory of its own"))
    with _acting_as(user):
        lacking = [one for one in wanted if not os.access(one[0], one[1], effective_ids=True)]
        lines = [f"{path}: the user {user.name} cannot {what}{_closed_at(path)}" for path, _, what in lacking]
    if any(one in _own_files() for one in lacking):
        lines.append(_INSTALL)
    try:
        check_is_own(state_dir)
    except LbdnsError as error:
        lines.append(str(error))
    if lines:
        raise LbdnsError("\n".join(lines))


def _own_files() -> list[tuple[Path, int, str]]:
    """Return what lbdns itself is run from, what access(2) it takes, and what is done with it."""
    python = Path(sys.executable)
    runs = [(one, os.R_OK | os.X_OK, "run Python") for one in dict.fromkeys((python, python.resolve()))]
    return [*runs, (Path(lbdns.__file__), os.R_OK, "read the package")]


def _closed_at(path: Path) -> str:
    """Return which directory on the way to a path is closed to who asks, in words; "" where none is."""
    closed = next((one for one in reversed(path.parents) if not os.access(one, os.X_OK, effective_ids=True)), None)
    return f": {closed} is closed to it" if closed is not None else ""


@contextlib.contextmanager
def _acting_as(user: SystemUser) -> Iterator[None]:
    groups = os.getgroups()
    os.setgroups(user.groups)
    os.setegid(user.gid)
    os.seteuid(user.uid)
    try:
        yield
    finally:
        os.seteuid(ROOT_UID)
        os.setegid(os.getgid())
        os.setgroups(groups)


def _prepare_control(settings: Settings, user: SystemUser) -> None:
    """Make the control socket's directory where there is none: below /run only root may."""
    directory = settings.control_path().parent
    if not os.path.exists(directory):
        with contextlib.suppress(OSError):  # the socket stands in elsewhere then
            directory.mkdir(parents=True, mode=0o700)
            os.chown(directory, user.uid, user.gid)


def _for_pings() -> frozenset[Capability]:
    """Return what the monitor worker needs to be lent for pings."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP).close()
    except OSError:
        return PINGS
    return frozenset()
