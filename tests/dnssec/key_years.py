"""A year in the life of a zone's keys, in virtual time, minute by minute: rolls, a parent that answers late or never,
restarts, clocks that are set. `python -m tests.dnssec.key_years 100` runs a hundred seeds.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import CREATED_ALGORITHMS
from lbdns.dns.name import encode_canonical
from lbdns.dnssec.key_keeper import KeyKeeper
from lbdns.dnssec.key_policy import KeyPolicies, KeyPolicy, key_policy
from lbdns.dnssec.key_states import next_s
from lbdns.dnssec.parent_answer import ParentAnswer, ServerAnswer
from lbdns.dnssec.zone_keys import ZoneKeys
from lbdns.dnssec.zone_status import KeyRole, SigningState
from lbdns.dnssec.zone_step import ZoneStep
from lbdns.model.dnssec_settings import DnssecPolicy
from tests.dnssec.virtual_parent import Rdatas, World

ZONE: Final = "example.com"
APEX: Final = encode_canonical(ZONE)
MINUTE_S: Final = 60.0
DAY_S: Final = 86_400.0
BEGIN_S: Final = 1_800_000_000.0
SKEW_MAX_S: Final = 1200.0
"""By how much the machine's clock may be wrong: it is set, by minutes, now and then."""
TTLS_S: Final = (60, 300, 3600, 86_400)
Due = tuple[float, Callable[[], None]]


def next_step_s(keeper: KeyKeeper, now_s: float) -> float:
    """Return when a step, or the parent's turn, is due next: a day from now at most."""
    due = [now_s + DAY_S]
    for state in keeper._states.values():
        step_s = next_s(state, keeper._policy(state))
        due += [keeper._parent_due_s(state), now_s + DAY_S if step_s is None else step_s]
    return min(due)


class Year:
    """One zone, its signer and supervisor and parent, and what happens to them by a seed."""

    def __init__(self, seed: int, directory: Path) -> None:
        """Draw by `seed` how the parent behaves, and which policy there is; keys are kept in `directory`."""
        self.random = random = Random(seed)
        self.directory = directory
        self.policy = self._policy()
        self.world = World(APEX, random.choice(TTLS_S), random.choice((3600, 86_400, 172_800)), BEGIN_S)
        self.keeper = KeyKeeper(directory, KeyPolicies(self.policy, {}))
        self.skew_s = 0.0
        self.parent_reads_cds_s = random.choice((600.0, 6 * 3600.0, 10 * DAY_S, 0.0))
        """How long the parent takes to do what CDS asks; 0: it does not read it."""
        self.is_parent_silent = random.random() < 0.2
        self.due: list[Due] = []
        self.events: list[ZoneStep] = []
        self.said: ZoneKeys | None = None
        self.faults: list[str] = []
        self.steps = 0
        self.next_step_s = 0.0

    def _policy(self) -> KeyPolicy:
        random = self.random
        drawn = {
            "keys": random.choice(("csk", "split")),
            "algorithm": random.choice(CREATED_ALGORITHMS),
            "zsk_lifetime": random.choice(("20d", "60d", "never")),
            "ksk_lifetime": random.choice(("120d", "never", "never")),
            "ksk_roll": random.choice(("double_signature", "double_ds")),
            "dnskey_ttl": random.choice((300, 3600, 86_400)),
            "parent_ds_ttl": 172_800,
            "unsigned_ttl": 86_400 + 2 * int(SKEW_MAX_S),
        }
        return key_policy(DnssecPolicy.model_validate(drawn))

    @property
    def clock_s(self) -> float:
        """What the machine takes for the time."""
        return self.world.now_s + self.skew_s

    def after(self, least_s: float, most_s: float, done: Callable[[], None]) -> None:
        """Have something done, some time from now."""
        self.due.append((self.world.now_s + self.random.uniform(least_s, most_s), done))

    # --- what the processes do ---

    def told(self, events: tuple[ZoneStep, ...]) -> None:
        """Take events; the supervisor publishes where a zone says something new of its keys, some time later."""
        self.events += events
        keys = self.keeper.zone_keys().get(APEX)
        if keys != self.said:
            self.said = keys
            self.after(0, self.random.choice((60.0, 3600.0, 2 * DAY_S)), self.publish)

    def publish(self) -> None:
        """Have in force what the signer says now, and tell it a little later."""
        keys = self.keeper.zone_keys().get(APEX)
        for key in (*keys.key_signers, *keys.zone_signers) if keys else ():
            if self.keeper.signer(key.id) is None:
                self.faults.append(f"the key {key.tag}, which is to sign, is not there")
        self.world.publish(keys, self.policy.dnskey_ttl_s)
        self.after(0, 300, lambda: self.tell(keys, self.world.zone_ttl_s))

    def tell(self, keys: ZoneKeys | None, ttl_s: int) -> None:
        """Tell the signer what is in force."""
        if keys == self.world.published:
            self.told(self.keeper.published(APEX, keys.digest if keys else 0, ttl_s, self.clock_s))

    def restart(self) -> None:
        """Begin with what is on disk; what is in force is published anew and told of, as after every start."""
        self.keeper = KeyKeeper(self.directory, KeyPolicies(self.policy, {}))
        self.keeper.load()
        if self.keeper.problems():
            self.faults.append(f"after a restart: {self.keeper.problems()}")
        self.after(60, 600, self.publish)

    def ask_parent(self) -> None:
        """Ask the parent where that is due."""
        if not self.keeper.parent_due(self.clock_s):
            return
        if self.is_parent_silent or self.random.random() < 0.1:
            answer = ParentAnswer((), "no name server of it answers")
        else:
            answer = ParentAnswer(tuple(self._server(one) for one in range(len(self.world.parents))))
        self.told(self.keeper.parent_answered(ZONE, answer, self.clock_s))

    def _server(self, number: int) -> ServerAnswer:
        if self.random.random() < 0.05:
            return ServerAnswer(f"192.0.2.{number}", None, 0, "it does not answer")
        ds = self.world.parents[number].now()
        assert isinstance(ds, frozenset)
        return ServerAnswer(f"192.0.2.{number}", ds, self.world.ds_ttl_s)

    # --- what the parent does ---

    def read_cds(self) -> None:
        """Have the parent take over what CDS asks for, one server after the other."""
        asked = self.world.asked_ds()
        if asked is None:
            return
        self.set_ds(asked)

    def set_ds(self, ds: Rdatas) -> None:
        """Have all servers of the parent serve a DS RRset, the second of them later."""
        self.world.set_ds(0, ds)
        self.after(0, 3000, self.world.transfer_ds)

    def operator_at_the_parent(self) -> None:
        """Have an operator do what `lbdns dnssec status` says is to be done, and say so where lbdns cannot see it."""
        status = self.keeper.status(ZONE, self.clock_s)
        if not status.to_do:
            return
        wanted = frozenset(_ds_bytes(text) for text in status.ds)
        for number in range(len(self.world.parents)):
            self.world.set_ds(number, wanted)
        if self.is_parent_silent:
            self.told(self.keeper.ds_seen(ZONE, self.clock_s))

    # --- what operators do ---

    def operate(self) -> None:
        """Do something to the zone's keys; what is refused is no fault."""
        random, keeper = self.random, self.keeper
        role = random.choice((KeyRole.KSK, KeyRole.ZSK) if self.policy.is_split else (KeyRole.CSK,))
        choices: list[Callable[[], tuple[ZoneStep, ...]]] = [
            lambda: keeper.roll(ZONE, role, None, False, self.clock_s),
            lambda: keeper.roll(ZONE, role, None, True, self.clock_s),
            lambda: keeper.roll(ZONE, role, random.choice(CREATED_ALGORITHMS), random.random() < 0.3, self.clock_s),
            lambda: keeper.enable(ZONE, None, None, self.clock_s),
            lambda: keeper.enable(ZONE, None, None, self.clock_s),
            lambda: keeper.disable(ZONE, self.clock_s),
            self._change_policy,
        ]
        try:
            self.told(random.choice(choices)())
        except LbdnsError:
            return

    def _change_policy(self) -> tuple[ZoneStep, ...]:
        self.policy = replace(self._policy(), dnskey_ttl_s=self.policy.dnskey_ttl_s)
        self.keeper.policies = KeyPolicies(self.policy, {})
        return self.keeper.step(self.clock_s)

    # --- a year ---

    def run(self, days: int = 365, calm_days: int = 60) -> None:
        """Live for some days, and some more in which nobody touches anything and the parent is good-natured."""
        self.told(self.keeper.enable(ZONE, None, None, self.clock_s))
        self._live(days, is_calm=False)
        self.is_parent_silent, self.parent_reads_cds_s = False, 600.0
        self.policy = replace(self.policy, zsk_lifetime_s=0, ksk_lifetime_s=0)
        self.keeper.policies = KeyPolicies(self.policy, {})
        self._live(calm_days, is_calm=True)

    def _live(self, days: int, is_calm: bool) -> None:
        end_s = self.world.now_s + days * DAY_S
        operate_s = self.world.now_s + self.random.uniform(1, 20) * DAY_S
        world = self.world
        while world.now_s < end_s:
            world.now_s += MINUTE_S
            if self._do_due() or self.clock_s >= self.next_step_s:
                self.ask_parent()
                self.told(self.keeper.step(self.clock_s))
                self.next_step_s = next_step_s(self.keeper, self.clock_s)
                self.steps += 1
            if world.now_s >= operate_s and not is_calm:
                operate_s = world.now_s + self.random.uniform(0, 25) * DAY_S
                self.operate()
                self.next_step_s = 0.0
            if self.random.random() < 0.0006:
                self._disturb()
                self.next_step_s = 0.0
            if world.now_s >= world.next_look_s and (fault := world.fault()):
                self.faults.append(f"{world.now_s - BEGIN_S:.0f} s: {fault}")
                return

    def _do_due(self) -> bool:
        """Do what is due; returns whether anything was."""
        now_s = self.world.now_s
        ready = [one for one in self.due if one[0] <= now_s]
        if not ready:
            return False
        self.due = [one for one in self.due if one[0] > now_s]
        for _, done in sorted(ready, key=lambda one: one[0]):
            done()
        return True

    def _disturb(self) -> None:
        match self.random.randrange(5):
            case 0:
                self.restart()
            case 1:
                self.skew_s = self.random.uniform(-SKEW_MAX_S, SKEW_MAX_S)
            case 2:
                self.world.zone_ttl_s = self.random.choice(TTLS_S)
                self.publish()
            case 3:
                self.operator_at_the_parent()
            case _:
                if self.parent_reads_cds_s:
                    self.after(0, self.parent_reads_cds_s, self.read_cds)

    def is_settled(self) -> bool:
        """Tell whether every roll came to its end."""
        status = self.keeper.status(ZONE, self.clock_s)
        if status.status is SigningState.DISABLED:
            return self.world.published is None
        return status.status is SigningState.ACTIVE and all(key.state == "active" for key in status.keys)


def _ds_bytes(text: str) -> bytes:
    tag, algorithm, digest_type, digest = text.split()
    return int(tag).to_bytes(2, "big") + bytes((int(algorithm), int(digest_type))) + bytes.fromhex(digest)


def main() -> int:
    """Run as many seeds as the first argument says, from the second one on; returns 1 where one fails."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    failed = 0
    for seed in range(first, first + count):
        with tempfile.TemporaryDirectory() as folder:
            year = Year(seed, Path(folder))
            year.run()
            bad = year.faults or ([] if year.is_settled() else ["not settled"])
            failed += bool(bad)
            print(f"seed {seed}: {len(year.events)} events, {year.world.checks} checks {'; '.join(bad)}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
