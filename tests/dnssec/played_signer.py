"""A signer that is played: its verbs, over statuses in memory, for tests of what asks it and shows what it says."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.config.examined import Loaded
from lbdns.dns.name import encode_canonical
from lbdns.dnssec.zone_status import KeyRole, KeyStatus, SigningState, ZoneStatus
from lbdns.manage.store.manager import StoreManager
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings
from lbdns.processes.supervisor.dnssec_operations import SignerDesk

BEGAN_S = 1_800_000_000.0
DIGEST = "49FD46E6C4B45C55D4AC1C4F1B2E0C6D8E3B2B6A7E1F0D9C8B7A69584736251F"
PUBLIC_KEY = "oJMRESz5E4gYzS/q6XDrvU1qMPYIjCWzJaOau8XNEZeqCYKD5ar0IRd8KqXXFJkqmVfRvMGPmM1x8fGAa2XhSA=="


def key(
    role: KeyRole = KeyRole.CSK, tag: int = 12345, algorithm: int = 13, state: str = "active", **more: Any
) -> KeyStatus:
    """Return a key; a DS where it is one that the zone above hears of."""
    is_above = role != KeyRole.ZSK
    ds = f"{tag} {algorithm} 2 {DIGEST}" if is_above else ""
    made = KeyStatus(f"{tag:016x}", role, tag, algorithm, 257 if is_above else 256, PUBLIC_KEY, state, BEGAN_S, ds)
    return dataclasses.replace(made, **more)


class PlayedSigner:
    """Zones by name, and what was asked."""

    def __init__(self) -> None:
        """Begin with no zone signed."""
        self.zones: dict[str, ZoneStatus] = {}
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Do a verb; raises LbdnsError."""
        self.asked.append((verb, arguments))
        if verb == "status":
            zones = arguments["zones"]
            return [self._of(name).as_json() for name in (self.zones if zones is None else zones)]
        zone = arguments["zone"]
        before = self._of(zone)
        if verb == "export":
            if not before.keys:
                raise LbdnsError(f"{zone} has no keys")
            directory = arguments["directory"] or f"/state/dnssec/export/{zone}"
            return {"files": [f"{directory}/K{zone}.+013+12345.{end}" for end in ("key", "private")]}
        does = {
            "enable": self._enable,
            "disable": self._disable,
            "ds_seen": self._ds_seen,
            "roll": self._roll,
            "import": self._import,
        }
        made = does[verb](before, arguments)
        if made.status == SigningState.DISABLED:
            self.zones.pop(zone, None)
        else:
            self.zones[zone] = made
        return made.as_json()

    def _of(self, zone: str) -> ZoneStatus:
        return self.zones.get(zone) or ZoneStatus(zone, SigningState.DISABLED, 0.0)

    def _enable(self, before: ZoneStatus, said: Mapping[str, Any]) -> ZoneStatus:
        if before.is_signed and before.status != SigningState.PENDING_DISABLED:
            raise LbdnsError(f"{before.zone} is signed already")
        algorithm = said["algorithm"] or 13
        keys: tuple[KeyStatus, ...] = (key(algorithm=algorithm, next_state="retired", waits_for="a roll"),)
        if said["keys"] == "split":
            keys = (key(KeyRole.KSK, algorithm=algorithm), key(KeyRole.ZSK, 23456, algorithm))
        return ZoneStatus(
            before.zone,
            SigningState.PENDING,
            BEGAN_S,
            "nsec",
            keys,
            (keys[0].ds,),
            (),
            BEGAN_S + 60,
            next_step="the zone above is asked for the DS",
            next_at_s=BEGAN_S + 3600,
            to_do="give the DS to the zone above",
            expires_s=BEGAN_S + 14 * 86400,
        )

    def _disable(self, before: ZoneStatus, _: Mapping[str, Any]) -> ZoneStatus:
        if not before.is_signed:
            raise LbdnsError(f"{before.zone} is not signed")
        if before.status == SigningState.PENDING:
            return ZoneStatus(before.zone, SigningState.DISABLED, BEGAN_S)
        to_do = "have its DS taken out of the zone above"
        return dataclasses.replace(before, status=SigningState.PENDING_DISABLED, ds=(), to_do=to_do)

    def _ds_seen(self, before: ZoneStatus, _: Mapping[str, Any]) -> ZoneStatus:
        if before.status == SigningState.PENDING_DISABLED:
            return ZoneStatus(before.zone, SigningState.DISABLED, BEGAN_S)
        return dataclasses.replace(before, status=SigningState.ACTIVE, parent_ds=before.ds, to_do="", next_step="")

    def _roll(self, before: ZoneStatus, said: Mapping[str, Any]) -> ZoneStatus:
        if not any(one.role == said["role"] for one in before.keys):
            raise LbdnsError(f"{before.zone} has no {said['role'].upper()}")
        algorithm = said["algorithm"] or before.keys[0].algorithm
        made = key(KeyRole(said["role"]), 34567, algorithm, "published", next_state="ready", next_at_s=BEGAN_S + 7200)
        return dataclasses.replace(
            before, keys=(*before.keys, made), ds=(*before.ds, made.ds) if made.ds else before.ds
        )

    def _import(self, before: ZoneStatus, said: Mapping[str, Any]) -> ZoneStatus:
        return dataclasses.replace(self._enable(before, {"algorithm": 8, "keys": None}), status=SigningState.ACTIVE)


class PlayedServer:
    """Stands for the running server of a store: all that it does is to ask its signer."""

    def __init__(self, manager: StoreManager) -> None:
        """Serve the zones of the store."""
        self.signer = PlayedSigner()

        def served() -> Configuration:
            zones = [SimpleNamespace(apex=encode_canonical(one.name)) for one in manager.state.all(Kind.ZONE).values()]
            return cast(Configuration, SimpleNamespace(zones=zones, settings=Settings()))

        self._desk = SignerDesk(self.signer, served)

    async def change(self, loaded: Loaded, cause: str, commit: Callable[[], None]) -> None:
        """Store a change."""
        await asyncio.to_thread(commit)

    async def operate(self, op: str, request: Mapping[str, Any]) -> Any:
        """Ask the signer; raises LbdnsError for all else."""
        if op != "dnssec":
            raise LbdnsError(f"{op} is not played")
        return await self._desk.operate(request)

    def in_force(self) -> Any:
        """Raise LbdnsError: nothing is served."""
        raise LbdnsError("nothing is served yet")
