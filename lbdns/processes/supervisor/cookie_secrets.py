"""The secrets of DNS cookies that a server makes of itself, where its settings name none.

    to come --ROTATION_S--> in use --ROTATION_S--> last --ROTATION_S--> gone

All three are accepted, so that no cookie is refused for a secret that changed (RFC 9018 section 5). They lie in the
state directory in the form of `cookies.secret_file`; where that cannot be written they are this process's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

from pydantic_core import PydanticCustomError

from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.base.whole_file import write_whole
from lbdns.base.words import COOKIE_SECRETS_FILE
from lbdns.dns.cookie_words import SECRET_BYTES
from lbdns.model import bounds
from lbdns.model.guard_settings import read_cookie_secret, read_cookie_secrets

ROTATION_S: Final = 7 * 86_400
AHEAD_S: Final = 86_400
"""A file that is so much of the future was written by a clock that was wrong."""
LOOK_S: Final = 60.0
_REMARK: Final = "# Secrets of DNS cookies: the one in use, the one to come, the last. Made by lbdns, each week anew."

log = logging.getLogger("lbdns.processes")


class OwnCookieSecrets:
    """Those of one server, found or made when they are asked for."""

    def __init__(self, state_dir: Path) -> None:
        """Keep them in a state directory."""
        self._path = state_dir / COOKIE_SECRETS_FILE
        self._secrets: tuple[bytes, ...] = ()
        self._made_s = 0.0
        self._trouble = LastingTrouble(log, f"{self._path} is written again")

    def current(self, unix_s: float | None = None) -> tuple[bytes, ...]:
        """Return them, the one in use first; `unix_s`: the time of day."""
        now_s = time.time() if unix_s is None else unix_s
        if not self._secrets:
            self._read()
        if not self._secrets or not 0 <= now_s - self._made_s + AHEAD_S <= ROTATION_S + AHEAD_S:
            self._secrets = rotated(self._secrets)
            self._made_s = now_s
            self._write()
        return self._secrets

    def _read(self) -> None:
        """Take those of the file, none where it is not there or damaged."""
        with contextlib.suppress(OSError, UnicodeDecodeError, PydanticCustomError):
            texts = [read_cookie_secret(line) for _, line in read_cookie_secrets(self._path.read_text())]
            if len(texts) in (bounds.MAX_COOKIE_SECRETS - 1, bounds.MAX_COOKIE_SECRETS):
                self._secrets = tuple(map(bytes.fromhex, texts))
                self._made_s = self._path.stat().st_mtime

    def _write(self) -> None:
        text = "\n".join([_REMARK, *(one.hex() for one in self._secrets), ""])
        try:
            write_whole(self._path, text, "the secrets of cookies", is_lasting=True, is_private=True)
        except LbdnsError as error:
            self._trouble.begin(f"{error}; they are others after the next start")
        else:
            self._trouble.end()

    async def watch(self, is_other: Callable[[], bool], republish: Callable[[str], Awaitable[str]]) -> None:
        """Have what is in force published anew whenever it has other secrets than it is to have, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if is_other():
                await republish("the secrets of cookies changed")


def rotated(before: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return the secrets that follow some: one in use, one to come, and the one that was in use."""
    last, to_come, *_ = (*before, b"", b"")
    return (to_come or secrets.token_bytes(SECRET_BYTES), secrets.token_bytes(SECRET_BYTES), *([last] if last else []))
