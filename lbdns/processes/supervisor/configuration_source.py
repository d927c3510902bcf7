"""Where a server's configuration comes from: files in a directory, or a store; `lbdns serve` says which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lbdns.config.files_read import FilesRead

if TYPE_CHECKING:
    from lbdns.config.examined import Loaded
    from lbdns.config.tolerance import Tolerates
    from lbdns.model.settings import Settings

FILE_SUFFIXES: Final = (".yaml", ".zone")


@dataclass(frozen=True, slots=True)
class ConfigurationSource:
    """A configuration's source, `place` in words. `load` reads it, and again when files change; raises LbdnsError.

    Its second argument says which zones may have mistakes.

    Those are the files in `directory` that end in one of `suffixes`, and every file that `load` notes.

    `settings`: the settings as far as they can be read, for a start that finds mistakes. `override`: settings as the
    command line changes them. `load_texts` reads texts that `Loaded.texts` gave, from a directory; raises LbdnsError.
    `load_under` reads what does not stand in settings, under these, given the texts of their file and of those that it
    names, as they were kept; None: nothing does.
    `check` is called before anything is taken over from an earlier start; raises LbdnsError where the start is to fail.
    `check_settings` raises ConfigError with every mistake in the settings. `read_as_root` reads what only root may,
    before the server becomes another user, and says nothing of mistakes. `text_name`: what the text of a file is called
    among those that `Loaded.texts` gives, where it is one of them. `objects`: what tells those that no file has from
    all others (objects_digest.py), as they are stored now, "" where they are not those of a revision; None: files have
    all.
    """

    load: Callable[[FilesRead, Tolerates], Loaded]
    directory: Path
    place: str
    settings: Callable[[], Settings]
    override: Callable[[Settings], Settings]
    load_texts: Callable[[Path], Loaded]
    load_under: Callable[[Settings, Mapping[str, str]], Loaded] | None = None
    suffixes: tuple[str, ...] = FILE_SUFFIXES
    check: Callable[[Settings], None] = lambda settings: None
    check_settings: Callable[[], object] = lambda: None
    read_as_root: Callable[[Settings], None] = lambda settings: None
    text_name: Callable[[Path], str] = lambda path: path.name
    objects: Callable[[int | None], str] | None = None

    def read(self, files: FilesRead, tolerates: Tolerates) -> Loaded:
        """Return what `load` does, with the files that it was read from."""
        loaded = self.load(files, tolerates)
        return replace(loaded, read=files.as_read())

    def files(self) -> FilesRead:
        """Return what `load` is to note in."""
        return FilesRead(self.directory, self.suffixes)
