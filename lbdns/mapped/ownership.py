"""Whose the files of a server are: its state directory and run directory, given to the user that serves from them.

Who is given a directory may put anything there, links to files of others among it. So only what lbdns makes is given,
by descriptor: directories, sockets, and regular files that have no second name; nothing is followed.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.system_user import ROOT_UID, SystemUser, find_system_user
from lbdns.base.words import STATE_FILES
from lbdns.mapped.run_directory import RunDirectory

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def is_own(name: str) -> bool:
    """Whether a file of a state directory is one that lbdns makes, or what SQLite, a copy or a half-written one is
    called after it: `store.sqlite-wal`, `.forced.json.partial`."""
    bare = name.lstrip(".")
    return any(bare == own or bare.startswith((f"{own}-", f"{own}.")) for own in STATE_FILES)


def check_is_own(state_dir: Path) -> None:
    """Raise LbdnsError where a directory is there and has files, of which none is a server's: it is not to be given
    away. To be called before the lock is taken, which is a file as well."""
    try:
        names = [entry.name for entry in os.scandir(state_dir) if not entry.is_symlink()]
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise LbdnsError(f"{state_dir}: cannot use it as the state directory: {error.strerror}") from error
    if names and not any(is_own(name) for name in names):
        raise LbdnsError(
            f"{state_dir}: holds files of others ({min(names)}); the state directory is to be one of its own, such as "
            f"{state_dir / 'lbdns'}"
        )


def give_state(state_dir: Path, account: SystemUser) -> None:
    """Give an account the state directory and what lbdns made in it; raises OSError.

    Whoever calls it has the lock, and is root.
    """
    directory = os.open(state_dir.resolve(), _DIRECTORY)
    try:
        for name in filter(is_own, os.listdir(directory)):
            _give(directory, name, account)
        _give_open(directory, account)
    finally:
        os.close(directory)


def give_run(state_dir: Path, account: SystemUser) -> None:
    """Give an account the run directory of a server before, unless somebody else made it, as anybody may there; raises
    OSError. To be called before the state is given: whose that is tells."""
    former = state_dir.stat().st_uid
    try:
        directory = os.open(RunDirectory.location(state_dir), _DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return  # O_NOFOLLOW says the latter of a link, too
    try:
        if os.fstat(directory).st_uid in (ROOT_UID, former, account.uid):
            _give_all(directory, account)
    finally:
        os.close(directory)


def keep_owner(state_dir: Path) -> None:
    """Give what root has just written in a state directory to whose that is; raises OSError."""
    if os.geteuid() != ROOT_UID or not os.path.exists(state_dir):
        return
    found = state_dir.stat()
    if found.st_uid != ROOT_UID:
        give_state(state_dir, find_system_user(f"{found.st_uid}:{found.st_gid}"))


def _give_all(directory: int, account: SystemUser) -> None:
    for name in os.listdir(directory):
        _give(directory, name, account)
    _give_open(directory, account)


def _give(directory: int, name: str, account: SystemUser) -> None:
    try:
        handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return
    try:
        found = os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            inner = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                _give_all(inner, account)
            finally:
                os.close(inner)
        elif found.st_uid != account.uid and _is_single(found):
            os.chown(f"/proc/self/fd/{handle}", account.uid, account.gid)
    finally:
        os.close(handle)


def _give_open(directory: int, account: SystemUser) -> None:
    if os.fstat(directory).st_uid != account.uid:
        os.fchown(directory, account.uid, account.gid)


def _is_single(found: os.stat_result) -> bool:
    return stat.S_ISSOCK(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1)
