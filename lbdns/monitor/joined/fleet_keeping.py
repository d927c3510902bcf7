"""What a machine's monitor worker keeps of its fleet, below the state directory: whom it knows, and what was agreed.

fleet/known.json     the machines that were heard within the last day, and the orders as all have them
fleet/agreed.bin     the verdict that was agreed last of each endpoint, kept when one changes
fleet/agreed.json    when verdicts were agreed last, and by how many machines, kept all the time
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.base.whole_file import write_whole
from lbdns.base.words import FLEET_DIRECTORY
from lbdns.fleet.known_regions import KNOWN_FILE
from lbdns.fleet.observing.agreed import Agreed, AgreedWhen
from lbdns.fleet.observing.hearing import Acquaintance, HearingCount
from lbdns.fleet.observing.observer import KeptFleet
from lbdns.fleet.observing.order_map import OrderEntry

AGREED_FILE: Final = "agreed.bin"
WHEN_FILE: Final = "agreed.json"

log = logging.getLogger("lbdns.monitor")


class FleetKeeping:
    """The files of one fleet, for its one writer; another fleet's are passed over."""

    def __init__(self, state_dir: Path | None, fleet_id: str, machine: str) -> None:
        """Keep them in a state directory; None keeps nothing."""
        self._directory = state_dir / FLEET_DIRECTORY if state_dir is not None else None
        self._whose = [fleet_id, machine]
        self._unkept = LastingTrouble(log, "what is known of the fleet is kept again")

    def load(self) -> tuple[KeptFleet, Agreed]:
        """Return what was kept; nothing where nothing can be read, which is said where it is no first start."""
        if self._directory is None:
            return KeptFleet(), Agreed()
        try:
            said: Any = json.loads((self._directory / KNOWN_FILE).read_bytes())
            if said["of"] != self._whose:
                return KeptFleet(), Agreed()
            kept = _kept(said)
        except FileNotFoundError:
            return KeptFleet(), Agreed()
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            log.error("%s cannot be read, and is begun anew: %r", self._directory / KNOWN_FILE, error)
            return KeptFleet(), Agreed()
        agreed = self._load_agreed(self._directory / AGREED_FILE)
        agreed.when = self._load_when(self._directory / WHEN_FILE) or agreed.when
        return kept, agreed

    def _load_agreed(self, path: Path) -> Agreed:
        try:
            return Agreed.decode(path.read_bytes())
        except FileNotFoundError:
            return Agreed()
        except (OSError, LbdnsError) as error:
            log.error("%s cannot be read, and is begun anew: %s", path, error)
            return Agreed()

    def _load_when(self, path: Path) -> AgreedWhen | None:
        try:
            said: Any = json.loads(path.read_bytes())
            if said["of"] != self._whose:
                return None
            return AgreedWhen(float(said["at"]), HearingCount(int(said["heard"]), int(said["known"])))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            log.error("%s cannot be read, and is begun anew: %r", path, error)
            return None

    def save_known(self, kept: KeptFleet) -> None:
        """Keep whom the machine knows, and the orders."""
        said = {
            "v": 1,
            "of": self._whose,
            "known": [[one.machine, one.heard_at_s, [list(each) for each in one.vantages]] for one in kept.known],
            "orders": [one._asdict() for one in kept.orders],
        }
        self._write(KNOWN_FILE, json.dumps(said, ensure_ascii=False).encode())

    def save_agreed(self, agreed: Agreed) -> None:
        """Keep the verdicts."""
        if self._write(AGREED_FILE, agreed.encode()):
            agreed.is_kept = True
        self.save_when(agreed.when)

    def save_when(self, when: AgreedWhen) -> None:
        """Keep when verdicts were agreed last: whoever is cut off at its next start says so by that."""
        said = {"v": 1, "of": self._whose, "at": when.at_s, "heard": when.by.heard, "known": when.by.known}
        self._write(WHEN_FILE, json.dumps(said).encode())

    def _write(self, name: str, data: bytes) -> bool:
        if self._directory is None:
            return False
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            write_whole(self._directory / name, data, "what is known of the fleet", is_private=True)
        except (OSError, LbdnsError) as error:
            self._unkept.begin(str(error))
            return False
        self._unkept.end()
        return True


def _kept(said: dict[str, Any]) -> KeptFleet:
    known = [
        Acquaintance(str(machine), float(heard_at_s), tuple((str(name), str(region)) for name, region in vantages))
        for machine, heard_at_s, vantages in said["known"]
    ]
    return KeptFleet(tuple(known), tuple(map(OrderEntry.of, said["orders"])))
