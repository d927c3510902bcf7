"""Where the data files are that lbdns brings along."""

from __future__ import annotations

from pathlib import Path

COUNTRY_DATABASE = "geo-whois-asn-country.mmdb"


def geodata_dir() -> Path:
    """Return the folder of shipped data: lbdns/geodata in an installed package, else the checkout's geodata/."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "geodata"
    return installed if installed.is_dir() else package.parent / "geodata"


def country_database() -> Path:
    """Return the path of the country-level database that is read where the settings name none."""
    return geodata_dir() / COUNTRY_DATABASE
