"""What a server begins with: what lies at its source, or, where that cannot be served, what was served last.

    read, bind, compile, try --> served
             | a mistake, an address that cannot be had, a canary that differs; `strict` ends here
             v
    what was served last: compiled --> its texts --> none of them: the start fails, for the first reason
             another release compiled it, or it is damaged

Of a store, what was served last is its settings: the objects are in the store, where each change was checked.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import counted, moment
from lbdns.config.examined import Loaded
from lbdns.config.files_read import FilesRead
from lbdns.config.tolerance import Tolerates, all_tolerated, none_tolerated
from lbdns.dns.name import show_name
from lbdns.model.configuration import Configuration
from lbdns.model.view_names import labelled
from lbdns.processes.supervisor.configuration_source import ConfigurationSource
from lbdns.publish.copy_grounds import Written
from lbdns.publish.first_needs import FirstNeeds
from lbdns.publish.last_served import Compiled, LastServed, Origin, find_last_served
from lbdns.publish.publisher import Published, Publisher
from lbdns.telemetry.server_facts import NotServed
from lbdns.telemetry.standing import count_objects

Made = TypeVar("Made")

log = logging.getLogger("lbdns.processes")


@dataclass(frozen=True, slots=True)
class Beginning:
    """A configuration to begin with. `not_served`: what lies at the source instead, where this is what was served last,
    since `served_at` (unix seconds). `compiled`: it as this release compiled it, with its slots: so it is kept.
    `written`: where the source, which would give the same, has not been read: what was written beside it; `needs`: what
    the first answers need then."""

    loaded: Loaded
    served_at: float
    not_served: NotServed | None = None
    compiled: Compiled | None = None
    written: Written | None = None
    needs: FirstNeeds | None = None

    @property
    def is_unread(self) -> bool:
        """Whether the source, which would give the same, has not been read yet."""
        return self.written is not None

    @property
    def configuration(self) -> Configuration:
        """The configuration."""
        return self.loaded.configuration

    def restored(self, publisher: Publisher) -> Published:
        """Return a generation of it as it was compiled; raises LbdnsError."""
        assert self.compiled is not None, "who has none compiles it"
        return publisher.restore(self.configuration, *self.compiled, self.written, self.needs)

    def whence(self, place: str) -> str:
        """Return in words what it comes from; `place`: the source's."""
        if self.is_unread:
            return f"{place}, as it was compiled last: nothing has changed since"
        return place if self.not_served is None else "what was served last"


def read_first(source: ConfigurationSource, files: FilesRead) -> Loaded | LbdnsError:
    """Return what lies at the source, or why it cannot be read.

    Zones with mistakes are tolerated where they were so in what was served last, and where nothing ever was: no zone
    gets lost that was served.
    """
    try:
        return source.read(files, _tolerance(source))
    except LbdnsError as error:
        return error
    except Exception as error:
        log.exception("lbdns failed on %s", source.place)
        return LbdnsError(f"lbdns failed on {source.place}: {error!r}")


def tell_served(cause: str, started_s: float, published: Published) -> None:
    """Say what is served since a moment ago, and how long that took from `started_s` on, of the monotonic clock."""
    took_ms = (time.monotonic() - started_s) * 1000
    counts = count_objects(published.configuration)
    log.info("%s: serving %s (generation %d, %.0f ms)", cause, counts, published.generation, took_ms)


def tell_refused(cause: str, refused: NotServed) -> None:
    """Say why a configuration that came later is not served."""
    for problem in refused.problems:
        log.error("%s", problem)
    count = counted(len(refused.problems), "problem")
    log.error("%s, but the new configuration has %s: what was served before is served on", cause, count)


def tell_still_refused(refused: NotServed | None, place: str, served_at: float) -> None:
    """Say once more why what lies at the source is not served, where it is not."""
    if refused is not None:
        more = f" (and {len(refused.problems) - 1} more)" if len(refused.problems) > 1 else ""
        told = "%s: what was served last, as of %s, is still served, for: %s%s"
        log.error(told, place, moment(served_at), refused.problems[0], more)


def _tolerance(source: ConfigurationSource) -> Tolerates:
    try:
        kept = find_last_served(source.settings().state_dir(), source.place)
    except LbdnsError:
        return none_tolerated  # something was served; what it was is told where it is needed
    return all_tolerated if kept is None else kept.tolerates


async def begin(
    source: ConfigurationSource,
    found: Beginning | Loaded | LbdnsError,
    state_dir: Path,
    scratch: Path,
    make: Callable[[Beginning], Awaitable[Made]],
) -> Made:
    """Return what `make` makes of the first beginning that it does not refuse with an LbdnsError; raises the first such
    error where it refuses all. `found`: what lies at the source, why it cannot be read, or what reading would give."""
    if isinstance(found, Beginning):
        try:
            return await make(found)
        except LbdnsError as error:
            log.debug("what was served last cannot be served as it was compiled: %s", error)
            found = read_first(source, source.files())
    if isinstance(found, Loaded):
        for warning in found.warnings:
            log.warning("%s", warning)
        try:
            return await make(Beginning(found, time.time()))
        except LbdnsError as error:
            found = error
    if source.settings().strict:
        raise found
    not_served = NotServed.of(found, time.time())
    for beginning in _kept_ones(source, state_dir, scratch, not_served):
        try:
            made = await make(beginning)
        except LbdnsError as error:
            log.error("what was served last cannot be served either: %s", error)
            continue
        for problem in not_served.problems:
            log.error("%s", problem)
        log.error(
            "%s cannot be served (%s): what was served last, since %s, is served until that is mended",
            source.place,
            counted(len(not_served.problems), "problem"),
            moment(beginning.served_at),
        )
        return made
    return await make(Beginning(_whatever_is_right(source, found), time.time()))


def _whatever_is_right(source: ConfigurationSource, refused: LbdnsError) -> Loaded:
    """Return what lies at the source without the zones that have mistakes, whether these were served before or not:
    nothing of that is left. Raises `refused` where there is more that is wrong."""
    try:
        return source.load(source.files(), all_tolerated)
    except LbdnsError:
        raise refused from None


def tell_unready(configuration: Configuration) -> None:
    """Say which zones are not served, and why."""
    for one in configuration.unready:
        for problem in one.problems:
            log.error("%s", problem)
        zone = labelled(show_name(one.zone.apex), one.zone.view)
        log.error("zone %s is answered with SERVFAIL until that is mended", zone)


def _kept_ones(
    source: ConfigurationSource, state_dir: Path, scratch: Path, not_served: NotServed
) -> Iterator[Beginning]:
    """Yield what is kept of the source in the ways in which it can be read, the nearest to what was served first."""
    try:
        kept = find_last_served(state_dir, source.place)
    except LbdnsError as error:
        log.error("what was served last cannot be read: %s", error)
        return
    if kept is None:
        return
    for read in (_under_settings, _compiled, _from_texts):
        try:
            beginning = read(_KeptCopy(source, kept, state_dir, scratch, not_served))
        except LbdnsError as error:
            if str(error) not in not_served.problems:  # which are told in a moment
                log.warning("what was served last: %s", error)
            continue
        if beginning is not None:
            yield beginning


class _KeptCopy(NamedTuple):
    """What is kept of a source, in a state directory; compiled parts are unpacked in `scratch`."""

    source: ConfigurationSource
    kept: LastServed
    state_dir: Path
    scratch: Path
    not_served: NotServed

    def beginning(self, loaded: Loaded, compiled: Compiled | None = None) -> Beginning:
        """Return what to begin with."""
        return Beginning(loaded, self.kept.served_at, self.not_served, compiled)

    def adapted(self, configuration: Configuration) -> Configuration:
        """Return a configuration as the command line changes it, with the state where it was found."""
        settings = self.source.override(configuration.settings)
        if settings.state_dir() != self.state_dir:
            settings = settings.model_copy(update={"state": self.state_dir})
        return dataclasses.replace(configuration, settings=settings)


def _under_settings(one: _KeptCopy) -> Beginning | None:
    """Return what lies at the source under the settings that were served last, None where the source is those."""
    if one.source.load_under is None:
        return None
    settings = one.adapted(one.kept.configuration()).settings
    return one.beginning(one.source.load_under(settings, one.kept.settings_texts()))


def _compiled(one: _KeptCopy) -> Beginning:
    """Return what was served last as it was compiled."""
    compiled = one.kept.compiled(one.scratch)
    return one.beginning(Loaded(one.adapted(one.kept.configuration()), ()), compiled)


def _from_texts(one: _KeptCopy) -> Beginning:
    """Return what was served last from its texts."""
    loaded = one.source.load_texts(one.kept.texts())
    configuration = one.adapted(loaded.configuration)
    if one.kept.is_of_store:
        configuration = _origin(one.kept).adopted_by(configuration)
    texts = one.kept.all_texts()  # now: what is kept of this start takes the copy's place
    return one.beginning(dataclasses.replace(loaded, configuration=configuration, texts=lambda pace: texts))


def _origin(kept: LastServed) -> Origin:
    """Return what is known of the objects beside their texts, which may be nothing: they are served all the same."""
    try:
        return kept.origin()
    except LbdnsError as error:
        log.warning("who made what was served last is not known: %s", error)
        return Origin()
