"""Write an MMDB file of AS numbers, in MaxMind's schema, from CSV files: first and last address, number, holder.

Usage: asn_database.py TARGET.mmdb FILE.csv...   (needs mmdb_writer)
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from ipaddress import ip_address, summarize_address_range
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

TYPE = "ip-location-db-ASN"
AS_NUMBER_MAX = (1 << 32) - 1


def rows(path: Path) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Yield the networks of each line of a file, and the record that they get; exits where a line is none of these."""
    with path.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.reader(lines), 1):
            try:
                first, last, asn, holder = row
                ranges = summarize_address_range(ip_address(first), ip_address(last))  # type: ignore[type-var]
                networks, as_number = [str(network) for network in ranges], int(asn)
            except (TypeError, ValueError) as error:
                raise SystemExit(
                    f"{path}:{number}: no line of first address, last address, number, holder: {error}"
                ) from error
            if 0 < as_number <= AS_NUMBER_MAX:
                yield networks, {"autonomous_system_number": as_number, "autonomous_system_organization": holder}


def main(target: str, *sources: str) -> int:
    """Write the target; return the exit status."""
    writer = MMDBWriter(6, TYPE, ipv4_compatible=True, int_type="u32")
    count = 0
    for source in sources:
        for networks, record in rows(Path(source)):
            for network in networks:
                writer.insert_network(IPSet([network]), record)
                count += 1
    if not count:
        print("no line names an AS number", file=sys.stderr)
        return 1
    writer.to_db_file(target)
    print(f"{count:,} networks")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
