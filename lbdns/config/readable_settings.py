"""Settings as far as they can be read, for those who look for what the settings lead to, whatever else is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from lbdns.base.errors import Problem
from lbdns.base.words import SETTINGS_FILE
from lbdns.config.directory import try_read
from lbdns.config.yaml.settings_file import read_settings
from lbdns.config.yaml.yaml_tree import parse_yaml
from lbdns.model.settings import Settings

_TOP_LEVEL: Final = re.compile(r"(?m)^(?=[A-Za-z_]+:)")
"""Where a top-level key of a YAML file may begin."""


def readable_settings(place: Path) -> Settings:
    """Return the settings as far as they can be read, mistakes left out: where the state is, say.

    Where the text itself is broken, each of its top-level keys is read by itself.
    """
    path = place / SETTINGS_FILE if place.is_dir() else place
    problems: list[Problem] = []
    text = try_read(path, problems) or ""
    value = parse_yaml(text, str(path)).value
    if not isinstance(value, dict):
        parts = (parse_yaml(part, str(path)).value for part in _TOP_LEVEL.split(text))
        value = {key: item for part in parts if isinstance(part, dict) for key, item in part.items()}
    return read_settings(value, 0, str(path), path.parent, problems)
