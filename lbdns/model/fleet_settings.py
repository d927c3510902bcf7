"""The setting `fleet`: what this machine is called in a fleet of several, and how it reaches the others.

| embedded | join | this machine |
|---|---|---|
| no | addresses | goes to a nats-server elsewhere: the fleet's hub, or an operator's own |
| yes | none | is the hub: starts nats-server, which keeps the fleet's stream |
| yes | addresses | starts nats-server as a leaf, which goes to the hub for all processes here |
| no | none | is in no fleet: a mistake |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from lbdns.model import bounds
from lbdns.model.fields import FilePath, Frozen
from lbdns.model.mistakes import shown
from lbdns.model.plain_fields import Flag
from lbdns.model.refusal import Mistake, refusal, refuse_all
from lbdns.model.socket_address import format_socket_address, parse_socket_address

NATS_PORT: Final = 4222
LEAF_PORT: Final = 7422
DEFAULT_FLEET_ID: Final = "lbdns"
DEFAULT_PROBE_FROM: Final = 3
PROBE_FROM_MAX: Final = 100
JOIN_MAX: Final = 16
MACHINE_NAME_CHARS_MAX: Final = 63
_WORD: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")
_LABEL: Final = r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_SCHEMES: Final = ("nats", "tls")


def check_machine_name(name: str) -> str:
    """Return the name of a machine in a fleet; raises a refusal where it could be no word of a subject on the bus."""
    if _WORD.fullmatch(name) is None:
        raise refusal(
            f'"{name}" is no name of a machine, such as AMS-1: up to {MACHINE_NAME_CHARS_MAX} of A-Z, a-z, 0-9, - and _'
        )
    return name


def _check_word(word: str) -> str:
    if _WORD.fullmatch(word) is None:
        raise refusal(f'"{word}": 1 to 63 letters, digits, "-" and "_"')
    return word


def check_bus_url(text: str) -> str:
    """Return where a nats-server is, `nats://HOST:PORT` or `tls://HOST:PORT`; raises a refusal."""
    example = "expected one such as tls://hub.example:4222"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise refusal(f'"{text}" is no address of a nats-server; {example}') from None
    if parts.scheme not in _SCHEMES or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise refusal(f'"{text}" is no address of a nats-server; {example}')
    if parts.username is not None or parts.password is not None:
        raise refusal("an address holds no user and no password: they belong into a credentials file")
    host = parts.hostname or ""
    if ":" in host or host.replace(".", "").isdigit():
        host = parse_socket_address(f"[{host}]" if ":" in host else host, 0)[0]
    elif _HOST.fullmatch(host) is None:
        raise refusal(f'"{text}" has no host; {example}')
    if port == 0:
        raise refusal(f'"{text}": a port is 1 to {bounds.MAX_PORT}')
    shown_host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown_host}" + (f":{port}" if port is not None else "")


def _check_join(value: Any) -> tuple[str, ...]:
    several = (value,) if isinstance(value, str) else value
    if not isinstance(several, list | tuple) or not 1 <= len(several) <= JOIN_MAX:
        raise refusal(f"expected an address such as tls://hub.example:4222, or a list of 1 to {JOIN_MAX}")
    found: list[str] = []
    wrong: list[str] = []
    for one in several:
        try:
            url = check_bus_url(one) if isinstance(one, str) else ""
        except PydanticCustomError as error:
            wrong.append(error.message())
            continue
        if not url:
            wrong.append(f"{shown(one)} is no address of a nats-server; expected one such as tls://hub.example:4222")
        elif url in found:
            wrong.append(f"{url} is listed already; list it once")
        found.append(url)
    if wrong:
        raise refusal("; ".join(wrong))
    return tuple(found)


def _check_bus_listen(text: str) -> str:
    return format_socket_address(*parse_socket_address(text, NATS_PORT))


def _check_leaf_listen(text: str) -> str:
    return format_socket_address(*parse_socket_address(text, LEAF_PORT))


def _check_probe_from(value: Any) -> int | None:
    if value == "all" or value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= PROBE_FROM_MAX:
        return value
    raise refusal(f'{shown(value)} is not known here; expected "all" or a number of machines, 1 to {PROBE_FROM_MAX}')


if TYPE_CHECKING:
    BusUrls = tuple[str, ...]
    ProbeFrom = int | None
else:
    _URL = {"type": "string"}
    _URLS = {"anyOf": [_URL, {"type": "array", "items": _URL, "minItems": 1, "maxItems": JOIN_MAX}]}
    BusUrls = Annotated[Any, PlainValidator(_check_join), WithJsonSchema(_URLS)]
    _COUNT = {"type": "integer", "minimum": 1, "maximum": PROBE_FROM_MAX}
    ProbeFrom = Annotated[
        Any, PlainValidator(_check_probe_from), WithJsonSchema({"anyOf": [_COUNT, {"const": "all", "type": "string"}]})
    ]


class FleetTls(Frozen):
    """How TLS is spoken to the nats-server of `join`."""

    ca: FilePath | None = None
    """A file with certificates, in PEM, that the server's has to come from; without it those of the system."""
    certificate: FilePath | None = None
    """The file of this machine's own certificate, in PEM, where the server asks for one."""
    key: FilePath | None = None
    """The file of its private key."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            given, lacking = ("key", "certificate") if self.certificate is None else ("certificate", "key")
            found = Mistake((given,), f"{given} without {lacking}; give both or neither", (("certificate",), ("key",)))
            refuse_all("FleetTls", [found])
        return self


class FleetSettings(Frozen):
    """A fleet: several machines with one configuration, which judge health together. `lbdns fleet init` and
    `lbdns fleet join` write this."""

    name: Annotated[str, AfterValidator(check_machine_name)]
    """What this machine is called; no other of the fleet is called so."""
    join: BusUrls = ()
    """Where the fleet's nats-server is, `tls://HOST:PORT` or `nats://HOST:PORT`: an address, or a list of which the
    first that answers is taken. None on the machine that is the hub."""
    embedded: Flag = False
    """Whether lbdns starts a nats-server itself: without `join` the hub, which keeps what the fleet shares; with `join`
    a leaf, by which the processes of this machine share one connection to the hub."""
    listen: Annotated[str, AfterValidator(_check_bus_listen)] | None = None
    """The hub's address and port for the other machines, TLS alone; `0.0.0.0:4222` without it."""
    leaves: Annotated[str, AfterValidator(_check_leaf_listen)] | None = None
    """The hub's address and port for machines that are leaves; without it none may be."""
    secret: FilePath | None = None
    """The file that `lbdns fleet init` or `join` wrote: the fleet's id, user, password and CA. A relative path starts
    in the state directory."""
    credentials: FilePath | None = None
    """A NATS credentials file, for a nats-server of your own; a relative path starts where lbdns.yaml is."""
    tls: FleetTls | None = None
    """The certificates for a nats-server of your own."""
    id: Annotated[str, AfterValidator(_check_word)] = DEFAULT_FLEET_ID
    """What tells this fleet from others at the same nats-server, where no `secret` does."""
    domain: Annotated[str, AfterValidator(_check_word)] | None = None
    """The JetStream domain that the fleet's stream is kept in, where a nats-server of your own has one."""
    probe_from: ProbeFrom = DEFAULT_PROBE_FROM
    """How many machines of each region probe an endpoint: a number, by turns that follow from names; or `all`."""

    @property
    def is_hub(self) -> bool:
        """Whether this machine keeps what the fleet shares."""
        return self.embedded and not self.join

    @property
    def is_leaf(self) -> bool:
        """Whether a nats-server here goes to the hub for this machine."""
        return self.embedded and bool(self.join)

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("FleetSettings", [*self._mistakes()])
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        if not self.embedded and not self.join:
            told = "no way to the others: give join: tls://HOST:4222, or embedded: true on the machine that is the hub"
            yield Mistake((), told, (("join",), ("embedded",)))
        if self.embedded and self.secret is None:
            told = 'a nats-server that lbdns starts needs keys: "lbdns fleet init" and "lbdns fleet join" make them'
            yield Mistake(("embedded",), told, (("secret",),))
        for key in ("listen", "leaves"):
            if self.is_hub and (getattr(self, key) or "").endswith(":0"):
                yield Mistake((key,), "a port that is free is known to no other machine; name one", ((key,),))
            if getattr(self, key) is not None and not self.is_hub:
                told = f"{key} is where the hub listens; this machine is none, as it has join or no embedded: true"
                yield Mistake((key,), told, (("embedded",), ("join",)))
        for key in ("credentials", "tls", "domain"):
            if getattr(self, key) is not None and self.embedded:
                told = f"{key} is for a nats-server of your own; of one that lbdns starts the secret file says it"
                yield Mistake((key,), told, (("embedded",),))


def secret_path(settings: FleetSettings, state_dir: Path) -> Path | None:
    """Return where the secret file is, None where the settings name none."""
    return None if settings.secret is None else state_dir / settings.secret
