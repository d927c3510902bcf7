"""The responders as a group: started on their sockets, replaced without an unread moment, and stood in for at once.

replace: new ones start on the sockets that stay -> both read -> the old ones stop -> sockets that go are closed
died, hung: the spare process, which waits with the snapshot mapped, is given the sockets, and the memory in which lies
            what the other had read and not yet answered -> another spare is started
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lbdns.base.errors import LbdnsError
from lbdns.base.words import RESPONDER_MODULE
from lbdns.mapped.counter_room import allocate_counters
from lbdns.mapped.counter_words import BEAT_NS, GENERATION
from lbdns.mapped.counters import open_counters
from lbdns.mapped.query_room import allocate_query_room
from lbdns.mapped.rate_room import allocate_rates
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.sample_room import allocate_samples, capacity_for
from lbdns.mapped.tap_room import allocate_tap
from lbdns.processes.responder.fast_port import load_loop, parts_of
from lbdns.processes.sockets import Listener, ListenerSet, ResponderDuty, TlsListener
from lbdns.processes.supervisor.child_process import ChildProcess
from lbdns.processes.supervisor.children import Child, child_command
from lbdns.processes.supervisor.kept import Duty, Kept
from lbdns.processes.supervisor.last_reader import close_unread
from lbdns.processes.supervisor.pulse import Pulse
from lbdns.processes.supervisor.spare_responder import FIRST_BEAT_S, STOP_S, SpareResponder
from lbdns.processes.supervisor.takeover import Orphan

if TYPE_CHECKING:
    from lbdns.publish.publisher import Published
    from lbdns.telemetry.tally import Tally, TallyPlan

SILENT_S = 0.6  # an idle responder beats four times a second; one that is silent is replaced within a second
ADOPTION_S = 1.0
POLL_FIRST_S, POLL_GROWTH, POLL_S = 0.0003, 1.5, 0.005  # a small snapshot is taken up in a millisecond or two
SWITCH_S = 0.0005  # a thread that compiles lets the event loop on so soon: a responder may have died


log = logging.getLogger("lbdns.processes")


class Responders(Kept):
    """All responder processes of this supervisor and the sockets that it holds open for them."""

    kind = "responder"
    words = "responder"

    def __init__(self, state_dir: Path, run: RunDirectory, spare: SpareResponder) -> None:
        """Begin with none, but for the spare one that may have been begun."""
        self._state_dir = state_dir
        self._run = run
        self.children: list[Child] = []
        self.sets: list[ListenerSet] = []
        self._log_format = ""
        self._spare = spare
        self._rooms: dict[Child, tuple[int, ...]] = {}  # what each has in hand
        self._restarts_before = self._hangs_before = 0  # of responders that were replaced

    @property
    def threads_each(self) -> int:
        """How many threads of the fast path a responder has at most."""
        return max(held.thread_count for held in self.sets)

    @property
    def process_count(self) -> int:
        """How many responders there are."""
        return len(self.children)

    @property
    def alive(self) -> int:
        """How many are running."""
        return sum(bool(child.pid) for child in self.children)

    @property
    def restarts(self) -> int:
        """How many times a responder died and was started again."""
        return self._restarts_before + sum(child.restarts for child in self.children)

    @property
    def hangs(self) -> int:
        """How many of those had fallen silent."""
        return self._hangs_before + sum(child.hangs for child in self.children)

    @property
    def beat_ages_s(self) -> tuple[float | None, ...]:
        """Of each responder's thread that is most behind."""
        return tuple(child.beat_age_s for child in self.children)

    @property
    def is_spared(self) -> bool:
        """Whether a spare waits."""
        return self._spare.is_waiting

    def settle(self, prepared: Published, fast: int, tally: Tally, commit: Callable[[], None]) -> TallyPlan:
        """Make room for a generation, plan its counts, and then commit it: all that may fail yet, in one thread."""
        self.make_room(prepared.configuration.settings.workers, fast, prepared)
        tallied = tally.plan(prepared.slots)
        commit()
        return tallied

    def make_room(self, count: int, fast: int, prepared: Published) -> None:
        """Allocate what `count` responders, of so many threads of the fast path at most, count in; raises LbdnsError
        where there is no room."""
        slots = prepared.slots
        paths = {self._run.counters(index, part) for index in range(count) for part in range(parts_of(fast))}
        try:
            for path in paths.union(self._run.all_counters()):
                allocate_counters(
                    path, slots.load_balancer_count, slots.pool_count, slots.endpoint_count, slots.rule_count
                )
            parts = parts_of(fast)
            for path in (self._run.samples(index, part) for index in range(count) for part in range(parts)):
                allocate_samples(path, capacity_for(parts))
            allocate_rates(self._run.rates)
            if prepared.configuration.settings.dnstap is not None:
                for path in (self._run.taps(index, part) for index in range(count) for part in range(parts)):
                    allocate_tap(path)
        except OSError as error:
            raise LbdnsError(
                f"{self._run.path}: no room for counters, samples, rates or dnstap: {error.strerror}"
            ) from error

    async def start(self, duty: Duty) -> None:
        """Put a responder on each set of sockets, on the first the one that was begun ahead; raises LbdnsError where
        one does not start."""
        sys.setswitchinterval(SWITCH_S)
        if self._spare.log_format == duty.log_format:
            await self._spare.wait()
            await self._replace(duty.sets, duty.log_format, is_ahead=True)
        else:
            await self._replace(duty.sets, duty.log_format)

    async def replace(self, duty: Duty) -> None:
        """Put others in their place where sockets or the log's format are others; raises LbdnsError where one does not
        start. Then those before go on, and sockets that were bound for the others are closed."""
        if list(duty.sets) == self.sets and duty.log_format == self._log_format:
            return
        try:
            await self._replace(duty.sets, duty.log_format)
        finally:
            await self.close_unused(duty.sets)

    async def relieve(self) -> None:
        """Put others in their place, on the same sockets: files that those map are gone. Raises LbdnsError where one
        does not start; then those before go on."""
        await self._replace(self.sets, self._log_format)

    def held_files(self) -> list[Path]:
        """Return what those that run count in, and put their samples into."""
        each = [
            path
            for index, held in enumerate(self.sets)
            for part in range(parts_of(held.thread_count))
            for path in (self._run.counters(index, part), self._run.samples(index, part))
        ]
        return [*each, self._run.rates]

    async def _replace(self, sets: Sequence[ListenerSet], log_format: str, is_ahead: bool = False) -> None:
        """Put a responder on each of `sets` and then stop those before; sockets in none of `sets` are closed.
        `is_ahead`: the spare process is the first of them."""
        fresh = self._fresh(sets, log_format)
        ahead = [self._spare.call(self._duty(0, sets, self._rooms[fresh[0]]))] if is_ahead else []
        starts = [child.start(one) for child, one in zip_longest(fresh, ahead)]
        results = await asyncio.gather(*starts, return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            await self._end(fresh, sets)
            raise failures[0]
        self._restarts_before, self._hangs_before = self.restarts, self.hangs
        before, self.children = self.children, fresh
        held_before = self.sets
        gone = absent([listener for one in self.sets for listener in one.every], sets)
        self.sets = list(sets)
        self._log_format = log_format
        for listener in gone:
            listener.retire()
        await self._end(before, held_before)
        for listener in gone:
            listener.close()
        await self._spare.begin(self._log_format, parts_of(self.threads_each) - 1)

    async def _end(self, children: Sequence[Child], sets: Sequence[ListenerSet]) -> None:
        """Stop responders on `sets`; what one that served does not answer itself is answered by another process."""
        stopped = await asyncio.gather(*(child.stop(STOP_S) for child in children))
        for index, (child, has_ended_well) in enumerate(zip(children, stopped, strict=True)):
            if child.has_been_ready and not has_ended_well and self._rooms[child]:
                await self._finish(ResponderDuty(index, len(children), sets[index], self._rooms[child], stays=False))
        self._free_rooms(children)

    async def _finish(self, duty: ResponderDuty) -> None:
        """Have what a responder that did not end well had in hand answered by a process that ends then."""
        try:
            running = self._spare.call(duty) or self._process(duty)
        except OSError as error:
            log.error("the queries that responder %d had in hand are lost: %s", duty.index, error.strerror)
            return
        try:
            await asyncio.wait_for(running.wait(), STOP_S)
        except TimeoutError:
            running.signal(signal.SIGKILL)
            await running.wait()

    def _process(self, duty: ResponderDuty) -> ChildProcess:
        descriptors = [*duty.held.filenos(), *duty.rooms]
        command = child_command(RESPONDER_MODULE, self._arguments(duty, self._log_format))
        return ChildProcess(command, descriptors, reports=False, listens=False)

    def _fresh(self, sets: Sequence[ListenerSet], log_format: str) -> list[Child]:
        """Describe a responder for each of `sets`, with room for what it will have in hand.

        Raises LbdnsError where there is none.
        """
        fresh: list[Child] = []
        with contextlib.ExitStack() as undo:
            undo.callback(self._free_rooms, fresh)
            for index, held in enumerate(sets):
                rooms = allocate_rooms(held.thread_count)
                fresh.append(self._child(index, sets, rooms, log_format))
                self._rooms[fresh[-1]] = rooms
            undo.pop_all()
        return fresh

    def _free_rooms(self, children: Sequence[Child]) -> None:
        for child in children:
            for room in self._rooms.pop(child, ()):
                os.close(room)

    def wake(self) -> None:
        """Have every responder look for a new generation."""
        for child in self.children:
            child.wake()
        self._spare.wake()

    def look(self) -> None:
        """Kill those that are silent; but not the spare in the moment in which it is to go on for another."""
        are_killed = [child.look() for child in self.children]
        if not any(are_killed):
            self._spare.look()

    async def relieve_orphans(self, orphans: Sequence[Orphan]) -> None:
        """Stop the orphans, whose sockets are read by our own responders or by nobody from now on."""
        gone = absent([listener for one in orphans for listener in one.held.every], self.sets)
        for listener in gone:
            listener.retire()
        await asyncio.gather(*(orphan.relieve() for orphan in orphans))
        for listener in gone:
            listener.close()

    async def adopted(self, generation: int) -> bool:
        """Wait until every responder answers from a generation; False where one does not within ADOPTION_S.

        The slow path sees a new generation with its next batch; only the fast path's threads are a moment behind.
        """
        words = [
            open_counters(path)
            for index, held in enumerate(self.sets)
            for part in range(1, 1 + held.thread_count)
            if (path := self._run.counters(index, part)).exists()
        ]
        left_s, pause_s = ADOPTION_S, POLL_FIRST_S
        while words := [one for one in words if one[GENERATION] < generation]:
            if left_s <= 0:
                return False
            await asyncio.sleep(pause_s)
            left_s, pause_s = left_s - pause_s, min(POLL_GROWTH * pause_s, POLL_S)
        return True

    async def close_unused(self, sets: Sequence[ListenerSet]) -> None:
        """Close those sockets of `sets` that no responder reads: they were bound for a change that did not happen. What
        came to them meanwhile is answered."""
        await close_unread(absent([listener for one in sets for listener in one.every], self.sets), self._run)

    async def stop(self) -> None:
        """Let every responder finish what has come, and close the sockets."""
        await asyncio.gather(*(child.stop(STOP_S) for child in self.children), self._spare.stop())
        self._free_rooms(self.children)
        for one in self.sets:
            one.close()

    def health(self) -> dict[str, Any]:
        """Return each one's process id, 0 while it is dead, how often it was started again, and how often it had hung;
        the process id of the spare."""
        return {
            "responders": [{"pid": one.pid, "restarts": one.restarts, "hangs": one.hangs} for one in self.children],
            "spare_responder": {"pid": self._spare.pid},
        }

    def _child(self, index: int, sets: Sequence[ListenerSet], rooms: tuple[int, ...], log_format: str) -> Child:
        held = sets[index]
        words: list[memoryview] = []

        def beats() -> list[int]:
            if not words:  # of the slow path, and of the fast path's threads
                with contextlib.suppress(OSError):  # removed, before anybody looked (run_keeper.py)
                    paths = [self._run.counters(index, part) for part in range(parts_of(held.thread_count))]
                    words.extend([open_counters(path) for path in paths])
            return [part[BEAT_NS] for part in words]

        duty = self._duty(index, sets, rooms)
        pulse = Pulse(beats, SILENT_S, FIRST_BEAT_S)
        return Child(
            f"responder {index}",
            RESPONDER_MODULE,
            self._arguments(duty, log_format),
            [*held.filenos(), *rooms],
            says_ready=True,
            pulse=pulse,
            substitute=lambda: self._spare.call(duty),
        )

    def _arguments(self, duty: ResponderDuty, log_format: str) -> list[str]:
        arguments = ["--state", str(self._state_dir), "--index", str(duty.index), "--count", str(duty.count)]
        for listener in duty.held.listeners:
            arguments += ["--listen", f"{listener.address}={listener.udp.fileno()},{listener.tcp.fileno()}"]
        for over_tls in duty.held.tls:
            arguments += ["--tls", f"{over_tls.address}={over_tls.tcp.fileno()}"]
        for queue in duty.held.queues:
            arguments += ["--queue", str(queue)]
        for room in duty.rooms:
            arguments += ["--room-fd", str(room)]
        return [*arguments, "--log", log_format, *([] if duty.stays else ["--finish"])]

    @staticmethod
    def _duty(index: int, sets: Sequence[ListenerSet], rooms: tuple[int, ...]) -> ResponderDuty:
        return ResponderDuty(index, len(sets), sets[index], rooms)


def allocate_rooms(count: int) -> tuple[int, ...]:
    """Return descriptors of memory for what so many threads of the fast path have in hand, none where there is no fast
    path; raises LbdnsError where there is no room."""
    loop_class = load_loop()
    if loop_class is None:
        return ()
    with contextlib.ExitStack() as undo:
        rooms: list[int] = []
        try:
            for _ in range(count):
                rooms.append(allocate_query_room(loop_class.room_bytes()))
                undo.callback(os.close, rooms[-1])
        except OSError as error:
            raise LbdnsError(f"no room for the queries that a responder has in hand: {error.strerror}") from error
        undo.pop_all()
    return tuple(rooms)


def absent(listeners: Sequence[Listener | TlsListener], sets: Sequence[ListenerSet]) -> list[Listener | TlsListener]:
    """Return those of some listeners that are in none of `sets`."""
    kept = {listener for one in sets for listener in one.every}
    return [listener for listener in listeners if listener not in kept]
