"""What is transferred of the zones that somebody follows, publication by publication: serials that rise with what
others get, journals of what changed, load balancers as records.

    compile: zones, signed -> settle (load balancers as records, what changed, serial, SOA) -> columns
    then:    canaries -> keep (journals, serials on disk) -> take (the generation is in force) | abandon

Zones that nobody may transfer or is told of are left as they are. What others see of a zone by views is as many zones;
where it is seen in other ways than before, all of them begin anew, with a serial above every one that was served.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import is_
from pathlib import Path
from typing import Any, Final

from lbdns.answer.serving_view import ServingView
from lbdns.base.errors import LbdnsError
from lbdns.dns.name import longest_match, read_name
from lbdns.dns.serial import is_newer
from lbdns.dns.zone import RRset, Zone
from lbdns.mapped.columns import HEALTH_COLUMNS
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import TRANSFER_VIEWS, Snapshot, views_of_zone
from lbdns.mapped.typed_columns import TypedColumns
from lbdns.mapped.zone_journal import ZoneJournal, journal_path
from lbdns.model.configuration import Configuration
from lbdns.model.transfer_policy import TransferPolicies
from lbdns.model.view_names import PUBLIC, view_numbers
from lbdns.snapshot.compile.transferred_zones import CompiledZones, TransferredZones
from lbdns.snapshot.compile.zone_columns import BY_NAME, Placed
from lbdns.snapshot.lookup.look_up import directory_of
from lbdns.snapshot.lookup.name_rows import NO_NAME
from lbdns.snapshot.lookup.zone_walk import ContentCursor, begin_content
from lbdns.transfer.content.flat_denial import denying
from lbdns.transfer.content.flattening import Answered, SteeredName, answers_of, flattened
from lbdns.transfer.content.kept_answers import ANSWERS_FILE, KeptAnswers, is_unmeasured
from lbdns.transfer.content.serial_log import SerialLog, ServedSerial, ZoneKey
from lbdns.transfer.content.settled_zone import Flat, SerialStep, SettledZone, serial_in, settled
from lbdns.transfer.content.zone_difference import ContentSum

SERIAL_LOG: Final = "serials"
FLATTEN: Final = "flatten"
NO_POLICIES: Final = TransferPolicies()
_NO_FLAT: Final = Flat()
_PUBLIC: Final = (PUBLIC,)
_NO_HEALTH: Final = {column.name: memoryview(array(column.code)) for column in HEALTH_COLUMNS}

log = logging.getLogger("lbdns.transfer")


@dataclass(slots=True)
class _Round:
    """What a publication settled. `keys`: of each zone by its index, None where nobody follows it; `answers`: of load
    balancers by the zone's key, and what these rest on."""

    zones: tuple[Zone, ...] = ()
    policies: TransferPolicies = NO_POLICIES
    directories: object = None
    keys: tuple[ZoneKey | None, ...] = ()
    states: dict[ZoneKey, SettledZone] = field(default_factory=dict)
    served_zones: tuple[Zone, ...] = ()
    flats: dict[int, tuple[RRset, ...]] = field(default_factory=dict)
    rests_on: tuple[Any, ...] = ()
    standing_at: dict[int, tuple[SteeredName, ...]] = field(default_factory=dict)
    standing: dict[ZoneKey, tuple[SteeredName, ...]] = field(default_factory=dict)
    answers: dict[ZoneKey, tuple[Answered, ...]] = field(default_factory=dict)


class TransferContent:
    """Settles what is transferred of one server's zones. `problem`: why serials or journals cannot be kept, "" where
    they are."""

    def __init__(self, state_dir: Path) -> None:
        """Continue from what the state directory says."""
        self._state_dir = state_dir
        self.log = SerialLog(state_dir / "transfers" / SERIAL_LOG)
        self.kept_answers = KeptAnswers(state_dir / "transfers" / ANSWERS_FILE)
        self.journals: dict[ZoneKey, ZoneJournal] = {}
        self.round = _Round()
        self.is_flat_due = False
        self.problem = ""

    def settling(self, configuration: Configuration, table: HealthTable) -> ZoneSettling | None:
        """Return what settles a configuration's zones, None where nobody follows any."""
        policies = configuration.transfer_policies
        if not has_followers(policies):
            return None
        return ZoneSettling(self, configuration, policies, table)

    def is_last_served(self, configuration: Configuration, snapshot: Snapshot) -> bool:
        """Whether a snapshot that was compiled earlier has the serials that were served last: one behind that may not
        be served again."""
        policies = configuration.transfer_policies
        if not self.log.served or not has_followers(policies):
            return True
        for zone, apex, serial in served_serials(snapshot):
            served = self.log.served.get((apex, tuple(views_of_zone(snapshot, zone))))
            if policies.of(apex).has_followers and (served is None or served.serial != serial):
                return False
        return True

    def has_other_answers(self, snapshot: Snapshot, table: HealthTable) -> bool:
        """Whether load balancers answer otherwise now than they do in transfers of what is in force."""
        if not self.round.zones:
            return True  # it was put in force as it was compiled earlier
        view = ServingView(snapshot, table)
        found = {key: answers_of(view, standing) for key, standing in self.round.standing.items()}
        return found != self.round.answers

    def journal(self, key: ZoneKey) -> ZoneJournal:
        """Return a zone's journal."""
        found = self.journals.get(key)
        if found is None:
            apex, views = key
            found = self.journals[key] = ZoneJournal(journal_path(self._state_dir, apex, views[0]))
        return found

    def tell(self, error: OSError | LbdnsError) -> None:
        """Say that something cannot be kept, once for each reason."""
        if str(error) != self.problem:
            self.problem = str(error)
            log.error("what is transferred cannot be kept, so that a serial may be served twice: %s", error)


class ZoneSettling:
    """One publication's, from when it compiles until it is in force or given up."""

    def __init__(
        self, content: TransferContent, configuration: Configuration, policies: TransferPolicies, table: HealthTable
    ) -> None:
        """Begin; nothing changes before `keep`."""
        self._content = content
        self._configuration = configuration
        self._policies = policies
        self._table = table
        self._before = content.round
        self._now = _Round()
        self._steps: dict[ZoneKey, SerialStep] = {}
        self._changed: dict[ZoneKey, ServedSerial | None] = {}
        self._appended: list[ZoneKey] = []
        self._former: dict[ZoneKey, ServedSerial | None] = {}
        self._view: ServingView | None = None
        self._are_answers_kept = False
        # A publication that is refused must not have the next ones refused for the same reason.
        self._is_flat_due, content.is_flat_due = content.is_flat_due, False

    def settle(self, compiled: CompiledZones) -> TransferredZones:
        """Return the zones as they are served and transferred; raises LbdnsError where one cannot be signed."""
        before, now = self._before, self._now
        now.zones, now.policies = tuple(compiled.zones), self._policies
        now.directories = compiled.directories
        now.rests_on = self._what_answers_rest_on(compiled.placed)
        fresh = [at for at, same in enumerate(map(is_, now.zones, before.zones)) if not same]
        is_alike = self._is_alike(fresh)
        self._are_answers_kept = now.rests_on == before.rests_on and not self._is_flat_due
        if is_alike:
            served, chosen = self._carry_over(fresh)
        else:
            now.keys = self._keys(compiled)
            served, chosen = list(now.zones), range(len(now.zones))
        if not is_alike or now.rests_on != before.rests_on:
            now.standing_at = self._standing(compiled)
            chosen = sorted({*chosen, *now.standing_at, *now.flats})
        regrouped = {} if is_alike else self._regrouped()
        for at in chosen:
            key = now.keys[at]
            if key is not None:
                served[at] = self._settle_zone(compiled, at, key, now.standing_at.get(at, ()), regrouped)
            else:
                served[at] = now.zones[at]  # nobody follows it: served as it is, and not as it was
        now.served_zones = tuple(served)
        several = {str(at): list(key[1]) for at, key in enumerate(now.keys) if key is not None and key[1] != _PUBLIC}
        return TransferredZones(now.served_zones, dict(now.flats), {TRANSFER_VIEWS: several})

    def _is_alike(self, fresh: Sequence[int]) -> bool:
        """Whether the same zones are followed by the same, and seen in the same way, as before: what is told of one
        that is not among the `fresh` ones stays."""
        now, before = self._now, self._before
        return (
            len(now.zones) == len(before.zones)
            and now.directories == before.directories
            and now.policies == before.policies
            and all(now.zones[at].apex == before.zones[at].apex for at in fresh)
            and all(bool(now.zones[at].rrsets) == bool(before.zones[at].rrsets) for at in fresh)
        )

    def _carry_over(self, fresh: Sequence[int]) -> tuple[list[Zone], Iterable[int]]:
        """Take over what was; return the zones as they were served, and the indices of those to be settled anew."""
        now, before = self._now, self._before
        now.keys, now.states, now.flats = before.keys, dict(before.states), dict(before.flats)
        now.standing_at, now.standing = before.standing_at, dict(before.standing)
        now.answers = dict(before.answers)
        chosen = fresh if self._are_answers_kept else sorted({*fresh, *before.standing_at})
        return list(before.served_zones), chosen

    def _settle_zone(
        self,
        compiled: CompiledZones,
        at: int,
        key: ZoneKey,
        standing: Sequence[SteeredName],
        regrouped: Mapping[bytes, int],
    ) -> Zone:
        zone, now = self._now.zones[at], self._now
        flat = self._flat(compiled, zone, key, standing)
        log_of = self._content.log.served
        before = self._before.states.get(key)
        served = log_of.get(key) if before is None else before.served
        newest = regrouped.get(key[0])
        if newest is not None:
            before, served = None, ServedSerial(newest, ContentSum(0, 0))
        is_signed = zone.signed is not None

        def seal(rrsets: Sequence[RRset], kept: Sequence[RRset]) -> Sequence[RRset]:
            if not is_signed:
                return rrsets
            sealed = iter(compiled.seal(at, [one for one in rrsets if one.rdatas], kept))
            return [next(sealed) if one.rdatas else one for one in rrsets]

        state, step = settled(zone, flat or _NO_FLAT, seal, before, served, newest is not None)
        now.states[key] = state
        now.flats.pop(at, None)
        if flat is not None:
            now.flats[at] = state.content.flat
        if step is not None:
            self._steps[key] = step
        if log_of.get(key) != state.served:
            self._changed[key] = state.served
        return state.zone

    def _flat(self, compiled: CompiledZones, zone: Zone, key: ZoneKey, standing: Sequence[SteeredName]) -> Flat | None:
        """Return what transfers of a zone have in place of its load balancers, None where they are refused."""
        self._now.standing.pop(key, None)
        self._now.answers.pop(key, None)
        if not standing:
            return _NO_FLAT
        if self._policies.of(zone.apex).steered != FLATTEN:
            return None
        now, before = self._now, self._before
        now.standing[key] = tuple(standing)
        if self._are_answers_kept and before.standing.get(key) == now.standing[key]:
            now.answers[key] = before.answers[key]
        else:
            kept = self._answered_last(key, standing)
            now.answers[key] = answers_of(self._steering_view(compiled), standing) if kept is None else kept
        found = flattened(zone, now.answers[key])
        if zone.signed is None:
            return Flat(found.hidden, found.rrsets)
        replaced = denying(zone, {one.owner for one in standing}, found.rrsets)
        return Flat(
            (*found.hidden, *(one for one, _ in replaced)), (*found.rrsets, *(another for _, another in replaced))
        )

    def _answered_last(self, key: ZoneKey, standing: Sequence[SteeredName]) -> tuple[Answered, ...] | None:
        """Return what load balancers of a zone answered before a start, while nothing is known of health."""
        if self._before.zones or not is_unmeasured(self._table):
            return None
        return self._content.kept_answers.find(key, standing)

    def _steering_view(self, compiled: CompiledZones) -> ServingView:
        if self._view is None:
            self._view = ServingView(compiled.steering(), self._table)
        return self._view

    def _what_answers_rest_on(self, placed: Sequence[Placed]) -> tuple[Any, ...]:
        """Return what load balancers' answers follow from beside health: as long as it is the same, the answers that
        transfers have stay until it is their turn (FlatPace)."""
        one = self._configuration
        return one.load_balancers, tuple(one.pools.values()), one.settings, self._table, list(placed)

    def _standing(self, compiled: CompiledZones) -> dict[int, tuple[SteeredName, ...]]:
        """Return the load balancers of each zone that somebody follows and that has any."""
        found: dict[int, list[SteeredName]] = {}
        apexes: dict[bytes, int] = {}
        for at, owner, kind, row in compiled.placed:
            if at == BY_NAME and not apexes:
                apexes = {zone.apex: index for index, zone in enumerate(compiled.zones)}
            index = longest_match(owner, apexes) if at == BY_NAME else at
            if index is not None and compiled.zones[index].rrsets:
                found.setdefault(index, []).append(SteeredName(owner, kind, row))
        return {at: tuple(those) for at, those in found.items() if self._now.keys[at] is not None}

    def _keys(self, compiled: CompiledZones) -> tuple[ZoneKey | None, ...]:
        """Return what each zone is told by: its apex and the views that see it."""
        seen: dict[int, list[str]] = {}
        if compiled.directories is not None:
            labels = {directory_of(number): label for label, number in _numbers(self._configuration).items()}
            for row in compiled.directories:
                if row.instance != NO_NAME:
                    seen.setdefault(row.instance, []).append(labels[row.directory])
        keys: list[ZoneKey | None] = []
        for at, zone in enumerate(compiled.zones):
            views = _PUBLIC if compiled.directories is None else tuple(seen.get(at, ()))
            is_followed = bool(zone.rrsets and views) and self._policies.of(zone.apex).has_followers
            keys.append((zone.apex, views) if is_followed else None)
        return tuple(keys)

    def _regrouped(self) -> dict[bytes, int]:
        """Return the newest serial of each zone that views see in other ways than before; those are forgotten."""
        served = self._content.log.served
        now: dict[bytes, set[ZoneKey]] = {}
        for key in self._now.keys:
            if key is not None:
                now.setdefault(key[0], set()).add(key)
        former: dict[bytes, set[ZoneKey]] = {}
        for key in served:
            former.setdefault(key[0], set()).add(key)
        found = {}
        for apex, keys in now.items():
            before = former.get(apex)
            if before and before != keys:
                found[apex] = newest_of(served[key].serial for key in before)
                self._changed |= dict.fromkeys(before - keys)
        return found

    def keep(self) -> None:
        """Put journals and serials on the disk, before the generation is in force. What cannot be kept is told: a zone
        without a journal is sent as a whole."""
        content = self._content
        problem: OSError | LbdnsError | None = None
        for key, step in self._steps.items():
            try:
                self._keep_step(key, step)
            except OSError as error:
                problem = error
        self._former = {key: content.log.served.get(key) for key in self._changed}
        try:
            content.log.append(self._changed)
            content.kept_answers.keep(self._now.answers)
        except (OSError, LbdnsError) as error:
            problem = error
        if problem is None:
            content.problem = ""
        else:
            content.tell(problem)

    def _keep_step(self, key: ZoneKey, step: SerialStep) -> None:
        journal = self._content.journal(key)
        if step.differences is None:
            journal.remove()
            return
        journal.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        served = self._now.states[key].served
        journal.append(step.from_serial, served.serial, step.differences, served.sum.octets)
        self._appended.append(key)

    def take(self) -> None:
        """Go on from here: the generation is in force."""
        self._content.round = self._now

    def abandon(self) -> None:
        """Take back what was kept: the generation is not to be in force."""
        content = self._content
        for key in self._appended:
            try:
                content.journal(key).forget_last()
            except OSError as error:
                content.tell(error)
        try:
            content.log.append(self._former)
        except LbdnsError as error:
            content.tell(error)
        self._appended, self._former = [], {}


def newest_of(serials: Iterable[int]) -> int:
    """Return the newest of serials, of which there is one."""
    found: int | None = None
    for serial in serials:
        if found is None or is_newer(serial, found):
            found = serial
    if found is None:
        raise LbdnsError("the newest of no serials was asked for")
    return found


def has_followers(policies: TransferPolicies) -> bool:
    """Whether somebody follows any zone."""
    return any(one.has_followers for one in (policies.general, *policies.own.values()))


def served_serials(snapshot: Snapshot) -> Iterator[tuple[int, bytes, int]]:
    """Yield index, apex and serial of each zone of a snapshot that is ready to be served."""
    columns = snapshot.columns
    names = TypedColumns(columns, _NO_HEALTH)
    cursor = ContentCursor()
    for zone in range(len(columns["zone_apex"])):
        if begin_content(names, zone, cursor):
            apex = read_name(columns["blob"], cursor.apex)
            place = columns["rrset_rdata_start"][cursor.soa]
            offset, length = columns["rdata_offset"][place], columns["rdata_length"][place]
            yield zone, apex, serial_in(bytes(columns["blob"][offset : offset + length]))


def _numbers(configuration: Configuration) -> Mapping[str, int]:
    return view_numbers(configuration.settings.views)
