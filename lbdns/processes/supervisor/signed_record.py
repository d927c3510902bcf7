"""Which zones are served signed, on disk beside the signer's state: whose keys are gone is not published unsigned.

A zone becomes unsigned as the signer says, after the zone above has no DS of it. A state directory that lost its keys,
or that came from a backup without them, says nothing: resolvers would refuse the zone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Set
from pathlib import Path

from lbdns.base.errors import LbdnsError
from lbdns.base.whole_file import write_whole
from lbdns.base.words import SIGNED_ZONES_FILE
from lbdns.dns.name import BadName, encode_canonical, show_name

log = logging.getLogger("lbdns.processes")


class SignedRecord:
    """The record of one server, of which the supervisor is the one writer. `zones`: their apexes."""

    def __init__(self, state_dir: Path) -> None:
        """Read what the last server there noted."""
        self._path = state_dir / SIGNED_ZONES_FILE
        self.zones: Set[bytes] = frozenset()
        try:
            self.zones = frozenset(map(encode_canonical, json.loads(self._path.read_text(encoding="utf-8"))))
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, AttributeError, BadName) as error:
            log.warning("%s: cannot be read, so a zone whose keys are gone goes unnoticed: %s", self._path, error)

    def note(self, zones: Set[bytes]) -> None:
        """Take note of which zones are served signed from now on."""
        if zones == self.zones:
            return
        self.zones = zones
        try:
            write_whole(self._path, json.dumps(sorted(map(show_name, zones))) + "\n", "which zones are signed")
        except LbdnsError as error:
            log.error("%s", error)
