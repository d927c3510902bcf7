"""The server's own settings: lbdns.yaml. Every key has a default."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from lbdns.base.wording import counted
from lbdns.base.words import CONTROL_SOCKET
from lbdns.model import bounds
from lbdns.model.dnssec_settings import DnssecSettings
from lbdns.model.dnstap_settings import DnstapSettings
from lbdns.model.fields import FilePath, Frozen, Latitude, Longitude, ObjectName, check_path
from lbdns.model.fleet_settings import FleetSettings
from lbdns.model.guard_settings import Cookies, CookieSettings, RateLimit
from lbdns.model.history_settings import HistorySettings
from lbdns.model.mistakes import shown
from lbdns.model.named_lists import NetworkList, as_texts, check_list
from lbdns.model.notification import MailServer, Notification
from lbdns.model.plain_fields import Flag, Whole
from lbdns.model.probe_networks import ReachTerms
from lbdns.model.refusal import Mistake, refusal, refuse_all
from lbdns.model.sample_settings import SampleSettings
from lbdns.model.socket_address import check_source, format_socket_address, parse_resolver, parse_socket_address
from lbdns.model.steering_fields import check_country, check_pop, check_region
from lbdns.model.tls_settings import TlsSettings
from lbdns.model.transfer_settings import AccessSettings, ZoneTable
from lbdns.model.tsig_key import TsigKeys
from lbdns.model.user_field import User
from lbdns.model.views import Address, NamedViews, ProxyNetworks, TrustedNetworks, check_listener, overlapping
from lbdns.model.xdp_settings import XdpSettings


def _check_tcp_listen(text: str) -> str:
    return format_socket_address(*parse_socket_address(text))


def _check_resolver(text: str) -> str:
    host, port = parse_resolver(text)
    return host if port == bounds.DNS_PORT else format_socket_address(host, port)


def _check_databases(value: Any) -> Path | tuple[Path, ...]:
    several = value if isinstance(value, list | tuple) else (value,)
    if len(several) not in (1, 2):
        raise refusal(f"{counted(len(several), 'file')}; expected one, or the one for IPv4 and the one for IPv6")
    for one in several:
        if not isinstance(one, str | Path):
            raise refusal(f"{shown(one)} is not a path")
    paths = tuple(check_path(Path(one)) for one in several)
    return paths[0] if len(paths) == 1 else paths


_API_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


def _check_api_name(text: str) -> str:
    if _API_NAME.fullmatch(text) is None:
        raise refusal(f'"{text}" is no name of a host; expected one such as dns.example.com, without scheme and port')
    return text


if TYPE_CHECKING:
    DatabasePaths = Path | tuple[Path, ...]
    NetworksOrFile = NetworkList | Path
else:
    _NETWORKS = {"type": "array", "items": {"type": "string"}, "maxItems": bounds.MAX_LISTED_NETWORKS}
    NetworksOrFile = Annotated[
        Annotated[tuple[str, ...], Field(max_length=bounds.MAX_LISTED_NETWORKS)] | Path,
        PlainValidator(check_list),
        PlainSerializer(as_texts),
        WithJsonSchema({"anyOf": [_NETWORKS, {"type": "string", "format": "path"}]}),
    ]
    _PATH = {"type": "string", "format": "path"}
    _PATHS = {"anyOf": [_PATH, {"type": "array", "items": _PATH, "minItems": 1, "maxItems": 2}]}
    DatabasePaths = Annotated[Any, PlainValidator(_check_databases), WithJsonSchema(_PATHS)]
TcpListen = Annotated[str, AfterValidator(_check_tcp_listen)]
ApiName = Annotated[str, StringConstraints(to_lower=True), AfterValidator(_check_api_name)]
NamedLists = Annotated[dict[ObjectName, NetworksOrFile], Field(max_length=bounds.MAX_LISTS)]


class ProbeNetworks(Frozen, ReachTerms):
    """What monitors, previews and webhooks may reach. Of the networks that an address is in the smallest decides.

    In none of them: link-local networks and the metadata services of clouds are denied, all others allowed; loopback is
    for whoever works on this machine (`is_local`), and for the objects that nobody else had a hand in.
    """


class PopSettings(Frozen):
    """Where this server stands. What is not given follows from the code, an IATA airport code."""

    code: Annotated[str, StringConstraints(to_upper=True), AfterValidator(check_pop)] | None = None
    """The IATA code of the nearest airport: place, country and region follow from it, and `pop_pools` are looked up by
    it. A code that the table of airports lacks, such as one that a newer table dropped, needs `country`, `latitude` and
    `longitude`."""
    latitude: Latitude | None = None
    """Where the server stands, in degrees, in place of the airport's place."""
    longitude: Longitude | None = None
    """The same, east."""
    country: Annotated[str, StringConstraints(to_upper=True), AfterValidator(check_country)] | None = None
    """The ISO 3166-1 code of the server's country, in place of the airport's."""
    region: Annotated[str, StringConstraints(to_upper=True), AfterValidator(check_region)] | None = None
    """The server's region, in place of the one that its country lies in."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            given, lacking = ("longitude", "latitude") if self.latitude is None else ("latitude", "longitude")
            found = Mistake(
                (given,), f"{given} without {lacking}; give both or neither", (("latitude",), ("longitude",))
            )
            refuse_all("PopSettings", [found])
        return self

    @property
    def has_own_place(self) -> bool:
        """Whether country and coordinates are given, so that nothing need follow from the code."""
        return self.country is not None and self.latitude is not None


class GeodataSettings(Frozen):
    """MMDB files; lbdns ships one that knows countries."""

    city: DatabasePaths | None = None
    """Places: an MMDB file in MaxMind's schema or the flat one of ip-location-db; or two, one for IPv4 and one for
    IPv6, as a list or as the folder that holds them. Without it, the countries that lbdns brings along."""
    asn: FilePath | None = None
    """AS numbers: an MMDB file, one of providers or an Enterprise one too."""

    def databases(self) -> Iterator[tuple[str, Path]]:
        """Yield every path with the key that names it."""
        city = () if self.city is None else self.city if isinstance(self.city, tuple) else (self.city,)
        yield from (("city", path) for path in city)
        if self.asn is not None:
            yield "asn", self.asn


class ApiSettings(Frozen):
    """The management API: where it listens, and its TLS certificate and key."""

    listen: TcpListen = bounds.DEFAULT_API_LISTEN
    """The address and port of the management API."""
    certificate: FilePath | None = None
    """The file of its TLS certificate and chain, in PEM; without it the API speaks plain HTTP."""
    key: FilePath | None = None
    """The file of the certificate's private key."""
    names: Annotated[tuple[ApiName, ...], Field(max_length=bounds.MAX_API_NAMES)] = ()
    """The names that browsers reach the dashboard by over plain HTTP, beside addresses, `localhost` and the name of
    this machine: that of a proxy in front of it. Pages that point other names here are given nothing."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            given, lacking = ("key", "certificate") if self.certificate is None else ("certificate", "key")
            found = Mistake((given,), f"{given} without {lacking}; TLS needs both", (("certificate",), ("key",)))
            refuse_all("ApiSettings", [found])
        return self


class VantagePoint(Frozen):
    """A place on this machine to probe from. `source` is one of its own addresses; without one the system chooses.

    `region` None stands for the PoP's.
    """

    name: ObjectName
    """Its name in logs, events and `lbdns health`."""
    region: Annotated[str, StringConstraints(to_upper=True), AfterValidator(check_region)] | None = None
    """The region that it speaks for; without it the PoP's."""
    source: Annotated[str, AfterValidator(check_source)] | None = None
    """The address of this machine that its probes come from; without it the system chooses."""


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
        tuple[Annotated[str, AfterValidator(check_listener)], ...], Field(min_length=1, max_length=bounds.MAX_LISTEN)
    ] = bounds.DEFAULT_LISTEN
    """The addresses and ports where DNS is answered, over UDP and TCP each; without a port it is 53."""
    tls: TlsSettings | None = None
    """Where DNS is answered over TLS, and zones are transferred by it; nowhere without it."""
    workers: Annotated[Whole, Field(ge=1, le=bounds.MAX_WORKERS)] = bounds.DEFAULT_WORKERS
    """How many responder processes answer; one for each core that DNS may have."""
    pop: PopSettings = PopSettings()
    """Where this server stands."""
    geodata: GeodataSettings = GeodataSettings()
    """The geolocation databases."""
    user: User | None = None
    """Whom a server that root starts becomes, `USER` or `USER:GROUP`, each a name or a number in quotes; without it the
    user `lbdns`, where there is one. `root` stays root. It has to be able to read what is served."""
    control: FilePath | None = None
    """The UNIX socket by which commands ask the running server; without it `control.sock` in the state directory."""
    api: ApiSettings | None = None
    """The management API. Off without it where files are served; where a store is, it listens at the default."""
    dashboard: Flag = True
    """Whether the management API's addresses show the dashboard to browsers: to who signs in by a token, or by the link
    that `lbdns dashboard` prints."""
    metrics: TcpListen | None = None
    """The address and port of metrics for Prometheus; off without it."""
    state: FilePath | None = None
    """The state directory. Without it `lbdns` below $XDG_STATE_HOME, else below ~/.local/state."""
    resolvers: Annotated[
        tuple[Annotated[str, AfterValidator(_check_resolver)], ...], Field(max_length=bounds.MAX_RESOLVERS)
    ] = ()
    """Who is asked in DNS for the names of endpoints that stand in no zone here and in no hosts file: IP or IP:PORT;
    without it, the system's resolvers."""
    vantage_points: Annotated[tuple[VantagePoint, ...], Field(max_length=bounds.MAX_VANTAGE_POINTS)] = ()
    """The addresses of this machine that probe and vote; without it one, in the PoP's region."""
    probe_networks: ProbeNetworks = ProbeNetworks()
    """What monitors, previews and webhooks may reach; without it all but link-local networks and the metadata services
    of clouds; what a token asks for or had a hand in does not reach loopback either."""
    notifications: Annotated[tuple[Notification, ...], Field(max_length=bounds.MAX_NOTIFICATIONS)] = ()
    """Who is told of changes of health."""
    mail: MailServer | None = None
    """The mail server by which policies tell mail addresses; without it none is told."""
    lists: NamedLists = Field(default_factory=dict)
    """Networks that the conditions of rules ask for by a name, `ip.src in $NAME`: a list of them, or a file that has
    one a line. Networks within others, and those that stand there twice, count once."""
    views: NamedViews = Field(default_factory=dict)
    """Who sees which zones, records and load balancers: views by name. Who is in none of them is in the public view."""
    trusted_resolvers: TrustedNetworks = ()
    """The addresses and networks of resolvers that are believed when they say by ECS whose query they pass on, and so
    which view it is for. What they ask without saying it is for the public view, whatever network they stand in."""
    keys: TsigKeys = ()
    """The keys that clients may sign queries with; the replies are signed with the same."""
    access: AccessSettings = AccessSettings()
    """Who may transfer, notify, update and ask."""
    zones: ZoneTable = Field(default_factory=dict)
    """What is said of zones beside their records, by their names: where they come from, who is told of changes, who may
    do what."""
    cookies: Cookies = CookieSettings()
    """DNS cookies, by which clients show that they are where they say: `on`, `off`, `never`, or a mapping."""
    rate_limit: RateLimit = None
    """How many replies a network of clients may have: `off`, `on`, or a mapping; off without it."""
    proxies: ProxyNetworks = ()
    """The addresses and networks of proxies, such as dnsdist, that say by a header (PROXY protocol, version 2) whom
    they ask for: what they send without one is not answered. From anybody else a header is none."""
    dnssec: DnssecSettings = DnssecSettings()
    """How zones are signed, and how their keys live. Which zones are is said by `lbdns dnssec enable ZONE`."""
    history: HistorySettings = HistorySettings()
    """What is kept of what was counted, for charts, analytics and `lbdns status`."""
    fleet: FleetSettings | None = None
    """The fleet of which this machine is one: several with one configuration, which judge health together. Alone
    without it."""
    strict: Flag = False
    """Whether a start fails wherever there is a mistake. Otherwise what was served last is served on, and where nothing
    was, all but the zones with mistakes is."""
    samples: SampleSettings = SampleSettings()
    """Samples of what is answered."""
    dnstap: DnstapSettings | None = None
    """Who is told of queries and replies by dnstap; nobody without it."""
    xdp: XdpSettings | None = None
    """The network interface whose queries go past the kernel's sockets; none without it. It changes at the next
    start."""
    log: Literal["text", "json"] = "text"
    """Lines for people, or a JSON object a line."""

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
        mistakes += self.tls.mistakes(self.listen) if self.tls else ()
        mistakes += self._xdp_mistakes()
        mistakes += _repeated("vantage_points", [one.name for one in self.vantage_points])
        mistakes += _repeated("notifications", [one.name for one in self.notifications])
        mistakes += self._view_mistakes()
        mistakes += _repeated("keys", [one.name for one in self.keys])
        refuse_all("Settings", mistakes)
        return self

    def _xdp_mistakes(self) -> Iterator[Mistake]:
        if self.xdp is None:
            return
        for index, (host, _) in enumerate(self.listen_addresses()):
            if host in ("0.0.0.0", "::"):
                at = ("listen", index)
                message = (
                    f"{host} is every address; with xdp the filter has to know them: list each that DNS is asked at"
                )
                yield Mistake(at, message, (at, ("xdp",)))
        for name, view in self.views.items():
            if view.listeners:
                place = ("views", name, "listeners")
                message = "with xdp no view is known by its listener; say its networks, or leave xdp out"
                yield Mistake(place, message, (place, ("xdp",)))

    def _view_mistakes(self) -> Iterator[Mistake]:
        yield from overlapping(self.views)
        for name, view in self.views.items():
            for index, listener in enumerate(view.listeners):
                if listener not in self.listen:
                    at = ("views", name, "listeners", index)
                    message = f"{listener} is not among the addresses of listen; a view's listeners are some of those"
                    yield Mistake(at, message, (at, ("listen",)))
        if self.trusted_resolvers and not self.views:
            message = "there are no views; what a resolver says of its client counts for views alone"
            yield Mistake(("trusted_resolvers",), message, (("views",),))

    def trusts(self, resolver: Address) -> bool:
        """Return whether a resolver is believed when it says whose query it passes on."""
        return any(resolver in network for network in self.trusted_resolvers)

    @property
    def networks(self) -> dict[str, NetworkList]:
        """The named lists, by name; without those whose files were not read."""
        return {name: one for name, one in self.lists.items() if not isinstance(one, Path)}

    def listen_addresses(self) -> tuple[tuple[str, int], ...]:
        """Return (IP address, port) of each socket address to listen on, UDP and TCP each."""
        return tuple(parse_socket_address(text) for text in self.listen)

    @property
    def tls_listen(self) -> tuple[str, ...]:
        """The addresses and ports where DNS is spoken over TLS."""
        return self.tls.addresses(self.listen) if self.tls else ()

    def files(self) -> tuple[Path, ...]:
        """Return the files that must be there: databases, and the certificates and keys of the API and of DNS."""
        served: tuple[Path | None, ...] = (self.api.certificate, self.api.key) if self.api else ()
        served += (self.tls.certificate, self.tls.key, self.tls.client_ca) if self.tls else ()
        named = (*(path for _, path in self.geodata.databases()), *served)
        return tuple(path for path in named if path is not None)

    def state_dir(self) -> Path:
        """Return the state directory: the setting, else `lbdns` under XDG_STATE_HOME, else under ~/.local/state."""
        if self.state is not None:
            return self.state
        base = os.environ.get("XDG_STATE_HOME")
        return (Path(base) if base else Path.home() / ".local" / "state") / "lbdns"

    def control_path(self) -> Path:
        """Return the control socket's path: the setting, else `control.sock` in the state directory."""
        return self.control if self.control is not None else self.state_dir() / CONTROL_SOCKET

    def fixed(self) -> tuple[object, ...]:
        """Return what stays as it was at the start."""
        return self.state_dir(), self.control_path(), self.user, self.api, self.xdp
