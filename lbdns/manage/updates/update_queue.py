"""Dynamic updates through the store's one writer: START HERE. Those that wait together are published together.

    take -> wait -> a batch: each on what those before it left -> revisions, one each -> examined, tried, stored, served
                      |                                                  |
                      | an RCODE, nothing changed                        | refused as a whole, or failed: each half by
                      | the same octets again: known, while they stand   | itself, down to the one that is the reason

Who asked is answered once the batch is in force, or could not be: what is acknowledged is stored and served, and of
what is refused nothing is left. An update by itself is worked out in well under a millisecond; what takes long is to
publish, whatever it is, so the more updates come at once, the more go along.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from lbdns.base.errors import ConfigError, LbdnsError
from lbdns.base.kinds import Kind
from lbdns.base.wording import counted, printable
from lbdns.dns.codes import NOERROR, NOTAUTH, RCODE_NAMES, REFUSED, SERVFAIL
from lbdns.dns.name import show_name
from lbdns.dns.serial import SERIALS
from lbdns.manage.store.item import time_text
from lbdns.manage.store.manager import MESSAGE_CHARS_MAX, StoreManager
from lbdns.manage.store.object_rows import Encode, encode_changes, once_encoded
from lbdns.manage.store.refusals import StoreError, Unavailable, Unconfirmed
from lbdns.manage.store.sqlite import Revision
from lbdns.manage.store.state import State
from lbdns.manage.updates.held_names import HeldNames
from lbdns.manage.updates.made_updates import MadeUpdate, MadeUpdates, made_update
from lbdns.manage.updates.updated_zone import UpdatedZone, Writing, shown_changes
from lbdns.model.view_names import labelled
from lbdns.transfer.content.serials_in_force import SerialOf
from lbdns.transfer.update.asked_update import AskedUpdate
from lbdns.transfer.update.update_section import DONE, Objects, UpdateOutcome
from lbdns.transfer.update.updating import update_zone
from lbdns.transfer.update.zone_now import ZoneNow

WAITING_MAX: Final = 4096
BATCH_MAX: Final = 512
"""Updates that are published together."""
GATHER_SHARE: Final = 1.0
"""How long a batch waits at most, of what the one before it took, for those who were answered by that and ask again at
once; as long as it has fewer than the largest of the last GATHER_BATCHES."""
GATHER_BATCHES: Final = 8
GATHER_MAX_S: Final = 0.1
AHEAD_MIN: Final = 8
AHEAD_MAX: Final = 16
"""Updates that are worked out ahead at once, while a batch waits for more: few, so that few come meanwhile, which are
left when the batch begins."""
AHEAD_RECORDS: Final = 64
"""Records that they may have to be worked out without a thread, in about a millisecond: beside one, the event loop and
it would wait for each other's turns."""
TRIES_MAX: Final = 8
"""Publications that fail one after another for no fault of an update's, before the rest of a batch is not tried."""
ZONES_KEPT: Final = 64
"""Zones whose records are kept by name, those updated last."""
NOT_NOW: Final = UpdateOutcome(SERVFAIL, "nothing can be changed now; the server's log says why")
TOO_MANY: Final = UpdateOutcome(SERVFAIL, f"more than {WAITING_MAX} updates wait")

log = logging.getLogger("lbdns.updates")


@dataclass(slots=True)
class _WaitingUpdate:
    """An update that nobody has been answered for yet."""

    asked: AskedUpdate
    done: asyncio.Future[UpdateOutcome]
    outcome: UpdateOutcome = DONE


@dataclass(slots=True)
class _Attempt:
    """What a batch came to. `state`: that it began with; `count`: how many of its updates are worked out; `is_tried`:
    whether it has been asked for. Its revisions, what encodes them, its updates, the zones that they changed, by id;
    and the id of the zone that is meant by an apex and a view, None for none, with the serial that it was served with
    when it began."""

    state: State | None = None
    count: int = 0
    is_tried: bool = False
    revisions: list[Revision] = field(default_factory=list)
    encode: Encode = field(default_factory=once_encoded)
    made: list[MadeUpdate] = field(default_factory=list)
    touched: dict[str, UpdatedZone] = field(default_factory=dict)
    meant: dict[tuple[bytes, str], tuple[str | None, int | None]] = field(default_factory=dict)


class _FailedUpdateError(Exception):
    """A mistake of ours in working out one update: its place in the batch."""


class UpdateQueue:
    """The updates of one store."""

    def __init__(self, manager: StoreManager, serials: Callable[[], SerialOf]) -> None:
        """Change what `manager` holds; `serials` gives the serials that zones are served with now."""
        self._manager = manager
        self._serials = serials
        self._waiting: deque[_WaitingUpdate] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._zones: dict[str, UpdatedZone] = {}  # by id, those updated last at the end
        self._ids: dict[str, str] = {}  # a zone's label -> its id
        self._held = HeldNames()
        self._made = MadeUpdates(time.monotonic)
        self._has_recalled = False
        self._failures = 0
        self._sizes: deque[int] = deque(maxlen=GATHER_BATCHES)
        self._took_s = 0.0
        self._awaited = 0  # how many are to wait until `_arrived` is told
        self._arrived: asyncio.Future[None] | None = None

    def take(self, asked: AskedUpdate) -> asyncio.Future[UpdateOutcome]:
        """Make an update, and return what will be said of it once it is served; it raises nothing."""
        waiting = _WaitingUpdate(asked, asyncio.get_running_loop().create_future())
        if len(self._waiting) >= WAITING_MAX:
            waiting.done.set_result(TOO_MANY)
            return waiting.done
        self._waiting.append(waiting)
        if self._arrived is not None and not self._arrived.done() and len(self._waiting) >= self._awaited:
            self._arrived.set_result(None)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        return waiting.done

    async def _work(self) -> None:
        try:
            while self._waiting:
                attempt = _Attempt()
                await self._gather(attempt)
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
                self._sizes.append(len(batch))
                self._failures, began_s = 0, time.monotonic()
                await self._settle(batch, attempt)
                self._took_s = time.monotonic() - began_s
        finally:
            self._worker = None

    async def _gather(self, attempt: _Attempt) -> None:
        """Wait for as many as were together last, but not for long; those that are there are worked out meanwhile."""
        wanted = max(self._sizes, default=0)
        until_s = time.monotonic() + min(self._took_s * GATHER_SHARE, GATHER_MAX_S)
        while (count := len(self._waiting)) < wanted and (left_s := until_s - time.monotonic()) > 0:
            if count - attempt.count >= AHEAD_MIN:
                lot = [*islice(self._waiting, attempt.count + AHEAD_MAX)]
                if self._is_soon_done(lot[attempt.count :], attempt):
                    self._try_ahead(lot, attempt)
                    await asyncio.sleep(0)
                else:
                    await asyncio.to_thread(self._try_ahead, lot, attempt)
                continue
            self._awaited = min(wanted, attempt.count + AHEAD_MIN)
            self._arrived = asyncio.get_running_loop().create_future()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived, left_s)

    def _is_soon_done(self, lot: Sequence[_WaitingUpdate], attempt: _Attempt) -> bool:
        """Whether updates are short, and of zones whose records are at hand, as others have changed them."""
        size, nowhere = 0, (None, None)
        for one in lot:
            message = one.asked.message
            size += len(message.prerequisites) + len(message.updates)
            if attempt.meant.get((message.apex, one.asked.view), nowhere)[0] not in attempt.touched:
                return False
        return size <= AHEAD_RECORDS

    def _try_ahead(self, batch: Sequence[_WaitingUpdate], attempt: _Attempt) -> None:
        """Work out what a batch comes to on the state in force, in a thread or without one. What fails here is tried
        again, and told, when the batch is settled."""
        try:
            self._try(batch, self._manager.state, attempt)
        except Exception:
            self._drop(attempt)

    async def _settle(self, batch: Sequence[_WaitingUpdate], attempt: _Attempt | None = None) -> None:
        """Publish a batch, or what of it can be; `attempt`: what it came to ahead."""
        attempt = attempt or _Attempt()

        def make(state: State) -> Sequence[Revision]:
            if attempt.state is not state or attempt.is_tried:
                # Another change came first: here, or of another machine of the fleet, or what this one had appended
                # when it was killed.
                self._drop(attempt)
            attempt.is_tried = True
            self._try(batch, state, attempt)
            return attempt.revisions

        try:
            await self._manager.revise(make, lambda: _cause(attempt.revisions))
        except ConfigError as error:
            self._forget(attempt.touched)
            why = UpdateOutcome(REFUSED, printable(error.problems[0].message))
            await self._settle_apart(batch, why)
        except (Unavailable, Unconfirmed) as error:
            self._forget(attempt.touched)
            log.error("%s cannot be made: %s", counted(len(batch), "update"), error)
            self._answer(batch, NOT_NOW)
        except StoreError as error:
            self._forget(attempt.touched)
            self._failures += 1
            log.error("%s cannot be served: %s", counted(len(attempt.revisions), "update"), error)
            if self._manager.store.problem or self._failures >= TRIES_MAX:
                self._answer(batch, NOT_NOW)
            else:
                await self._settle_apart(batch, NOT_NOW)
        except LbdnsError as error:
            self._forget(attempt.touched)
            log.error("%s cannot be made: %s", counted(len(batch), "update"), error)
            self._answer(batch, NOT_NOW)
        except _FailedUpdateError as error:
            self._forget(attempt.touched)
            at = error.args[0]
            log.error("lbdns failed on an update of %s", batch[at].asked.author, exc_info=error.__cause__)
            self._answer(batch[at : at + 1], NOT_NOW)
            if len(batch) > 1:
                await self._settle([*batch[:at], *batch[at + 1 :]])
        except Exception:  # a mistake of ours, told: whose update it is on shows when they are tried apart
            self._forget(attempt.touched)
            self._failures += 1
            log.exception("lbdns failed on %s", counted(len(batch), "update"))
            if self._failures >= TRIES_MAX:
                self._answer(batch, NOT_NOW)
            else:
                await self._settle_apart(batch, NOT_NOW)
        else:
            self._failures = 0
            self._settled(attempt)
            self._answer(batch)

    async def _settle_apart(self, batch: Sequence[_WaitingUpdate], why: UpdateOutcome) -> None:
        """Publish the halves of a batch one after the other: something in it cannot be. Of one alone, that is `why`."""
        if len(batch) == 1:
            batch[0].outcome = why
            self._answer(batch)
            return
        half = len(batch) // 2
        await self._settle(batch[:half])
        await self._settle(batch[half:])

    def _answer(self, batch: Sequence[_WaitingUpdate], outcome: UpdateOutcome | None = None) -> None:
        for one in batch:
            said = outcome or one.outcome
            if said.why:
                asked, name = one.asked, RCODE_NAMES[said.rcode]
                log.info("%s: update of %s: %s: %s", asked.author, show_name(asked.message.apex), name, said.why)
            if not one.done.done():
                one.done.set_result(said)

    def _drop(self, attempt: _Attempt) -> None:
        """Have an attempt begin anew."""
        if attempt.made or attempt.touched:
            self._forget(attempt.touched)
            self._has_recalled = False
        attempt.state, attempt.count = None, 0
        attempt.touched, attempt.revisions, attempt.made, attempt.meant = {}, [], [], {}
        attempt.encode = once_encoded()

    def _try(self, batch: Sequence[_WaitingUpdate], state: State, attempt: _Attempt) -> None:
        """Work out what a batch comes to on a state, going on from what is worked out of it."""
        attempt.state = state
        now_s = time.time()
        now = time_text(now_s)
        self._held.follow(state)
        if not self._has_recalled:
            self._made.recall(self._manager.store, lambda id: self._records(state, id) if id else None)
            self._has_recalled = True
        for at, one in enumerate(batch[attempt.count :], attempt.count):
            try:
                one.outcome = self._update(one.asked, state, attempt, now, int(now_s))
            except Exception as error:
                raise _FailedUpdateError(at) from error
            attempt.count += 1

    def _update(self, asked: AskedUpdate, state: State, attempt: _Attempt, now: str, now_s: int) -> UpdateOutcome:
        """Work out what one update comes to, on what those before it left."""
        records, served = self._zone(state, asked, attempt)
        if records is None:
            return UpdateOutcome(NOTAUTH)
        known = self._made.known(asked.digest, records)
        if known is not None:
            return known
        if served is not None and records.zone.id in attempt.touched:
            served = (served + 1) % SERIALS  # what is served now is no more what an update before this one left
        records.serve_as(served)
        zone = ZoneNow(records, records.apex)
        outcome = update_zone(zone, asked.message, self._objections(asked))
        if outcome.rcode == NOERROR and zone.changed:
            number = state.revision + len(attempt.revisions) + 1
            attempt.touched[records.zone.id] = records
            changes = records.take(zone, Writing(number, now, now_s))
            message = f"update: {', '.join(shown_changes(changes)) or 'change the SOA'}"[:MESSAGE_CHARS_MAX]
            texts = tuple(encode_changes(changes, attempt.encode))
            attempt.revisions.append(Revision(number, now, asked.author, message, changes, asked.digest.hex(), texts))
        if asked.digest:
            attempt.made.append(made_update(asked.digest, outcome, asked.message, records))
        return outcome

    def _objections(self, asked: AskedUpdate) -> Objects:
        def why_not(owner: bytes, rdtype: int, is_added: bool) -> str:
            said = asked.objects(owner, rdtype, is_added)
            return said or (self._held.why_not(owner, rdtype, asked.view) if is_added else "")

        return why_not

    def _zone(self, state: State, asked: AskedUpdate, attempt: _Attempt) -> tuple[UpdatedZone | None, int | None]:
        """Return the zone that an update is about, as the batch has left it, None where there is none; and the serial
        that it is served with."""
        key = asked.message.apex, asked.view
        if key not in attempt.meant:
            attempt.meant[key] = self._id_meant(state, *key), self._serials()(*key)
        id, served = attempt.meant[key]
        if id is None:
            return None, None
        return attempt.touched.get(id) or self._records(state, id), served

    def _id_meant(self, state: State, apex: bytes, view: str) -> str | None:
        """Return the id of the zone of an apex that a view has, or all see; None where there is none."""
        name = show_name(apex)
        labels = (labelled(name, one) for one in dict.fromkeys((view, "")))
        return next(filter(None, (self._id(state, label) for label in labels)), None)

    def _records(self, state: State, id: str) -> UpdatedZone | None:
        """Return a zone as it is stored, None where it is none any more."""
        zone, items = state.get(Kind.ZONE, id), state.records(id)
        if zone is None:
            return None
        known = self._zones.pop(id, None)
        if known is None or known.items is not items:
            known = UpdatedZone(zone, items)
        known.zone = zone
        self._zones[id] = known
        if len(self._zones) > ZONES_KEPT:
            del self._zones[next(iter(self._zones))]
        return known

    def _id(self, state: State, label: str) -> str | None:
        """Return the id of the zone of a label."""
        for is_read_anew in (False, True):
            if is_read_anew:
                self._ids = {zone.label: id for id, zone in state.all(Kind.ZONE).items()}
            id = self._ids.get(label)
            zone = state.get(Kind.ZONE, id) if id is not None else None
            if zone is not None and zone.label == label:
                return id
        return None

    def _settled(self, attempt: _Attempt) -> None:
        """Keep what the batch came to for the next one: that is what is stored now."""
        self._made.note(attempt.made)
        state = self._manager.state
        for id, records in attempt.touched.items():
            zone = state.get(Kind.ZONE, id)
            if zone is not None:
                records.settle(zone, state.records(id))

    def _forget(self, touched: dict[str, UpdatedZone]) -> None:
        """Have zones read anew whose records are not those of the store."""
        for id in [*touched]:
            self._zones.pop(id, None)


def _cause(revisions: Sequence[Revision]) -> str:
    if len(revisions) == 1:
        return f"{revisions[0].author}: {revisions[0].message}"
    return f"{len(revisions)} updates, of {', '.join(dict.fromkeys(one.author for one in revisions))}"
