"""What each mechanism is sent, by whom policies of files tell, and which alerts a policy hears of."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult

from lbdns.base.kinds import Kind
from lbdns.base.lasting_ids import lasting_id
from lbdns.config.loading import parse
from lbdns.model.notification import Notification
from lbdns.model.subscribing import subscription_of, subscriptions_of
from lbdns.model.subscription import Destination
from lbdns.monitor.notify.alerts import ENABLEMENT, END, HEALTH, START, Alert, wants
from lbdns.monitor.notify.mail import send
from lbdns.monitor.notify.notification_store import (
    sent_between,
)
from lbdns.monitor.notify.pagerduty import event_of
from lbdns.monitor.notify.webhook import CHAT_BODIES, post
from tests.monitor.receivers import Hook
from tests.monitor.stage import until
from tests.monitor.test_outbox import alert, flip, notifying, subscription

ZONE = "@ 60 IN SOA ns h 1 2 3 4 5\n@ 60 IN NS ns\nns 60 IN A 192.0.2.1\n"
ADDRESS = "ops@example.com"


def test_pagerduty_is_told_of_each_alert_by_itself(tmp_path: Path) -> None:
    async def main() -> None:
        async with Hook(codes=[202] * 25).running() as hook:
            pager = subscription(f"http://127.0.0.1:{hook.port}/v2/enqueue", "pagerduty")
            telling = notifying(tmp_path, pager)
            for number in range(25):
                telling.tell(flip(number))
            await until(lambda: len(hook.heads) == 25)
            await telling.close()
            assert all(head.startswith("POST /v2/enqueue") for head in hook.heads)

    asyncio.run(main())
    rows, total = sent_between(tmp_path, None, None, 1, 100)
    assert total == 25 and "s3cret" not in "".join(row.alert_body for row in rows)


@pytest.mark.parametrize(
    ("health", "severity"),
    [("critical", "critical"), ("unhealthy", "error"), ("degraded", "warning"), ("disabled", "warning")],
)
def test_events_of_pagerduty(health: str, severity: str) -> None:
    one = subscription("http://127.0.0.1/", "pagerduty")
    event = event_of(one, alert(health=health), ["www.example.com"])
    assert (event["routing_key"], event["event_action"], event["dedup_key"]) == ("s3cret", "trigger", "c" * 32)
    payload = event["payload"]
    assert payload["severity"] == severity and payload["summary"] == "p/e is down now" and payload["source"] == "e"
    assert payload["timestamp"] == "2027-01-15T08:00:00Z" and payload["component"] == "p"
    assert payload["custom_details"]["load_balancer_name"] == "www.example.com"
    end = event_of(one, alert(END, "healthy"), [])
    assert end == {"routing_key": "s3cret", "event_action": "resolve", "dedup_key": "c" * 32}


def test_chats_get_the_text_in_their_own_form(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CHAT_BODIES["slack"]("x") == CHAT_BODIES["gchat"]("x") == {"text": "x"}
    assert CHAT_BODIES["discord"]("x" * 3000) == {"content": "x" * 2000}
    assert CHAT_BODIES["feishu"]("x") == {"msg_type": "text", "content": {"text": "x"}}
    monkeypatch.setattr("lbdns.monitor.notify.webhook.webhook_type", lambda url: "slack")

    async def main() -> None:
        async with Hook().running() as hook:
            where = subscription(f"http://127.0.0.1:{hook.port}/in").destination
            text = await post(where, {"text": "hello", "data": {}}, lambda address: True)
            assert hook.documents == [{"text": "hello"}] == [json.loads(text)]

    asyncio.run(main())


class Box:
    """A mailbox with a login."""

    def __init__(self) -> None:
        self.logins: list[tuple[bytes, bytes]] = []
        self.mails: list[bytes] = []

    def login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"s3cret", handled=False)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope.content)
        return "250 taken"


@pytest.mark.parametrize(
    ("way", "password", "insecure", "outcome"),
    [
        ("starttls", "s3cret", True, "sent"),
        ("tls", "s3cret", True, "sent"),
        ("starttls", "wrong", True, "answered 535"),
        ("starttls", "s3cret", False, "certificate"),
        ("plain", "s3cret", False, "sent"),  # to this machine
    ],
)
def test_mail_is_sent_with_a_login(
    way: str, password: str, insecure: bool, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    box = Box()

    async def main() -> str:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {"authenticator": box.login, "auth_required": True, "loop": loop}
        options |= {"tls_context": context, "require_starttls": True} if way == "starttls" else {}
        options |= {"auth_require_tls": False} if way != "starttls" else {}
        server = await loop.create_server(
            lambda: SMTP(box, hostname="mx.example", **options), "127.0.0.1", 0, ssl=context if way == "tls" else None
        )
        port = server.sockets[0].getsockname()[1]
        if way == "tls":
            monkeypatch.setattr("lbdns.model.bounds.SMTPS_PORT", port)
        said = {"name": "m", "email": [ADDRESS], "from": ADDRESS, "smtp": f"127.0.0.1:{port}", "username": "lbdns"}
        one = Notification.model_validate({**said, "password": password, "allow_insecure": insecure})
        try:
            from lbdns.monitor.notify.delivery import DeliveryFailed
            from lbdns.monitor.notify.mail import mail_of

            where = subscription_of(one).destination
            await send(where, mail_of(where, [(alert(), [])], 0, 0.0, "f" * 32))
        except DeliveryFailed as failure:
            return str(failure)
        finally:
            server.close()
        return "sent"

    assert outcome in asyncio.run(main())
    assert len(box.mails) == (outcome == "sent")
    if outcome == "sent":
        assert box.logins == [(b"lbdns", b"s3cret")]
        assert f"Message-ID: <{'f' * 32}@example.com>".encode() in box.mails[0]


def test_a_password_goes_over_tls_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server elsewhere that offers no TLS gets neither password nor mail."""
    monkeypatch.setattr("lbdns.monitor.notify.mail._is_here", lambda host: False)
    box = Box()

    async def main() -> str:
        from lbdns.monitor.notify.delivery import DeliveryFailed
        from lbdns.monitor.notify.mail import mail_of

        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(box, hostname="mx.example", authenticator=box.login, auth_require_tls=False, loop=loop),
            "127.0.0.1",
            0,
        )
        where = Destination(
            mechanism="email",
            name="m",
            addresses=(ADDRESS,),
            smtp=f"127.0.0.1:{server.sockets[0].getsockname()[1]}",
            sender=ADDRESS,
            username="lbdns",
            password="s3cret",
        )
        try:
            await send(where, mail_of(where, [(alert(), [])], 0, 0.0))
        except DeliveryFailed as failure:
            return str(failure)
        finally:
            server.close()
        return "sent"

    assert "STARTTLS" in asyncio.run(main())
    assert not box.logins and not box.mails


# --- from files ---

TREE: dict[str, Any] = {
    "settings": {"mail": {"smtp": "192.0.2.25:587", "from": ADDRESS, "username": "u", "password": "s3cret"}},
    "zones": {"example.com": ZONE},
    "pools": {
        "eu": {"origins": [{"name": "e", "address": "192.0.2.1"}]},
        "us": {"origins": [{"name": "u", "address": "192.0.2.2"}]},
    },
    "webhooks": {"The hook": {"url": "https://hooks.example.com/in", "secret": "x"}},
    "pagerduty": {"On call": {"routing_key": "R" * 32}},
    "policies": {
        "Trouble": {
            "alert_type": HEALTH,
            "filters": {"pool_id": ["eu"], "new_health": ["Unhealthy"]},
            "mechanisms": {
                "webhooks": [{"name": "The hook"}],
                "pagerduty": [{"name": "On call"}],
                "email": [{"id": ADDRESS}],
            },
        },
        "Off": {"alert_type": ENABLEMENT, "enabled": False, "mechanisms": {"email": [{"id": ADDRESS}]}},
    },
    "silences": {
        "move": {"policy": "Trouble", "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T03:00:00+02:00"}
    },
}


def test_policies_of_files_become_the_same_subscriptions() -> None:
    loaded = parse(TREE, Path("/"))
    hook, pager, mail = subscriptions_of(loaded.configuration)
    assert [one.destination.mechanism for one in (hook, pager, mail)] == ["webhook", "pagerduty", "email"]
    assert hook.policy_id == lasting_id(Kind.POLICY, "Trouble", "")
    assert hook.destination.id == lasting_id(Kind.WEBHOOK, "The hook", "") and hook.destination.is_local
    assert (hook.pools, hook.new_health, hook.silences) == (("eu",), ("Unhealthy",), ((1767225600.0, 1767229200.0),))
    assert (mail.destination.addresses, mail.destination.smtp) == ((ADDRESS,), "192.0.2.25:587")
    assert (mail.destination.username, mail.destination.sender) == ("u", ADDRESS)
    without = {**TREE, "settings": {}}
    loaded = parse(without, Path("/"))
    assert len(subscriptions_of(loaded.configuration)) == 2
    (warning,) = [one for one in loaded.warnings if one.path.startswith("policies")]
    assert "no mail address is told" in warning.message and warning.at[-2:] == ("mechanisms", "email")


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"alert_types": (HEALTH,)}, "EeP"),
        ({"alert_types": (ENABLEMENT,)}, "Dd"),
        ({"alert_types": (ENABLEMENT,), "enabled": ("true",)}, "d"),
        ({"alert_types": (ENABLEMENT,), "enabled": ("true", "false")}, "Dd"),
        ({"event_source": ("pool",)}, "PDd"),
        ({"event_source": ("pool", "origin")}, "EePDd"),
        ({"new_health": ("Healthy",)}, "e"),
        ({"new_health": ("Healthy", "Unhealthy")}, "EeP"),
        ({"pools": ("us", "p")}, "EePDd"),
        ({"pools": ("us",)}, ""),
    ],
)
def test_a_policys_filters(more: dict[str, Any], wanted: str) -> None:
    told = {
        "E": alert(),
        "e": alert(END, "healthy"),
        "P": alert(health="critical", endpoint=""),
        "D": Alert(ENABLEMENT, START, "c", "p", "", "disabled", "", 0.0, ""),
        "d": Alert(ENABLEMENT, END, "c", "p", "", "enabled", "", 0.0, ""),
    }
    one = subscription("http://127.0.0.1/", **more)
    assert "".join(letter for letter, alert in told.items() if wants(one, None, alert)) == wanted
