"""Reading the files of a configuration directory: which they are, and their text or what keeps it from being read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lbdns.base.errors import Problem
from lbdns.base.words import SETTINGS_FILE

MAX_FILE_OCTETS: Final = 1 << 30


def read_text(path: Path) -> str:
    """Return a file's text, decoded from UTF-8 without a byte-order mark.

    Raises OSError where it cannot be read or is too big, UnicodeDecodeError where it is not UTF-8.
    """
    if not path.is_file():
        raise OSError(0, "it is not a regular file" if path.exists() else "there is no such file")
    if path.stat().st_size > MAX_FILE_OCTETS:
        raise OSError(0, f"it is larger than {MAX_FILE_OCTETS >> 20} MiB")
    return path.read_bytes().decode("utf-8-sig")


def try_read(path: Path, problems: list[Problem]) -> str | None:
    """Return a file's text; where it cannot be had, report why and return None."""
    try:
        return read_text(path)
    except OSError as error:
        problems.append(Problem(str(path), 0, "", f"the file cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        octet = error.object[error.start]
        problems.append(Problem(str(path), line, "", f"the octet 0x{octet:02X} is not UTF-8; save the file as UTF-8"))
    return None


class Directory:
    """The files of a configuration directory, each kind in the order of names; hidden ones are left out."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        """List the directory; what is wrong with it goes into `problems`."""
        self.path = path
        self.settings: Path | None = None
        self.objects: list[Path] = []
        self.zones: list[Path] = []
        self.warnings: list[Problem] = []
        self.lack: Problem | None = None  # of any zone: a mistake where nothing is served without one
        try:
            names = sorted(entry.name for entry in path.iterdir())
        except NotADirectoryError:
            problems.append(Problem(str(path), 0, "", "this is a file; give the directory that holds it"))
            return
        except FileNotFoundError:
            message = "no such directory; expected one that holds lbdns.yaml, *.zone and *.yaml files"
            problems.append(Problem(str(path), 0, "", message))
            return
        except OSError as error:
            problems.append(Problem(str(path), 0, "", f"the directory cannot be read: {error.strerror}"))
            return
        for name in names:
            self._sort_in(name)
        if not self.zones:
            seen = "" if names else ", and the directory is empty"
            message = f"no zone file{seen}; put one here whose name is the zone's, such as example.com.zone"
            self.lack = Problem(str(path), 0, "", message)

    def _sort_in(self, name: str) -> None:
        path = self.path / name
        if name.startswith("."):
            return
        if name == SETTINGS_FILE:
            self.settings = path
        elif name.endswith(".yaml"):
            self.objects.append(path)
        elif name.endswith(".zone"):
            self.zones.append(path)
        elif name.endswith(".yml"):
            message = f"the file is not read; only names that end in .yaml are (rename it to {path.stem}.yaml)"
            self.warnings.append(Problem(str(path), 0, "", message, "warning"))
