"""Low priority for this process: it has the processor and the disk when others do not want them.

libc is called by ctypes: it has no wrapper of ioprio_set (linux/ioprio.h), nor has Python.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import Final

NICE: Final = 19
_IOPRIO_SET: Final = {"x86_64": 251, "aarch64": 30, "riscv64": 30, "ppc64le": 273, "s390x": 282}
"""The number of the system call, by machine."""
_THIS_PROCESS: Final = 1
_IDLE: Final = 3 << 13


def take_low_priority() -> None:
    """Take it, as far as a sandbox allows and the machine knows."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    number = _IOPRIO_SET.get(os.uname().machine)
    if number is not None:
        ctypes.CDLL(None, use_errno=True).syscall(
            ctypes.c_long(number), ctypes.c_int(_THIS_PROCESS), ctypes.c_int(0), ctypes.c_int(_IDLE)
        )
