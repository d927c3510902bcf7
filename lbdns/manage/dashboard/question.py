"""What the Ask page is asked: a query and what is supposed beside it, as the page's URL holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from starlette.datastructures import QueryParams

from lbdns.manage.dashboard.page_calls import path_with

PLACE: Final = "/ask"
TYPES: Final = ("A", "AAAA", "CNAME", "MX", "SRV", "TXT", "NS", "SOA", "HTTPS", "CAA", "PTR")
TRIED_MAX: Final = 8
"""Changes of which the page says at once what they would come to."""
_SUPPOSED: Final = ("down", "up", "rules_off", "rules_on")
_OPPOSITE: Final = {"down": "up", "up": "down", "rules_off": "rules_on", "rules_on": "rules_off"}
_FIELD_OF: Final = (
    ("resolver", ("resolver:",)),
    ("ecs", ("ecs:",)),
    ("pop", ("iata", "airport", "pop ", "pop:")),
    ("draw", ("draw",)),
    ("view", ("view",)),
    ("type", ("query parameter type", "record type")),
)
"""Words by which a refusal tells which field it is about, the first that fits; else it is about the name."""


@dataclass(frozen=True, slots=True)
class Question:
    """The parameters of `explain`, as texts; "" is left out."""

    name: str = ""
    type: str = "A"
    ecs: str = ""
    resolver: str = ""
    view: str = ""
    pop: str = ""
    draw: str = ""
    down: tuple[str, ...] = ()
    up: tuple[str, ...] = ()
    rules_off: tuple[str, ...] = ()
    rules_on: tuple[str, ...] = ()

    @classmethod
    def of(cls, params: QueryParams) -> Question:
        """Return what a page's URL asks."""
        given: dict[str, Any] = {
            one.name: params.get(one.name, "").strip() for one in fields(cls) if one.name not in _SUPPOSED
        }
        given |= {name: tuple(dict.fromkeys(filter(None, params.getlist(name)))) for name in _SUPPOSED}
        return cls(**{**given, "type": given["type"] or "A"})

    @property
    def query(self) -> dict[str, Any]:
        """What the API is asked."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items() if value}

    @property
    def link(self) -> str:
        """The path of the page that asks this."""
        return path_with(PLACE, self.query)

    @property
    def supposed(self) -> list[Supposition]:
        """What is supposed, and each time the question without it."""
        return [
            Supposition(how, what, self.having(**{how: tuple(one for one in getattr(self, how) if one != what)}))
            for how in _SUPPOSED
            for what in getattr(self, how)
        ]

    @property
    def unsupposed(self) -> Question:
        """The same query of the world as it is."""
        return replace(self, down=(), up=(), rules_off=(), rules_on=())

    def supposing(self, how: str, what: str) -> Supposition:
        """Return the question with one thing more supposed; the opposite is not supposed any more."""
        other = _OPPOSITE[how]
        kept = {other: tuple(one for one in getattr(self, other) if one != what)}
        return Supposition(how, what, self.having(**kept, **{how: tuple(dict.fromkeys((*getattr(self, how), what)))}))

    def having(self, **changed: Any) -> Question:
        """Return the question with other values in some fields."""
        return replace(self, **changed)


@dataclass(frozen=True, slots=True)
class Supposition:
    """One thing that is supposed or might be: `how` as in Question, of `what`, and the question then."""

    how: str
    what: str
    question: Question

    @property
    def text(self) -> str:
        """The supposition in words."""
        what = self.what.removesuffix("/*")
        kind = "pool " if what != self.what else ""
        return {
            "down": f"{kind}{what} is down",
            "up": f"{kind}{what} is up",
            "rules_off": f"rule {what} is off",
            "rules_on": f"rule {what} is on",
        }[self.how]


def changes_of(question: Question, steps: Iterable[Mapping[str, Any]]) -> list[Supposition]:
    """Return what an operator may want to suppose next: pools and endpoints on the way the other way round, rules and
    pool sets off that are on, and on that are off."""
    chosen = chosen_pool(steps)
    found = []
    for step in steps:
        match step["stage"]:
            case "pool":
                how = "up" if step["health"] in ("unhealthy", "critical") else "down"
                found.append(question.supposing(how, f"{step['pool']}/*"))
            case "endpoint":
                how = "up" if step["health"].startswith("unhealthy") else "down"
                found.append(question.supposing(how, f"{chosen}/{step['endpoint']}"))
            case "rule" | "pool_set":
                is_off = step["text"].endswith("is disabled")
                found.append(question.supposing("rules_on" if is_off else "rules_off", step[step["stage"]]))
    given = {(one.how, one.what) for one in question.supposed}
    return [one for one in found if (one.how, one.what) not in given]


def tried_of(changes: Iterable[Supposition], steps: Iterable[Mapping[str, Any]]) -> list[Supposition]:
    """Return the changes of which the page says at once what would come of them: those that cost little to try and can
    matter, of the pool that answers and of pools that are down."""
    chosen = chosen_pool(steps)
    answered = {f"{chosen}/{step['endpoint']}" for step in steps if step["stage"] == "endpoint" and step["answered"]}
    wanted = [
        one
        for one in changes
        if one.how == "up" or (one.how == "down" and (one.what == f"{chosen}/*" or one.what in answered))
    ]
    return wanted[:TRIED_MAX]


def chosen_pool(steps: Iterable[Mapping[str, Any]]) -> str:
    """Return the name of the pool that an explanation came to, "" where it came to none."""
    chosen = [str(step["pool"]) for step in steps if step["stage"] == "pool" and step["chosen"]]
    return chosen[-1] if chosen else ""


def balancer_text(steps: Iterable[Mapping[str, Any]]) -> str:
    """Return what stands at the name, in words."""
    return next((str(step["text"]) for step in steps if step["stage"] == "match"), "")


def answer_words(explained: Mapping[str, Any]) -> list[str]:
    """Return the data of an answer, a record each, with its type where that is another one than was asked for, in the
    order of addresses, which turns; its RCODE where there is none."""
    found = []
    for line in explained["answer"]:
        _, _, _, kind, *data = line.split(" ", 4)
        found.append(" ".join(data if kind == explained["type"] else [kind, *data]))
    return sorted(found) or [f"{explained['rcode']}, no records"]


def errors_by_field(errors: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the API's errors by the field that each line of them is about."""
    found: dict[str, list[str]] = {}
    for error in errors:
        pointer = str((error.get("source") or {}).get("pointer", "")).strip("/")
        for line in str(error["message"]).removesuffix(": validation failed").splitlines():
            known = next((name for name, words in _FIELD_OF if any(word in line.lower() for word in words)), "name")
            if "no endpoint matches" in line or "no rule or pool set" in line:
                known = "supposed"
            found.setdefault(pointer or known, []).append(line)
    return found
