"""Master files -> zones: entries.py scans, rdata.py encodes, reader.py puts records together, checks.py judges."""

from .checks import ZoneIndex, check_zone
from .draft import Draft, ZoneDraft
from .reader import read_master, subject

__all__ = ["Draft", "ZoneDraft", "ZoneIndex", "check_zone", "read_master", "subject"]
