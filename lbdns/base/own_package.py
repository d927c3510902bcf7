"""Where the package that is running lies, for processes of its own."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import lbdns


def package_environment() -> dict[str, str]:
    """Return the environment in which `python -P -m` finds the package that is running, installed or not."""
    environment = dict(os.environ)
    root = Path(lbdns.__file__).resolve().parent.parent
    if str(root) not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        paths = [str(root), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment
