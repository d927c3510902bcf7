"""Who is told whom this machine hears: people, by events and the log, and other processes, by a file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.base.wording import counted
from lbdns.fleet.observing.agreed import Agreed
from lbdns.fleet.observing.observer import Observer
from lbdns.fleet.told_hearing import RemoteVantage, ToldHearing, write_hearing
from lbdns.health.events import HealthChange

log = logging.getLogger("lbdns.monitor")


class HearingTelling:
    """What was told last of what an observer hears."""

    def __init__(
        self,
        observer: Observer,
        agreed: Agreed,
        report: Callable[[HealthChange], None],
        run_dir: Path,
        wall: Callable[[], float],
    ) -> None:
        """Write the file in a run directory; `report` is told every change, with the time of day of `wall`."""
        self._wall = wall
        self._observer = observer
        self._agreed = agreed
        self._report = report
        self._run_dir = run_dir
        self._loop = asyncio.get_running_loop()
        self._told = ToldHearing()
        self._untold = LastingTrouble(log, "whom this machine hears is shown again")
        self._is_cut_off_told = self._is_namesake_told = False

    def tell_hearing(self, found: Sequence[str], lost: Sequence[str]) -> None:
        """Tell that other machines are heard, or are not any more; not of those that are found in the beginning."""
        if not self._observer.hearing.has_begun(self._loop.time()):
            return
        for machines, before, after in ((found, "not heard", "heard"), (lost, "heard", "not heard")):
            for machine in machines:
                self._report(HealthChange(self._wall(), "vantage_point", machine, before, after, vantage=machine))

    def look(self) -> None:
        """Tell what is so for long enough."""
        observer = self._observer
        if observer.hearing.has_begun(self._loop.time()) and observer.is_cut_off != self._is_cut_off_told:
            self._tell_cut_off()
        if observer.namesake_s is not None and not self._is_namesake_told:
            self._is_namesake_told = True
            log.error(
                "another machine of the fleet is called %s too: each needs a name of its own, `name` of `fleet` in "
                "lbdns.yaml",
                observer.machine,
            )
        self.show()

    def _tell_cut_off(self) -> None:
        self._is_cut_off_told = is_cut_off = self._observer.is_cut_off
        heard, known = self._observer.count
        words = ("connected", "cut off") if is_cut_off else ("cut off", "connected")
        detail = f"it hears {heard - 1} of {counted(known - 1, 'other machine')}"
        if is_cut_off:
            detail += ": what was agreed last stands where its own probes do not say up"
        machine = self._observer.machine
        self._report(HealthChange(self._wall(), "vantage_point", machine, *words, vantage=machine, detail=detail))

    def show(self) -> None:
        """Write the file that says who is heard, where it says something else."""
        hearing, others = self._observer.hearing, self._observer.hearing.machines
        told = ToldHearing(
            tuple(one for one in others if hearing.is_heard(one)),
            others,
            tuple(RemoteVantage(*each, name) for name in others for each in hearing.vantages(name)),
            self._cut_off_since_s(),
            self._agreed.when.by.heard,
        )
        if told == self._told:
            return
        self._told = told
        try:
            write_hearing(self._run_dir, told)
        except LbdnsError as error:
            self._untold.begin(str(error))
        else:
            self._untold.end()

    def _cut_off_since_s(self) -> float | None:
        """Return since when it is cut off, for a worker that began anew meanwhile too."""
        if not self._observer.is_cut_off:
            return None
        if self._told.cut_off_since_s is not None:
            return self._told.cut_off_since_s
        agreed_at_s = self._agreed.when.at_s
        return self._loop.time() - (max(self._wall() - agreed_at_s, 0.0) if agreed_at_s else 0.0)
