"""The user that a server runs as: its name in settings, its numbers on this machine."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass
from typing import Final

ROOT_UID: Final = 0
ROOT_GID: Final = 0


@dataclass(frozen=True, slots=True)
class SystemUser:
    """A user as the kernel knows it: user id, group id, and the ids of all its groups, that one among them."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]

    @property
    def is_root(self) -> bool:
        """Whether it is the one that may do everything."""
        return self.uid == ROOT_UID


def find_system_user(text: str) -> SystemUser:
    """Return the account that `USER` or `USER:GROUP` names, each by name or number.

    Raises ValueError with a sentence where this machine has no such user or group, or where root is to have another
    group than its own: the group of who may do everything bounds nothing.
    """
    user, colon, group = text.partition(":")
    entry = _user(user)
    if colon:
        gid = _group(group)
    elif entry is not None:
        gid = entry.pw_gid
    else:
        raise ValueError(f"the user {user} has no entry, so that its group is not known; write {user}:GROUP")
    if colon and gid != ROOT_GID and (entry.pw_uid if entry is not None else int(user)) == ROOT_UID:
        raise ValueError(f"root may do everything, whatever its group; write root without :{group}, or another user")
    if entry is None:
        return SystemUser(user, int(user), gid, (gid,))
    return SystemUser(entry.pw_name, entry.pw_uid, gid, tuple(sorted({*os.getgrouplist(entry.pw_name, gid), gid})))


def user_name(uid: int) -> str:
    """Return the name of a user id, itself where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _user(text: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(int(text)) if text.isdecimal() else pwd.getpwnam(text)
    except KeyError:
        if text.isdecimal():
            return None
        made = f"`useradd --system --no-create-home {text}` makes it"
        raise ValueError(f'there is no user "{text}" on this machine; {made}') from None


def _group(text: str) -> int:
    if text.isdecimal():
        return int(text)
    try:
        return grp.getgrnam(text).gr_gid
    except KeyError:
        raise ValueError(f'there is no group "{text}" on this machine; `groupadd --system {text}` makes it') from None
