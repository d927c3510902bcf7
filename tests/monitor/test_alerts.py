"""What is an alert, which one it belongs to, who wants it, and what survives a restart."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.base.words import ALERTS_FILE, NOTIFICATIONS_FILE
from lbdns.config.loading import parse
from lbdns.health.events import HealthChange
from lbdns.manage.store.revisions.from_files import state_of
from lbdns.model.notification import Notification
from lbdns.model.pool import NotificationFilter
from lbdns.model.subscribing import subscription_of
from lbdns.model.subscription import Subscription
from lbdns.monitor.notify.alert_messages import CHANGES_MAX, summary_text
from lbdns.monitor.notify.alerts import ENABLEMENT, END, HEALTH, NETWORK, START, Alert, AlertBook, load_former, wants
from lbdns.monitor.notify.mail import mail_of
from lbdns.monitor.notify.notification_store import NotificationChanges, NotificationStore
from lbdns.monitor.notify.webhook import document_of, summary_of
from lbdns.monitor.toggles import toggles
from tests.monitor.documents import document, endpoint, parse_targets, pool

ZONE = "@ 60 IN SOA ns h 1 2 3 4 5\n@ 60 IN NS ns\nns 60 IN A 192.0.2.1\n"
MAIL = {"name": "m", "email": ["a@example.com"], "from": "b@example.com"}


def change(before: str, after: str, at: str = "eu", **more: Any) -> HealthChange:
    pool_name, _, name = at.partition("/")
    kind: Any = more.pop("kind", "endpoint" if name else "pool")
    return HealthChange(1_800_000_000.0, kind, at, before, after, pool=pool_name, endpoint=name, **more)


def alert(at: str = "eu/e", health: str = "unhealthy", type: str = HEALTH, event: str = START) -> Alert:
    pool_name, _, name = at.partition("/")
    return Alert(type, event, "c" * 32, pool_name, name, health, "TCP timeout", 1_800_000_000.0, f"{at} is {health}")


def receiver(**more: Any) -> Subscription:
    return subscription_of(Notification.model_validate({"name": "n", "webhook": "http://127.0.0.1/", **more}))


def test_an_alert_and_its_end_share_an_id() -> None:
    book = AlertBook()
    assert book.take(change("unknown", "healthy")) is None
    start = book.take(change("healthy", "degraded"))
    worse = book.take(change("degraded", "critical"))
    end = book.take(change("critical", "healthy"))
    assert start and worse and end
    assert start.correlation_id == worse.correlation_id == end.correlation_id
    assert [one.event for one in (start, worse, end)] == [START, START, END]
    assert book.take(change("unknown", "healthy")) is None
    again = book.take(change("healthy", "critical"))
    assert again and again.correlation_id != start.correlation_id


def test_what_is_no_alert() -> None:
    book = AlertBook()
    assert book.take(change("healthy", "unhealthy", "eu/e", hidden=True)) is None
    assert book.take(change("healthy", "critical", kind="load_balancer")) is None
    assert book.take(change("healthy", "unknown", "eu/e")) is None
    assert book.take(change("healthy", "unhealthy", "eu/e")) is not None
    # The server was restarted, measured anew and found the same: it was told already.
    assert book.take(change("unknown", "unhealthy", "eu/e")) is None


def test_the_id_survives_a_restart_and_what_is_gone_ends(tmp_path: Path) -> None:
    book = AlertBook()
    first = book.take(change("healthy", "unhealthy", "eu/e"))
    book.take(change("healthy", "critical", "gone"))
    book.take(change("enabled", "disabled", "off"))
    kept = NotificationStore(tmp_path)
    kept.write(NotificationChanges(alerts=book.taken()))
    assert book.taken() == {}
    kept.close()
    later = AlertBook()
    with contextlib.closing(NotificationStore(tmp_path)) as opened:
        later.restore(opened.load()[0])
    ended = later.adopt({("eu", ""): True, ("eu", "e"): True, ("off", ""): True}, 5.0)
    assert [(one.pool, one.event, one.new_health) for one in ended] == [
        ("gone", END, "unknown"),
        ("off", END, "enabled"),
    ]
    end = later.take(change("unhealthy", "healthy", "eu/e"))
    assert first and end and end.correlation_id == first.correlation_id and end.reason == "No failures"


def test_a_damaged_file_is_put_aside_and_where_none_can_be_that_is_said(tmp_path: Path) -> None:
    (tmp_path / NOTIFICATIONS_FILE).write_bytes(b"SQLite format 3\0" + b"x" * 4096)
    kept = NotificationStore(tmp_path)
    assert kept.load() == ({}, [])
    kept.close()
    assert (tmp_path / f"{NOTIFICATIONS_FILE}.damaged").exists()
    with pytest.raises(LbdnsError, match="cannot keep notifications"):
        NotificationStore(tmp_path / "none").load()


def test_alerts_that_an_earlier_release_kept_are_taken_over(tmp_path: Path) -> None:
    rows = [[HEALTH, "eu", "e", "1" * 32, "unhealthy"], [HEALTH, "eu", "e", "m", "2" * 32, "unhealthy"]]
    (tmp_path / ALERTS_FILE).write_text(json.dumps({"open": rows}))
    found = load_former(tmp_path)
    assert found == {
        (HEALTH, "eu", "e", ""): ("1" * 32, "unhealthy"),
        (HEALTH, "eu", "e", "m"): ("2" * 32, "unhealthy"),
    }
    (tmp_path / ALERTS_FILE).write_text("[1")
    assert load_former(tmp_path) == load_former(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, "EeOoPpDd"),
        ({"pools": ["us"]}, ""),
        ({"pools": ["us", "e*"]}, "EeOoPpDd"),
        ({"event_source": "pool"}, "PpDd"),
        ({"event_source": "origin"}, "EeOo"),
        ({"new_health": "unhealthy"}, "EP"),
        ({"new_health": "healthy"}, "ep"),
    ],
)
def test_a_receivers_filters(settings: dict[str, Any], wanted: str) -> None:
    assert passing(receiver(**settings), None) == wanted


@pytest.mark.parametrize(
    ("pool_filter", "wanted"),
    [
        ({"origin": {"disable": True}}, "PpDd"),
        ({"pool": {"disable": True}}, "EeOo"),
        ({"origin": {"healthy": False}}, "EOoPpDd"),
        ({"pool": {"healthy": True}, "origin": {"healthy": True}}, "eOopDd"),
        ({"pool": {"disable": False}}, "EeOoPpDd"),
    ],
)
def test_a_pools_filter(pool_filter: dict[str, Any], wanted: str) -> None:
    assert passing(receiver(), NotificationFilter.model_validate(pool_filter)) == wanted


def passing(notification: Subscription, pool_filter: NotificationFilter | None) -> str:
    """Which of eight alerts pass: Endpoint, endpOint toggled, Pool, pool toggleD; capital: bad news."""
    told = {
        "E": alert(),
        "e": alert(health="healthy", event=END),
        "O": alert(health="disabled", type=ENABLEMENT),
        "o": alert(health="enabled", type=ENABLEMENT, event=END),
        "P": alert("eu", "degraded"),
        "p": alert("eu", "healthy", event=END),
        "D": alert("eu", "disabled", ENABLEMENT),
        "d": alert("eu", "enabled", ENABLEMENT, END),
    }
    return "".join(letter for letter, one in told.items() if wants(notification, pool_filter, one))


def test_the_webhooks_shape() -> None:
    one = document_of(receiver(name="ops"), alert(), ["www.example.com", "api.example.com"])
    assert one == {
        "name": "ops",
        "text": "eu/e is unhealthy",
        "data": {
            "pool_id": one["data"]["pool_id"],
            "pool_name": "eu",
            "load_balancer_name": "www.example.com, api.example.com",
            "origin_name": "e",
            "new_health": "unhealthy",
            "event_source": "origin",
            "reason": "TCP timeout",
            "status_change_time": "2027-01-15T08:00:00Z",
        },
        "ts": 1_800_000_000,
        "account_id": "",
        "policy_id": one["policy_id"],
        "policy_name": "ops",
        "alert_type": "load_balancing_health_alert",
        "alert_correlation_id": "c" * 32,
        "alert_event": "ALERT_STATE_EVENT_START",
    }
    assert len(one["data"]["pool_id"]) == len(one["policy_id"]) == 32


def test_a_webhook_says_the_ids_that_the_api_says() -> None:
    known = replace(alert(), pool_id="p" * 32, account_id="a" * 32)
    one = document_of(receiver(), known, [])
    assert (one["data"]["pool_id"], one["account_id"]) == ("p" * 32, "a" * 32)
    many = summary_of(receiver(), [(known, [])] * 2, 0)
    assert (many["data"]["pool_id"], many["account_id"]) == ("p" * 32, "a" * 32)
    assert [each["pool_id"] for each in many["data"]["changes"]] == ["p" * 32] * 2
    mixed = summary_of(receiver(), [(known, []), (alert("us"), [])], 0)["data"]
    assert (mixed["pool_id"], mixed["changes"][0]["pool_id"]) == ("", "p" * 32)
    # A pool of files has the id that the API of a server of files shows.
    files = parse(
        {"zones": {"example.com": ZONE}, "pools": {"eu": {"origins": [{"name": "e", "address": "::1"}]}}}, Path()
    )
    (shown,) = state_of(files.configuration, 1).all(Kind.POOL)
    assert document_of(receiver(), alert(), [])["data"]["pool_id"] == shown


def test_a_summary_has_the_same_shape_and_is_bounded() -> None:
    told = [(alert(f"eu/e{number}"), ["www.example.com"]) for number in range(500)] + [(alert("eu", "critical"), [])]
    one = summary_of(receiver(), told, 20)
    assert one["text"] == "521 changes: 500 endpoints unhealthy, 1 pool critical, 20 more"
    assert one.keys() == document_of(receiver(), alert(), []).keys()
    assert len(one["data"]["changes"]) == CHANGES_MAX and one["alert_event"] == START
    assert one["data"]["changes"][0]["alert_correlation_id"] == "c" * 32
    assert one["data"]["pool_name"] == "eu" and one["data"]["load_balancer_name"] == "www.example.com"
    ended = summary_of(receiver(), [(alert(health="healthy", event=END), [])] * 12, 0)
    assert (ended["alert_event"], ended["data"]["new_health"]) == (END, "healthy")
    assert summary_text([alert("a", "critical"), alert("b", "critical")], 0) == "2 changes: 2 pools critical"


def test_a_mail_holds_every_change_in_words() -> None:
    receiver = subscription_of(Notification.model_validate(MAIL)).destination
    mail = mail_of(receiver, [(alert(), ["www.example.com"])], 0, 0.0)
    assert mail["Subject"] == "[lbdns] eu/e is unhealthy" and mail["To"] == "a@example.com"
    assert mail["References"] == f"<{'c' * 32}@example.com>" and mail["Auto-Submitted"] == "auto-generated"
    assert "load balancers: www.example.com" in mail.get_content()
    many = mail_of(receiver, [(alert(f"eu/e{number}"), []) for number in range(300)], 7, 0.0)
    assert many["Subject"] == "[lbdns] 307 changes: 300 endpoints unhealthy, 7 more"
    assert many.get_content().endswith("and 207 more\n")
    # A reason that an operator typed cannot break into the head.
    sly = Alert(HEALTH, START, "c", "eu", "", "critical", "r", 0.0, "pool eu is critical: forced down: a\r\nBcc: x@y.z")
    assert mail_of(receiver, [(sly, [])], 0, 0.0)["Bcc"] is None


def test_enabling_and_disabling_are_changes() -> None:
    def specs(eu: bool, e: bool, *more: dict[str, Any]) -> Any:
        two = [pool("eu", endpoint("e", "192.0.2.1", enabled=e), enabled=eu), *more]
        return parse_targets(document(Path("t"), *two)).pools

    told = list(toggles(specs(True, True), specs(False, False, pool("new", endpoint("x"), enabled=False)), 3.0))
    assert [one.text for one in told] == [
        "pool eu is disabled; was enabled",
        "pool eu endpoint e (192.0.2.1) is disabled; was enabled",
    ]
    assert list(toggles(specs(True, True), specs(True, True), 3.0)) == []
    assert [one.after for one in toggles(specs(False, True), specs(True, True), 3.0)] == ["enabled"]


def down(after: str = "down") -> HealthChange:
    """Return that the way into a virtual network is down, or up."""
    told: dict[str, Any] = {"kind": "virtual_network", "network": "site-a", "detail": "interface wg0 is down"}
    return HealthChange(1_800_000_000.0, name="site-a", before="up", after=after, **told)


def test_a_network_has_an_alert_of_its_own_with_an_end() -> None:
    book = AlertBook()
    start = book.take(down())
    assert start is not None
    assert (start.type, start.event, start.source, start.network, start.pool) == (
        NETWORK,
        START,
        "virtual_network",
        "site-a",
        "",
    )
    assert book.take(down()) is None  # told already, by a worker before
    restored = AlertBook()
    restored.restore({key: row for key, row in book.taken().items() if row is not None})
    end = restored.take(down("up"))
    assert end is not None and (end.event, end.correlation_id) == (END, start.correlation_id)
    (gone,) = book.adopt({}, 0.0, (), ["site-b"])
    assert (gone.event, gone.text) == (END, "virtual network site-a is no longer configured")
    assert not book.adopt({}, 0.0)


@pytest.mark.parametrize(
    ("fields", "behind", "wanted"),
    [
        ({}, ["eu"], True),
        ({}, [], False),
        ({"pools": ["eu*"]}, ["us", "eu-1"], True),
        ({"pools": ["eu*"]}, ["us"], False),
        ({"event_source": "origin"}, ["eu"], True),
        ({"event_source": "pool"}, ["eu"], True),
        ({"new_health": "healthy"}, ["eu"], False),
        ({"new_health": "unhealthy"}, ["eu"], True),
    ],
)
def test_who_hears_of_what_is_behind_a_network_hears_of_it(
    fields: dict[str, Any], behind: list[str], wanted: bool
) -> None:
    alert = AlertBook().take(down())
    assert alert is not None
    assert wants(receiver(**fields), None, alert, behind) is wanted


def test_a_message_names_the_network() -> None:
    alert = AlertBook().take(down())
    assert alert is not None
    data = document_of(receiver(), alert, ["www.example.com"])["data"]
    assert (data["virtual_network_name"], data["event_source"], data["new_health"]) == (
        "site-a",
        "virtual_network",
        "down",
    )
    assert "virtual network site-a is down: interface wg0 is down" in document_of(receiver(), alert, ())["text"]
    assert summary_text([alert, alert], 0) == "2 changes: 2 virtual networks down"
