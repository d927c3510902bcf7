"""The regions in which machines of a fleet stand, as the monitor worker of this one keeps them on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from lbdns.base.words import FLEET_DIRECTORY

KNOWN_FILE: Final = "known.json"
"""The machines that were heard within the last day, with the (name, region) of their vantage points."""


def known_regions(state_dir: Path) -> frozenset[str] | None:
    """Return the regions of the other machines' vantage points; None where nobody is known from here yet."""
    try:
        said: Any = json.loads((state_dir / FLEET_DIRECTORY / KNOWN_FILE).read_bytes())
        vantages = [vantage for _, _, each in said["known"] for vantage in each]
        regions = frozenset(str(region) for _, region in vantages)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return regions - {""} if vantages else None
