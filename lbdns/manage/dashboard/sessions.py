"""Who is signed in to the dashboard: sessions, and links that begin one once. In memory: they end with the process."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.types import Scope

from lbdns.manage.api.frame.auth import SignedIn

SESSION_S: Final = 12 * 3600.0
"""How long somebody stays signed in."""
SESSIONS_MAX: Final = 256
"""Where there are more, the one unused for the longest ends."""
LINK_S: Final = 60.0
"""How long a link waits for whoever asked for it."""
LINKS_MAX: Final = 32
NOTES_MAX: Final = 8
"""Of one session, that no page has told yet."""
ID_BYTES: Final = 32

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Note:
    """What the next page tells, once: that something was done, with what belongs to it, such as a secret."""

    text: str
    kind: str
    more: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that is signed in: as whom, until when (monotonic seconds), and what its forms carry."""

    who: SignedIn
    ends_at_s: float
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(ID_BYTES))
    _notes: deque[Note] = field(default_factory=lambda: deque(maxlen=NOTES_MAX))

    def add(self, note: Note) -> None:
        """Have the next page tell something."""
        self._notes.append(note)

    def take_notes(self) -> list[Note]:
        """Return what is to be told, which is told then."""
        notes = list(self._notes)
        self._notes.clear()
        return notes


class Sessions:
    """The sessions of one server, by the secret that the browser's cookie holds."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Begin with none; `clock` gives seconds."""
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def begin(self, who: SignedIn) -> str:
        """Begin a session and return its secret."""
        secret = secrets.token_urlsafe(ID_BYTES)
        self._sessions[secret] = Session(who, self._clock() + SESSION_S)
        if len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return secret

    def find(self, secret: str) -> Session | None:
        """Return the session of a secret, None where there is none or its time is over."""
        found = self._sessions.get(secret)
        if found is None:
            return None
        if self._clock() >= found.ends_at_s:
            self.end(secret)
            return None
        self._sessions.move_to_end(secret)
        return found

    def end(self, secret: str) -> None:
        """End a session, where there is one."""
        self._sessions.pop(secret, None)


class SignInLinks:
    """Codes that each sign one person in, once and soon."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Begin with none; `clock` gives seconds."""
        self._clock = clock
        self._links: OrderedDict[str, tuple[SignedIn, float]] = OrderedDict()

    def make(self, who: SignedIn) -> str:
        """Return a new code, for `who`."""
        code = secrets.token_urlsafe(ID_BYTES)
        self._links[code] = (who, self._clock() + LINK_S)
        if len(self._links) > LINKS_MAX:
            self._links.popitem(last=False)
        return code

    def take(self, code: str) -> SignedIn | None:
        """Return whom a code signs in and forget it; None where it was used, is too old, or never was one."""
        who, ends_at_s = self._links.pop(code, (None, 0.0))
        return who if self._clock() < ends_at_s else None


def cookie_name(scope: Scope) -> str:
    """Return the name of the session's cookie: browsers send one server's cookies to all ports of its address."""
    port = (scope.get("server") or ("", 0))[1]
    return f"__Host-lbdns-{port}" if scope["scheme"] == "https" else f"lbdns-{port}"
