"""Who a configuration says is told: its notifications and its policies, as subscriptions."""

from __future__ import annotations

from collections.abc import Iterator

from lbdns.base.kinds import Kind
from lbdns.base.lasting_ids import lasting_id
from lbdns.model.alerting import NotificationPolicy, PolicyFilters
from lbdns.model.configuration import Configuration
from lbdns.model.notification import MailServer, Notification
from lbdns.model.subscription import Destination, Subscription


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
