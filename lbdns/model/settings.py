"""The server's own settings: lbdns.yaml. Every key has a default."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from lbdns.base.words import CONTROL_SOCKET
from lbdns.model import bounds
from lbdns.model.balancer import check_country, check_pop, check_region
from lbdns.model.fields import Frozen, Latitude, Longitude, ObjectName, Whole
from lbdns.model.notification import Notification
from lbdns.model.pool import parse_ip
from lbdns.model.refusal import Mistake, refusal, refuse_all
from lbdns.model.socket_address import format_socket_address, parse_resolver, parse_socket_address


def _check_listen(text: str) -> str:
    return format_socket_address(*parse_socket_address(text, bounds.DNS_PORT))


def _check_tcp_listen(text: str) -> str:
    return format_socket_address(*parse_socket_address(text))


def _check_resolver(text: str) -> str:
    host, port = parse_resolver(text)
    return host if port == bounds.DNS_PORT else format_socket_address(host, port)


def _check_path(path: Path) -> Path:
    if len(str(path)) > bounds.MAX_FILE_PATH_CHARS or "\0" in str(path):
        raise refusal(f"a path has at most {bounds.MAX_FILE_PATH_CHARS} characters, none of them NUL")
    return path


FilePath = Annotated[Path, AfterValidator(_check_path)]
TcpListen = Annotated[str, AfterValidator(_check_tcp_listen)]


class PopSettings(Frozen):
    """Where this server stands. What is not given follows from the code, an IATA airport code."""

    code: Annotated[str, StringConstraints(to_upper=True), AfterValidator(check_pop)] | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    country: Annotated[str, StringConstraints(to_upper=True), AfterValidator(check_country)] | None = None
    region: Annotated[str, StringConstraints(to_upper=True), AfterValidator(check_region)] | None = None

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            given, lacking = ("longitude", "latitude") if self.latitude is None else ("latitude", "longitude")
            found = Mistake(
                (given,), f"{given} without {lacking}; give both or neither", (("latitude",), ("longitude",))
            )
            refuse_all("PopSettings", [found])
        return self


class GeodataSettings(Frozen):
    """MMDB files; None stands for what lbdns ships."""

    city: FilePath | None = None
    asn: FilePath | None = None


class ApiSettings(Frozen):
    """The management API: where it listens, and its TLS certificate and key."""

    listen: TcpListen = bounds.DEFAULT_API_LISTEN
    certificate: FilePath | None = None
    key: FilePath | None = None

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            given, lacking = ("key", "certificate") if self.certificate is None else ("certificate", "key")
            found = Mistake((given,), f"{given} without {lacking}; TLS needs both", (("certificate",), ("key",)))
            refuse_all("ApiSettings", [found])
        return self


def _check_source(text: str) -> str:
    address = parse_ip(text)
    if address.is_unspecified or address.is_multicast:
        raise refusal(f'"{text}" is not the address of one host; expected one of this machine\'s own')
    return str(address)


class VantagePoint(Frozen):
    """A place on this machine to probe from. `source` is one of its own addresses; without one the system chooses.

    `region` None stands for the PoP's.
    """

    name: ObjectName
    region: Annotated[str, StringConstraints(to_upper=True), AfterValidator(check_region)] | None = None
    source: Annotated[str, AfterValidator(_check_source)] | None = None


def _repeated(key: str, names: Sequence[str]) -> Iterator[Mistake]:
    """Yield a mistake for every name in a list that stood there before."""
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        before = first.setdefault(name, index)
        if before != index:
            about = ((key, before, "name"), (key, index, "name"))
            yield Mistake((key, index, "name"), f'"{name}" is taken already; names are unique', about)


class Settings(Frozen):
    """The server: sockets, processes, place, files. `resolvers`, `vantage_points`, `notifications` and `log` are
    lbdns's own keys.

    `api` and `metrics` are off where they are None. `resolvers` empty means the system's, `vantage_points` empty one
    in the PoP's region.
    """

    listen: Annotated[
        tuple[Annotated[str, AfterValidator(_check_listen)], ...], Field(min_length=1, max_length=bounds.MAX_LISTEN)
    ] = bounds.DEFAULT_LISTEN
    workers: Annotated[Whole, Field(ge=1, le=bounds.MAX_WORKERS)] = bounds.DEFAULT_WORKERS
    pop: PopSettings = PopSettings()
    geodata: GeodataSettings = GeodataSettings()
    control: FilePath | None = None
    api: ApiSettings | None = None
    metrics: TcpListen | None = None
    state: FilePath | None = None
    resolvers: Annotated[
        tuple[Annotated[str, AfterValidator(_check_resolver)], ...], Field(max_length=bounds.MAX_RESOLVERS)
    ] = ()
    vantage_points: Annotated[tuple[VantagePoint, ...], Field(max_length=bounds.MAX_VANTAGE_POINTS)] = ()
    notifications: Annotated[tuple[Notification, ...], Field(max_length=bounds.MAX_NOTIFICATIONS)] = ()
    log: Literal["text", "json"] = "text"

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        seen: set[str] = set()
        mistakes = []
        for index, address in enumerate(self.listen):
            if address in seen and not address.endswith(":0"):
                mistakes.append(
                    Mistake(("listen", index), f"{address} is listed already; list it once", (("listen", index),))
                )
            seen.add(address)
        mistakes += _repeated("vantage_points", [one.name for one in self.vantage_points])
        mistakes += _repeated("notifications", [one.name for one in self.notifications])
        refuse_all("Settings", mistakes)
        return self

    def listen_addresses(self) -> tuple[tuple[str, int], ...]:
        """Return (IP address, port) of each socket address to listen on, UDP and TCP each."""
        return tuple(parse_socket_address(text) for text in self.listen)

    def state_dir(self) -> Path:
        """Return the state directory: the setting, else `lbdns` under XDG_STATE_HOME, else under ~/.local/state."""
        if self.state is not None:
            return self.state
        base = os.environ.get("XDG_STATE_HOME")
        return (Path(base) if base else Path.home() / ".local" / "state") / "lbdns"

    def control_path(self) -> Path:
        """Return the control socket's path: the setting, else `control.sock` in the state directory."""
        return self.control if self.control is not None else self.state_dir() / CONTROL_SOCKET
