"""Notifications over real HTTP and SMTP: delivery, retries, storms, receivers that hang, and what a restart keeps."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme

from lbdns.health import forced
from lbdns.health.events import HealthChange
from lbdns.health.forced import Forced
from lbdns.health.verdict import HEALTHY, UNHEALTHY
from lbdns.model.notification import SINK_FIELDS, Notification
from lbdns.model.subscribing import subscription_of
from lbdns.model.subscription import Subscription
from lbdns.monitor.notify import receiver
from lbdns.monitor.notify.delivery import DeliveryFailed, Told
from lbdns.monitor.notify.notifier import Notifier
from lbdns.monitor.notify.sinks import SINKS
from tests.monitor import peers
from tests.monitor.documents import document, endpoint, parse_targets, pool
from tests.monitor.receivers import Hook, Mailbox
from tests.monitor.stage import Stage, hurry, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    monkeypatch.setattr(receiver, "GATHER_S", 0.02)
    monkeypatch.setattr(receiver, "RETRY_FIRST_S", 0.02)
    monkeypatch.setattr(receiver, "SEND_S", 5.0)
    monkeypatch.setattr(receiver, "CLOSE_S", 0.5)
    caplog.set_level(logging.INFO)
    yield


def flip(number: int = 0, after: str = "unhealthy") -> HealthChange:
    name = f"e{number}"
    return HealthChange(
        time.time(), "endpoint", f"p/{name}", "healthy", after, pool="p", endpoint=name, reason="TCP timeout"
    )


def subscribed(settings: dict[str, Any]) -> Subscription:
    return subscription_of(Notification.model_validate(settings))


def notifying(*settings: dict[str, Any], state_dir: Path | None = None) -> Notifier:
    found = Notifier(state_dir)
    targets = parse_targets(
        document(
            Path("t"),
            pool("p", *(endpoint(f"e{number}", f"192.0.2.{number}") for number in range(3))),
            load_balancers=[{"name": "www.example.com", "pools": ["p"], "fallback": "p"}],
        )
    )
    found.adopt([subscribed(one) for one in settings], targets.pools, targets.balancers)
    return found


class Flaky:
    """A sink that fails at first, and notes what it was told."""

    def __init__(self, failures: list[Exception]) -> None:
        self.failures = failures
        self.told: list[list[str]] = []

    async def deliver(self, told: Sequence[Told], unheard: int, id: str) -> str:
        if self.failures:
            raise self.failures.pop(0)
        self.told.append([alert.endpoint for alert, _ in told])
        return ""


def test_every_way_has_its_sink() -> None:
    assert SINKS.keys() == SINK_FIELDS.keys() and SINK_FIELDS.keys() < Notification.model_fields.keys()
    assert set().union(*SINK_FIELDS.values()) < Notification.model_fields.keys()


@pytest.mark.parametrize(
    ("failures", "told"),
    [
        ([], [["e1"]]),
        ([DeliveryFailed("later", again=True)] * 2, [["e1"]]),
        ([DeliveryFailed("never", again=False)], []),
        ([ValueError("a defect")], []),
    ],
)
def test_a_sink_sends_once_and_whoever_asks_it_tries_again(
    monkeypatch: pytest.MonkeyPatch, failures: list[Exception], told: list[list[str]]
) -> None:
    sink = Flaky([*failures])
    monkeypatch.setitem(SINKS, "webhook", lambda subscription, may_reach: sink)

    async def main() -> None:
        telling = notifying({"name": "hook", "webhook": "http://127.0.0.1/"})
        telling.tell(flip(1))
        await until(lambda: not sink.failures)
        telling.tell(flip(2))
        await until(lambda: sink.told[-1:] == [["e2"]])
        await telling.close()

    asyncio.run(main())
    assert sink.told == [*told, ["e2"]]


def test_what_a_receiver_that_hangs_has_not_taken_is_counted() -> None:
    async def main() -> None:
        async with Hook(codes=[0]).running() as hook, Hook().running() as good:
            telling = notifying(hook.settings(), good.settings("good"))
            assert telling.waiting == (0, 0)
            began_ns = time.monotonic_ns()
            for number in range(3):
                telling.tell(flip(number))
            assert telling.waiting[0] == 6
            await until(lambda: len(hook.heads) == 1 and len(good.documents) == 3 and telling.waiting[0] < 4)
            count, since_ns = telling.waiting  # one is under way, two wait behind it
            assert count == 3 and began_ns <= since_ns <= time.monotonic_ns()
            await telling.close()

    asyncio.run(main())


def test_a_webhook_is_sent_once_with_its_secret() -> None:
    async def main() -> None:
        async with Hook().running() as hook:
            telling = notifying(hook.settings(secret="s3cret"))
            telling.tell(flip())
            telling.tell(flip(after="healthy"))
            await until(lambda: len(hook.documents) == 2)
            await telling.close()
            start, end = hook.documents
            assert start["alert_correlation_id"] == end["alert_correlation_id"]
            assert (start["alert_event"], end["alert_event"]) == ("ALERT_STATE_EVENT_START", "ALERT_STATE_EVENT_END")
            assert start["data"]["load_balancer_name"] == "www.example.com"
            assert start["data"]["reason"] == "TCP timeout"
            assert "cf-webhook-auth: s3cret\r\n" in hook.heads[0] and hook.heads[0].startswith("POST /in HTTP/1.1")
            assert len(hook.heads) == 2

    asyncio.run(main())


def test_webhooks_carry_the_pools_and_the_accounts_id_until_the_pool_is_gone() -> None:
    async def main() -> None:
        async with Hook().running() as hook:
            ids = parse_targets(document(Path("t"), pool("p", endpoint("e0"), id="f" * 32), account_id="a" * 32))
            none = parse_targets(document(Path("t")))
            telling = Notifier(None)
            receivers = [subscribed(hook.settings())]
            telling.adopt(receivers, ids.pools, ids.balancers, ids.account_id)
            telling.tell(flip())
            await until(lambda: len(hook.documents) == 1)
            telling.adopt(receivers, none.pools, none.balancers, ids.account_id)
            await until(lambda: len(hook.documents) == 2)
            await telling.close()
            assert [one["data"]["pool_id"] for one in hook.documents] == ["f" * 32] * 2
            assert [one["account_id"] for one in hook.documents] == ["a" * 32] * 2
            assert hook.documents[1]["data"]["reason"] == "no longer configured"

    asyncio.run(main())


def test_another_header_for_the_secret_and_only_where_there_is_one() -> None:
    async def main() -> None:
        async with Hook().running() as hook:
            telling = notifying(
                hook.settings("bare"), hook.settings("own", secret="Bearer x", secret_header="Authorization")
            )
            telling.tell(flip())
            await until(lambda: len(hook.documents) == 2)
            await telling.close()
            assert sorted("Authorization: Bearer x" in head for head in hook.heads) == [False, True]
            assert not any("cf-webhook-auth" in head for head in hook.heads)

    asyncio.run(main())


def test_failures_are_tried_again_and_in_order(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Hook(codes=[500, 503, 429]).running() as hook:
            telling = notifying(hook.settings())
            telling.tell(flip(0))
            telling.tell(flip(1))
            await until(lambda: len(hook.documents) == 2)
            await telling.close()
            assert [one["data"]["origin_name"] for one in hook.documents] == ["e0", "e1"] and len(hook.heads) == 5

    asyncio.run(main())
    assert caplog.text.count("did not get through, and is tried again: the receiver answered 500") == 1


def test_a_refusal_and_a_redirect_are_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Hook(codes=[404, 302]).running() as hook:
            telling = notifying(hook.settings())
            for number in range(3):
                telling.tell(flip(number))
            await until(lambda: len(hook.documents) == 1)
            await telling.close()
            assert len(hook.heads) == 3

    asyncio.run(main())
    assert "notification hook was tried once and is given up: the receiver answered 404" in caplog.text
    assert "given up: the receiver answered 302" in caplog.text


def test_why_nothing_was_sent_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(receiver, "ATTEMPTS_MAX", 1)

    async def main() -> None:
        async with Hook().running() as hook:
            port = hook.port
        notifications = [
            {"name": "closed", "webhook": f"http://127.0.0.1:{port}/"},
            {"name": "plain", "webhook": f"https://127.0.0.1:{port}/"},
            {"name": "nobody", "webhook": "https://nobody.invalid/"},
        ]
        telling = notifying(*notifications)
        telling.tell(flip(0))
        await until(lambda: caplog.text.count("and is given up") == 3)
        await telling.close()
        assert f"closed was tried once and is given up: 127.0.0.1:{port}: Connection refused" in caplog.text
        assert f"plain was tried once and is given up: 127.0.0.1:{port}: Connection refused" in caplog.text
        assert "nobody was tried once and is given up: nobody.invalid:443: " in caplog.text
        assert "ssl:" not in caplog.text and "object at" not in caplog.text

    asyncio.run(main())


def test_tries_are_bounded(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(receiver, "ATTEMPTS_MAX", 3)

    async def main() -> None:
        refused = {"name": "hook", "webhook": f"http://127.0.0.1:{peers.refused_port()}/"}
        telling = notifying(refused)
        telling.tell(flip())
        await until(lambda: "hook was tried 3 times and is given up" in caplog.text)
        await telling.close()

    asyncio.run(main())


@pytest.mark.slow
def test_a_receiver_that_hangs_holds_nobody_else_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "SEND_S", 0.3)

    async def main() -> None:
        async with Hook(codes=[0] * 100).running() as hangs, Hook().running() as well:
            telling = notifying(hangs.settings("hangs"), well.settings("well"))
            telling.tell(flip())
            assert well.heads == hangs.heads == []  # whoever tells does not wait
            await until(lambda: len(well.documents) == 1 and len(hangs.heads) > 1)
            assert hangs.documents == []
            hangs.codes.clear()
            await until(lambda: len(hangs.documents) == 1)
            await telling.close()

    asyncio.run(main())


def test_a_storm_is_one_summary_and_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "QUEUE_MAX", 50)

    async def main() -> None:
        async with Hook().running() as hook:
            telling = notifying(hook.settings())
            for number in range(200):
                telling.tell(flip(number))
            await until(lambda: len(hook.documents) == 1)
            await telling.close()
            (summary,) = hook.documents
            assert summary["text"] == "200 changes: 50 endpoints unhealthy, 150 more"
            assert len({one["alert_correlation_id"] for one in summary["data"]["changes"]}) == 50

    asyncio.run(main())


def test_what_gathers_while_a_receiver_is_away_comes_as_one_summary() -> None:
    async def main() -> None:
        async with Hook(codes=[500] * 4).running() as hook:
            telling = notifying(hook.settings())
            telling.tell(flip(0))
            await until(lambda: len(hook.heads) >= 1)
            for number in range(1, 30):
                telling.tell(flip(number))
            await until(lambda: len(hook.documents) == 2)
            await telling.close()
            assert [one["text"].split(":")[0] for one in hook.documents][1] == "29 changes"

    asyncio.run(main())


def test_a_pool_whose_first_results_come_one_by_one_is_no_alarm() -> None:
    def of_pool(before: str, after: str) -> HealthChange:
        return HealthChange(time.time(), "pool", "p", before, after, pool="p")

    async def main() -> None:
        async with Hook().running() as hook:
            telling = notifying(hook.settings())
            for round_ in range(2):
                telling._first_results_s["p"] = 60.0 if round_ == 0 else 0.05
                telling.tell(of_pool("unknown", "degraded"))
                if round_ == 0:
                    telling.tell(of_pool("degraded", "healthy"))
            await until(lambda: len(hook.documents) == 1)  # that of the second round, which stayed so
            telling.tell(of_pool("degraded", "healthy"))
            await until(lambda: len(hook.documents) == 2)
            telling._first_results_s["p"] = 60.0
            telling.tell(of_pool("unknown", "degraded"))
            telling.tell(of_pool("degraded", "critical"))
            await until(lambda: len(hook.documents) == 3)
            await telling.close()
            assert [one["data"]["new_health"] for one in hook.documents] == ["degraded", "healthy", "critical"]

    asyncio.run(main())


def test_mail_is_sent_and_tried_again_while_the_server_says_later(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Mailbox().running() as box:
            box.replies = ["451 later"]
            telling = notifying(box.settings())
            telling.tell(flip())
            await until(lambda: len(box.mails) == 1)
            assert box.recipients == [["ops@example.com", "night@example.com"]]
            assert box.mails[0]["Subject"] == "[lbdns] pool p endpoint e0 () is unhealthy: TCP timeout; was healthy"
            box.replies = ["550 never"]
            telling.tell(flip(1))
            await until(
                lambda: "mail was tried once and is given up: the mail server answered 550 never" in caplog.text
            )
            await telling.close()

    asyncio.run(main())


@pytest.mark.slow
def test_a_mail_server_that_says_nothing_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(receiver, "SEND_S", 0.2)
    monkeypatch.setattr(receiver, "ATTEMPTS_MAX", 2)

    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(60)

        async with peers.serving(silent) as peer:
            box = Mailbox()
            box.port = peer.port
            telling = notifying(box.settings())
            telling.tell(flip())
            await until(lambda: "mail was tried 2 times and is given up: no answer within 0 s" in caplog.text)
            await telling.close()

    asyncio.run(main())


def test_https_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(receiver, "ATTEMPTS_MAX", 1)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def main() -> None:
        async with Hook().running(context) as hook:
            url = {"webhook": f"https://127.0.0.1:{hook.port}/"}
            telling = notifying({"name": "checked", **url}, {"name": "loose", **url, "allow_insecure": True})
            telling.tell(flip(0))
            await until(lambda: len(hook.documents) == 1)
            await until(lambda: "checked was tried once and is given up" in caplog.text)
            assert f"127.0.0.1:{hook.port}: its certificate is not believed: unable to get local issuer" in caplog.text
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
            telling.tell(flip(1))
            await until(lambda: len(hook.documents) == 3)
            await telling.close()
            assert [one["name"] for one in hook.documents].count("checked") == 1

    asyncio.run(main())


@pytest.mark.slow
def test_the_worker_tells_of_flips_toggles_and_forced_states_and_keeps_the_id_over_a_restart(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def main() -> None:
        async with Hook().running() as hook, peers.saying(peers.answer()) as peer:
            one = endpoint("e", port=peer.port)
            quiet = pool("quiet", endpoint("e", port=peer.port), notification_filter={"pool": {"disable": True}})
            more = {"notifications": [hook.settings(event_source="pool")]}
            stage.publish(pool("p", one), quiet, **more)

            async def told(count: int) -> list[tuple[str, str]]:
                await until(lambda: len(hook.documents) == count)
                seen, hook.documents = hook.documents, []
                ids.extend(document["alert_correlation_id"] for document in seen)
                return [(document["data"]["pool_name"], document["data"]["new_health"]) for document in seen]

            ids: list[str] = []
            async with stage.running() as running:
                await until(lambda: stage["endpoint_state"][0] == HEALTHY)
                peer.go()
                hurry(running)
                await until(lambda: stage["endpoint_state"][0] == UNHEALTHY)
                assert await told(1) == [("p", "critical")]
            async with peers.saying(peers.answer(), port=peer.port):
                async with stage.running():
                    assert await told(1) == [("p", "healthy")]
                    assert ids[0] == ids[1]
                    stage.publish(pool("p", one, enabled=False), quiet, **more)
                    assert await told(1) == [("p", "disabled")]
                stage.publish(pool("p", one), quiet, **more)  # while nobody watches
                async with stage.running():
                    assert await told(1) == [("p", "enabled")]
                    assert ids[2] == ids[3] != ids[0]
                    await until(lambda: stage["endpoint_state"][0] == HEALTHY)
                    forced.save(stage.path, [Forced("p", "down", time.time(), None, "drill")])
                    stage.control.set("forced_version", 1)
                    await until(lambda: len(hook.documents) == 1)
                    assert hook.documents[0]["data"]["reason"] == "forced down: drill"

    asyncio.run(main())
