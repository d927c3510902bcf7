"""Checks of who may transfer, notify and update, and of what is said of zones beside their records.

what is said ...                                                          verdict
names a TSIG key that there is not                                        error
makes a key of the store again, or one without a secret                   error, warning
of a zone that there is not, and that comes from no primaries             error; a warning where zones are in a store
of a zone that has primaries, and records here                            error
lets an entry of a zone update names that are not in it                   error
nothing of steered names, where a zone has some and may be transferred    error
lets somebody update by address alone, which UDP does not prove           warning
lets somebody update zones whose records are in files                     warning
lets everybody transfer                                                   warning
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple

from lbdns.base.errors import Problem
from lbdns.base.kinds import KEYED, SECONDARY_DNS, Kind
from lbdns.base.wording import nearest
from lbdns.base.words import RIGHTS, SETTINGS_FILE
from lbdns.config.yaml.objects import Objects
from lbdns.config.yaml.source import Placed, Source
from lbdns.dns.master.draft import ZoneDraft
from lbdns.dns.name import encode_canonical, labels_of, longest_match, show_name
from lbdns.model.catalog_settings import PRODUCER, CatalogSettings
from lbdns.model.refusal import Location
from lbdns.model.settings import Settings
from lbdns.model.transfer_policy import SecondaryDns, TransferPolicies, transfer_policies
from lbdns.model.transfer_settings import AccessEntry, AccessSettings

_STORED: Final = tuple(kind for kind in KEYED if kind.area == SECONDARY_DNS)
"""In the order of SecondaryDns."""
_WHERE_KEYS: Final = "keys stand under keys in lbdns.yaml, or are made by lbdns key create"
_STORED_SETTINGS: Final = Source(SETTINGS_FILE, 0, "", None)


class Hosted(NamedTuple):
    """What transfers are checked against: the apexes of the zones with records here, whether these are all, and whether
    the records are in a store."""

    apexes: Collection[bytes]
    is_complete: bool
    is_stored: bool


class _NamedKey(NamedTuple):
    """Where settings name a TSIG key."""

    at: Location
    key: str


def hosted_here(drafts: Iterable[ZoneDraft], is_complete: bool, is_stored: bool) -> Hosted:
    """Return what transfers are checked against: zones as they were read."""
    return Hosted(
        frozenset(draft.apex for draft in drafts if not (draft.is_overlay or draft.is_received)), is_complete, is_stored
    )


def check_transfers(
    settings: Settings, source: Source | None, objects: Objects, hosted: Hosted, knows_keys: bool = True
) -> Iterator[Problem]:
    """Yield every problem of transfers and updates. `source`: of the settings, None where they were read before.
    `knows_keys`: no TSIG key of the settings was refused."""
    stored = stored_transfers(objects)
    policies = transfer_policies(settings, stored)
    source = source or _STORED_SETTINGS
    if knows_keys:
        yield from _check_keys(settings, source, objects)
    if policies.is_empty:
        return
    yield from _check_access(("access",), settings.access, source)
    yield from _check_zones(settings, source, _coming(objects) | _with_primaries(settings), hosted)
    yield from _check_steered(settings, source, policies, objects, hosted)
    yield from _check_stored(settings, objects, hosted)
    yield from _check_updates(settings, source, policies, hosted)


def stored_transfers(objects: Objects) -> SecondaryDns:
    """Return what objects say of transfers."""
    of = {kind: {name: placed.item for name, placed in _named(objects, kind).items()} for kind in _STORED}
    return SecondaryDns(*(of[kind] for kind in _STORED))


def _check_keys(settings: Settings, source: Source, objects: Objects) -> Iterator[Problem]:
    """Yield a problem for each name of a key that there is not, and for each key that there is twice."""
    tsigs = objects.keyed[Kind.TSIG]
    keys = [*(key.name for key in settings.keys), *objects.declared[Kind.TSIG.section]]
    for name, view in settings.views.items():
        for index, key in enumerate(view.keys):
            if key not in keys:
                message = _unknown(key, keys, "the keys of views are those of keys")
                yield source.problem(("views", name, "keys", index), message)
    for named in _named_keys(settings):
        if named.key not in keys:
            yield source.problem(named.at, _unknown(named.key, keys, _WHERE_KEYS))
    for one in settings.keys:
        if one.name in tsigs:
            message = f'"{one.name}" stands under keys in {SETTINGS_FILE} already; keep one of the two'
            yield tsigs[one.name].source.problem((), message)
    for name, placed in tsigs.items():
        if placed.item.secret is None and placed.knows("secret"):
            yield placed.source.warning((), f"{name} has no secret: nothing is signed with it")


def _unknown(name: str, keys: Collection[str], otherwise: str) -> str:
    near = nearest(name, keys)
    meant = f'did you mean "{near}"?' if near else otherwise
    return f'no key is called "{name}"; {meant}'


def _named_keys(settings: Settings) -> Iterator[_NamedKey]:
    yield from _keys_of_access(("access",), settings.access)
    for name, zone in settings.zones.items():
        at: Location = ("zones", name)
        servers = {
            "primaries": [server.key for server in zone.primaries],
            "also_notify": [server.key for server in zone.also_notify],
        }
        for field, keys in servers.items():
            yield from (_NamedKey((*at, field, index, "key"), key) for index, key in enumerate(keys) if key is not None)
        yield from _keys_of_access((*at, "access"), zone.access)


def _keys_of_access(at: Location, access: AccessSettings) -> Iterator[_NamedKey]:
    for place, entry in _entries(at, access):
        if entry.key is not None:
            yield _NamedKey((*place, "key"), entry.key)


def _entries(at: Location, access: AccessSettings) -> Iterator[tuple[Location, AccessEntry]]:
    for right in RIGHTS:
        for index, entry in enumerate(getattr(access, right) or ()):
            yield (*at, right, index), entry


def _check_access(at: Location, access: AccessSettings, source: Source) -> Iterator[Problem]:
    for index, entry in enumerate(access.update or ()):
        if entry.key is None and entry.network is not None and not entry.network.is_loopback:
            message = (
                f"over UDP anybody can send in the name of {entry.network}, and change records; give a key as well"
            )
            yield source.warning((*at, "update", index), message)
    for index, entry in enumerate(access.transfer or ()):
        if entry.key is None and entry.network is not None and entry.network.prefixlen == 0:
            yield source.warning((*at, "transfer", index), f"{entry.network} is everybody: all records can be listed")


def _check_zones(settings: Settings, source: Source, coming: Collection[bytes], hosted: Hosted) -> Iterator[Problem]:
    for name, zone in settings.zones.items():
        at: Location = ("zones", name)
        apex = encode_canonical(name)
        if zone.catalog is not None and zone.catalog.role == PRODUCER:
            yield from _check_producer(name, zone.catalog, source, hosted, coming)
        elif zone.primaries and apex in hosted.apexes:
            where = "in the store" if hosted.is_stored else f"in {name}.zone"
            message = f"the zone comes from its primaries, and has records {where} as well; keep one of the two"
            yield source.problem((*at, "primaries"), message)
        elif not zone.primaries and apex not in hosted.apexes and apex not in coming and hosted.is_complete:
            yield source.problem(at, _unknown_zone(name, hosted), "warning" if hosted.is_stored else "error")
        yield from _check_access((*at, "access"), zone.access, source)
        for place, entry in _entries((*at, "access"), zone.access):
            for index, pattern in enumerate(entry.names):
                if not _may_lie_in(pattern, apex):
                    message = f'"{pattern}" is never in {name}; names are whole, such as {_example(pattern)}.{name}'
                    yield source.problem((*place, "names", index), message)


def _check_producer(
    name: str, catalog: CatalogSettings, source: Source, hosted: Hosted, coming: Collection[bytes]
) -> Iterator[Problem]:
    """Yield what is wrong with a catalog that is made here."""
    at: Location = ("zones", name, "catalog")
    if encode_canonical(name) in hosted.apexes:
        yield source.problem(
            at, "a catalog is made of names alone, and this zone has records; give it a name of its own"
        )
    if encode_canonical(name) in map(encode_canonical, catalog.coo):
        yield source.problem((*at, "coo"), "a zone that stays in this catalog goes to no other; leave it out here")
    severity: Literal["error", "warning"] = "warning" if hosted.is_stored else "error"
    listed: list[tuple[Location, str]] = [(("zones", index), zone) for index, zone in enumerate(catalog.zones or ())]
    if catalog.zones is None:
        for field, said in (("groups", catalog.groups), ("coo", catalog.coo)):
            for one, zones in said.items():
                listed += [((field, one, index), zone) for index, zone in enumerate(zones)]
    for place, zone in listed if hosted.is_complete else ():
        apex = encode_canonical(zone)
        if apex not in hosted.apexes and apex not in coming:
            near = nearest(zone, [show_name(one) for one in hosted.apexes])
            meant = f'; did you mean "{near}"?' if near else ""
            yield source.problem((*at, *place), f'there is no zone "{zone}" here{meant}', severity)


def _unknown_zone(name: str, hosted: Hosted) -> str:
    near = nearest(name, [show_name(apex) for apex in hosted.apexes])
    if near is not None:
        return f'there is no zone "{name}" here; did you mean "{near}"?'
    lack = "the store has no such zone" if hosted.is_stored else f"there is no file {name}.zone"
    return f"{lack}; a zone that comes from another server has primaries"


def _may_lie_in(pattern: str, apex: bytes) -> bool:
    """Return whether a pattern may hold of a name in a zone: what stands behind its last `*` says so."""
    tail: list[bytes] = []
    for label in reversed(labels_of(encode_canonical(pattern))):
        if label == b"*":
            break
        tail.append(label)
    own = labels_of(apex)[::-1]
    common = min(len(tail), len(own))
    is_open = len(tail) < len(labels_of(encode_canonical(pattern)))
    return tail[:common] == own[:common] and (is_open or len(tail) >= len(own))


def _example(pattern: str) -> str:
    """Return what may stand before a zone's name: a pattern that is one label was meant so."""
    return "www" if "." in pattern else pattern


def _check_steered(
    settings: Settings, source: Source, policies: TransferPolicies, objects: Objects, hosted: Hosted
) -> Iterator[Problem]:
    """Yield a problem for each zone that somebody may transfer, that has load balancers, and of which nobody has said
    what becomes of them."""
    if not policies.general.transfer and not any(one.transfer for one in policies.own.values()):
        return
    apexes = {apex: apex for apex in (*hosted.apexes, *(one.apex for one in policies.secondaries))}
    steered: dict[bytes, str] = {}
    for placed in objects.load_balancers:
        if placed.knows("name") and not placed.item.is_private:
            apex = longest_match(encode_canonical(placed.item.name), apexes)
            if apex is not None:
                steered.setdefault(apex, placed.item.name)
    for apex, balancer in steered.items():
        policy = policies.of(apex)
        if policy.transfer and policy.steered is None:
            name = show_name(apex)
            said = objects.keyed[Kind.OUTGOING].get(name)
            of = f"zones: {{{name}: {{transfer: {{steered: flatten}}}}}}" if said is None else "steered: flatten"
            message = (
                f"{name} may be transferred, and has load balancers ({balancer}): say what others get of them, "
                f"{of}, or refuse, which refuses the transfer"
            )
            yield (
                source.problem(_where(settings, name), message)
                if said is None
                else said.source.problem(("steered",) if hosted.is_stored else (), message)
            )


def _check_stored(settings: Settings, objects: Objects, hosted: Hosted) -> Iterator[Problem]:
    """Yield what is wrong with incoming and outgoing transfers beside the settings and the zones that there are."""
    elsewhere = _with_primaries(settings)
    known = {*hosted.apexes, *_coming(objects), *elsewhere}
    at: Location = ("name",) if hosted.is_stored else ()  # in files the name is the key
    for kind in (Kind.INCOMING, Kind.OUTGOING):
        for name, placed in _named(objects, kind).items():
            apex, source = encode_canonical(name), placed.source
            if kind is Kind.INCOMING and apex in hosted.apexes:
                message = "the zone comes from its peers, and has records here as well; keep one of the two"
                yield source.problem(at, message)
            elif kind is Kind.INCOMING and apex in elsewhere:
                message = f"the zone has primaries under zones in {SETTINGS_FILE} already; keep one of the two"
                yield source.problem(at, message)
            elif apex not in known and hosted.is_complete:
                yield source.problem(at, _unknown_zone(name, hosted))
            for index, peer in enumerate(placed.item.peers if placed.knows("peers") else ()):
                there = objects.keyed[Kind.PEER].get(peer)
                if there is not None and there.item.ip is None and there.knows("ip"):
                    yield source.warning(("peers", index), f'the peer "{peer}" has no address yet')


def _coming(objects: Objects) -> frozenset[bytes]:
    """Return the apexes of the zones that have incoming transfers."""
    return frozenset(map(encode_canonical, _named(objects, Kind.INCOMING)))


def _named(objects: Objects, kind: Kind) -> dict[str, Placed[Any]]:
    """Return the objects of a kind by name, of those that are called as zones are those whose name is one: what is
    wrong with another's is told by its model."""
    return {name: one for name, one in objects.keyed[kind].items() if not kind.is_of_zone or one.knows("name")}


def _with_primaries(settings: Settings) -> frozenset[bytes]:
    return frozenset(encode_canonical(name) for name, zone in settings.zones.items() if zone.primaries)


def _where(settings: Settings, name: str) -> Location:
    """Return where a zone's transfer is allowed."""
    zone = settings.zones.get(name)
    if zone is None:
        return ("access", "transfer")
    return ("access", "transfer") if zone.access.transfer is None else ("zones", name, "access", "transfer")


def _check_updates(settings: Settings, source: Source, policies: TransferPolicies, hosted: Hosted) -> Iterator[Problem]:
    """Yield a warning for each list of who may update zones whose records are in files."""
    if hosted.is_stored or not hosted.is_complete:
        return
    message = "records in files are not changed by UPDATE, which is refused; a server without a directory takes it"
    own = {apex: policy for apex, policy in policies.own.items() if policy.primaries}
    if settings.access.update and any(apex not in own for apex in hosted.apexes):
        yield source.warning(("access", "update"), message)
    for name, zone in settings.zones.items():
        if zone.access.update and not zone.primaries:
            yield source.warning(("zones", name, "access", "update"), message)
