"""Who changes a fleet's configuration by the API of one machine, and keeps what it was told of each change.

| kind | what | at the end |
|---|---|---|
| own | its own record gets the next number as its address | the last that was done, or a later one that is unknown |
| new | a record of a new name, never touched again | is there where it was done, is not where it was refused |
| contested | a pool of a name, made at all machines at the same time | at most one was done, and its pool it is |

`done` is a 2xx; `refused` is a 4xx, or a 5xx that says that nothing was changed, and is as if it had never been asked
for; all else is `unknown`.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import httpx

from tests.fleet.machines import Fleet, Machine

ZONE: Final = "example.com"
OWN, NEW, CONTESTED = "own", "new", "contested"
DONE, REFUSED, UNKNOWN = OUTCOMES = ("done", "refused", "unknown")
PAUSE_S: Final = (0.05, 0.4)
CONTEST_S: Final = 1.0
"""The writers of all machines make one pool in each of these."""
STOP_S: Final = 60.0
ASK_S: Final = 120.0
"""A large configuration takes long on a busy machine."""
LISTED: Final = 1000
SERVER_FAILED: Final = 500
NOT_STORED: Final = "is not stored"
"""What an answer of such a code says where it is certain that nothing was changed."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A change that a machine was asked for, and what it said; `took_s` from asking to that."""

    kind: str
    machine: str
    name: str
    value: str
    outcome: str
    said: str
    took_s: float


class Writer:
    """Changes things by one machine's API in a thread of its own, until stopped."""

    def __init__(self, machine: Machine, seed: int, counter: Counter[str]) -> None:
        """Prepare; `counter` counts what each name was given so far over all writers of a machine."""
        self.machine = machine
        self.attempts: list[Attempt] = []
        self.number = counter
        self._random = Random(f"{seed} {machine.name}")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"writer {machine.name}", daemon=True)
        self._own_record = self._zone = self._account = ""
        self._contested = ""

    def start(self) -> None:
        """Make its own record, and begin."""
        self._zone, self._account = zone_id(self.machine), account_id(self.machine)
        self._own_record = make_record(self.machine, own_name(self.machine.name), own_address(self.machine.name, 0))
        self._thread.start()

    def pause(self) -> None:
        """Begin nothing more."""
        self._stop.set()

    def stop(self) -> None:
        """End, once the change under way is answered."""
        self.pause()
        self._thread.join(STOP_S)
        assert not self._thread.is_alive(), f"a change at {self.machine.name} is not answered in {STOP_S} s"

    def _run(self) -> None:
        zone, account = self._zone, self._account
        while not self._stop.wait(self._random.uniform(*PAUSE_S)):
            contested = f"contested-{int(time.monotonic() / CONTEST_S)}"
            if contested != self._contested and self._random.random() < 0.5:
                self._contested = contested
                pool = {"name": contested, "description": self.machine.name,
                        "origins": [{"name": "e", "address": "192.0.2.200"}]}  # fmt: skip
                self._attempt(CONTESTED, contested, self.machine.name, "POST",
                              f"/client/v4/accounts/{account}/load_balancers/pools", pool)  # fmt: skip
            elif self._random.random() < 0.5:
                number = self._next(OWN)
                address = own_address(self.machine.name, number)
                path = f"/client/v4/zones/{zone}/dns_records/{self._own_record}"
                self._attempt(OWN, own_name(self.machine.name), address, "PATCH", path, {"content": address})
            else:
                name, address = f"n{self._next(NEW)}-{self.machine.name.lower()}.{ZONE}", "192.0.2.201"
                body = {"type": "A", "name": name, "content": address, "ttl": 60}
                self._attempt(NEW, name, address, "POST", f"/client/v4/zones/{zone}/dns_records", body)

    def _next(self, kind: str) -> int:
        key = f"{kind} {self.machine.name}"
        self.number[key] += 1
        return self.number[key]

    def _attempt(self, kind: str, name: str, value: str, method: str, path: str, body: dict[str, Any]) -> None:
        began_s = time.monotonic()
        try:
            with self.machine.local as client:
                reply = client.request(method, path, json=body)
            said = "" if reply.is_success else f"{reply.status_code} {reply.text[:600]}"
            is_refused = reply.status_code < SERVER_FAILED or NOT_STORED in said
            outcome = DONE if reply.is_success else REFUSED if is_refused else UNKNOWN
        except (httpx.HTTPError, OSError) as error:
            outcome, said = UNKNOWN, f"{type(error).__name__}: {error}"
        took_s = time.monotonic() - began_s
        self.attempts.append(Attempt(kind, self.machine.name, name, value, outcome, said, took_s))


def own_name(machine: str) -> str:
    """Return the name whose address one machine's writer changes."""
    return f"own-{machine.lower()}.{ZONE}"


def own_address(machine: str, number: int) -> str:
    """Return the address that says which of its changes it was."""
    return f"172.{16 + ord(machine[0]) % 16}.{number >> 8}.{number & 255}"


def ask(machine: Machine, method: str, path: str, body: Any = None) -> Any:
    """Return the result of a request to a machine's API; raises RuntimeError with what it said."""
    with machine.local as client:
        reply = client.request(method, path, json=body, timeout=ASK_S)
    if not reply.is_success:
        raise RuntimeError(f"{machine.name}: {method} {path}: {reply.status_code} {reply.text[:2000]}")
    return reply.json()["result"]


def zone_id(machine: Machine) -> str:
    """Return the id of ZONE."""
    return str(ask(machine, "GET", f"/client/v4/zones?name={ZONE}")[0]["id"])


def account_id(machine: Machine) -> str:
    """Return the account's id."""
    return str(ask(machine, "GET", "/client/v4/accounts")[0]["id"])


def make_record(machine: Machine, name: str, address: str) -> str:
    """Make a record, or find it where it is there already, and return its id."""
    path = f"/client/v4/zones/{zone_id(machine)}/dns_records"
    if found := ask(machine, "GET", f"{path}?name={name}"):
        return str(found[0]["id"])
    return str(ask(machine, "POST", path, {"type": "A", "name": name, "content": address, "ttl": 60})["id"])


def records(machine: Machine) -> dict[str, str]:
    """Return the address of each name that has a record in the machine's store."""
    path = f"/client/v4/zones/{zone_id(machine)}/dns_records?type=A&per_page={LISTED}&page="
    found: dict[str, str] = {}
    for page in itertools.count(1):
        listed = ask(machine, "GET", f"{path}{page}")
        found |= {one["name"]: one["content"] for one in listed}
        if len(listed) < LISTED:
            return found
    raise AssertionError


def pools(machine: Machine) -> dict[str, str]:
    """Return the description of each contested pool in the machine's store."""
    listed = ask(machine, "GET", f"/client/v4/accounts/{account_id(machine)}/load_balancers/pools")
    return {one["name"]: one["description"] for one in listed if one["name"].startswith(CONTESTED)}


def what_is_wrong(fleet: Fleet, attempts: Iterable[Attempt]) -> list[str]:
    """Hold what the stores have to what the writers were told; return what is wrong, in words."""
    held, made = records(fleet.hub), pools(fleet.hub)
    wrong = [f"{one.name} has other records than the hub: {_apart(held, records(one))}"
             for one in fleet.machines[1:] if records(one) != held]  # fmt: skip
    wrong += [f"{one.name} has other pools than the hub: {_apart(made, pools(one))}"
              for one in fleet.machines[1:] if pools(one) != made]  # fmt: skip
    by_kind: dict[tuple[str, str], list[Attempt]] = {}
    for attempt in attempts:
        by_kind.setdefault((attempt.kind, attempt.name), []).append(attempt)
    for (kind, name), tried in by_kind.items():
        wrong += wrong_of_name(kind, name, tried, (made if kind == CONTESTED else held).get(name))
    return wrong


def wrong_of_name(kind: str, name: str, tried: Sequence[Attempt], held: str | None) -> list[str]:
    """Return what is wrong with what the store has of a name, in words; `tried` in the order of asking."""
    return {OWN: _own, NEW: _new, CONTESTED: _contested}[kind](name, tried, held)


def _apart(ours: dict[str, str], theirs: dict[str, str]) -> str:
    names = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    return ", ".join(f"{name}: {theirs.get(name)}, and {ours.get(name)} at the hub" for name in names[:10])


def _own(name: str, tried: Sequence[Attempt], held: str | None) -> list[str]:
    """The last that was done, or any later one that is not known."""
    last = max((number for number, one in enumerate(tried) if one.outcome == DONE), default=None)
    right = {tried[last].value if last is not None else own_address(tried[0].machine, 0)}
    right |= {one.value for one in tried[0 if last is None else last :] if one.outcome == UNKNOWN}
    return [] if held in right else [f"{name} is {held}, and ought to be {sorted(right)}"]


def _new(name: str, tried: Sequence[Attempt], held: str | None) -> list[str]:
    (attempt,) = tried
    if attempt.outcome == DONE and held != attempt.value:
        return [f"{name} was done and is lost: {held}"]
    if attempt.outcome == REFUSED and held is not None:
        return [f"{name} was refused and is there: {attempt.said}"]
    return []


def _contested(name: str, tried: Sequence[Attempt], held: str | None) -> list[str]:
    winners = [one.machine for one in tried if one.outcome == DONE]
    perhaps = [one.machine for one in tried if one.outcome == UNKNOWN]
    if len(winners) > 1:
        return [f"{name} was made by {winners}, and each was told that it was done"]
    if winners and held != winners[0]:
        return [f"{name} was made by {winners[0]}, and is {held}'s"]
    if held is not None and held not in winners + perhaps:
        return [f"{name} is {held}'s, which was refused: {[one.said for one in tried if one.machine == held]}"]
    return []
