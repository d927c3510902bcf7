"""The keys of zones in the course of time: the clock, and the words, around who keeps them (key_keeper.py).

operator --ask--.
time     --step-+--> KeyKeeper --events--> supervisor: log, alerts; other keys --> it publishes anew
parent   --asked, answered--'       ^
supervisor --published--------------'
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.dns.name import show_name
from lbdns.dnssec.key_keeper import KeyKeeper
from lbdns.dnssec.key_policy import KeyPolicies, KeyPolicy
from lbdns.dnssec.parent_answer import ParentAnswer
from lbdns.dnssec.token import KeyToken
from lbdns.dnssec.zone_keys import ZoneKeys
from lbdns.dnssec.zone_step import ZoneStep

LOOK_S: Final = 1.0
"""How often is looked whether a step is due: the time of day may jump."""
KEYS_DIRECTORY: Final = "dnssec"
"""Where in the state directory keys are."""

AskParent = Callable[[str, Sequence[str], Sequence[str]], Awaitable[ParentAnswer]]
"""Asks a zone's parent for its DS (parent_check.ask_parent)."""

log = logging.getLogger("lbdns.dnssec")


class KeyLife:
    """The keys of one server's zones."""

    def __init__(
        self, state_dir: Path, unix_s: Callable[[], float], ask_parent: AskParent, token: KeyToken | None = None
    ) -> None:
        """Keep keys in a state directory; nothing is read before `follow`. `unix_s`: the time of day; `token`: where
        policies may want keys to be."""
        self._directory = state_dir / KEYS_DIRECTORY
        self._unix_s = unix_s
        self._ask_parent = ask_parent
        self._token = token
        self._keeper: KeyKeeper | None = None
        self._zones: Mapping[bytes, ZoneKeys] = {}
        self._told: Mapping[bytes, ZoneKeys] = {}
        """Of `_zones` what the supervisor has heard: what an operator wants may be done before `live` begins."""
        self._asking: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._happened: list[ZoneStep] = []
        self._wakes = asyncio.Event()

    def follow(self, policies: Mapping[str, Any]) -> None:
        """Go by these policies from now on; read what is on disk where this is the first time."""
        if self._keeper is None:
            self._keeper = KeyKeeper(self._directory, KeyPolicies.from_json(policies), self._token)
            self._keeper.load()
        else:
            self._keeper.policies = KeyPolicies.from_json(policies)
        self._told = self._zones = self._keeper.zone_keys()
        self._wakes.set()

    @property
    def _known(self) -> KeyKeeper:
        if self._keeper is None:
            raise LbdnsError("the signer has not heard of its policies yet")
        return self._keeper

    def zones(self) -> Mapping[bytes, ZoneKeys]:
        """Return the public side of the keys of each signed zone, by its apex."""
        return self._zones

    def sign(self, key_id: int, data: bytes | memoryview) -> bytes:
        """Return the signature of a key in DNSSEC's wire form; raises LbdnsError."""
        signer = self._known.signer(key_id)
        if signer is None:
            raise LbdnsError(f"there is no key {key_id:016x}")
        return signer.sign(bytes(data))

    def problems(self) -> Mapping[str, str]:
        """Return the zones whose keys cannot be read, and why."""
        return {show_name(apex): problem for apex, problem in self._known.problems().items()}

    def unsigned(self) -> Sequence[str]:
        """Return the zones that have keys and are to be published unsigned."""
        return self._known.unsigned()

    def statuses(self) -> list[dict[str, Any]]:
        """Return how each zone that has keys stands, as JSON values."""
        return [one.as_json() for one in self._known.statuses(self._unix_s())]

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Do what an operator wants; raises LbdnsError."""
        answer, events = self._known.ask(verb, arguments, self._unix_s())
        self._take(events)
        return answer

    def published(self, zones: Mapping[str, Any]) -> None:
        """Take note of what is in force: by apex, in hex, the digest of what the zone says of its keys and its longest
        TTL, or None where the zone is not served here."""
        now_s = self._unix_s()
        for text, said in zones.items():
            apex = bytes.fromhex(text)
            if said is None:
                self._take(self._known.withdrawn(apex, now_s))
                continue
            digest, ttl_max_s = said
            self._take(self._known.published(apex, digest, ttl_max_s, now_s))

    def _take(self, events: Iterable[ZoneStep]) -> None:
        self._happened += events
        self._zones = self._known.zone_keys()
        self._wakes.set()

    async def live(self, tell: Callable[..., None]) -> None:
        """Have keys take their steps, until cancelled; `tell` hears of each, and ("keys") of all that changes what is
        published."""
        told: list[dict[str, Any]] | None = None
        while True:
            now_s = self._unix_s()
            self._take(self._known.step(now_s))
            for zone, policy in self._known.parent_due(now_s):
                self._begin_asking(zone, policy)
            happened, self._happened = self._happened, []
            for event in happened:
                tell("step", **dataclasses.asdict(event))
            if self._zones != self._told:
                self._told = self._zones
                tell("keys")
            statuses = self.statuses()
            if statuses != told:
                told = statuses
                tell("statuses", zones=statuses)
            self._wakes.clear()
            try:
                await asyncio.wait_for(self._wakes.wait(), LOOK_S)
            except TimeoutError:
                continue

    def _begin_asking(self, zone: str, policy: KeyPolicy) -> None:
        if zone in self._asking:
            return
        self._asking.add(zone)
        task = asyncio.create_task(self._ask(zone, policy))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, zone: str, policy: KeyPolicy) -> None:
        try:
            answer = await self._ask_parent(zone, policy.parent, self._known.policies.resolvers)
            self._take(self._known.parent_answered(zone, answer, self._unix_s()))
        except Exception:
            log.exception("the parent of %s could not be asked", zone)
        finally:
            self._asking.discard(zone)
