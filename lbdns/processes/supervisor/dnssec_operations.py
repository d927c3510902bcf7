"""What operators ask of the signer: a request is looked at here, so that the signer gets what it may do alone."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import nearest, printable
from lbdns.dns.name import BadName, encode_canonical, show_name
from lbdns.dnssec.signer_verbs import ANY_ZONE, TAKES, wrong_arguments
from lbdns.dnssec.zone_status import SigningState, ZoneStatus
from lbdns.model.configuration import Configuration

_MAKES_KEYS: Final = ("enable", "roll")
_NOT_SHARED: Final = (
    "machines of a fleet do not share private keys: one that made a key for {zone} would sign with what the others do "
    "not have, and resolvers that validate would refuse some of the answers; make the keys elsewhere and give them to "
    "each machine by `lbdns dnssec import`"
)

log = logging.getLogger("lbdns.processes")


class AskedSigner(Protocol):
    """The signer, as who asks it sees it."""

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Have it do a verb, begun where it does not run; returns JSON values, raises LbdnsError."""


class SignerDesk:
    """Takes requests to the signer of one server."""

    def __init__(
        self,
        signer: AskedSigner,
        configuration: Callable[[], Configuration],
        dnskeys: Callable[[bytes], Awaitable[Sequence[bytes]]] | None = None,
    ) -> None:
        """Ask `signer` about the zones of what is in force; `dnskeys`: with what keys (rdata) another signer's zone of
        an apex is there. None: with none."""
        self._signer = signer
        self._configuration = configuration
        self._dnskeys = dnskeys

    async def operate(self, request: Mapping[str, Any]) -> Any:
        """Do what a request says, {verb, zone, ...}; raises LbdnsError with what is wrong with it."""
        verb = request.get("verb")
        if not isinstance(verb, str) or verb not in TAKES:
            raise LbdnsError(f"{verb!r} is no verb of the signer; expected one of {', '.join(TAKES)}")
        arguments = {name: request.get(name) for name in TAKES[verb]}
        wrong = "; ".join(text for _, text in wrong_arguments(verb, arguments))
        if wrong:
            raise LbdnsError(wrong)
        named = request.get("zone")
        if verb == "status" and named is None:
            return await self._signer.ask("status", {"zones": None})
        zone = await self._zone(named, verb)
        if verb in _MAKES_KEYS and self._configuration().settings.fleet is not None:
            raise LbdnsError(_NOT_SHARED.format(zone=zone))
        if verb == "status":
            found = await self._signer.ask("status", {"zones": [zone]})
            return found[0] if found else ZoneStatus(zone, SigningState.DISABLED, 0.0).as_json()
        if verb == "import" and self._dnskeys is not None:  # caches hold what each has signed: all stay published
            arguments["dnskeys"] = [one.hex() for one in await self._dnskeys(encode_canonical(zone))]
        log.info("dnssec %s %s, asked by %s", verb, zone, printable(str(request.get("by") or "the control socket")))
        return await self._signer.ask(verb, {"zone": zone, **arguments})

    async def _zone(self, named: Any, verb: str) -> str:
        """Return the name of a zone as the signer has it; raises LbdnsError where there is none: one is signed that is
        served, and one that is served no more may still have keys."""
        if not isinstance(named, str) or not named:
            raise LbdnsError("zone: expected the name of a zone")
        try:
            zone = show_name(encode_canonical(named))
        except BadName as error:
            raise LbdnsError(f'"{named}" is no name of a zone: {error}') from None
        known = {show_name(one.apex) for one in self._configuration().zones}
        if verb == ANY_ZONE:
            return zone
        if zone not in known and verb != "enable":
            known |= {one["zone"] for one in await self._signer.ask("status", {"zones": None})}
        if zone in known:
            return zone
        near = nearest(zone, known)
        meant = f'; did you mean "{near}"?' if near else ""
        raise LbdnsError(f'there is no zone "{named}"{meant}')
