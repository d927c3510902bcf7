"""lbdns.yaml and the files that it names -> Settings, without what reads and checks all else: a start that goes on with
what was served last needs no more."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lbdns.base.errors import ConfigError, Problem
from lbdns.base.words import SETTINGS_FILE
from lbdns.config.directory import try_read
from lbdns.config.files_read import FilesRead
from lbdns.config.kept_texts import kept_file, name_of_text
from lbdns.config.problem_order import errors_and_warnings
from lbdns.config.yaml.list_files import ReadText
from lbdns.config.yaml.settings_file import misplaced, object_parts, read_settings
from lbdns.config.yaml.source import SectionPart, Source
from lbdns.config.yaml.yaml_tree import LineTree, parse_yaml
from lbdns.model.settings import Settings


def load_settings(place: Path, files: FilesRead | None = None, texts: dict[str, str] | None = None) -> Settings:
    """Read a settings file, or a directory's lbdns.yaml alone; every default where there is none.

    `files` notes what is read, or looked for; `texts` is filled with what is read beside the settings' own file. Raises
    ConfigError with every mistake in it.
    """
    reading = SettingsReading(files=FilesRead() if files is None else files, texts=texts)
    path = place / SETTINGS_FILE if place.is_dir() else place
    reading.files.note(path)
    if path.exists():
        reading.read_settings_file(path)
    reading.problems += misplaced(reading.parts) if path is place else []
    errors, _ = errors_and_warnings(reading.problems)
    if errors:
        raise ConfigError(errors)
    return reading.settings


@dataclass(slots=True)
class SettingsReading:
    """What has been read of settings, and how: `knows_settings` is False where the objects are for another server."""

    problems: list[Problem] = field(default_factory=list)
    settings: Settings = field(default_factory=Settings)
    settings_source: Source | None = None
    files: FilesRead = field(default_factory=FilesRead)
    directory: Path | None = None
    base: Path | None = None
    texts: dict[str, str] | None = None
    knows_settings: bool = True
    knows_views: bool = True
    knows_keys: bool = True
    parts: list[SectionPart] = field(default_factory=list)  # of object files, and what the settings file has of objects

    def read_settings_file(self, path: Path) -> None:
        """Read lbdns.yaml."""
        text = self.try_read(path)
        if text is None:
            return
        tree = parse_yaml(text, str(path))
        self.problems.extend(tree.problems)
        self.read_settings(tree.value, tree.lines, str(path), self.base or path.parent)
        self.settings_source = Source(str(path), tree.lines, "", None)
        for named in self.settings.files():
            if not os.path.exists(named):
                self.files.note(named)  # it is a mistake now, and mended when the file comes

    def read_settings(self, value: Any, lines: LineTree, file: str, base: Path) -> None:
        """Read what lbdns.yaml says; `base` is what relative paths start from."""
        before = len(self.problems)
        self.settings = read_settings(value, lines, file, base, self.problems, self.reads_beside)
        refused = {one.at[:1] for one in self.problems[before:] if one.severity == "error"}
        self.knows_views = self.knows_settings and ("views",) not in refused
        self.knows_keys = ("keys",) not in refused
        self.parts += object_parts(value, lines, file)

    @property
    def reads_beside(self) -> ReadText | None:
        """What reads the files that settings name; None where they are for another server."""
        return self._read_beside if self.knows_settings else None

    def _read_beside(self, path: Path) -> str | None:
        """Return the text of a file that settings name; of texts that were kept, the one among them first."""
        path = kept_file(path, self.directory, self.base)
        self.files.note(path)
        text = try_read(path, self.problems)
        if text is not None and self.texts is not None:
            self.texts[name_of_text(path, self.directory)] = text
        return text

    def try_read(self, path: Path) -> str | None:
        """Return the text of a file, kept where texts are; None where it cannot be had, which is reported."""
        self.files.note(path)
        text = try_read(path, self.problems)
        if text is not None:
            self.keep_text(path, text)
        return text

    def keep_text(self, path: Path, text: str) -> None:
        """Keep the text of a file where texts are kept, by its name in the directory."""
        if self.texts is not None and self.directory is not None:
            self.texts[os.path.relpath(path, self.directory)] = text
