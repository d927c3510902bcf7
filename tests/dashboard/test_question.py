"""The Ask page's question: what the URL holds, what would change it, and which field a refusal is about."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import QueryParams

from lbdns.manage.dashboard.question import Question, answer_words, changes_of, errors_by_field, tried_of

STEPS: list[dict[str, Any]] = [
    {"stage": "query", "text": "www.example.com. A, from resolver 127.0.0.1"},
    {"stage": "match", "text": "load balancer www.example.com"},
    {"stage": "rule", "rule": "office", "text": '"office" matches: ttl 30 -> 5', "matched": True},
    {"stage": "rule", "rule": "night", "text": '"night" is disabled', "matched": False},
    {"stage": "pool_set", "pool_set": "here", "text": '"here" does not match', "matched": False},
    {"stage": "pool", "pool": "west", "health": "critical", "chosen": False, "text": "west: passed over, critical"},
    {"stage": "pool", "pool": "east", "health": "healthy", "chosen": True, "text": "east: chosen"},
    {"stage": "endpoint", "endpoint": "e1", "health": "healthy", "answered": True, "text": "e1"},
    {"stage": "endpoint", "endpoint": "e2", "health": "unhealthy", "answered": False, "text": "e2"},
    {"stage": "endpoint", "endpoint": "e3", "health": "healthy", "answered": False, "text": "e3"},
]


def test_a_url_holds_the_whole_question() -> None:
    text = (
        "name=www.example.com&type=AAAA&ecs=192.0.2.0%2F24&down=a%2F*&down=b%2Fb1&down=a%2F*&rules_off=office&draw=0.5"
    )
    question = Question.of(QueryParams(text))
    assert question.query == {
        "name": "www.example.com",
        "type": "AAAA",
        "ecs": "192.0.2.0/24",
        "draw": "0.5",
        "down": ["a/*", "b/b1"],
        "rules_off": ["office"],
    }
    assert Question.of(QueryParams(question.link.partition("?")[2])) == question
    assert [one.text for one in question.supposed] == ["pool a is down", "b/b1 is down", "rule office is off"]
    assert question.supposed[1].question.down == ("a/*",)
    assert question.unsupposed.query.keys() == {"name", "type", "ecs", "draw"}


def test_what_is_supposed_takes_the_place_of_its_opposite() -> None:
    question = Question(name="www.example.com", down=("a/a1",)).supposing("up", "a/a1").question
    assert (question.down, question.up) == ((), ("a/a1",))
    assert question.supposing("up", "a/a1").question == question


def test_each_step_offers_its_change() -> None:
    changes = changes_of(Question(name="www.example.com"), STEPS)
    assert [one.text for one in changes] == [
        "rule office is off",
        "rule night is on",
        "rule here is off",
        "pool west is up",
        "pool east is down",
        "east/e1 is down",
        "east/e2 is up",
        "east/e3 is down",
    ]
    assert [one.text for one in tried_of(changes, STEPS)] == [
        "pool west is up",
        "pool east is down",
        "east/e1 is down",
        "east/e2 is up",
    ]
    supposed = Question(name="www.example.com", down=("east/e1",))
    assert "east/e1 is down" not in [one.text for one in changes_of(supposed, STEPS)]


def test_a_refusal_stands_beside_its_field() -> None:
    def fields(message: str, pointer: str = "") -> dict[str, list[str]]:
        source = {"source": {"pointer": pointer}} if pointer else {}
        return errors_by_field([{"code": 1002, "message": f"{message}: validation failed", **source}])

    assert fields("resolver: 'x' is not an IPv4 or IPv6 address\necs: 'y' is not an IPv4 or IPv6 network").keys() == {
        "resolver",
        "ecs",
    }
    assert list(fields("no airport has the IATA code ZZZ")) == ["pop"]
    assert list(fields('no endpoint matches "x/*"')) == ["supposed"]
    assert list(
        fields("www.com BOGUS: no such name or type can be asked for (DNS resource record type is unknown.)")
    ) == ["type"]
    assert list(fields("www..com A: no such name or type can be asked for")) == ["name"]


def test_answers_are_told_without_what_was_asked_for() -> None:
    lines = [
        "www.example.com. 60 IN CNAME lb.example.com.",
        "lb.example.com. 30 IN A 192.0.2.2",
        "lb.example.com. 30 IN A 192.0.2.1",
    ]
    told = answer_words({"answer": lines, "type": "A", "rcode": "NOERROR"})
    assert told == ["192.0.2.1", "192.0.2.2", "CNAME lb.example.com."]
    assert answer_words({"answer": ["x.example.com. 30 IN APL"], "type": "APL", "rcode": "NOERROR"}) == [""]
    assert answer_words({"answer": [], "type": "A", "rcode": "NXDOMAIN"}) == ["NXDOMAIN, no records"]
