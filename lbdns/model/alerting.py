"""Alerting as the v4 API has it: policies say which changes are told, destinations where to, silences when not.

| alert type                           | its filters; all of them hold, of each one value is enough     |
|--------------------------------------|----------------------------------------------------------------|
| load_balancing_health_alert          | pool_id, new_health, event_source                              |
| load_balancing_pool_enablement_alert | pool_id, enabled                                               |

Who is told stands in `mechanisms`: webhooks and PagerDuty services by their ids (in files by their names), mail by its
address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from lbdns.model import bounds
from lbdns.model.fields import NEVER_SHOWN, AsSent, Frozen
from lbdns.model.notification import MailAddress, RoutingKey, Secret, WebhookUrl
from lbdns.model.plain_fields import SHOWN_WHERE_SET, Description, Flag, Reference
from lbdns.model.refusal import Mistake, refusal, refuse_all

HEALTH_ALERT: Final = "load_balancing_health_alert"
ENABLEMENT_ALERT: Final = "load_balancing_pool_enablement_alert"
FILTERS: Final = {
    HEALTH_ALERT: ("pool_id", "new_health", "event_source"),
    ENABLEMENT_ALERT: ("pool_id", "enabled"),
}
"""The filters of each alert type."""
AlertType = Literal["load_balancing_health_alert", "load_balancing_pool_enablement_alert"]
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_ID: Final = re.compile(r"[0-9a-f]{32}")


def _check_name(name: str) -> str:
    if _CONTROL.search(name) or name != name.strip():
        raise refusal(f"{name!r}: a name has no control characters, and no space at its beginning or end")
    if _ID.fullmatch(name):
        raise refusal(f'"{name}" has the form of an id; a name is for people')
    return name


def parse_moment(text: str) -> float:
    """Return an RFC 3339 time as unix seconds; without an offset it is UTC. Raises a refusal."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise refusal(f'"{text}" is no time; expected one such as 2026-01-31T12:00:00Z') from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def _check_moment(text: str) -> str:
    parse_moment(text)
    return text


def _as_text(value: object) -> object:
    """YAML reads an unquoted time as one."""
    return value.isoformat() if isinstance(value, datetime) else value


AlertingName = Annotated[
    str, StringConstraints(min_length=1, max_length=bounds.MAX_ALERTING_NAME_CHARS), AfterValidator(_check_name)
]
"""The name of a policy or a destination: any text for people."""
AlertingReference = Annotated[str, StringConstraints(min_length=1, max_length=bounds.MAX_ALERTING_NAME_CHARS)]
Moment = Annotated[
    str, BeforeValidator(_as_text), StringConstraints(max_length=bounds.MAX_MOMENT_CHARS), AfterValidator(_check_moment)
]
"""A time: RFC 3339."""


class WebhookDestination(Frozen):
    """A webhook that policies may name."""

    name: AlertingName
    """Its name; messages carry it."""
    url: WebhookUrl
    """The URL that alerts are posted to, as JSON of the v4 API's shape; Slack, Discord, Google Chat and Feishu get the
    text in their own."""
    secret: Annotated[Secret | None, NEVER_SHOWN] = None
    """What the header `cf-webhook-auth` carries. The API never shows it, and keeps it where it is not sent."""


class PagerDutyService(Frozen):
    """A service of PagerDuty that policies may name, by its integration's routing key (Events API v2)."""

    name: AlertingName
    """Its name."""
    routing_key: Annotated[RoutingKey, NEVER_SHOWN]
    """The integration key that PagerDuty shows. The API never shows it, and keeps it where it is not sent."""
    events_url: Annotated[WebhookUrl, SHOWN_WHERE_SET] = bounds.DEFAULT_PAGERDUTY_URL
    """Where events are posted to: another one for PagerDuty's European region, or for what takes the same events."""


class PolicyFilters(AsSent):
    """Which changes a policy tells of; without a filter, or with an empty one, all of its alert type."""

    pool_id: Annotated[tuple[Reference, ...], Field(max_length=bounds.MAX_POOLS_PER_LIST)] = ()
    """The pools; in files by their names."""
    new_health: Annotated[tuple[Literal["Healthy", "Unhealthy"], ...], Field(max_length=bounds.MAX_FILTER_VALUES)] = ()
    """What pool or endpoint became; all but healthy is unhealthy, a degraded pool too."""
    event_source: Annotated[tuple[Literal["pool", "origin"], ...], Field(max_length=bounds.MAX_FILTER_VALUES)] = ()
    """Whose health changed: a pool's, or an endpoint's (origin)."""
    enabled: Annotated[tuple[Literal["true", "false"], ...], Field(max_length=bounds.MAX_FILTER_VALUES)] = ()
    """Whether it was enabled, or disabled."""


class MailMechanism(Frozen):
    """A mail address."""

    id: MailAddress
    """The address."""


class WebhookMechanism(Frozen):
    """A webhook."""

    name: AlertingReference
    """Its name; the API says its `id`."""


class PagerDutyMechanism(Frozen):
    """A service of PagerDuty."""

    name: AlertingReference
    """Its name; the API says its `id`."""


class Mechanisms(AsSent):
    """Whom a policy tells."""

    email: Annotated[tuple[MailMechanism, ...], Field(max_length=bounds.MAX_MECHANISMS)] = ()
    """Mail addresses; the server's `mail` says by which mail server."""
    webhooks: Annotated[tuple[WebhookMechanism, ...], Field(max_length=bounds.MAX_MECHANISMS)] = ()
    """Webhooks."""
    pagerduty: Annotated[tuple[PagerDutyMechanism, ...], Field(max_length=bounds.MAX_MECHANISMS)] = ()
    """Services of PagerDuty."""


class NotificationPolicy(Frozen):
    """Who is told of which changes."""

    name: AlertingName
    """Its name; messages carry it."""
    alert_type: AlertType
    """What it tells of: `load_balancing_health_alert`, changes of health, or `load_balancing_pool_enablement_alert`,
    pools and endpoints that are enabled and disabled."""
    enabled: Flag = True
    """Whether it tells of anything."""
    description: Description = ""
    """A text for people."""
    filters: PolicyFilters | None = None
    """Which changes of that type."""
    mechanisms: Mechanisms
    """Who is told."""
    alert_interval: Annotated[str, StringConstraints(max_length=bounds.MAX_MOMENT_CHARS), SHOWN_WHERE_SET] = ""
    """Kept without effect: no alert of load balancing is told again while it lasts."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("NotificationPolicy", self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        known = FILTERS[self.alert_type]
        for name in PolicyFilters.model_fields:
            if getattr(self.filters, name, None) and name not in known:
                at = ("filters", name)
                message = f"{self.alert_type} has no such filter; it has {', '.join(known)}"
                yield Mistake(at, message, (at, ("alert_type",)))
        ways = self.mechanisms
        if not (ways.email or ways.webhooks or ways.pagerduty):
            yield Mistake(("mechanisms",), "nobody is told: name one of email, webhooks and pagerduty at least")
        for name in Mechanisms.model_fields:
            told = [str(getattr(one, "id", None) or getattr(one, "name", "")) for one in getattr(ways, name)]
            for index, one in enumerate(told):
                if one in told[:index]:
                    yield Mistake(("mechanisms", name, index), f'"{one}" stands there already; name it once')


class Silence(Frozen):
    """A time during which a policy tells nobody. What happens in it is not told later either."""

    policy: AlertingReference
    """The policy; the API says its `policy_id`."""
    start_time: Moment
    """When it begins, RFC 3339."""
    end_time: Moment
    """When it ends, RFC 3339."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        start_s, end_s = self.span_s
        if end_s <= start_s:
            both = (("start_time",), ("end_time",))
            refuse_all("Silence", [Mistake(("end_time",), "a silence ends after it begins", both)])
        return self

    @property
    def span_s(self) -> tuple[float, float]:
        """When it begins and ends, in unix seconds."""
        return parse_moment(self.start_time), parse_moment(self.end_time)
