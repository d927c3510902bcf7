"""What can be served of a configuration where the files of some zones have mistakes: all but these zones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lbdns.base.errors import Problem
from lbdns.config.checks.sights import ZoneKey
from lbdns.config.tolerance import Tolerates
from lbdns.config.yaml.source import Placed
from lbdns.dns.master.draft import ZoneDraft
from lbdns.dns.name import encode_canonical, longest_match
from lbdns.dns.zone import Zone
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import UnreadyZone
from lbdns.model.view_names import EVERY_VIEW

ZoneFiles = Mapping[str, ZoneKey]
"""The files of zones, whatever came of reading them, and which zone each is of."""


@dataclass(frozen=True, slots=True)
class SoundZones:
    """The zones without mistakes, the load balancers that stand in none with some, and those with."""

    drafts: dict[ZoneKey, ZoneDraft]
    load_balancers: Sequence[Placed[LoadBalancer]]
    unready: tuple[UnreadyZone, ...]
    files_of: Mapping[str, set[ZoneKey]]

    def keeps(self, problem: Problem) -> bool:
        """Return whether a problem is about none of the zones with mistakes."""
        unready = {(one.zone.apex, one.zone.view) for one in self.unready}
        return unready.isdisjoint(self.files_of.get(problem.file, ()))


def sound_zones(
    errors: Iterable[Problem],
    files: ZoneFiles,
    drafts: Mapping[ZoneKey, ZoneDraft],
    load_balancers: Sequence[Placed[LoadBalancer]],
    tolerates: Tolerates,
) -> SoundZones | None:
    """Return what is left without the zones whose files have mistakes; None where something else is wrong, or one of
    them is not tolerated."""
    files_of = _zones_by_file(files, drafts)
    told: dict[ZoneKey, list[str]] = {}
    for error in errors:
        for key in files_of.get(error.file, ()):
            told.setdefault(key, []).append(str(error))
    if not told or not all(tolerates(apex, view) for apex, view in told):
        return None
    places = {key: file for file, key in files.items()}
    unready = tuple(
        UnreadyZone(Zone(apex, (), places[apex, view], view), tuple(lines)) for (apex, view), lines in told.items()
    )
    is_ready: dict[str, dict[bytes, bool]] = {}
    for apex, view in (*files.values(), *drafts):
        is_ready.setdefault(view, {})[apex] = (apex, view) not in told
    everybody = is_ready.get(EVERY_VIEW, {})
    seen = {view: {**everybody, **own} for view, own in is_ready.items()}
    balancers = [
        placed
        for placed in load_balancers
        if longest_match(encode_canonical(placed.item.name), seen.get(placed.item.view, everybody)) is not False
    ]
    left = {
        (apex, view): draft
        for (apex, view), draft in drafts.items()
        if (apex, view) not in told and not (draft.is_overlay and (apex, EVERY_VIEW) in told)
    }
    return SoundZones(left, balancers, unready, files_of)


def _zones_by_file(files: ZoneFiles, drafts: Mapping[ZoneKey, ZoneDraft]) -> dict[str, set[ZoneKey]]:
    """Return the zones that each master file is of, or is included by."""
    found = {file: {key} for file, key in files.items()}
    for key, draft in drafts.items():
        for file in draft.include_lines:
            found.setdefault(file, set()).add(key)
    return found
