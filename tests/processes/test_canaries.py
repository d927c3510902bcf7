"""Canary queries: everything at first, then whatever changed, and a part of the rest that moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.answer.respond import respond
from lbdns.config.loading import parse
from lbdns.dns.codes import SERVFAIL, TYPE_A, TYPE_AAAA, TYPE_SOA
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.settings import PopSettings
from lbdns.publish import canary
from lbdns.publish.canary import CanaryError, CanaryMemo
from lbdns.publish.publisher import Publisher
from lbdns.snapshot.lookup.look_up import directory_of

COUNT = 60
ZONE = "$TTL 60\n@ SOA ns1 hostmaster 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.53\n"


def configured(folder: Path) -> Configuration:
    """Return COUNT load balancers: those with an even number answer from pool p0, the others from p1."""
    pools = {name: {"origins": [{"name": "e", "address": f"192.0.2.{at + 1}"}]} for at, name in enumerate(("p0", "p1"))}
    balancers = [
        {"name": f"lb{number}.example.com", "default_pools": [f"p{number % 2}"], "fallback_pool": f"p{number % 2}"}
        for number in range(COUNT)
    ]
    return parse({"zones": {"example.com": ZONE}, "pools": pools, "load_balancers": balancers}, folder).configuration


class Asked:
    """Stands in for `respond`: notes what is asked, and fails on one name."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.names: list[bytes] = []
        self.types: list[int] = []
        self.broken: bytes | None = None

    def __call__(self, view: Any, query: bytes, *rest: Any) -> bytes | None:
        name, kind = query[12:-4], int.from_bytes(query[-4:-2])
        self.names.append(name)
        self.types.append(kind)
        reply: bytes | None = self._real(view, query, *rest)
        if name == self.broken and reply is not None:
            return reply[:3] + bytes((reply[3] | SERVFAIL,)) + reply[4:]
        return reply

    def take(self) -> set[bytes]:
        """Return the names asked for since the last time."""
        found, self.names = set(self.names), []
        return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    found = Asked(respond)
    monkeypatch.setattr(canary, "respond", found)
    return found


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    run = RunDirectory(tmp_path / "state")
    control = Control.create(run.control)
    yield Publisher(control, run)
    control.close()
    run.remove()


def owner(number: int) -> bytes:
    label = f"lb{number}".encode()
    return bytes((len(label),)) + label + b"\x07example\x03com\0"


ALL = {owner(number) for number in range(COUNT)} | {b"\x07example\x03com\0"}


def serve(publisher: Publisher, configuration: Configuration) -> None:
    publisher.publish(publisher.prepare(configuration))


def with_weight(configuration: Configuration, name: str, weight: float) -> Configuration:
    pool = configuration.pools[name]
    fresh = pool.model_copy(update={"origins": (pool.origins[0].model_copy(update={"weight": weight}),)})
    return replace(configuration, pools={**configuration.pools, name: fresh})


def test_whatever_a_changed_pool_answers_is_tried(
    publisher: Publisher, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary, "UNCHANGED_MAX", 4)
    configuration = configured(tmp_path)
    serve(publisher, configuration)
    assert asked.take() == ALL
    serve(publisher, with_weight(configuration, "p1", 0.5))
    tried = asked.take()
    assert {owner(number) for number in range(1, COUNT, 2)} <= tried
    assert len(tried) <= COUNT // 2 + 4
    assert TYPE_SOA in asked.types


def test_what_did_not_change_has_its_turn(
    publisher: Publisher, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary, "UNCHANGED_MAX", 10)
    configuration = configured(tmp_path)
    serve(publisher, configuration)
    asked.take()
    tried: set[bytes] = set()
    for _ in range(7):  # 61 names, 10 at a time
        serve(publisher, configuration)
        now = asked.take()
        assert 0 < len(now) <= 10
        tried |= now
    assert tried == ALL


def test_what_did_not_change_is_asked_for_one_type_by_turns(
    publisher: Publisher, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary, "UNCHANGED_MAX", 10)
    configuration = configured(tmp_path)
    serve(publisher, configuration)
    asked.take()
    asked.types.clear()
    tried: set[tuple[bytes, int]] = set()
    for _ in range(2 * 7):
        serve(publisher, configuration)
        tried |= {*zip(asked.names, asked.types, strict=True)}
        assert len(asked.names) <= 10
        asked.take()
        asked.types.clear()
    assert {one for one in tried if one[1] != TYPE_SOA} == {
        (owner(number), kind) for number in range(COUNT) for kind in (TYPE_A, TYPE_AAAA)
    }


def test_a_change_that_breaks_an_answer_is_not_served(
    publisher: Publisher, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary, "UNCHANGED_MAX", 1)
    configuration = configured(tmp_path)
    serve(publisher, configuration)
    balancers = list(configuration.load_balancers)
    balancers[41] = balancers[41].model_copy(update={"ttl": 5})
    changed = replace(configuration, load_balancers=tuple(balancers))
    asked.broken = owner(41)
    for _ in range(2):
        # Not let through by having been tried before, either.
        with pytest.raises(CanaryError, match="lb41"):
            publisher.prepare(changed)
    asked.broken = owner(40)
    with pytest.raises(CanaryError, match="lb40"):
        publisher.prepare(with_weight(configuration, "p0", 0.25))
    assert publisher.current is not None and publisher.current.configuration is configuration


def test_of_very_many_over_a_pool_that_is_another_some_are_tried(
    publisher: Publisher, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary, "UNCHANGED_MAX", 1)
    configuration = configured(tmp_path)
    serve(publisher, configuration)
    over = [one for one in configuration.load_balancers if "p0" in one.pool_names()]
    asked.take()
    serve(publisher, with_weight(configuration, "p0", 0.25))
    every = asked.take()
    monkeypatch.setattr(canary, "LED_MAX", len(over) // 2)
    serve(publisher, with_weight(configuration, "p0", 0.5))
    some = asked.take()
    assert len(over) > 2 and 0 < len(some) < len(every)


def test_in_another_place_everything_is_tried(
    publisher: Publisher, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary, "UNCHANGED_MAX", 1)
    configuration = configured(tmp_path)
    serve(publisher, configuration)
    asked.take()
    settings = configuration.settings.model_copy(update={"pop": PopSettings(code="AMS")})
    serve(publisher, replace(configuration, settings=settings))
    assert asked.take() == ALL


def with_views(folder: Path) -> Configuration:
    """Return zones and load balancers of a view and of all; who asks is in the view, and nobody in the public one."""
    pools = {"p": {"origins": [{"name": "e", "address": "192.0.2.1"}]}}
    places = (("www.example.com", ""), ("www.corp", "office"), ("ftp.corp", ""), ("at.example.com", "office"))
    balancers = [{"name": name, "default_pools": ["p"], "fallback_pool": "p", "view": view} for name, view in places]
    zones = {"example.com": ZONE, "example.com@public": "$TTL 60\nwww CNAME nothing\n", "corp@office": ZONE}
    views = {"office": {"networks": ["0.0.0.0/0", "::/0"]}}
    tree = {"settings": {"views": views}, "zones": zones, "pools": pools, "load_balancers": balancers}
    return parse(tree, folder).configuration


def test_each_view_is_asked_for_what_it_sees(publisher: Publisher, tmp_path: Path) -> None:
    """Nobody else has an answer for it, and what a view has in its place may lead nowhere."""
    configuration = with_views(tmp_path)
    serve(publisher, configuration)
    serve(publisher, replace(configuration, zones=tuple(map(replace, configuration.zones))))


def test_what_a_view_is_not_answered_is_not_served(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = directory_of
    monkeypatch.setattr(canary, "directory_of", lambda _: real(0))
    with pytest.raises(CanaryError, match="corp"):
        publisher.prepare(with_views(tmp_path))


def test_who_answers_from_a_pool_is_known_over_many_changes() -> None:
    draw, memo, names = Random(16), CanaryMemo(), "abcde"

    def balancer(number: int) -> LoadBalancer:
        first, *others = draw.sample(names, draw.randint(1, 3))
        return LoadBalancer(name=f"n{number}.example.com", default_pools=(first, *others), fallback_pool=first)

    balancers = [balancer(number) for number in range(30)]
    for step in range(200):
        at = draw.randrange(len(balancers))
        kind = draw.choice(("another", "less", "more"))
        balancers = [
            *balancers[:at],
            *([] if kind == "less" else [balancer(step)]),
            *balancers[at + (kind != "more") :],
        ]
        pools = draw.sample(names, draw.randint(0, 2))
        led = [*memo.led_by(pools, balancers)]
        wanted = {id(one) for one in balancers if not one.pool_names().isdisjoint(pools)}
        assert len(led) == len(wanted) and {*map(id, led)} == wanted, (step, kind)
        if len(balancers) < 3:
            balancers = [*balancers, *(balancer(number) for number in range(20))]
