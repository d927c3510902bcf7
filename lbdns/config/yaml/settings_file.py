"""lbdns.yaml -> Settings: the shape by the model, then what only this machine can tell: do the files exist."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from lbdns.base.errors import LbdnsError, Problem
from lbdns.base.key_pair import check_key_pair
from lbdns.base.kinds import IN_SETTINGS, SECTIONS
from lbdns.base.system_user import find_system_user, user_name
from lbdns.base.words import SETTINGS_FILE
from lbdns.config.checks.fleet_checks import check_fleet
from lbdns.config.yaml.cookie_files import COOKIES, read_cookies
from lbdns.config.yaml.key_files import KEYS, check_secrets, read_keys
from lbdns.config.yaml.list_files import LISTS, ReadText, read_lists
from lbdns.config.yaml.repair import build
from lbdns.config.yaml.source import Placed, SectionPart, Source
from lbdns.config.yaml.yaml_tree import LineTree, line_at, lines_at
from lbdns.model.fleet_settings import FleetSettings
from lbdns.model.settings import Settings
from lbdns.model.transfer_settings import ZoneSettings
from lbdns.places.airports import is_airport

_TLS_FILES: Final = ("certificate", "key", "client_ca")

_SECTIONS_TAKEN: Final = frozenset(kind.section for kind in IN_SETTINGS)
"""Sections of objects that the settings file may have."""
_SIGNER_USER: Final = ("dnssec", "user")
_SOCKET_PATH_OCTETS: Final = 107
"""What fits into sun_path of unix(7), its closing NUL left out."""


def read_settings(
    value: Any, lines: LineTree, file: str, base: Path, problems: list[Problem], read: ReadText | None = None
) -> Settings:
    """Return the settings with every path absolute; `base` is what relative ones start from.

    `read`: reads the files of named lists and of secrets; without it they stay paths.
    """
    if value is None:
        value = {}
    source = Source(file, lines, "", None)
    if isinstance(value, dict):
        for section in [key for key in value if key in SECTIONS and key not in _SECTIONS_TAKEN]:
            line = line_at(lines_at(lines, section))
            message = f"{SETTINGS_FILE} holds the server's settings; {section} belong into another .yaml file beside it"
            problems.append(Problem(file, line, section, message))
        value = {key: item for key, item in value.items() if key not in SECTIONS}
    placed = build(Settings, value, source, problems)
    if placed is None:
        return Settings()
    problems.extend(_check_places(placed, base))
    settings = _with_absolute_paths(placed.item, base)
    problems.extend(_check_tls_pair(settings, source))
    problems.extend(check_fleet(settings, source))
    beside: dict[str, Any] = {}
    if settings.lists:
        beside[LISTS] = read_lists(settings.lists, base, read, problems)
    if settings.keys:
        beside[KEYS] = keys = read_keys(settings.keys, base, read, problems)
        problems.extend(check_secrets(keys, value.get(KEYS), source))
    if settings.cookies.secret_file is not None:
        beside[COOKIES] = read_cookies(settings.cookies, base, read, problems)
    return settings.model_copy(update=beside) if beside else settings


def object_parts(value: Any, lines: LineTree, file: str) -> list[SectionPart]:
    """Return what a settings file has of objects."""
    if not isinstance(value, dict) or _SECTIONS_TAKEN.isdisjoint(value):
        return []
    return [SectionPart(file, {key: item for key, item in value.items() if key in _SECTIONS_TAKEN}, lines)]


def misplaced(parts: Iterable[SectionPart]) -> list[Problem]:
    """Return the mistakes of objects in the settings file of a server whose objects are in its store."""
    return [
        Problem(
            part.file,
            line_at(lines_at(part.lines, section)),
            section,
            f"a server without a directory has its {section} in the store: make them by `lbdns vnet` or `lbdns apply`",
        )
        for part in parts
        for section in part.value
    ]


def _absolute(path: Path | None, base: Path) -> Path | None:
    return None if path is None else Path(os.path.abspath(base / path.expanduser()))


def _with_absolute_paths(settings: Settings, base: Path) -> Settings:
    city = settings.geodata.city
    places = tuple(_absolute(path, base) for path in city) if isinstance(city, tuple) else _absolute(city, base)
    geodata = settings.geodata.model_copy(update={"city": places, "asn": _absolute(settings.geodata.asn, base)})
    api = settings.api and settings.api.model_copy(
        update={name: _absolute(getattr(settings.api, name), base) for name in ("certificate", "key")}
    )
    paths: dict[str, Any] = {name: _absolute(getattr(settings, name), base) for name in ("control", "state")}
    paths["tls"] = settings.tls and settings.tls.model_copy(
        update={name: _absolute(getattr(settings.tls, name), base) for name in _TLS_FILES}
    )
    paths["fleet"] = settings.fleet and _with_absolute_files(settings.fleet, base)
    paths["zones"] = {name: _with_absolute_ca(zone, base) for name, zone in settings.zones.items()}
    update = {"geodata": geodata, "api": api, **paths}
    # What was not said stays so: what is on by default may depend on how lbdns is started.
    return settings.model_copy(update={key: value for key, value in update.items() if key in settings.model_fields_set})


def _with_absolute_files(fleet: FleetSettings, base: Path) -> FleetSettings:
    tls = fleet.tls and fleet.tls.model_copy(
        update={name: _absolute(getattr(fleet.tls, name), base) for name in ("ca", "certificate", "key")}
    )
    update = {"credentials": _absolute(fleet.credentials, base), "tls": tls}
    return fleet.model_copy(update={key: value for key, value in update.items() if key in fleet.model_fields_set})


def _with_absolute_ca(zone: ZoneSettings, base: Path) -> ZoneSettings:
    if not any(one.tls and one.tls.ca_file for one in zone.primaries):
        return zone
    primaries = [
        one.model_copy(update={"tls": one.tls.model_copy(update={"ca_file": _absolute(one.tls.ca_file, base)})})
        if one.tls
        else one
        for one in zone.primaries
    ]
    return zone.model_copy(update={"primaries": tuple(primaries)})


def _check_tls_pair(settings: Settings, source: Source) -> Iterator[Problem]:
    """Check that certificate and key of DNS over TLS go together, where both can be read: the server's user can."""
    tls = settings.tls
    if tls is None or not all(os.access(path, os.R_OK) for path in (tls.certificate, tls.key)):
        return
    try:
        check_key_pair(tls.certificate, tls.key)
    except LbdnsError as error:
        yield source.problem(("tls", "certificate"), str(error))


def _check_places(placed: Placed[Settings], base: Path) -> Iterator[Problem]:
    """Check what stands outside the file: files that are read, directories that are written, the airport."""
    settings, source = placed.item, placed.source
    must_exist: list[tuple[Any, ...]] = [("geodata", *one) for one in settings.geodata.databases()]
    if settings.api is not None:
        must_exist += [("api", name, getattr(settings.api, name)) for name in ("certificate", "key")]
    if settings.tls is not None:
        must_exist += [("tls", name, getattr(settings.tls, name)) for name in _TLS_FILES]
    for name, zone in settings.zones.items():
        for index, one in enumerate(zone.primaries):
            if one.tls is not None:
                must_exist.append(("zones", name, "primaries", index, "tls", "ca_file", one.tls.ca_file))
    for *location, path in must_exist:
        found = _absolute(path, base)
        try:
            is_there = found is None or found.is_file() or (location[1] == "city" and found.is_dir())
        except PermissionError:
            if location[0] == "api":
                continue  # it may have been read as root: whoever serves it knows
            message = f'no permission to look at "{path}"; its directories are closed to {user_name(os.geteuid())}'
            yield source.problem(location, message)
            continue
        if not is_there:
            message = f'there is no file "{path}"; a relative path starts where lbdns.yaml is'
            yield source.problem(location, message)
    if settings.user is not None:
        try:
            find_system_user(settings.user)
        except ValueError as error:
            yield source.problem(("user",), str(error))
    yield from _check_signer_user(placed)
    state = _absolute(settings.state, base)
    if state is not None and os.path.exists(state) and not os.path.isdir(state):  # no error where none may look
        yield source.problem(("state",), f'"{settings.state}" is a file; the state is kept in a directory')
    control = _absolute(settings.control, base)
    if control is not None and len(os.fsencode(control)) > _SOCKET_PATH_OCTETS:
        message = f"written in full, a socket's path has at most {_SOCKET_PATH_OCTETS} octets; choose a shorter one"
        yield source.problem(("control",), message)
    pop = settings.pop
    if pop.code is not None and not pop.has_own_place and not is_airport(pop.code):
        message = (
            f'no airport has the IATA code "{pop.code}"; a PoP is named by one, such as AMS; '
            "where the code is right, give country, latitude and longitude"
        )
        yield source.problem(("pop", "code"), message)


def _check_signer_user(placed: Placed[Settings]) -> Iterator[Problem]:
    """Refuse a user of the signer's own: nothing makes one of it, and keys that are open are not to seem closed."""
    settings, source = placed.item, placed.source
    text = settings.dnssec.user
    if text is None:
        return
    try:
        whole = None if settings.user is None else find_system_user(settings.user)
    except ValueError:
        return  # told of `user` already
    try:
        wanted = find_system_user(text)
    except ValueError as error:
        yield source.problem(_SIGNER_USER, str(error))
        return
    if whole is None or (wanted.uid, wanted.gid) != (whole.uid, whole.gid):
        others = "nobody" if settings.user is None else f'"{settings.user}"'
        message = (
            f'the signer cannot become "{text}": it runs as the user of all processes, and "user" names {others}; '
            "leave it out, or name the same user in both; whoever runs as that user can read the keys"
        )
        yield source.problem(_SIGNER_USER, message)
