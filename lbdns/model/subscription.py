"""Who is told of what, whoever said so: `notifications` of lbdns.yaml and policies become the same subscriptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lbdns.model import bounds

Mechanism = Literal["webhook", "email", "pagerduty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where messages go, and by what; "" is what does not apply.

    `name` is said in messages; `id` the API's, a mail address for mail, "" of what lbdns.yaml says. `secret`: a
    webhook's, or a routing key. `is_local`: no token of the API had a hand in it.
    """

    mechanism: Mechanism
    name: str
    id: str = ""
    url: str = ""
    secret: str = ""
    secret_header: str = bounds.DEFAULT_SECRET_HEADER
    addresses: tuple[str, ...] = ()
    smtp: str = ""
    sender: str = ""
    username: str = ""
    password: str = ""
    allow_insecure: bool = False
    is_local: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One destination of one policy, and which alerts it hears of; a filter that is empty passes all.

    `pools` are names and globs, `new_health` and `enabled` as the v4 API spells them. `silences`: when it hears of
    nothing, each from and to in unix seconds.
    """

    policy_id: str
    policy_name: str
    destination: Destination
    description: str = ""
    alert_types: tuple[str, ...] = ()
    pools: tuple[str, ...] = ("*",)
    event_source: tuple[str, ...] = ()
    new_health: tuple[str, ...] = ()
    enabled: tuple[str, ...] = ()
    silences: tuple[tuple[float, float], ...] = ()

    @property
    def key(self) -> str:
        """What tells it from others, and stays what it is while it is changed."""
        destination = self.destination
        return f"{self.policy_id}/{destination.mechanism}/{destination.id}" if destination.id else self.policy_id

    def is_silent(self, now_s: float) -> bool:
        """Whether nobody is to be told at a time, in unix seconds."""
        return any(start_s <= now_s < end_s for start_s, end_s in self.silences)
