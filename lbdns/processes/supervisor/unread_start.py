"""A start that begins with what was served last as it was compiled, before it reads its source: where that would give
just this. The source is read right after the first answers, as a reload reads it, and all else goes on from there.

Reading would give the same where all of these hold; else it is read first, as ever:

| what                                       | is as it was, by                                                |
|--------------------------------------------|-----------------------------------------------------------------|
| the release, the layout of columns         | the copy's format                                               |
| texts of settings, zones and objects       | their octets, and which files there are                         |
| other files that were read or looked for   | modification time, size and inode                               |
| databases of geolocation                   | the same, as the snapshot says it was compiled from them        |
| the objects of a store                     | revision, and a digest of every row (objects_digest.py)         |
| what the command line says                 | the settings that come of it                                    |
| the server's own secrets of cookies        | the snapshot, which has them                                    |

And where nothing hangs on what is elsewhere, or on the time: no zone is signed or has keys, comes from another server,
is followed by one, or is not ready. Nor where the start is to fail wherever there is a mistake (`strict`): one that is
looked for first may be anywhere in a store.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.config.directory import read_text
from lbdns.config.files_read import FilesRead, Stamp
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.snapshot_file import DATABASES, SIGNED, Snapshot
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings
from lbdns.places.database_files import database_keys
from lbdns.processes.supervisor.configuration_source import ConfigurationSource
from lbdns.publish.copy_grounds import UNPACKED, Grounds
from lbdns.publish.last_served import Compiled, LastServed, compiled_format, find_last_served

if TYPE_CHECKING:
    from lbdns.processes.supervisor.beginning import Beginning

READ_BESIDE: Final = frozenset({"lists"})
"""Settings that are read from files beside the settings' own, whose texts are compared."""

log = logging.getLogger("lbdns.processes")


class UnreadStart:
    """The search for such a beginning: what takes no interpreter goes on in a thread while modules are loaded."""

    def __init__(
        self, source: ConfigurationSource, settings: Settings, files: FilesRead, state_dir: Path, run: RunDirectory
    ) -> None:
        """Begin to look, in the running loop; `settings`, `files`: the source's, as they are now."""
        self._source, self._settings, self._files = source, settings, files
        self._state_dir, self._run = state_dir, run
        self._kept: _UnmovedCopy | None = None
        self._compiled: Awaitable[Compiled] | None = None
        self._objects: Awaitable[str] | None = None  # what tells those of the store from others
        try:
            self._kept = self._unmoved()
        except LbdnsError as error:
            _tell(error)
        if self._kept is not None:
            unpack, loop = self._kept.copy.compiled, asyncio.get_running_loop()
            self._compiled = loop.run_in_executor(None, unpack, run.path, run.tries(UNPACKED))
            if source.objects is not None:
                self._objects = loop.run_in_executor(None, source.objects, self._kept.revision)

    async def found(self) -> Beginning | None:
        """Return what to begin with, None where the source is to be read first; whatever keeps that from being told,
        reading will say."""
        if self._kept is None or self._compiled is None:
            return None
        found = None
        try:
            found = await self._beginning(self._kept, self._compiled)
        except LbdnsError as error:
            _tell(error)
        if found is None:
            self._run.tries(UNPACKED).unlink(missing_ok=True)
        return found

    async def _beginning(self, kept: _UnmovedCopy, compiling: Awaitable[Compiled]) -> Beginning | None:
        from lbdns.config.examined import Loaded
        from lbdns.processes.supervisor.beginning import Beginning

        copy, grounds, _ = kept
        try:
            configuration = copy.resting_configuration()
        finally:
            compiled = await compiling
        snapshot, written, needs = compiled[0], copy.written(), copy.needs()
        if (
            written is None
            or needs is None
            or not self._stands_alone(configuration, snapshot)
            or not self._is_compiled_so(configuration, snapshot)
            or not self._has_settings_of(configuration)
            or not await self._has_objects_of(grounds)
        ):
            return None
        loaded = Loaded(configuration, (), read=_files_of(grounds))
        return Beginning(loaded, copy.served_at, None, compiled, written, needs)

    def _unmoved(self) -> _UnmovedCopy | None:
        """Return what was served last where all files are as they were."""
        copy = find_last_served(self._state_dir, self._source.place)
        if copy is None or copy.format != compiled_format() or copy.unready or self._settings.strict:
            return None
        grounds = copy.grounds()
        if grounds is None or not self._are_files_as_read(copy, grounds):
            return None
        return _UnmovedCopy(copy, grounds, copy.origin().revision)

    def _are_files_as_read(self, copy: LastServed, grounds: Grounds) -> bool:
        known, looked_at = _files_of(grounds), FilesRead()
        if not self._files.as_now().keys() <= known.keys():
            return False
        for path in known:
            looked_at.note(path)
        now = looked_at.as_read()
        return all(self._is_as_read(copy, path, was, now[path]) for path, was in known.items())

    def _is_as_read(self, copy: LastServed, path: Path, was: Stamp | None, now: Stamp | None) -> bool:
        """Tell whether a file is as it was read: its text is where that is kept, else nothing shows that it changed."""
        if was is None or now is None:
            return was is now
        name = self._source.text_name(path)
        if not copy.has_text(name):
            return was == now
        try:
            return copy.is_text(name, read_text(path))
        except (OSError, ValueError):
            return False

    def _has_settings_of(self, configuration: Configuration) -> bool:
        """Tell whether the settings are those that come of their file and of the command line now."""
        kept, now = configuration.settings, self._settings
        return all(
            getattr(kept, name) == getattr(now, name) for name in type(now).model_fields if name not in READ_BESIDE
        )

    async def _has_objects_of(self, grounds: Grounds) -> bool:
        if self._objects is None:
            return True
        return await self._objects == grounds.objects != ""

    def _stands_alone(self, configuration: Configuration, snapshot: Snapshot) -> bool:
        """Tell whether nothing of it hangs on other servers or on keys."""
        from lbdns.processes.supervisor.signer_child import is_any_zone_signed
        from lbdns.transfer.content.transfer_content import has_followers

        policies = configuration.transfer_policies
        return not (
            configuration.unready
            or configuration.catalog_members
            or any(True for _ in policies.secondaries)
            or has_followers(policies)
            or snapshot.meta[SIGNED]
            or is_any_zone_signed(self._state_dir)
        )

    def _is_compiled_so(self, configuration: Configuration, snapshot: Snapshot) -> bool:
        """Tell whether compiling it now would take the same from beside the configuration."""
        from lbdns.processes.supervisor.cookie_secrets import OwnCookieSecrets
        from lbdns.publish.publisher import has_cookies_of

        named = configuration.settings.geodata
        own = OwnCookieSecrets(self._state_dir).current() if configuration.settings.cookies.has_own else ()
        return snapshot.meta.get(DATABASES) == database_keys(named.city, named.asn) and has_cookies_of(
            snapshot, configuration, own
        )


class _UnmovedCopy(NamedTuple):
    """`revision`: of the store that it came from, None where it came from files."""

    copy: LastServed
    grounds: Grounds
    revision: int | None


def _files_of(grounds: Grounds) -> Mapping[Path, Stamp | None]:
    """Return the files that a copy was read from, as `Loaded.read` has them."""
    return {Path(path): stamp for path, stamp in grounds.files.items()}


def _tell(error: LbdnsError) -> None:
    log.debug("the configuration is read first: %s", error)
