"""Who is told of what, whoever said so: `notifications` of lbdns.yaml and policies become the same subscriptions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lbdns.base.kinds import Kind
from lbdns.base.lasting_ids import lasting_id
from lbdns.model import bounds
from lbdns.model.alerting import NotificationPolicy, PolicyFilters
from lbdns.model.notification import MailServer, Mechanism, Notification

if TYPE_CHECKING:
    from lbdns.model.configuration import Configuration


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


def subscription_of(notification: Notification) -> Subscription:
    """Return what a notification of lbdns.yaml says."""
    one = notification
    return Subscription(
        policy_id=lasting_id(one.name),
        policy_name=one.name,
        destination=Destination(
            mechanism=one.mechanism,
            name=one.name,
            url=one.webhook or (one.events_url if one.pagerduty else ""),
            secret=one.secret or one.pagerduty or "",
            secret_header=one.secret_header,
            addresses=one.email or (),
            smtp=one.smtp,
            sender=one.sender or "",
            username=one.username or "",
            password=one.password or "",
            allow_insecure=one.allow_insecure,
        ),
        pools=one.pools,
        event_source=(one.event_source,) if one.event_source else (),
        new_health=(one.new_health.capitalize(),) if one.new_health else (),
    )


def subscriptions_of(configuration: Configuration) -> tuple[Subscription, ...]:
    """Return all that a configuration says: its notifications, and its policies that are enabled."""
    silences: dict[str, list[tuple[float, float]]] = {}
    for silence in configuration.silences.values():
        silences.setdefault(silence.policy, []).append(silence.span_s)
    found = [subscription_of(one) for one in configuration.settings.notifications]
    for policy in configuration.policies.values():
        if not policy.enabled:
            continue
        quiet = tuple(sorted(silences.get(policy.name, ())))
        found += [_of_policy(policy, one, configuration, quiet) for one in _destinations(policy, configuration)]
    return tuple(found)


def _of_policy(
    policy: NotificationPolicy,
    destination: Destination,
    configuration: Configuration,
    silences: tuple[tuple[float, float], ...],
) -> Subscription:
    filters = policy.filters or PolicyFilters()
    return Subscription(
        policy_id=configuration.alerting_id(Kind.POLICY, policy.name),
        policy_name=policy.name,
        destination=destination,
        description=policy.description,
        alert_types=(policy.alert_type,),
        pools=filters.pool_id or ("*",),
        event_source=filters.event_source,
        new_health=filters.new_health,
        enabled=filters.enabled,
        silences=silences,
    )


def _destinations(policy: NotificationPolicy, configuration: Configuration) -> Iterator[Destination]:
    """Yield whom a policy tells; mail addresses only where the server has a mail server."""
    ways, mail = policy.mechanisms, configuration.settings.mail
    for webhook in ways.webhooks:
        hook = configuration.webhooks[webhook.name]
        id = configuration.alerting_id(Kind.WEBHOOK, hook.name)
        yield Destination(
            mechanism="webhook",
            name=hook.name,
            id=id,
            url=hook.url,
            secret=hook.secret or "",
            is_local=id not in configuration.destinations_by_tokens,
        )
    for named in ways.pagerduty:
        service = configuration.pagerduty[named.name]
        id = configuration.alerting_id(Kind.PAGERDUTY, service.name)
        yield Destination(
            mechanism="pagerduty",
            name=service.name,
            id=id,
            url=service.events_url,
            secret=service.routing_key,
            is_local=id not in configuration.destinations_by_tokens,
        )
    if mail is not None:
        yield from (_by_mail(address.id, mail) for address in ways.email)


def _by_mail(address: str, mail: MailServer) -> Destination:
    return Destination(
        mechanism="email",
        name=address,
        id=address,
        addresses=(address,),
        smtp=mail.smtp,
        sender=mail.sender,
        username=mail.username or "",
        password=mail.password or "",
        allow_insecure=mail.allow_insecure,
    )
