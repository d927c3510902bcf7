"""Keys of zones held in this process, as the signer's parts ask for them, for tests of those."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lbdns.base.errors import LbdnsError
from lbdns.dnssec.signer.signing_terms import SigningTerms
from lbdns.dnssec.zone_keys import ZoneKeys
from tests.dnssec.in_process import SomeKeys, sign

TERMS = SigningTerms("nsec", None, 3600, 3600, 300, 14 * 86_400, 7 * 86_400)


class HeldKeys:
    """The keys of some zones. `asked`: verbs; `said`: what was published."""

    def __init__(self, *several: SomeKeys) -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.said: list[Mapping[str, Any]] = []
        self.policies: Mapping[str, Any] = {}
        self.changed = asyncio.Event()
        self.wrong: Mapping[str, str] = {}
        self.have(*several)

    def have(self, *several: SomeKeys) -> None:
        """Have these keys from now on, and no others."""
        self._zones = {one.keys.apex: one.keys for one in several}
        self._private = {number: key for one in several for number, key in one.private.items()}
        self.changed.set()

    def zones(self) -> Mapping[bytes, ZoneKeys]:
        return self._zones

    def problems(self) -> Mapping[str, str]:
        return self.wrong

    def unsigned(self) -> Sequence[str]:
        return ()

    def sign(self, key_id: int, data: bytes | memoryview) -> bytes:
        if key_id not in self._private:
            raise LbdnsError(f"there is no key {key_id:016x}")
        return sign(self._private[key_id], bytes(data))

    def follow(self, policies: Mapping[str, Any]) -> None:
        self.policies = policies

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        self.asked.append((verb, arguments))
        if verb == "refuse":
            raise LbdnsError("that is refused")
        return {"verb": verb, **arguments}

    def published(self, zones: Mapping[str, Any]) -> None:
        self.said.append(zones)

    async def live(self, tell: Callable[..., None]) -> None:
        while True:
            self.changed.clear()
            await self.changed.wait()
            tell("keys")
