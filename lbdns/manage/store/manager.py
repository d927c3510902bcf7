"""Changing a running server: START HERE. A change is checked, compiled, tried, stored, and only then served.

    make(edit) -> changes -> state -> Builder.examine -> Publish.change: compile, canaries -> commit -> swap
                                                         any step fails: nothing is stored, what was served is served on

`StoreManager` holds the store's objects. `FilesManager` (files_manager.py) shows those of a server that serves files,
and refuses changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from lbdns.base.errors import ConfigError, LbdnsError, Problem
from lbdns.base.finishing import Finishing
from lbdns.base.garbage import without_cyclic_collection
from lbdns.base.kinds import BALANCING, Kind
from lbdns.base.pacing import Pacing
from lbdns.base.words import SETTINGS_FILE, STORE_PLACE
from lbdns.config.examined import Examined, Loaded
from lbdns.config.tolerance import none_tolerated
from lbdns.manage.store.appender import Appender, Followed
from lbdns.manage.store.bodies import placed_of
from lbdns.manage.store.builder import Builder
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.guarding import keep_guard
from lbdns.manage.store.item import Change, time_text
from lbdns.manage.store.making import ways_by_tokens
from lbdns.manage.store.managing import Done, Result, Running
from lbdns.manage.store.refusals import Outdated, RaceLost, StoreError, Unavailable, Unconfirmed
from lbdns.manage.store.rescue import Rescued, rescued
from lbdns.manage.store.revising import revise
from lbdns.manage.store.sqlite import Revision, Store
from lbdns.manage.store.state import State
from lbdns.manage.store.tokens import TokenColumns
from lbdns.manage.store.unreadable import Unreadable, in_the_way, refusal
from lbdns.model.configuration import Configuration
from lbdns.model.placements import private_views
from lbdns.model.settings import Settings

Made = TypeVar("Made")
MESSAGE_CHARS_MAX: Final = 500
TRIES_MAX: Final = 12
"""How often a change is made anew because another machine of the fleet was first."""

log = logging.getLogger("lbdns.store")


class StoreManager:
    """The one writer of a store."""

    is_writable = True

    def __init__(self, store: Store, settings: Settings) -> None:
        """Read the store. `running` is set once there is a server to publish to."""
        self.store: Store = store
        self.settings = settings
        self._settings_texts: Mapping[str, str] = {SETTINGS_FILE: ""}
        self.place = f"{STORE_PLACE}{store.path.parent}"
        self.running: Running | None = None
        self._builder = Builder(store.account_id)
        self._state = self._builder.sift(store.load())
        self._mistakes: frozenset[str] = frozenset()  # why what is stored is not served
        self.writing = asyncio.Lock()
        self._under_way = Finishing()  # a change that is half made is neither stored nor served as a whole
        self._refused = 0
        self.appender: Appender | None = None  # in a fleet
        store.tokens.road = self._change_tokens

    @property
    def state(self) -> State:
        """The objects in force."""
        return self._state

    @property
    def refused(self) -> int:
        """How many changes were refused since the start."""
        return self._refused

    @contextlib.asynccontextmanager
    async def _change_at_a_time(self, dry_run: bool = False) -> AsyncIterator[None]:
        """Let one change be made at a time, and count those that are refused, save where it is only tried."""
        async with self.writing:
            try:
                if not dry_run:
                    self._check_fleet()
                yield
            except RaceLost:
                raise
            except LbdnsError:
                self._refused += not dry_run
                raise

    def _check_fleet(self) -> None:
        """Raise Unavailable where the store is a fleet's, and what is changed cannot come to the others now."""
        if self.appender is not None:
            self.appender.check()
        elif self.settings.fleet is not None:
            raise Unavailable("this machine has not come into its fleet yet; nothing is changed")

    async def _first(self, once: Callable[[], Coroutine[Any, Any, Made]]) -> Made:
        """Make a change, anew where another machine of the fleet was first, until this one is."""
        for _ in range(TRIES_MAX):
            try:
                return await self._under_way.finish(once())
            except RaceLost:
                if self.appender is not None:  # else the machine has left its fleet meanwhile
                    await self.appender.newer()
        raise Unavailable(f"other machines of the fleet were first {TRIES_MAX} times in a row; nothing is changed")

    @property
    def mistakes(self) -> frozenset[str]:
        """Why what is stored is not served, beside the objects that cannot be read; a sentence each."""
        return self._mistakes

    @property
    def is_current(self) -> bool:
        """Whether nobody else has changed the store since it was read: before it was ours alone, somebody may have."""
        return self.store.head == self._state.revision

    def load(
        self,
        settings: Settings,
        settings_texts: Mapping[str, str] | None = None,
        tolerates: Callable[[bytes, str], bool] = none_tolerated,
    ) -> Loaded:
        """Return what is stored as a checked configuration under these settings; raises ConfigError.

        `settings_texts`: the texts of the settings' file and of those that it names, as they are kept. `tolerates`:
        which zones, by apex, may have to do with objects that cannot be read; they are `unready` in the configuration.
        """
        if not self.is_current:
            read = self._builder.sift(self.store.load())
            if not self.is_current:  # else a newer one was stored meanwhile, which is in force
                self._state = read
        rest = rescued(self._state, tolerates) if self._state.unreadable else Rescued(self._state, ())
        if rest is None:
            raise refusal(self._state.unreadable)
        examined = self._builder.examine(rest.state, settings)
        self._mistakes = frozenset(map(str, examined.errors))
        loaded = examined.loaded()
        self.settings, self._settings_texts = settings, settings_texts or {SETTINGS_FILE: ""}
        configuration = replace(loaded.configuration, unready=(*loaded.configuration.unready, *rest.unready))
        told = tuple(replace(one.problem(), severity="warning") for one in self._state.unreadable)
        loaded = replace(loaded, configuration=configuration, warnings=(*told, *loaded.warnings))
        return self._with_texts(loaded, rest.state)

    def _with_texts(self, loaded: Loaded, state: State) -> Loaded:
        """Return what was loaded, with the files that would say a state and its settings."""
        settings_texts, opens = self._settings_texts, bool(private_views(self.settings.views))

        def texts(pace: Pacing | None) -> Mapping[str, str]:
            from lbdns.manage.store.revisions.to_files import export

            return {**export(state, opens, pace=pace).files, **settings_texts}

        return replace(loaded, texts=texts)

    async def change(
        self,
        author: str,
        message: str,
        make: Callable[[Edit], Result],
        *,
        based_on: int | None = None,
        dry_run: bool = False,
        is_local: bool = False,
    ) -> Done[Result]:
        """Change objects: `make` writes into an Edit. Nothing changed means no revision.

        `based_on` is the revision that the whole change builds on, where it must still be the newest. `make` is called
        again where another machine of the fleet was first.
        """
        return await self._first(lambda: self._change(author, message, make, based_on, dry_run, is_local))

    async def _change(
        self,
        author: str,
        message: str,
        make: Callable[[Edit], Result],
        based_on: int | None,
        dry_run: bool,
        is_local: bool,
    ) -> Done[Result]:
        async with self._change_at_a_time(dry_run):
            before = self._state
            if based_on is not None and based_on != before.revision:
                raise Outdated("the store", based_on, before.revision)
            if before.unreadable:
                raise in_the_way(before.unreadable)
            edit = Edit(before, time.time(), is_local, self.store.given_out)
            result, changes, after, examined = await asyncio.to_thread(self._prepare, edit, make)
            warnings = (*map(_not_yet, examined.errors), *examined.warnings)
            if dry_run and changes:
                await self._keep_guard(examined)
            if dry_run or not changes:
                return Done(result, before.revision, changes, warnings)

            def commit() -> None:
                now, told = time_text(time.time()), message[:MESSAGE_CHARS_MAX]
                self._commit([Revision(after.revision, now, author, told, changes)], given_out=edit.given_out)
                self._state = after

            await self._serve(examined, after, f"{author}: {message}", commit)
            return Done(result, after.revision, changes, warnings)

    async def revise(self, make: Callable[[State], Sequence[Revision]], cause: Callable[[], str]) -> int:
        """Make several revisions at once, which are served together; returns the number of the newest one.

        `make` gives them for the state that they follow on, numbered on from its revision: their objects are checked
        already, each for itself. Raises ConfigError where they cannot be served, or another LbdnsError, with nothing
        changed. `cause` says in the log by whom and why.
        """
        return await self._first(lambda: self._revise(make, cause))

    async def _revise(self, make: Callable[[State], Sequence[Revision]], cause: Callable[[], str]) -> int:
        async with self._change_at_a_time():
            before = self._state
            if before.unreadable:
                raise in_the_way(before.unreadable)
            revised = await asyncio.to_thread(revise, before, make, self._builder, self.settings)
            if revised is None:
                return before.revision
            revisions, after, examined = revised

            def commit() -> None:
                self._commit(revisions)
                self._state = after

            await self._serve(examined, after, cause(), commit)
            return after.revision

    async def mend(self, author: str, id: str, body: Mapping[str, Any] | None, *, is_local: bool = False) -> Done[None]:
        """Give an object that cannot be read another body, or delete it (None); raises as `change` does.

        What is stored then is served once nothing else is wrong with it; until then `warnings` says what is.
        """
        return await self._first(lambda: self._mend(author, id, body, is_local))

    async def _mend(self, author: str, id: str, body: Mapping[str, Any] | None, is_local: bool) -> Done[None]:
        async with self._change_at_a_time():
            before = self._state
            one = next((one for one in before.unreadable if one.id == id), None)
            if one is None:
                raise LbdnsError(f"no stored object {id} is unreadable: the API and commands of its kind change it")
            base = before.without_unreadable(id)

            def make(edit: Edit) -> None:
                if body is None:
                    return
                if one.kind not in [*Kind]:
                    raise LbdnsError(f"{one.called} can be deleted alone: of its kind no other body is known")
                edit.create(Kind(one.kind), body, one.zone_id, id)

            edit = Edit(base, time.time(), is_local)
            make(edit)
            if edit.problems:
                raise ConfigError(edit.problems, edit.problems.more)
            made_on = one.created_on or time_text(time.time())
            changes = tuple(
                Change(change.before, replace(change.after, created_on=made_on))
                if change.after is not None and change.after.id == id
                else change
                for change in edit.finish()
            )
            after = base.changed(changes, before.revision + 1)
            what = "delete" if body is None else "repair"

            def commit() -> None:
                now, dropped = time_text(time.time()), (one,) if body is None else ()
                self._commit([Revision(after.revision, now, author, f"{what} {one.called}", changes)], dropped)
                self._state = after

            return await self._commit_mended(commit, after, f"{author}: {what} {one.called}", changes)

    async def _commit_mended(
        self, commit: Callable[[], None], after: State, cause: str, changes: tuple[Change, ...]
    ) -> Done[None]:
        """Store what leaves fewer objects that cannot be read, and serve it where it can be."""
        if after.unreadable:
            await asyncio.to_thread(commit)
            return Done(None, after.revision, changes, tuple(_not_yet(one.problem()) for one in after.unreadable))
        self._builder.forget()
        examined = await asyncio.to_thread(self._builder.examine, after, self.settings)
        await self._serve(examined, after, cause, commit)
        return Done(None, after.revision, changes, (*map(_not_yet, examined.errors), *examined.warnings))

    def _commit(self, revisions: Sequence[Revision], dropped: Sequence[Unreadable] = (), given_out: int = 0) -> None:
        """Store revisions, in a fleet once they are in its stream; in a thread. Raises RaceLost or LbdnsError."""
        if self.appender is None:
            self.store.commit_all(revisions, dropped, given_out)
            return
        mark = self.appender.append(revisions, dropped, given_out)
        try:
            self.store.commit_all(revisions, dropped, given_out, mark)
        except StoreError as error:
            told = f"revision {revisions[-1].number} is made in the fleet, and cannot be stored on this machine yet"
            raise Unconfirmed(f"{told}: {error}") from error

    def _change_tokens(self, changes: Sequence[TokenColumns | str]) -> bool:
        """Change tokens by the fleet's stream, where the store is a fleet's; returns whether it is. In a thread."""
        if self.appender is None:
            self._check_fleet()
            return False
        self.appender.change_tokens(changes)
        return True

    async def follow(self, make: Callable[[State], Followed | None], cause: str) -> None:
        """Store what other machines changed, and serve it where it can be: what cannot be read or compiled here is
        stored all the same. Raises LbdnsError where it cannot be stored.

        `make` says what follows on a state; None: nothing does. `cause` is for the log.
        """
        async with self.writing:
            followed = await asyncio.to_thread(make, self._state)
            if followed is None:
                return
            after = followed.after
            if after is self._state:
                await asyncio.to_thread(followed.commit)
                return
            examined = None if after is None else await asyncio.to_thread(self._examine_followed, after, followed)
            if examined is None or after is None:
                await asyncio.to_thread(followed.commit)
                await asyncio.to_thread(self._read_anew)
                if self.running is not None:
                    await self.running.reload(cause)
                return
            was_served = not self._mistakes
            self._mistakes = await self._store_and_serve(examined, after, followed, cause)
            if self.running is not None and not was_served and not self._mistakes:
                await self.running.reload("the store can be served again")

    def _examine_followed(self, after: State, followed: Followed) -> Examined | None:
        """Check what others changed; None where not all of it can be read."""
        try:
            for item in followed.items if not self._state.unreadable else ():
                problems: list[Problem] = []
                if item.kind in BALANCING:
                    placed_of(item, after, problems)
                if problems:
                    return None
            return None if self._state.unreadable else self._builder.examine(after, self.settings)
        except Exception:  # of another release: whatever it may be, it is told and not raised
            log.debug("what the fleet changed cannot be read", exc_info=True)
            return None

    async def _store_and_serve(
        self, examined: Examined, after: State, followed: Followed, cause: str
    ) -> frozenset[str]:
        """Store what others changed, and serve it; returns why it is not served."""

        def commit() -> None:
            if self._state is not after:
                followed.commit()
                self._state = after

        mistakes = frozenset(map(str, examined.errors))
        if not mistakes:
            try:
                await self._publish(self._with_texts(examined.loaded(), after), cause, commit)
            except StoreError:
                raise
            except LbdnsError as error:
                log.error("%s, but it cannot be served here: what was served before is served on: %s", cause, error)
                mistakes = frozenset([str(error)])
        await asyncio.to_thread(commit)
        return mistakes

    def _read_anew(self) -> None:
        self._builder = Builder(self.store.account_id)
        self._state = self._builder.sift(self.store.load())

    async def _serve(self, examined: Examined, after: State, cause: str, commit: Callable[[], None]) -> None:
        """Store a change, and serve it unless something is wrong with it yet."""
        was_served = not (self._mistakes or self._state.unreadable)
        await self._keep_guard(examined)
        if examined.errors:
            await asyncio.to_thread(commit)
        else:
            await self._put_in_force(self._with_texts(examined.loaded(), after), cause, commit)
        self._mistakes = frozenset(map(str, examined.errors))
        if self.running is not None and not was_served and not examined.errors:
            await self.running.reload("the store can be served again")

    async def _keep_guard(self, examined: Examined) -> None:
        """Raise Guarded where serving a change would move more clients than its request allows."""
        if examined.configuration is not None:
            await keep_guard(self.settings.state_dir(), examined.configuration)

    async def propose(self, make: Callable[[Edit], object], is_local: bool = False) -> Configuration:
        """Return what would be served after a change that is not made; raises as `change` does."""
        before = self._state
        if before.unreadable:
            raise in_the_way(before.unreadable)
        edit = Edit(before, time.time(), is_local, self.store.given_out)
        *_, examined = await asyncio.to_thread(self._prepare, edit, make)
        return examined.loaded().configuration

    async def _put_in_force(self, loaded: Loaded, cause: str, commit: Callable[[], None]) -> None:
        try:
            await self._publish(loaded, cause, commit)
        except (StoreError, RaceLost):
            raise
        except LbdnsError as error:  # nothing is wrong with the change: the disk is full, say
            raise StoreError(str(error)) from error

    async def _publish(self, loaded: Loaded, cause: str, commit: Callable[[], None]) -> None:
        """Store a checked change by `commit`, and serve it where a server runs."""
        if self.running is None:
            await asyncio.to_thread(commit)
        else:
            await self.running.change(loaded, cause, commit)

    @without_cyclic_collection()
    def _prepare(
        self, edit: Edit, make: Callable[[Edit], Result]
    ) -> tuple[Result, tuple[Change, ...], State, Examined]:
        """Return what a change comes to; raises ConfigError where it has mistakes.

        Where what is stored has some already, a change may leave fewer.
        """
        result = make(edit)
        if edit.problems.is_full:  # what else there is to say nobody reads
            raise ConfigError(edit.problems, edit.problems.more)
        if edit.problems:
            examined = self._builder.examine(edit.state, self.settings, edit.mended)
            # One mistake made twice, at records of one name, is two.
            found = {(problem, problem.at): problem for problem in (*edit.problems, *examined.errors)}
            raise ConfigError(found.values(), edit.problems.more)
        changes = edit.finish()
        refused = tuple(ways_by_tokens(changes, self.settings.probe_networks))
        if refused:
            raise ConfigError(refused)
        after = self._state.changed(changes, self._state.revision + 1)
        examined = self._builder.examine(after, self.settings)
        if examined.errors and not frozenset(map(str, examined.errors)) < self._mistakes:
            raise ConfigError(examined.errors, examined.more)
        return result, changes, after, examined


def _not_yet(problem: Problem) -> Problem:
    """Return a warning: what is stored is not served as long as there is this problem."""
    return replace(problem, message=f"not served yet: {problem.message}", severity="warning")
