"""What files that settings name are called among the texts that are kept of a configuration."""

from __future__ import annotations

import os
from pathlib import Path

from lbdns.base.words import BESIDE


def name_of_text(path: Path, directory: Path | None) -> str:
    """Return the name of a file's text: its way in a configuration's directory, or what one of elsewhere is called."""
    inside = os.path.pardir if directory is None else os.path.relpath(path, directory)
    is_elsewhere = inside.split(os.sep, 1)[0] == os.path.pardir
    return f"{BESIDE}/{os.path.abspath(path).lstrip('/')}" if is_elsewhere else inside


def kept_file(path: Path, texts: Path | None, base: Path | None) -> Path:
    """Return the file in which a file of the directory `base`, or of elsewhere, is kept among the texts of a directory;
    itself where it is not, or none are read."""
    if texts is None or base is None:
        return path
    # A store has no directory: its settings' files are all of elsewhere, lest they be called as its objects' files.
    found = (texts / name_of_text(path, directory) for directory in (base, None))
    return next((one for one in found if one.is_file()), path)
