"""What operators ask of the signer: a request is looked at here, so that the signer gets what it may do alone.

verb      what it takes beside `zone`       what it gives
status    (`zone` may be left out)          how the zone stands; those that are signed
enable    algorithm, keys                   how the zone stands then
disable
roll      role, algorithm
ds_seen
import    directory
export    directory                         the files
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import nearest
from lbdns.dns.name import BadName, encode_canonical, show_name
from lbdns.dnssec.zone_status import CREATED_ALGORITHMS, KeyRole
from lbdns.model.configuration import Configuration

_TAKES: Final[Mapping[str, tuple[str, ...]]] = {
    "status": (),
    "enable": ("algorithm", "keys"),
    "disable": (),
    "roll": ("role", "algorithm"),
    "ds_seen": (),
    "import": ("directory",),
    "export": ("directory",),
}
_VALUES: Final[Mapping[str, tuple[Any, ...]]] = {
    "algorithm": (None, *CREATED_ALGORITHMS),
    "keys": (None, "csk", "split"),
    "role": tuple(one.value for one in KeyRole),
}
_BEGINNING: Final = ("enable", "import")
"""What a zone without keys is asked for; the others may be of one that is served no more."""
DIRECTORY_CHARS_MAX: Final = 4096


class AskedSigner(Protocol):
    """The signer, as who asks it sees it."""

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Have it do a verb, begun where it does not run; returns JSON values, raises LbdnsError."""


class SignerDesk:
    """Takes requests to the signer of one server."""

    def __init__(self, signer: AskedSigner, configuration: Callable[[], Configuration]) -> None:
        """Ask `signer` about the zones of what is in force."""
        self._signer = signer
        self._configuration = configuration

    async def operate(self, request: Mapping[str, Any]) -> Any:
        """Do what a request says, {verb, zone, ...}; raises LbdnsError with what is wrong with it."""
        verb = request.get("verb")
        if not isinstance(verb, str) or verb not in _TAKES:
            raise LbdnsError(f"{verb!r} is no verb of the signer; expected one of {', '.join(_TAKES)}")
        arguments = {name: request.get(name) for name in _TAKES[verb]}
        for name, value in arguments.items():
            if name in _VALUES and value not in _VALUES[name]:
                known = ", ".join(str(one) for one in _VALUES[name] if one is not None)
                raise LbdnsError(f"{name}: {value!r} is none of {known}")
        self._check_directory(verb, arguments)
        named = request.get("zone")
        if verb == "status" and named is None:
            return await self._signer.ask("status", {"zones": None})
        zone = await self._zone(named, is_new=verb in _BEGINNING)
        if verb == "status":
            (found,) = await self._signer.ask("status", {"zones": [zone]})
            return found
        return await self._signer.ask(verb, {"zone": zone, **arguments})

    def _check_directory(self, verb: str, arguments: Mapping[str, Any]) -> None:
        if "directory" not in arguments or (arguments["directory"] is None and verb == "export"):
            return
        directory = arguments["directory"]
        is_path = isinstance(directory, str) and directory.startswith("/") and "\0" not in directory
        if not is_path or len(directory) > DIRECTORY_CHARS_MAX:
            raise LbdnsError(f"directory: {directory!r} is no absolute path")

    async def _zone(self, named: Any, is_new: bool) -> str:
        """Return the name of a zone as the signer has it: one that is served, or that has keys; raises LbdnsError."""
        if not isinstance(named, str) or not named:
            raise LbdnsError("zone: expected the name of a zone")
        try:
            zone = show_name(encode_canonical(named))
        except BadName as error:
            raise LbdnsError(f'"{named}" is no name of a zone: {error}') from None
        known = {show_name(one.apex) for one in self._configuration().zones}
        if zone not in known and not is_new:
            known |= {one["zone"] for one in await self._signer.ask("status", {"zones": None})}
        if zone in known:
            return zone
        near = nearest(zone, known)
        meant = f'; did you mean "{near}"?' if near else ""
        raise LbdnsError(f'there is no zone "{named}"{meant}')
