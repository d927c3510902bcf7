"""Which zones are signed here, as far as one can tell without the signer: those that have a file of keys' states.

Which they are is no configuration but the signer's state (`lbdns dnssec enable`); what a configuration may say hangs on
it all the same.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from lbdns.base.words import DNSSEC_DIRECTORY
from lbdns.dns.name import BadName, encode_canonical, show_name

_SUFFIX: Final = ".json"


def zones_with_keys(state_dir: Path) -> frozenset[bytes]:
    """Return the apexes (wire format, lower case) of the zones that have keys; none where nobody can look."""
    found = set()
    with contextlib.suppress(OSError):
        for path in (state_dir / DNSSEC_DIRECTORY).iterdir():
            if path.name.endswith(_SUFFIX):
                with contextlib.suppress(BadName):
                    found.add(encode_canonical(path.name.removesuffix(_SUFFIX).replace("%2F", "/")))
    return frozenset(found)


def keys_file(state_dir: Path, apex: bytes) -> Path:
    """Return the file that a zone has once it has keys."""
    return state_dir / DNSSEC_DIRECTORY / f"{show_name(apex).replace('/', '%2F')}{_SUFFIX}"
