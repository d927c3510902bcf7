"""`lbdns locate IP`: what the geolocation databases say of an address, and which view it is in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lbdns.base.words import OWN_PATH
from lbdns.cli.frame.common import config_option, print_json
from lbdns.cli.frame.typed import addresses_of
from lbdns.model.view_names import VIEW
from lbdns.model.views import ViewSettings, view_facts
from lbdns.places import regions
from lbdns.places.centroids import centroid_name, stand_in
from lbdns.places.description import describe
from lbdns.places.geodata import Geodata
from lbdns.places.place import Address, Located, Place, unmapped

UNKNOWN = "unknown"


@click.command()
@click.argument("addresses", metavar="IP...", nargs=-1, required=True, callback=addresses_of)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object, a list of them for several addresses; null where a thing is unknown.",
)
@config_option("Ask the databases that this directory's settings name, and its views.")
@click.option(
    "--settings",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Ask the server of these settings, or their store where none runs.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="PATH",
    help="Ask that of this state directory.",
)
@click.option(
    "--city",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A place database: an MMDB file, one for each family, or their folder.",
)
@click.option("--asn", type=click.Path(path_type=Path), help="An AS number database: an MMDB file.")
def locate(
    addresses: tuple[Address, ...],
    as_json: bool,
    config: Path | None,
    settings: Path | None,
    state: Path | None,
    city: tuple[Path, ...],
    asn: Path | None,
) -> None:
    """Say where each IP is: country, subdivision, region, coordinates, AS number, network; and the view that it is in.

    Of an IPv4-mapped address, ::ffff:192.0.2.1, the IPv4 address is looked up, and said.

    Asks the databases that --config, or --city and --asn, name, or a server; by default the country-level one that
    lbdns ships.
    """
    if settings is not None or state is not None:
        if config is not None or city or asn is not None:
            raise click.UsageError("a server has its own databases: leave --config, --city and --asn out")
        _show_asked(tuple(map(unmapped, addresses)), settings, state, as_json)
        return
    views: Mapping[str, ViewSettings] = {}
    databases = city[0] if len(city) == 1 else city or None
    if config is not None:
        if city or asn is not None:
            raise click.UsageError("--config names the databases already: leave it out, or --city and --asn")
        from lbdns.config.settings_loading import load_settings

        loaded = load_settings(config)
        databases, asn, views = loaded.geodata.city, loaded.geodata.asn, loaded.views
    geodata = Geodata.open(databases, asn, lookups_only=True)
    if as_json:
        found = [*map(unmapped, addresses)]
        told = [describe(one, geodata.locate(one), geodata) | view_facts(views, one) for one in found]
        print_json(told[0] if len(told) == 1 else told)
        return
    for number, address in enumerate(addresses):
        if number:
            click.echo()
        _tell(address, geodata, views)


def _tell(address: Address, geodata: Geodata, views: Mapping[str, ViewSettings]) -> None:
    looked_up = unmapped(address)
    lines = text_lines(looked_up, geodata.locate(looked_up), geodata) + _view_lines(view_facts(views, looked_up))
    if looked_up != address:
        lines[0] = ("address", f"{looked_up}, which ::ffff:{looked_up} stands for")
    _show(lines)


def _show(lines: list[tuple[str, str]]) -> None:
    width = max(len(key) for key, _ in lines)
    for key, value in lines:
        click.echo(f"{key:<{width}}  {value}")


def _view_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the line of the view that an address is in, none where there are no views."""
    if VIEW not in facts:
        return []
    network = facts["view_network"]
    return [("view", f"{facts[VIEW]} ({network})" if network else f"{facts[VIEW]} (in no view)")]


def _show_asked(addresses: tuple[Address, ...], settings: Path | None, state: Path | None, as_json: bool) -> None:
    """Show what a server says of addresses."""
    from lbdns.cli.frame.api_place import find_local
    from lbdns.cli.frame.client import ApiClient

    with ApiClient(find_local(settings, state)) as client:
        told = [client.get(f"{OWN_PATH}/locate", ip=str(address)) for address in addresses]
    if as_json:
        print_json(told[0] if len(told) == 1 else told)
        return
    for number, facts in enumerate(told):
        if number:
            click.echo()
        _show(_fact_lines(facts))


def _fact_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    is_placed = facts["latitude"] is not None
    place = f"{facts['latitude']:.4f}, {facts['longitude']:.4f}" if is_placed else UNKNOWN
    if "centroid_of" in facts:
        place += f" (centroid of {facts['centroid_of']})"
    number = f"AS{facts['asn']} {facts['asn_org'] or ''}".rstrip() if facts["asn"] else UNKNOWN
    return [
        ("address", facts["address"]),
        ("network", facts["network"]),
        *((key, _named(facts[key], facts[f"{key}_name"])) for key in ("country", "subdivision", "region")),
        ("coordinates", place),
        ("AS number", number),
        *(("database", f"{one['path']} ({one['type']}, built {one['built']})") for one in facts["databases"]),
        *_view_lines(facts),
    ]


def text_lines(address: Address, located: Located, geodata: Geodata) -> list[tuple[str, str]]:
    """Return what is known of an address as (key, value) lines for a person."""
    facts = describe(address, located, geodata)
    place = located.place
    if located.asn:
        asn = f"AS{located.asn} {located.asn_org}".rstrip()
    else:
        asn = UNKNOWN if geodata.has_asn else f"{UNKNOWN} (no AS number database)"
    region = _named(facts["region"], facts["region_name"])
    if place.country in regions.STRADDLING and facts["subdivision_name"] is None:
        region += f", the default of {place.country}: its subdivision is unknown"
    return [
        ("address", facts["address"]),
        ("network", facts["network"]),
        ("country", _named(facts["country"], facts["country_name"])),
        ("subdivision", _named(facts["subdivision"], facts["subdivision_name"])),
        ("region", region),
        ("coordinates", _coordinates(place)),
        ("AS number", asn),
        *(("database", f"{source.path} ({source.database_type}, built {source.built})") for source in geodata.sources),
    ]


def _coordinates(place: Place) -> str:
    """Return the coordinates that count for a place, and whose they are where no database knows its own."""
    located_at, centroid = stand_in(place), centroid_name(place)
    if located_at.latitude is None or located_at.longitude is None:
        return UNKNOWN
    text = f"{located_at.latitude:.4f}, {located_at.longitude:.4f}"
    return f"{text} (centroid of {centroid})" if centroid else text


def _named(code: str | None, name: str | None) -> str:
    """Return a code with its name behind it, as far as there are any."""
    if code is None:
        return UNKNOWN
    return f"{code} ({name})" if name else code
