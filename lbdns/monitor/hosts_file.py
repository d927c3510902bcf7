"""The names that this system knows by itself: the hosts file, and whether it or DNS is asked first (nsswitch.conf).

    hosts: files [NOTFOUND=return] dns     a service after the other until one knows the name, or an action ends it

Of the services `files` and `dns` are asked; `resolve` stands for both, as systemd-resolved reads the hosts file and
asks DNS. Others (`myhostname`, `mdns4_minimal`, ...) know no name that an endpoint's address can be, save `localhost`,
which is this machine wherever nobody says otherwise (RFC 6761 section 6.3).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Generic, TypeVar

HOSTS_FILE: Final = Path("/etc/hosts")
ORDER_FILE: Final = Path("/etc/nsswitch.conf")
BYTES_MAX: Final = 16 * 1024 * 1024  # of either file; what lies behind is not read

FILES: Final = "files"
DNS: Final = "dns"
NOT_FOUND: Final = "notfound"
UNAVAILABLE: Final = "unavail"
TRY_AGAIN: Final = "tryagain"
FAILURES: Final = frozenset({NOT_FOUND, UNAVAILABLE, TRY_AGAIN})
LOOPBACK: Final = (("127.0.0.1",), ("::1",))

_TOKEN: Final = re.compile(r"\[[^\[\]]*\]|[^\s\[\]]+")
_SERVICES: Final = {"files": (FILES,), "dns": (DNS,), "resolve": (FILES, DNS)}

Addresses = tuple[tuple[str, ...], tuple[str, ...]]
"""Canonical address texts: IPv4, IPv6."""
Said = TypeVar("Said")
Fingerprint = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Step:
    """One service to ask, and after which of its failures nobody further is asked."""

    service: str
    ends_at: frozenset[str] = frozenset()


Content = tuple[tuple[Step, ...], dict[str, Addresses]]
DEFAULT_ORDER: Final = (Step(FILES), Step(DNS))
"""Where nsswitch.conf is not there, or names neither."""


class SystemNames:
    """The two files as they are now; they are read again after a change."""

    def __init__(self, hosts_file: Path = HOSTS_FILE, order_file: Path = ORDER_FILE) -> None:
        """Read them."""
        self._hosts = _Followed[dict[str, Addresses]](hosts_file, parse_hosts, {})
        self._order = _Followed[tuple[Step, ...]](order_file, parse_order, DEFAULT_ORDER)
        self.refresh()

    def refresh(self) -> bool:
        """Read what changed, and return whether anything did; a file that cannot be read is as one that is not
        there."""
        changed = [one.refresh() for one in (self._hosts, self._order)]
        return any(changed)

    @property
    def content(self) -> Content:
        """What the files say: values, of which a change makes others."""
        return self._order.content, self._hosts.content

    def differs(self, before: Content, name: str) -> bool:
        """Return whether a name is another now: whom to ask for it, or where the hosts file has it."""
        order, hosts = before
        return order != self.order or hosts.get(name) != self._hosts.content.get(name)

    @property
    def order(self) -> tuple[Step, ...]:
        """Whom to ask for a name, in order."""
        return self._order.content

    def find(self, name: str) -> Addresses:
        """Return a name's addresses in the hosts file, none where it is not there; in any case of letters."""
        return self._hosts.content.get(name.lower().removesuffix("."), ((), ()))


class _Followed(Generic[Said]):
    """What a file says, read again when it is another."""

    def __init__(self, path: Path, parse: Callable[[str], Said], empty: Said) -> None:
        self._path = path
        self._parse = parse
        self._empty = empty
        self._fingerprint: Fingerprint | None = None
        self.content = empty

    def refresh(self) -> bool:
        """Read the file where it is not the one read last; return whether its content differs."""
        if self._fingerprint == _fingerprint(self._path):
            return False
        before = self.content
        try:
            with self._path.open("rb") as file:
                # Of what is read, not of what may take its place meanwhile.
                self._fingerprint = _fingerprint(file.fileno())
                self.content = self._parse(file.read(BYTES_MAX).decode(errors="replace"))
        except OSError:
            self._fingerprint, self.content = None, self._empty
        return before != self.content


def _fingerprint(file: Path | int) -> Fingerprint | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def is_localhost(name: str) -> bool:
    """Return whether a name means this machine wherever it is asked for (RFC 6761 section 6.3)."""
    return name == "localhost" or name.endswith(".localhost")


def parse_hosts(text: str) -> dict[str, Addresses]:
    """Return the addresses of each name of a hosts file (hosts(5)), in the file's order; lines that are none are passed
    over, and so are addresses with a zone, which mean nothing to a client."""
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        try:
            parsed = ip_address(address)
        except ValueError:
            continue
        if "%" in address:
            continue
        for name in names:
            families = found.setdefault(name.lower().removesuffix("."), ({}, {}))
            families[parsed.version == 6][str(parsed)] = None
    return {name: (tuple(v4), tuple(v6)) for name, (v4, v6) in found.items()}


def parse_order(text: str) -> tuple[Step, ...]:
    """Return whom the last `hosts:` line of an nsswitch.conf(5) has asked, in order."""
    line = ""
    for each in text.splitlines():
        database, colon, services = each.partition("#")[0].partition(":")
        if colon and database.strip().lower() == "hosts":
            line = services
    steps = tuple(_steps(_TOKEN.findall(line)))
    return steps or DEFAULT_ORDER


def _steps(tokens: list[str]) -> Iterator[Step]:
    """Yield each service that is asked here, once: a second time it would say the same."""
    known: set[str] = set()
    for number, token in enumerate(tokens):
        following = tokens[number + 1] if number + 1 < len(tokens) else ""
        actions = following[1:-1] if following.startswith("[") else ""
        services = [one for one in _SERVICES.get(token.lower(), ()) if one not in known]
        for service in services:
            known.add(service)
            yield Step(service, _ends_at(actions) if service == services[-1] else frozenset())


def _ends_at(actions: str) -> frozenset[str]:
    """Return the failures after which `[STATUS=ACTION ...]` asks nobody further; `!STATUS` is every other one."""
    ends: set[str] = set()
    for action in actions.lower().split():
        status, _, verb = action.partition("=")
        meant = FAILURES - {status[1:]} if status.startswith("!") else FAILURES & {status}
        ends = ends | meant if verb == "return" else ends - meant
    return frozenset(ends)
