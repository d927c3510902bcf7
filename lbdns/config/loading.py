"""From a directory, or a dictionary of the same shape, to a Configuration: read all, check all, then say it.

    files -> YAML trees  -> Settings, Objects --.
          -> master text -> ZoneDrafts ----------+-> references -> zones -> pools -> load balancers -> Configuration
                                                                   every problem of every step

No step stops at a problem, so that one run shows them all. What only follows from another problem is not reported.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lbdns.base.errors import Problem
from lbdns.base.garbage import without_cyclic_collection
from lbdns.base.kept_problems import KeptProblems, is_full, is_hopeless, more_of
from lbdns.base.kinds import Kind
from lbdns.config.checks.alerting_checks import check_alerting
from lbdns.config.checks.balancer_checks import check_balancers
from lbdns.config.checks.check_memo import CheckMemo, KeptItems
from lbdns.config.checks.facts import Facts
from lbdns.config.checks.listeners import check_empty_views, check_listeners, check_trust
from lbdns.config.checks.pool_checks import check_pools
from lbdns.config.checks.references import check_references
from lbdns.config.checks.sights import ZoneKey, check_sights, check_views, sights_of, zone_key
from lbdns.config.checks.signed_checks import check_policies
from lbdns.config.checks.transfer_checks import check_transfers, hosted_here, stored_transfers
from lbdns.config.directory import Directory, read_text
from lbdns.config.examined import Examined, Loaded
from lbdns.config.files_read import FilesRead
from lbdns.config.keyed_zones import keys_file, zones_with_keys
from lbdns.config.problem_order import errors_and_warnings
from lbdns.config.received_zones import received_draft, unreceived
from lbdns.config.settings_loading import SettingsReading
from lbdns.config.sound_zones import sound_zones
from lbdns.config.tolerance import Tolerates, none_tolerated
from lbdns.config.yaml.list_files import LISTS, read_section
from lbdns.config.yaml.objects import Objects, read_objects
from lbdns.config.yaml.source import Placed, SectionPart, Source
from lbdns.config.yaml.yaml_tree import LineTree, parse_yaml
from lbdns.dns.codes import TYPE_DNSKEY
from lbdns.dns.master.draft import ZoneDraft
from lbdns.dns.master.reader import read_master
from lbdns.dns.master.signing_records import leave_out_signing
from lbdns.dns.name import BadName, show_name
from lbdns.dns.zone import Zone
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings
from lbdns.model.transfer_policy import transfer_policies
from lbdns.model.view_names import EVERY_VIEW, labelled


def load(
    directory: Path,
    files: FilesRead | None = None,
    base: Path | None = None,
    tolerates: Tolerates = none_tolerated,
    state: Path | None = None,
) -> Loaded:
    """Read a configuration directory and note in `files` what is read; raises ConfigError with every mistake in it.

    `base`: what relative paths in its settings start from, where it is not the directory. With `files`, the texts that
    were read are kept. `tolerates`: which zones, by apex and view, may have mistakes; they are `unready` in the
    configuration. `state`: the state directory, where it is not the settings' own.
    """
    texts: dict[str, str] = {}
    loaded = examine(directory, files, base, None if files is None else texts, tolerates, state=state).loaded()
    return replace(loaded, texts=lambda pace: texts)


def parse(tree: Mapping[str, Any], base: Path, source: str = "<dict>") -> Loaded:
    """Read the same from a dictionary: `settings`, `zones` (name -> master file text), and the YAML files' sections.

    `base` is what relative paths start from; `source` names the dictionary in problems. Raises ConfigError.
    """
    return examine_tree(tree, base, source).loaded()


def examine(
    directory: Path,
    files: FilesRead | None = None,
    base: Path | None = None,
    texts: dict[str, str] | None = None,
    tolerates: Tolerates = none_tolerated,
    knows_settings: bool = True,
    state: Path | None = None,
) -> Examined:
    """Read a configuration directory and note in `files` what is read; never raises for what stands in it.

    `base`, `tolerates`, `state`: as in `load`. `texts` is filled with what was read, by files' names in the directory.
    Without `knows_settings` the objects are for another server: what hangs on its lists and databases is not checked,
    and what in load balancers does not act, or surprises, is that server's to tell.
    """
    with without_cyclic_collection():
        reading = _Loading(
            files=FilesRead() if files is None else files,
            directory=directory,
            base=base,
            texts=texts,
            tolerates=tolerates,
            knows_settings=knows_settings,
            state=state,
        )
        listing = Directory(directory, reading.problems)
        reading.problems.extend(listing.warnings)
        if listing.settings is not None:
            reading.read_settings_file(listing.settings)
        reading.read_object_files(listing.objects)
        if listing.lack is not None and not reading.serves_without_files:
            reading.problems.append(listing.lack)
        for path in listing.zones:
            reading.read_zone_file(path, directory)
        return reading.finish()


def examine_tree(
    tree: Mapping[str, Any],
    base: Path,
    source: str = "<dict>",
    keeps_all: bool = True,
    records_max: int | None = None,
    knows_settings: bool = True,
    signed: frozenset[bytes] | None = None,
) -> Examined:
    """Read a dictionary as `parse` does; never raises for what stands in it.

    Where not `keeps_all` only the first problems are kept, and what refers to objects that were refused is not told.
    `records_max`: what all zones may have; beyond it nothing is read. None: any number. `knows_settings`: as in
    `examine`. `signed`: apexes of the zones that are signed here; None: the state of the settings says.
    """
    with without_cyclic_collection():
        problems = [] if keeps_all else KeptProblems()
        reading = _Loading(problems=problems, records_left=records_max, knows_settings=knows_settings, signed=signed)
        reading.read_settings(tree.get("settings"), 0, source, base)
        sections = {key: value for key, value in tree.items() if key not in ("settings", "zones")}
        sections = reading.without_lists(sections, 0, source, base)
        reading.parts.append(SectionPart(source, sections, 0))
        reading.objects = read_objects(reading.parts, [] if keeps_all else KeptProblems())
        zones = tree.get("zones") or {}
        if isinstance(zones, Mapping):
            for name, text in zones.items():
                if is_hopeless(reading.problems):
                    break
                reading.read_zone_text(str(name), str(text), f"{source}:{name}.zone", None)
        else:
            reading.problems.append(
                Problem(source, 0, "zones", "expected a mapping of zone names to master file texts")
            )
        return reading.finish()


def examine_objects(
    settings: Settings,
    objects: Objects,
    drafts: Mapping[ZoneKey, ZoneDraft],
    zones: Mapping[ZoneKey, Zone],
    memo: CheckMemo | None = None,
) -> Examined:
    """Check objects and zones that were read already, by apex and view; `zones` has the finished form of drafts where
    known.

    `memo`: what checking has left when most objects and drafts were these very ones.
    """
    with without_cyclic_collection():
        return _Loading(settings=settings, objects=objects, drafts=dict(drafts), zones=zones, is_stored=True).finish(
            memo
        )


@dataclass(slots=True)
class _Loading(SettingsReading):
    """What has been read so far."""

    objects: Objects = field(default_factory=Objects)
    drafts: dict[ZoneKey, ZoneDraft] = field(default_factory=dict)
    zones: Mapping[ZoneKey, Zone] = field(default_factory=dict)
    tolerates: Tolerates = none_tolerated
    zone_of: dict[str, ZoneKey] = field(default_factory=dict)  # by file, whatever came of reading it
    has_unread_zone: bool = False
    records_left: int | None = None
    state: Path | None = None
    is_stored: bool = False
    signed: frozenset[bytes] | None = None  # zones by apex; None: not looked for yet

    def read_object_files(self, paths: Iterable[Path]) -> None:
        """Read the balancing objects of all files together."""
        is_whole = True
        for path in paths:
            text = self.try_read(path)
            if text is None:
                is_whole = False
                continue
            tree = parse_yaml(text, str(path))
            self.problems.extend(tree.problems)
            is_whole = is_whole and tree.is_whole
            value = self.without_lists(tree.value, tree.lines, str(path), self.base or path.parent)
            self.parts.append(SectionPart(str(path), value, tree.lines))
        self.objects = read_objects(self.parts)
        self.objects.is_whole = is_whole

    def read_zone_file(self, path: Path, directory: Path) -> None:
        """Read a master file; its name is the zone's."""
        text = self.try_read(path)
        if text is None:
            self.has_unread_zone = True
            with contextlib.suppress(BadName):
                self.zone_of[str(path)] = zone_key(path.name.removesuffix(".zone"))
        else:
            self.read_zone_text(path.name.removesuffix(".zone"), text, str(path), directory)

    def read_zone_text(self, name: str, text: str, file: str, directory: Path | None) -> None:
        """Read the text of a master file. $INCLUDE may not leave `directory`; None: it is not allowed."""
        try:
            apex, view = key = zone_key(name)
        except BadName as error:
            self.has_unread_zone = True
            self.problems.append(Problem(file, 0, "", f"the file's name is to be the zone's: {error}"))
            return
        self.zone_of[file] = key
        if key in self.drafts:
            there = self.drafts[key].file
            message = f'the zone "{labelled(show_name(apex), view)}" is read from {there} already; keep one of the two'
            self.problems.append(Problem(file, 0, "", message))
            return
        problems = KeptProblems() if isinstance(self.problems, KeptProblems) else []
        draft = read_master(
            text, apex, file, directory, self._read_included, problems=problems, records_max=self.records_left
        )
        draft.view = view
        if apex in self._signed:
            leave_out_signing(draft)
        elif (dnskeys := draft.rrset(apex, TYPE_DNSKEY)) is not None:
            self.files.note_signed(apex, dnskeys.rdatas, keys_file(self.state or self.settings.state_dir(), apex))
        self.drafts[key] = draft
        if self.records_left is not None:
            self.records_left -= sum(len(rrset.rdatas) for rrsets in draft.nodes.values() for rrset in rrsets)

    @property
    def _signed(self) -> frozenset[bytes]:
        """The zones that are signed here, looked for once; none where these are not the server's settings."""
        if self.signed is None:
            known = self.knows_settings
            self.signed = zones_with_keys(self.state or self.settings.state_dir()) if known else frozenset()
        return self.signed

    @property
    def serves_without_files(self) -> bool:
        """Whether there is something to serve though no zone has a file."""
        private = any(one.item.is_private for one in self.objects.load_balancers)
        from_settings = any(zone.primaries for zone in self.settings.zones.values())
        return private or from_settings or bool(self.objects.keyed[Kind.INCOMING])

    def without_lists(self, value: Any, lines: LineTree, file: str, base: Path) -> Any:
        """Take the named lists out of a file's sections and put them to those of the settings; return the others."""
        if not isinstance(value, dict) or not value.get(LISTS):
            return value
        found = read_section(value[LISTS], lines, file, base, self.reads_beside, self.problems)
        there = self.settings.lists
        source = Source(file, lines, "", None)
        for name in found.keys() & there.keys():
            self.problems.append(source.problem((LISTS, name), "a list of this name is declared already; keep one"))
        self.settings = self.settings.model_copy(update={LISTS: {**found, **there}})
        return {key: inner for key, inner in value.items() if key != LISTS}

    def _read_included(self, path: Path) -> str:
        self.files.note(path)
        text = read_text(path)
        self.keep_text(path, text)
        return text

    def finish(self, memo: CheckMemo | None = None) -> Examined:
        """Check everything against everything, and return what came of it."""
        if is_full(self.objects.problems):  # what else there is to say nobody reads
            self.problems.extend(self.objects.problems)
            errors, warnings = errors_and_warnings(self.problems)
            return Examined(None, errors, warnings, more=more_of(self.problems))
        memo = CheckMemo() if memo is None else memo
        for policy in transfer_policies(self.settings, stored_transfers(self.objects)).secondaries:
            self.drafts.setdefault((policy.apex, EVERY_VIEW), received_draft(policy.apex))
        read = tuple(self.problems)
        zones = None if self.has_unread_zone else self.drafts.values()
        objects = self.objects
        with memo.checking(self.settings, objects.pools, objects.load_balancers, zones, self._signed):
            many = self._check(memo)
        self.problems.extend(self.objects.problems)
        if isinstance(self.problems, KeptProblems):
            self.problems.extend(many)
            many = ()
        errors, warnings = memo.order.errors_and_warnings(self.problems, many)
        rest = self._without_unready(errors, read) if errors and not self.settings.strict else None
        if rest is not None:
            return rest
        settings = None if self.settings_source is None else Placed(self.settings, self.settings_source)
        configuration = None if errors else self._configuration(memo.items)
        return Examined(configuration, errors, warnings, settings, self.objects.pools, more_of(self.problems))

    def _without_unready(self, errors: Sequence[Problem], read: Sequence[Problem]) -> Examined | None:
        """Return what is left without the zones whose files have mistakes, where all of them are tolerated and nothing
        else is wrong; None elsewhere. `read`: the problems that stood there before anything was checked."""
        sound = sound_zones(errors, self.zone_of, self.drafts, self.objects.load_balancers, self.tolerates)
        if sound is None:
            return None
        rest = _Loading(
            problems=[problem for problem in read if sound.keeps(problem)],
            settings=self.settings,
            settings_source=self.settings_source,
            objects=replace(self.objects, load_balancers=sound.load_balancers),
            drafts=sound.drafts,
            knows_settings=self.knows_settings,
            knows_views=self.knows_views,
            knows_keys=self.knows_keys,
            is_stored=self.is_stored,
            signed=self.signed,
        )
        examined = rest.finish()
        if examined.configuration is None:
            return None
        unready = (*examined.configuration.unready, *sound.unready)
        return replace(examined, configuration=replace(examined.configuration, unready=unready))

    def _check(self, memo: CheckMemo) -> Sequence[Problem]:
        """Find all problems; those that load balancers have each by itself are returned: there may be very many."""
        objects, problems = self.objects, self.problems
        if self.settings_source is not None:
            problems.extend(check_listeners(self.settings, self.settings_source))
            problems += check_policies(self.settings, self.settings_source, () if self.has_unread_zone else self.drafts)
            if self.knows_views:
                problems.extend(check_empty_views(self.settings, self.settings_source))
                problems.extend(check_trust(self.settings, self.settings_source))
        for draft in self.drafts.values():
            problems.extend(draft.problems)
        facts = Facts(self.settings, objects.pools, self.knows_settings, self.knows_views, self._signed, memo.pools)
        is_complete = not self.has_unread_zone
        sights = sights_of(self.drafts, objects, memo, facts.views)
        problems.extend(check_views(self.drafts, facts.views, is_complete))
        problems.extend(check_sights(sights, is_complete, memo))
        if objects.is_whole:
            problems.extend(check_references(objects, memo))
        problems.extend(check_pools(objects, self.settings, memo.pools))
        problems.extend(check_alerting(objects, self.settings if self.knows_settings else None))
        hosted = hosted_here(self.drafts.values(), is_complete, self.is_stored)
        problems.extend(check_transfers(self.settings, self.settings_source, objects, hosted, self.knows_keys))
        balanced = check_balancers(objects, sights if is_complete else None, facts, memo)
        problems.extend(balanced.together)
        return balanced.each

    def _configuration(self, kept: KeptItems) -> Configuration:
        objects = self.objects
        tables: dict[str, Any] = {kind.section: kept.keyed(kind, table) for kind, table in objects.keyed.items()}
        return Configuration(
            settings=self.settings,
            zones=tuple(
                self._finished(key) for key, draft in self.drafts.items() if not (draft.is_overlay or draft.is_received)
            ),
            unready=tuple(map(unreceived, (draft for draft in self.drafts.values() if draft.is_received))),
            overlays=tuple(self._finished(key) for key, draft in self.drafts.items() if draft.is_overlay),
            load_balancers=kept.listed(Kind.LOAD_BALANCER, objects.load_balancers),
            routes=tuple(placed.item for placed in objects.routes),
            **tables,
        )

    def _finished(self, key: ZoneKey) -> Zone:
        return self.zones.get(key) or self.drafts[key].finish()
