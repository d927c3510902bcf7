"""A keeper of keys with a supervisor that publishes at once, a parent, and a clock that tests set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lbdns.dns.name import encode_canonical
from lbdns.dnssec.key_keeper import KeyKeeper
from lbdns.dnssec.key_policy import KeyPolicies, key_policy
from lbdns.dnssec.parent_answer import ParentAnswer, ServerAnswer
from lbdns.dnssec.zone_keys import CDS_DELETE, ZoneKeys
from lbdns.dnssec.zone_status import SigningState
from lbdns.dnssec.zone_step import ZoneStep
from lbdns.model.dnssec_settings import DnssecPolicy
from tests.dnssec.key_years import next_step_s

ZONE = "example.com"
APEX = encode_canonical(ZONE)
HOUR_S = 3600.0
DAY_S = 86_400.0
BEGIN_S = 1_800_000_000.0
TTL_S = 300


class Desk:
    """A keeper, the clock, a supervisor that publishes at once, and a parent that does what it is asked for."""

    def __init__(self, directory: Path, **fields: Any) -> None:
        """Keep keys in `directory` by a policy with some fields."""
        self.directory = directory
        self.policies = KeyPolicies(key_policy(DnssecPolicy.model_validate(fields)), {})
        self.now_s = BEGIN_S
        self.ds: frozenset[bytes] = frozenset()
        self.events: list[ZoneStep] = []
        self.in_force: ZoneKeys | None = None
        self.keeper = KeyKeeper(directory, self.policies)

    def take(self, events: tuple[ZoneStep, ...]) -> None:
        """Keep events, and publish what the zone says of its keys while that is another."""
        self.events += events
        while self.keys != self.in_force:
            self.in_force = keys = self.keys
            self.events += self.keeper.published(APEX, keys.digest if keys else 0, TTL_S, self.now_s)

    @property
    def keys(self) -> ZoneKeys | None:
        """What the zone says of its keys."""
        return self.keeper.zone_keys().get(APEX)

    @property
    def zone(self) -> ZoneKeys:
        """The same of a zone that is signed."""
        keys = self.keys
        assert keys is not None
        return keys

    def ask(self, verb: str, **arguments: Any) -> Any:
        """Have the keeper do a verb; returns its answer."""
        answer, events = self.keeper.ask(verb, {"zone": ZONE, **arguments}, self.now_s)
        self.take(events)
        return answer

    def wait(self, seconds: float) -> None:
        """Let time pass, with a step whenever one is due; the parent is not asked."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            due_s = next_step_s(self.keeper, self.now_s)
            next_s = due_s if due_s > self.now_s else self.now_s + HOUR_S  # it may be the parent's turn, which waits
            self.now_s = min(next_s, self.now_s + HOUR_S, end_s)
            self.take(self.keeper.step(self.now_s))

    def parent(self) -> None:
        """Have the parent do what CDS asks for, and be asked."""
        cds = self.keys.cds if self.keys else ()
        if cds:
            self.ds = frozenset() if cds == (CDS_DELETE,) else frozenset(cds)
        self.answer(self.ds, self.ds)

    def answer(self, *said: frozenset[bytes] | None) -> None:
        """Have the parent's servers say something each."""
        servers = tuple(ServerAnswer(f"ns{number}", one, 3600) for number, one in enumerate(said))
        self.take(self.keeper.parent_answered(ZONE, ParentAnswer(servers), self.now_s))

    def restart(self) -> None:
        """Go on with what is on disk."""
        self.keeper = KeyKeeper(self.directory, self.policies)
        self.keeper.load()

    def states(self) -> list[tuple[str, str]]:
        """Return role and state of each key, oldest first."""
        return [(key.role, key.state) for key in self.keeper.status(ZONE, self.now_s).keys]

    def status(self) -> SigningState:
        """Return how the zone stands."""
        return self.keeper.status(ZONE, self.now_s).status

    def begin(self) -> None:
        """Sign the zone, until the parent has its DS."""
        self.ask("enable", algorithm=None, keys=None)
        self.wait(2 * DAY_S)
        self.parent()
        self.wait(2 * DAY_S)
        assert self.status() is SigningState.ACTIVE
