"""The configuration that was served last, kept in the state directory, compiled and as text, for a start that cannot
serve what it finds.

    served/current.json      which copy holds, of what, and the digest of each of its files
    served/N/                snapshot and tries (zlib), slots, the checked configuration, its texts in files/, and in
                             origin.json what a store knows of them and files cannot say; grounds.json what else is to
                             be as it was for a start that begins with it unread, needs.json what this needs before its
                             first answers; *.targets the parts of what the monitor worker was told

A copy is written beside the one that holds, each file and then `current.json` put on the disk before the next step, so
that one is always there whole: whoever is killed in between leaves what he had. Files that stay as they were are links.
Whoever reads it takes the compiled parts where they are of this release, and else the texts.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from zlib_ng import zlib_ng

from lbdns import __version__
from lbdns.base.errors import LbdnsError
from lbdns.base.words import BESIDE, LAST_SERVED, SETTINGS_FILE, STORE_PLACE
from lbdns.mapped.columns import COLUMNS
from lbdns.mapped.snapshot_file import MAGIC, Snapshot
from lbdns.model.configuration import Configuration
from lbdns.model.configuration_document import decode_configuration, encode_configuration
from lbdns.model.resting_configuration import RestingConfiguration
from lbdns.model.view_names import labelled
from lbdns.publish.copy_grounds import Grounds, Written
from lbdns.publish.edited_text import EditedText
from lbdns.publish.first_needs import FirstNeeds
from lbdns.publish.slots_document import decode_slots, encode_slots
from lbdns.snapshot.slots import Slots

if TYPE_CHECKING:
    from lbdns.publish.publisher import Published

CURRENT: Final = "current.json"
TEXTS: Final = "files"
SNAPSHOT: Final = "snapshot"
TRIES: Final = "tries"
SLOTS: Final = "slots.json"
CONFIGURATION: Final = "configuration.json"
ORIGIN: Final = "origin.json"
GROUNDS: Final = "grounds.json"
NEEDS: Final = "needs.json"
POOL_TARGETS: Final = "pools.targets"
BALANCER_TARGETS: Final = "load_balancers.targets"
DIGEST_BYTES: Final = 16
PIECE_BYTES: Final = 1 << 20
PACKING: Final = 3
_DAMAGED: Final = cast("type[Exception]", zlib_ng.error)  # which its stub takes for an exception that was raised


Compiled = tuple[Snapshot, Slots]
"""A compiled configuration, and who has which slot in it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a store knows of what was served and its texts do not say, each None where it is not kept: the revision, and
    the names of the pools that a token had a hand in."""

    revision: int | None = None
    pools_by_tokens: frozenset[str] | None = None

    def encode(self) -> bytes:
        """Return it as JSON."""
        by_tokens = None if self.pools_by_tokens is None else sorted(self.pools_by_tokens)
        return json.dumps({"revision": self.revision, "pools_by_tokens": by_tokens}, ensure_ascii=False).encode()

    @staticmethod
    def decode(data: bytes) -> Origin:
        """Return what JSON says; raises ValueError, KeyError or TypeError."""
        document = json.loads(data)
        revision, by_tokens = document["revision"], document["pools_by_tokens"]
        if not isinstance(revision, int | None):
            raise TypeError("the revision is to be a number")
        return Origin(revision, None if by_tokens is None else frozenset(map(str, by_tokens)))

    def adopted_by(self, configuration: Configuration) -> Configuration:
        """Return the configuration of texts with what this says of it: whoever made a pool, a token may have had a hand
        in it unless it is known that none had."""
        by_tokens = frozenset(configuration.pools) if self.pools_by_tokens is None else self.pools_by_tokens
        return replace(configuration, pools_by_tokens=by_tokens, store_revision=self.revision)


@dataclass(frozen=True, slots=True)
class LastServed:
    """A kept configuration: where its copy is, of what, and when it was put in force (unix seconds).

    `source`: what was served, in words; `format`: what its compiled parts are written in; `unready`: the apexes, in
    hexadecimal wire form, of the zones that were not.
    """

    path: Path
    source: str
    served_at: float
    format: str
    unready: Sequence[str]
    digests: Mapping[str, str]

    @property
    def is_of_store(self) -> bool:
        """Whether it came from a store."""
        return self.source.startswith(STORE_PLACE)

    def tolerates(self, apex: bytes, view: str) -> bool:
        """Whether a zone was not ready then: it may be so again."""
        return labelled(apex.hex(), view) in self.unready

    @property
    def text_directory(self) -> Path:
        """Where the texts are."""
        return self.path / TEXTS

    def configuration(self) -> Configuration:
        """Return what was served, as it passed the checks; raises LbdnsError where it is damaged."""
        return decode_configuration(self._read(CONFIGURATION))

    def resting_configuration(self) -> RestingConfiguration:
        """Return the same, of which the most is read when somebody asks for it; raises LbdnsError as above."""
        return RestingConfiguration.of(self._read(CONFIGURATION))

    def needs(self) -> FirstNeeds | None:
        """Return what the first answers need of the configuration, None where that was not kept; raises LbdnsError
        where it is damaged."""
        if NEEDS not in self.digests:
            return None
        try:
            return FirstNeeds.decode(self._read(NEEDS))
        except (ValueError, KeyError, TypeError) as error:
            raise LbdnsError(f"{self.path / NEEDS}: cannot be read: {error}") from error

    def compiled(self, scratch: Path, tries: Path | None = None) -> Compiled:
        """Return it compiled, and its slots; raises LbdnsError where it is damaged, or of another release.

        It is unpacked in a directory of its own in `scratch`, which is gone afterwards, but for its tries where a path
        for them is given.
        """
        if self.format != compiled_format():
            raise LbdnsError(f"{self.path}: compiled by another release of lbdns")
        try:
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                places = {SNAPSHOT: Path(folder, SNAPSHOT), TRIES: tries or Path(folder, TRIES)}
                for name, place in places.items():
                    self._check(name)
                    _unpack(self.path / name, place)
                return Snapshot.of_files(*places.values()), decode_slots(self._read(SLOTS).decode())
        except (OSError, ValueError, KeyError, TypeError, _DAMAGED) as error:
            raise LbdnsError(f"{self.path}: cannot be read: {error}") from error

    def written(self) -> Written | None:
        """Return what was written beside the compiled parts, None where that was not kept; raises LbdnsError where it
        is damaged."""
        if POOL_TARGETS not in self.digests:
            return None
        lists = (EditedText.of_text(self._read(name)) for name in (POOL_TARGETS, BALANCER_TARGETS))
        return Written(self._read(SLOTS), *lists)

    def origin(self) -> Origin:
        """Return what the store knows of it; raises LbdnsError where that is damaged."""
        if ORIGIN not in self.digests:  # an earlier release kept it
            return Origin()
        try:
            return Origin.decode(self._read(ORIGIN))
        except (ValueError, KeyError, TypeError) as error:
            raise LbdnsError(f"{self.path / ORIGIN}: cannot be read: {error}") from error

    def grounds(self) -> Grounds | None:
        """Return what it rests on beside its texts, None where that was not kept; raises LbdnsError where that is
        damaged."""
        if GROUNDS not in self.digests:
            return None
        try:
            return Grounds.decode(self._read(GROUNDS))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LbdnsError(f"{self.path / GROUNDS}: cannot be read: {error}") from error

    def texts(self) -> Path:
        """Return the directory of the texts; raises LbdnsError where they are damaged."""
        for name in self.digests:
            if name.startswith(f"{TEXTS}/"):
                self._check(name)
        return self.text_directory

    def all_texts(self) -> Mapping[str, str]:
        """Return every text by its name; raises LbdnsError where one is missing or damaged."""
        names = (name.removeprefix(f"{TEXTS}/") for name in self.digests if name.startswith(f"{TEXTS}/"))
        return {name: self.text(name) for name in names}

    def settings_texts(self) -> Mapping[str, str]:
        """Return the texts of the settings' file and of those that it names; raises LbdnsError as `text` does."""
        beside = [name.removeprefix(f"{TEXTS}/") for name in self.digests if name.startswith(f"{TEXTS}/{BESIDE}/")]
        return {name: self.text(name) for name in (SETTINGS_FILE, *beside)}

    def has_text(self, name: str) -> bool:
        """Return whether a text of this name is kept."""
        return f"{TEXTS}/{name}" in self.digests

    def is_text(self, name: str, text: str) -> bool:
        """Return whether a text that is kept is this one; it is not read for that."""
        return self.digests[f"{TEXTS}/{name}"] == digest_of(text.encode())

    def text(self, name: str) -> str:
        """Return one text; raises LbdnsError where it is missing or damaged."""
        return self._read(f"{TEXTS}/{name}").decode()

    def _read(self, name: str) -> bytes:
        self._check(name)
        return (self.path / name).read_bytes()

    def _check(self, name: str) -> None:
        path = self.path / name
        try:
            found = _digest(path)
        except OSError as error:
            raise LbdnsError(f"{path}: cannot be read: {error.strerror}") from error
        if found != self.digests.get(name):
            raise LbdnsError(f"{path}: damaged: it is not what was written")


def find_last_served(state_dir: Path, source: str) -> LastServed | None:
    """Return what was served last of a source, None where nothing of it is kept; raises LbdnsError where that cannot be
    told."""
    kept = _read_current(state_dir / LAST_SERVED)
    return kept if kept is not None and kept.source == source else None


def find_served_of_store(state_dir: Path) -> LastServed | None:
    """Return what was served last where it came from a store, wherever that was then; raises LbdnsError as above."""
    kept = _read_current(state_dir / LAST_SERVED)
    return kept if kept is not None and kept.is_of_store else None


def last_served(state_dir: Path) -> LastServed | None:
    """Return what was served last, whatever it came from; raises LbdnsError as above."""
    return _read_current(state_dir / LAST_SERVED)


def _read_current(directory: Path) -> LastServed | None:
    path = directory / CURRENT
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        kept = LastServed(**{**document, "path": directory / str(document["path"])})
        if not isinstance(kept.served_at, int | float) or not isinstance(kept.digests, dict):
            raise TypeError("values of other types than are written")
        return kept
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise LbdnsError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LbdnsError(f"{path}: damaged: {error}") from error


@cache
def compiled_format() -> str:
    """Return what tells compiled parts of this release from those of any other: the release, and the columns."""
    told = repr((MAGIC, sys.byteorder, sorted(COLUMNS.items())))
    return f"{__version__} {blake2b(told.encode(), digest_size=DIGEST_BYTES).hexdigest()}"


def digest_of(data: bytes) -> str:
    """Return the digest by which files of a copy are known."""
    return blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, lambda: blake2b(digest_size=DIGEST_BYTES)).hexdigest()


class LastServedWriter:
    """Keeps what is served, in one state directory; one copy at a time."""

    def __init__(self, state_dir: Path) -> None:
        """Describe the place; nothing is written yet."""
        self._directory = state_dir / LAST_SERVED
        self._tries_inode = 0  # of the tries in the run directory that were kept last

    def keep(
        self,
        published: Published,
        source: str,
        texts: Mapping[str, str],
        served_at: float,
        grounds: Grounds | None = None,
    ) -> None:
        """Keep a generation, the texts that it was read from, and what it rests on beside, where that is known; raises
        LbdnsError with what was kept before intact."""
        directory = self._directory
        place = directory / str(time.time_ns())
        try:
            place.mkdir(parents=True, mode=0o700)
            try:
                copy = _Copy(place, self._before())
                snapshot = published.snapshot
                tries = snapshot.part_of("trie_nodes")
                if tries.inode != self._tries_inode or not copy.link(TRIES):
                    copy.write(TRIES, lambda path: _pack(path, snapshot.write_tries))
                copy.write(SNAPSHOT, lambda path: _pack(path, lambda bare: snapshot.write(bare, place / TRIES)))
                if published.written is None:
                    copy.put(SLOTS, encode_slots(published.slots).encode())
                else:
                    slots, *lists = published.written
                    copy.put(SLOTS, slots)
                    for name, edited in zip((POOL_TARGETS, BALANCER_TARGETS), lists, strict=True):
                        copy.put(name, edited.whole())
                configuration = published.configuration
                copy.put(CONFIGURATION, encode_configuration(configuration))
                if configuration.store_revision is not None:
                    copy.put(ORIGIN, Origin(configuration.store_revision, configuration.pools_by_tokens).encode())
                if grounds is not None:
                    copy.put(GROUNDS, grounds.encode())
                    needs = FirstNeeds.of(configuration, published.slots, published.generation)
                    copy.put(NEEDS, needs.encode())
                for name, text in texts.items():
                    copy.put(f"{TEXTS}/{name}", text.encode())
                copy.settle()
                zones = [one.zone for one in published.configuration.unready]
                unready = [labelled(zone.apex.hex(), zone.view) for zone in zones]
                self._point_to(LastServed(place, source, served_at, compiled_format(), unready, copy.digests))
            except BaseException:
                shutil.rmtree(place, ignore_errors=True)
                raise
            self._tries_inode = tries.inode
            self._remove_but(place)
        except OSError as error:
            told = error.strerror or str(error)
            raise LbdnsError(f"{directory}: what is served cannot be kept for a restart: {told}") from error

    def _before(self) -> LastServed | None:
        try:
            return _read_current(self._directory)
        except LbdnsError:
            return None  # it is replaced

    def _point_to(self, kept: LastServed) -> None:
        fresh = self._directory / f".{CURRENT}"
        with fresh.open("w", encoding="utf-8") as out:
            json.dump(asdict(kept) | {"path": kept.path.name}, out, ensure_ascii=False, indent=1)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(self._directory / CURRENT)
        _sync(self._directory)

    def _remove_but(self, place: Path) -> None:
        for path in self._directory.iterdir():
            if path.is_dir() and path != place:
                shutil.rmtree(path, ignore_errors=True)


class _Copy:
    """The files of a copy, as they are written; what the copy before has as well is linked."""

    def __init__(self, place: Path, before: LastServed | None) -> None:
        self.digests: dict[str, str] = {}
        self._place = place
        self._before = before
        self._directories = {place}

    def put(self, name: str, data: bytes) -> None:
        """Write a file, unless it is as it was."""
        digest = digest_of(data)
        if self._before is None or self._before.digests.get(name) != digest or not self.link(name):
            self.write(name, lambda path: _write(path, data))

    def write(self, name: str, write: Callable[[Path], object]) -> None:
        """Have a file written, and put it on the disk."""
        path = self._made(name)
        write(path)
        _sync(path)
        self.digests[name] = _digest(path)

    def link(self, name: str) -> bool:
        """Take a file over from the copy before; False where there is none, or none can be linked."""
        if self._before is None or name not in self._before.digests:
            return False
        try:
            os.link(self._before.path / name, self._made(name))
        except OSError:
            return False
        self.digests[name] = self._before.digests[name]
        return True

    def settle(self) -> None:
        """Put the directories on the disk, the innermost first."""
        for path in sorted(self._directories, reverse=True):
            _sync(path)

    def _made(self, name: str) -> Path:
        path = self._place / name
        if path.parent not in self._directories:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._directories |= {one for one in path.parents if one.is_relative_to(self._place)}
        return path


def _pack(path: Path, write: Callable[[Path], None]) -> None:
    """Have a file written and compress it."""
    bare = path.with_name(f"{path.name}.bare")
    write(bare)
    # A tenth of the size in half of zlib's time, and unpacked so; more of it costs more than the disk.
    packer = zlib_ng.compressobj(level=PACKING)
    with bare.open("rb") as source, open(path, "wb", opener=_private) as target:
        while piece := source.read(PIECE_BYTES):
            target.write(packer.compress(piece))
        target.write(packer.flush())
    bare.unlink()


def _unpack(packed: Path, path: Path) -> None:
    unpacker = zlib_ng.decompressobj()
    with packed.open("rb") as source, path.open("wb") as target:
        while piece := source.read(PIECE_BYTES):
            target.write(unpacker.decompress(piece))
        target.write(unpacker.flush())


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb", opener=_private) as out:
        out.write(data)


def _private(path: str, flags: int) -> int:
    """Open a file that its owner alone may read: settings and snapshots hold the secrets of keys."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
