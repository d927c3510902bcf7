"""Where the data files are that lbdns brings along."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from lbdns.base.errors import LbdnsError

COUNTRY_DATABASE = "geo-whois-asn-country.mmdb"


def geodata_dir() -> Path:
    """Return the folder of shipped data: lbdns/geodata in an installed package, else the checkout's geodata/."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "geodata"
    return installed if installed.is_dir() else package.parent / "geodata"


def country_database() -> Path:
    """Return the path of the country-level database that is read where the settings name none."""
    return geodata_dir() / COUNTRY_DATABASE


def shipped_rows(file_name: str) -> Iterator[list[str]]:
    """Yield the rows of a shipped CSV file, the names of its columns first."""
    path = geodata_dir() / file_name
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            yield from csv.reader(lines)
    except OSError as error:
        raise LbdnsError(f"{path}: cannot read this file, which lbdns ships: {error.strerror}") from error
