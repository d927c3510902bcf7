"""What load balancers answer in transfers, on disk: a server that starts anew knows nothing of health, and what
secondaries have stays until it does.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from lbdns.base.whole_file import write_whole
from lbdns.dns.zone import RRset
from lbdns.mapped.health_table import HealthTable
from lbdns.transfer.content.flattening import Answered, SteeredName
from lbdns.transfer.content.serial_log import ZoneKey

ANSWERS_FILE: Final = "answers.json"
_Rows = dict[str, dict[str, list[list[list[Any]]]]]

log = logging.getLogger("lbdns.transfer")


def is_unmeasured(table: HealthTable) -> bool:
    """Whether nobody has looked at any endpoint yet."""
    return not any(table.columns["endpoint_checks"])


class KeptAnswers:
    """The answers by zone, owner and kind, as they were kept last."""

    def __init__(self, path: Path) -> None:
        """Read what is there; a file that is damaged says nothing."""
        self._path = path
        self._rows: _Rows = {}
        try:
            self._rows = json.loads(path.read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.warning("%s: what load balancers answered last cannot be read: %s", path, error)

    def find(self, key: ZoneKey, standing: Iterable[SteeredName]) -> tuple[Answered, ...] | None:
        """Return what load balancers of a zone answered, None where that is not known of all of them."""
        found = []
        try:
            rows = self._rows.get(_key_text(key), {})
            for one in standing:
                row = rows.get(f"{one.owner.hex()} {one.kind}")
                if row is None:
                    return None
                rrsets, instead = (tuple(_rrset(one.owner, *each) for each in part) for part in row)
                found.append(Answered(one, rrsets, instead))
        except (AttributeError, TypeError, ValueError) as error:
            log.warning("%s: damaged, so that what load balancers answered last is not known: %s", self._path, error)
            return None
        return tuple(found)

    def keep(self, answers: Mapping[ZoneKey, tuple[Answered, ...]]) -> None:
        """Keep these in their place, unless they are the same; raises LbdnsError."""
        rows: _Rows = {}
        for key, those in answers.items():
            rows[_key_text(key)] = {
                f"{one.standing.owner.hex()} {one.standing.kind}": [_shown(one.rrsets), _shown(one.instead)]
                for one in those
            }
        if rows != self._rows:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self._path, json.dumps(rows), "what load balancers answer")
            self._rows = rows


def _key_text(key: ZoneKey) -> str:
    return " ".join((key[0].hex(), *key[1]))


def _shown(rrsets: Iterable[RRset]) -> list[list[Any]]:
    return [[one.type, one.ttl, [rdata.hex() for rdata in one.rdatas]] for one in rrsets]


def _rrset(owner: bytes, rtype: int, ttl: int, rdatas: Iterable[str]) -> RRset:
    return RRset(owner, rtype, ttl, tuple(map(bytes.fromhex, rdatas)))
