"""Installs the filter of system calls that systemd makes of a unit, and becomes another program.

    /usr/bin/python3 confine.py ALLOWED[,ALLOWED...] PROGRAM [ARGUMENT...]

Run by Debian's Python, whose `seccomp` is libseccomp's own. ALLOWED are names of system calls; those that the unit
restricts by their arguments (RestrictAddressFamilies, MemoryDenyWriteExecute, RestrictNamespaces, RestrictSUIDSGID,
LockPersonality) are as systemd 252 restricts them (src/shared/seccomp-util.c).
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from typing import Any

import seccomp  # type: ignore[import-not-found]

WRITE, EXECUTE = 2, 4  # PROT_ of mmap(2)
SHARED_EXECUTABLE = 0o100000  # SHM_EXEC of shmat(2)
NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
NO_CHANGE = 0xFFFFFFFF  # of personality(2)
SET_ID = stat.S_ISUID | stat.S_ISGID
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
MODES = {"chmod": 1, "fchmod": 1, "fchmodat": 2, "mkdir": 1, "mkdirat": 2, "mknod": 1, "mknodat": 2}


def without(argument: int, bits: int) -> list[Any]:
    """Return the condition that none of some bits is set in an argument."""
    return [seccomp.Arg(argument, seccomp.MASKED_EQ, bits, 0)]


def conditions(name: str) -> list[list[Any]]:
    """Return under which conditions, one of them, a system call is allowed; each is a list of comparisons."""
    if name == "socket":
        return [[seccomp.Arg(0, seccomp.EQ, int(family))] for family in FAMILIES]
    if name == "mmap":
        both = WRITE | EXECUTE
        return [[seccomp.Arg(2, seccomp.MASKED_EQ, both, value)] for value in (0, WRITE, EXECUTE)]
    if name in ("mprotect", "pkey_mprotect"):
        return [without(2, EXECUTE)]
    if name == "shmat":
        return [without(2, SHARED_EXECUTABLE)]
    if name == "clone":
        return [without(0, NAMESPACES)]
    if name == "personality":
        return [[seccomp.Arg(0, seccomp.EQ, value)] for value in (0, NO_CHANGE)]
    return [without(MODES[name], SET_ID)] if name in MODES else [[]]


def main() -> None:
    """Install it and go on as the program."""
    allowed = sys.argv[1].split(",")
    confined = seccomp.SyscallFilter(defaction=seccomp.ERRNO(errno.EPERM))
    confined.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags lie in memory, where no filter looks
    for name in set(allowed) - {"clone3", "unshare", "setns"}:
        if seccomp.resolve_syscall(seccomp.Arch(), name) < 0:
            continue  # another architecture's
        for condition in conditions(name):
            confined.add_rule(seccomp.ALLOW, name, *condition)
    confined.load()
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
