"""From a checked configuration to a generation in force: compile, write, try, swap. Nothing is served before the swap.

    slots.assign -> compile -> snapshot-N.bin -> canaries -> targets-N.json, slots-N.json -> control.generation = N

Zones are signed before they become columns. Tries are written to tries-N.bin where they are not those of the generation
before. Files of the generation before stay for readers that are just opening them; older ones that no generation left
refers to are removed.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lbdns.answer.serving_view import ServingView
from lbdns.base.errors import LbdnsError
from lbdns.base.garbage import without_cyclic_collection
from lbdns.fastpath.template_memo import TemplateMemo
from lbdns.fastpath.templates import add_templates
from lbdns.health.forced import Forced
from lbdns.mapped.control import Control
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.signature_table import SignatureTable, open_signatures
from lbdns.mapped.snapshot_file import DATABASES, SIGNATURES, SIGNED, TRIE_COLUMNS, Snapshot, is_same_memory
from lbdns.model.configuration import Configuration
from lbdns.places.database_files import database_keys
from lbdns.places.geodata import Geodata
from lbdns.places.nodes_at_rest import leave_to_the_system
from lbdns.places.place_tree import PlaceTree
from lbdns.publish.canary import CanaryMemo, try_canaries
from lbdns.publish.copy_grounds import UNPACKED, Written
from lbdns.publish.first_needs import FirstNeeds
from lbdns.publish.first_rows import begin_rows
from lbdns.publish.signature_files import SIGNATURE_ROOM, SignatureFiles, SignatureRoom, signature_room
from lbdns.publish.slots_document import SlotsText, decode_slots
from lbdns.publish.targets_files import TargetsFiles
from lbdns.publish.transfer_stage import TransferSettling, TransferStage
from lbdns.snapshot.compile.compile_memo import CompileMemo
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.compile.guard_columns import secret_words
from lbdns.snapshot.compile.signed_zones import SnapshotSigning
from lbdns.snapshot.slots import Slots, SlotsMemo

ENDPOINT_CAPACITY_MIN = 64
POOL_CAPACITY_MIN = 32
GENERATIONS_KEPT = 2
LOOK_AGAIN = 64
"""Each so many generations the whole directory is looked through for what none needs."""
SNAPSHOTS = ("snapshot-", ".bin")
PER_GENERATION = (("targets-", ".json"), ("pools-", ".json"), ("balancers-", ".json"), ("slots-", ".json"))
SHARED = (SNAPSHOTS, ("health-", ".bin"), ("tries-", ".bin"), ("signatures-", ".bin"))

log = logging.getLogger("lbdns.publish")


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Published:
    """A generation that can be in force: what was configured and where its parts are."""

    generation: int
    configuration: Configuration
    slots: Slots
    snapshot: Snapshot
    table: HealthTable
    signatures: SignatureTable | None = None
    """For what is steered in signed zones, where there are any."""
    written: Written | None = None
    """What was written beside the snapshot."""
    needs: FirstNeeds | None = None
    """What the first answers need of the configuration, where that is known without reading it."""


class Publisher:
    """Makes generations in one run directory; `current` is the one in force, `resumed` what an earlier start left."""

    def __init__(
        self,
        control: Control,
        run: RunDirectory,
        orders: Callable[[], Sequence[Forced]] = lambda: (),
        signing: Callable[[Configuration], SnapshotSigning | None] = lambda configuration: None,
        transfers: TransferStage | None = None,
        cookie_secrets: Callable[[], Sequence[bytes]] = lambda: (),
    ) -> None:
        """Continue after whatever generation the control file says; `orders` gives what operators force, `signing` what
        signs a configuration's zones, None where none is to be signed; `transfers` settles what is transferred;
        `cookie_secrets` gives those that the server has of itself."""
        self._control = control
        self._run = run
        self._slots = Slots()
        self._slots_text = SlotsText()
        self._table: HealthTable | None = None
        self._orders = orders
        self._signing = signing
        self._transfers = transfers
        self._settling: TransferSettling | None = None
        self._cookie_secrets = cookie_secrets
        self._signatures = SignatureFiles(run)
        self._memo, self._targets, self._slots_memo = CompileMemo(), TargetsFiles(run), SlotsMemo()
        self._templates, self._canaries = TemplateMemo(), CanaryMemo()
        self._tried: tuple[Configuration, PlaceTree | None, HealthTable] | None = None
        self._tries: tuple[object, Path] | None = None
        self._restored: Snapshot | None = None  # whose tries these are, until others are compiled
        self._told_of: PlaceTree | None = None
        self._used: dict[int, frozenset[Path]] = {}  # by the generations in force last: the files of their snapshots
        self.current: Published | None = None
        self.resumed: Snapshot | None = None

    def resume(self) -> bool:
        """Take over slots and health table of the generation in force; False, with a warning, where this version cannot
        read them: health begins as unknown then."""
        generation = self._control.generation
        try:
            snapshot = Snapshot.open(self._run.snapshot(generation))
            table = HealthTable.attach(self._run.table(snapshot.layout_id), writable=True)
            slots = decode_slots(self._run.slots(generation).read_text())
        except (LbdnsError, OSError, ValueError, KeyError, TypeError) as error:
            log.warning("what the earlier start measured cannot be taken over, so health begins as unknown: %s", error)
            return False
        self._table, self._slots, self.resumed = table, slots, snapshot
        self._signatures.resume(snapshot)
        return True

    @without_cyclic_collection()
    def prepare(self, configuration: Configuration) -> Published:
        """Compile, write and try the next generation; raises LbdnsError, and leaves nothing behind then."""
        named = configuration.settings.geodata
        databases = database_keys(named.city, named.asn)  # before they are read: what changes from then on is seen
        geodata = self._geodata(configuration)
        slots = self._slots.assign(configuration, self._slots_memo)
        signing = self._signing(configuration)
        own = self._own_secrets(configuration)

        def write(path: Path, generation: int, table: HealthTable) -> None:
            settling = self._transfers.settling(configuration, table) if self._transfers else None
            layout, memo = table.layout_id, self._memo
            compiled = compile_snapshot(configuration, geodata, slots, generation, layout, memo, signing, settling, own)
            compiled.meta[DATABASES] = databases
            self._settling = settling
            if signing is not None and compiled.meta[SIGNED]:
                room = signature_room(configuration, compiled, signing.signature_bytes)
                self._signatures.provide(compiled.meta, room)
            view = ServingView(compiled, table)
            made = add_templates(compiled, view, self._templates, memo.names)
            made.write(path, self._write_tries(compiled, generation), self._served())

        prepared = self._make(configuration, slots, write, geodata.tree)
        self._memo.take_mapped(prepared.snapshot)
        if self._tries is not None:
            self._tries = (self._memo.tries.nodes, self._tries[1])
        self._templates.take_mapped(prepared.snapshot)
        leave_to_the_system()
        return prepared

    def _own_secrets(self, configuration: Configuration) -> Sequence[bytes]:
        return self._cookie_secrets() if configuration.settings.cookies.has_own else ()

    def has_other_cookies(self) -> bool:
        """Whether what is in force has other secrets for cookies than it is to have."""
        if self.current is None:
            return False
        configuration = self.current.configuration
        return not has_cookies_of(self.current.snapshot, configuration, self._own_secrets(configuration))

    def restore(
        self,
        configuration: Configuration,
        compiled: Snapshot,
        slots: Slots,
        written: Written | None = None,
        needs: FirstNeeds | None = None,
    ) -> Published:
        """Write and try a generation that was compiled earlier, as `prepare` does; compile it anew where the slots that
        were taken over are others, or a zone was served with another serial since. `written`: what was written where
        this very configuration was compiled so, by this release: it is again, and few canaries are asked, those
        that `needs` has, where there are such."""
        is_behind = self._transfers is not None and not self._transfers.is_last_served(configuration, compiled)
        if is_behind or (self._table is not None and self._slots != slots):
            return self.prepare(configuration)

        return self._make(configuration, slots, self._writer_of(compiled), None, written=written, needs=needs)

    def rebuild(self, in_force: Published) -> Published:
        """Write what is in force as the next generation, with a health table of its own, from what is mapped: files
        are gone. Raises LbdnsError, and leaves nothing behind then."""
        tries, self._tries = self._tries, None
        places = self._tried[1] if self._tried else None
        table = self._next_table(in_force.slots)
        write = self._writer_of(in_force.snapshot)
        prepared = self._make(in_force.configuration, in_force.slots, write, places, table)
        if tries is not None and self._tries is not None:
            self._tries = (tries[0], self._tries[1])
        return prepared

    def _writer_of(self, compiled: Snapshot) -> Callable[[Path, int, HealthTable], None]:
        """Return what writes the columns of a snapshot as another generation's."""

        def write(path: Path, generation: int, table: HealthTable) -> None:
            meta = {**compiled.meta, "generation": generation, "layout_id": table.layout_id}
            if SIGNATURE_ROOM in meta:
                self._signatures.provide(meta, SignatureRoom(*meta[SIGNATURE_ROOM]))
            snapshot = Snapshot(compiled.columns, meta, compiled.parts)
            snapshot.write(path, self._write_tries(snapshot, generation))

        return write

    def _make(
        self,
        configuration: Configuration,
        slots: Slots,
        write: Callable[[Path, int, HealthTable], None],
        places: PlaceTree | None,
        table: HealthTable | None = None,
        written: Written | None = None,
        needs: FirstNeeds | None = None,
    ) -> Published:
        """Return a generation whose snapshot `write` writes; `places`: what it locates by, where that is known;
        `table`: its health table, where that is to be another than it would be; `written`, `needs`: see `restore`."""
        generation = self._control.generation + 1
        self._settling = None
        table = table or self._table_for(slots)
        path = self._run.snapshot(generation)
        try:
            write(path, generation, table)
            snapshot = Snapshot.open(path, self._served())
            signatures = open_signatures(snapshot, self._run, self.current.signatures if self.current else None)
            before = configuration if written else self._comparable(configuration, places, table)
            known = needs.canaries if needs is not None else ()
            try_canaries(configuration, snapshot, table, before, self._canaries, known)
            self._tried = (configuration, places, table)
            texts = self._targets.write(configuration, slots, generation, table.path, written)
            if written is None:
                written = Written(self._slots_text.encode(slots).encode(), *texts)
            self._run.slots(generation).write_bytes(written.slots)
            if self._settling is not None:
                self._settling.keep()
        except (LbdnsError, OSError) as error:
            self._discard(generation, table)
            if isinstance(error, OSError):
                raise LbdnsError(f"{self._run.path}: cannot write there: {error.strerror}") from error
            raise
        return Published(generation, configuration, slots, snapshot, table, signatures, written, needs)

    def _served(self) -> Snapshot | None:
        """Return the snapshot in force, whose files stay as long as any later one has columns in them."""
        return self.current.snapshot if self.current else None

    def _geodata(self, configuration: Configuration) -> Geodata:
        """Return the databases that the settings name; what they lack is told whenever they are others than before."""
        settings = configuration.settings.geodata
        geodata = Geodata.open(settings.city, settings.asn)
        if self._told_of is not geodata.tree:
            self._told_of = geodata.tree
            for lacking in geodata.lacks():
                log.warning("%s", lacking)
        return geodata

    def _write_tries(self, compiled: Snapshot, generation: int) -> Path:
        """Return where the tries of a snapshot are, after writing them unless they are those written last."""
        nodes, path = compiled.columns["trie_nodes"].obj, self._run.tries(generation)
        unpacked = compiled.part_of("trie_nodes").path if compiled.parts else None
        if self._tries is not None and (self._tries[0] is nodes or self._are_restored(compiled)):
            path = self._tries[1]
        elif unpacked is not None and unpacked == self._run.tries(UNPACKED) and unpacked.exists():
            unpacked.replace(path)
            self._restored = compiled
        else:
            compiled.write_tries(path)
            self._restored = None
        self._tries = nodes, path
        return path

    def _are_restored(self, compiled: Snapshot) -> bool:
        """Whether a snapshot has the tries of the one that was restored: then two files of them are one."""
        restored, self._restored = self._restored, None
        return restored is not None and all(
            is_same_memory(restored.columns[name], compiled.columns[name]) for name in TRIE_COLUMNS
        )

    def publish(self, prepared: Published) -> None:
        """Put a prepared generation in force: the next batch of every worker is answered from it."""
        begin_rows(prepared.slots, self._slots, prepared.table, self._table, self._orders())
        self._slots, self._table = prepared.slots, prepared.table
        self._control.generation = prepared.generation
        self.current = prepared
        if self._settling is not None:
            self._settling.take()
            self._settling = None
        self._remove_older(prepared)

    def abandon(self, prepared: Published) -> None:
        """Remove a prepared generation that shall not be served after all."""
        self._discard(prepared.generation, prepared.table)

    def _comparable(
        self, configuration: Configuration, places: PlaceTree | None, table: HealthTable
    ) -> Configuration | None:
        """Return the last configuration that was tried, None where this one is served from another place, by other
        geolocation or with another health table."""
        if self._tried is None:
            return None
        before, places_before, table_before = self._tried
        is_alike = before.settings.pop == configuration.settings.pop and places is places_before
        return before if is_alike and table is table_before else None

    def _table_for(self, slots: Slots) -> HealthTable:
        """Return the health table in use, or one with more room that starts with all the old one knows."""
        old = self._table
        if old and slots.endpoint_count <= old.endpoint_capacity and slots.pool_count <= old.pool_capacity:
            return old
        return self._next_table(slots)

    def _next_table(self, slots: Slots) -> HealthTable:
        """Return another health table, with what the one in use knows."""
        old = self._table
        numbers = [_number(path) for path in self._run.path.glob("health-*.bin")]
        number = 1 + max(numbers + ([old.layout_id] if old else []), default=0)
        endpoints = max(ENDPOINT_CAPACITY_MIN, 2 * slots.endpoint_count)
        table = HealthTable.create(
            self._run.table(number), endpoints, max(POOL_CAPACITY_MIN, 2 * slots.pool_count), number
        )
        if old:
            table.copy_from(old)
        return table

    def _discard(self, generation: int, table: HealthTable) -> None:
        if self._settling is not None:
            self._settling.abandon()
            self._settling = None
        run = self._run
        gone = [run.snapshot(generation), *run.all_targets(generation), run.slots(generation)]
        if self._tries and self._tries[1] == self._run.tries(generation):
            gone.append(self._tries[1])
            self._tries = None
        if table is not self._table:
            gone.append(table.path)
        for path in gone:
            with contextlib.suppress(OSError):  # the directory may be gone, or another's
                path.unlink()

    def _remove_older(self, in_force: Published) -> None:
        oldest = in_force.generation - GENERATIONS_KEPT + 1
        known = {number: used for number, used in self._used.items() if number >= oldest}
        gone = [self._used[number] for number in self._used.keys() - known.keys()]
        is_all_known = len(self._used) == GENERATIONS_KEPT and in_force.generation % LOOK_AGAIN
        self._used = known | {in_force.generation: self._used_by(in_force.snapshot)}
        if is_all_known:
            self._remove_known(oldest, gone)
            return
        found = [*self._run.path.glob("*")]  # none where the directory is gone
        try:
            used = self._shared_files(found, oldest) | {in_force.table.path}
        except (LbdnsError, OSError, ValueError, KeyError):
            return  # a snapshot of another version of lbdns, which an earlier start left: a later change removes it
        for path in found:
            is_past = _is_one_of(path, PER_GENERATION) and _number(path) < oldest
            if is_past or (_is_one_of(path, SHARED) and path not in used):
                path.unlink(missing_ok=True)

    def _remove_known(self, oldest: int, gone: Sequence[frozenset[Path]]) -> None:
        """Remove the files of the generation before the oldest that stays, and of what generations that are `gone` used
        what none uses that stays; the directory is not looked through."""
        stay = frozenset().union(*self._used.values())
        run, number = self._run, oldest - 1
        for path in {*run.all_targets(number), run.slots(number)}.union(*gone) - stay:
            with contextlib.suppress(OSError):  # the directory may be gone, or another's
                path.unlink()

    def _shared_files(self, found: Sequence[Path], oldest: int) -> set[Path]:
        """Return the files that the snapshots from a generation on consist of and refer to; raises LbdnsError."""
        used: set[Path] = set()
        for path in found:
            if _is_one_of(path, (SNAPSHOTS,)) and _number(path) >= oldest:
                with contextlib.suppress(FileNotFoundError):  # it or its tries were removed: nobody can open it
                    known = self._used.get(_number(path))
                    used |= self._used_by(Snapshot.open(path)) if known is None else known
        return used

    def _used_by(self, snapshot: Snapshot) -> frozenset[Path]:
        """Return the files that a snapshot consists of and refers to."""
        run = self._run
        tables = run.table(snapshot.layout_id), run.signatures(snapshot.meta.get(SIGNATURES, 0))
        return frozenset([*(part.path for part in snapshot.parts), *tables])


def has_cookies_of(snapshot: Snapshot, configuration: Configuration, own: Sequence[bytes]) -> bool:
    """Whether a snapshot has the secrets for cookies that a configuration says, or the server's `own`."""
    return bool(snapshot.columns["cookie_secret"].tolist() == secret_words(configuration.settings.cookies, own))


def _is_one_of(path: Path, kinds: Sequence[tuple[str, str]]) -> bool:
    """Return whether a file is of one of some kinds, each a beginning and an end of names."""
    return any(path.name.startswith(first) and path.name.endswith(last) for first, last in kinds)


def _number(path: Path) -> int:
    """Return the number in a file's name; -1 where it has none, as it is not one of ours."""
    text = path.stem.rpartition("-")[2]
    return int(text) if text.isdecimal() else -1
