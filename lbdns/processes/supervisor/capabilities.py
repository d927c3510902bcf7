"""What a thread of a process that is not root may do all the same: capabilities(7), by the kernel's own calls.

libc is called by ctypes: the three calls that are needed are older than every library that wraps them, and those for
Python need a compiler and libcap's headers where lbdns is installed.

A capability belongs to a thread, and threads begin with those of the one that starts them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from functools import cache
from typing import Final, NamedTuple

_PR_SET_KEEPCAPS: Final = 8
_PR_CAPBSET_READ: Final = 23
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_AMBIENT_RAISE: Final = 2
_AMBIENT_LOWER: Final = 3
_AMBIENT_CLEAR_ALL: Final = 4
_HEADER: Final = struct.pack("Ii", 0x20080522, 0)  # version 3, this thread
_DATA: Final = struct.Struct("6I")  # effective, permitted and inheritable of capabilities 0 to 31, then of the rest


class Capability(IntEnum):
    """Linux's numbers of those that lbdns has a use for."""

    CHOWN = 0
    KILL = 5
    SETPCAP = 8
    NET_BIND_SERVICE = 10
    NET_ADMIN = 12
    NET_RAW = 13
    SYS_ADMIN = 21
    BPF = 39


class CapabilitySets(NamedTuple):
    """The sets of a thread, a bit for each capability."""

    effective: int
    permitted: int
    inheritable: int


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _prctl(option: int, first: int, second: int = 0) -> int:
    arguments = (ctypes.c_ulong(one) for one in (first, second, 0, 0))
    return _checked(_libc().prctl(ctypes.c_int(option), *arguments))


def bits(capabilities: Iterable[Capability]) -> int:
    """Return a set of capabilities as bits."""
    return sum(1 << one for one in set(capabilities))


def capability_sets() -> CapabilitySets:
    """Return what this thread has."""
    data = ctypes.create_string_buffer(_DATA.size)
    _checked(_libc().capget(_HEADER, data))
    low = _DATA.unpack(data.raw)
    return CapabilitySets(*(low[index] | low[index + 3] << 32 for index in range(3)))


def set_capabilities(sets: CapabilitySets) -> None:
    """Have this thread keep these of those that it has; raises OSError."""
    words = [one & 0xFFFFFFFF for one in sets] + [one >> 32 for one in sets]
    _checked(_libc().capset(_HEADER, _DATA.pack(*words)))


def keep_only(capabilities: Iterable[Capability], lendable: Iterable[Capability] = ()) -> None:
    """Have this thread keep these of what it has, and `lendable` without effect here; whoever is started gets none."""
    sets = capability_sets()
    has = sets.permitted
    effective = has & bits(capabilities)
    with contextlib.suppress(OSError):  # a kernel without them has none to clear
        _prctl(_PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
    wanted = CapabilitySets(effective, effective | has & bits(lendable), 0)
    # Inherited without being ambient they count for files that carry capabilities alone: a filter of system calls that
    # allows capset to nobody is no hindrance.
    if sets[:2] != wanted[:2]:
        set_capabilities(wanted)


@contextlib.contextmanager
def lent(capabilities: Iterable[Capability]) -> Iterator[None]:
    """Have processes that this thread starts meanwhile begin with these, as far as it has them itself."""
    before = capability_sets()
    given = [one for one in capabilities if before.permitted >> one & 1]
    if not given or os.geteuid() == 0:
        yield
        return
    is_more = bits(given) & ~before.inheritable != 0
    if is_more:
        set_capabilities(before._replace(inheritable=before.inheritable | bits(given)))
    try:
        for one in given:
            _prctl(_PR_CAP_AMBIENT, _AMBIENT_RAISE, one)
        yield
    finally:
        for one in given:
            _prctl(_PR_CAP_AMBIENT, _AMBIENT_LOWER, one)
        if is_more:
            set_capabilities(before)


@contextlib.contextmanager
def in_effect(capabilities: Iterable[Capability]) -> Iterator[None]:
    """Have these in effect meanwhile, of those that this thread has."""
    before = capability_sets()
    wanted = before.effective | before.permitted & bits(capabilities)
    if wanted == before.effective:
        yield
        return
    set_capabilities(before._replace(effective=wanted))
    try:
        yield
    finally:
        set_capabilities(before)


def become(
    uid: int, gid: int, groups: Iterable[int], kept: Iterable[Capability], lendable: Iterable[Capability] = ()
) -> None:
    """Be another user for good, with `kept` of the capabilities that this thread has, and `lendable` without effect
    here; raises OSError.

    All threads of the process become that user, the others without capabilities.
    """
    bound = bits(kept) | bits(lendable)
    if capability_sets().effective >> Capability.SETPCAP & 1:
        _narrow_bounds(bound)
    _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups(list(groups))
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    _prctl(_PR_SET_KEEPCAPS, 0)
    keep_only(kept, lendable)


def _narrow_bounds(kept: int) -> None:
    """Take from the bounding set what is not kept: no file's capabilities bring it back."""
    for number in range(64):
        try:
            if _prctl(_PR_CAPBSET_READ, number) and not kept >> number & 1:
                _prctl(_PR_CAPBSET_DROP, number)
        except OSError:  # the kernel knows no more
            return


def refuse_new_privileges() -> None:
    """Have no program that is started from here gain anything by set-user-id bits or files' capabilities.

    That is a thread's as well: it is for a time when there is one alone.
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
