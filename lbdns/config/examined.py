"""What comes of reading a configuration: it, or every mistake in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lbdns.base.errors import ConfigError, Problem
from lbdns.base.pacing import Pacing
from lbdns.config.files_read import Stamp
from lbdns.config.yaml.source import Placed
from lbdns.model.configuration import Configuration
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings

Texts = Callable[[Pacing | None], Mapping[str, str]]
"""Returns a configuration as texts, by the names of files in a directory, at a pace where one is given."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that passed every check, and what its operator should know all the same.

    `read`: the files that it was read from, as they were then (FilesRead.as_read); None where it was not read from any,
    or it is not known.
    """

    configuration: Configuration
    warnings: tuple[Problem, ...]
    texts: Texts = lambda pace: {}
    read: Mapping[Path, Stamp | None] | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of reading a configuration: it, or None where there are errors, and every problem, sorted.

    `settings`: those of its settings file, sound or mended; None where it has none. `pools`: the same of its pools.
    """

    configuration: Configuration | None
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    settings: Placed[Settings] | None = None
    pools: Mapping[str, Placed[Pool]] = field(default_factory=dict)
    more: int = 0
    """Errors that were counted, and are not in `errors`."""

    def loaded(self) -> Loaded:
        """Return the configuration; raises ConfigError with every error where there is any."""
        if self.configuration is None:
            raise ConfigError(self.errors, self.more)
        return Loaded(self.configuration, self.warnings)
