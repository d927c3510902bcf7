"""Ask: for one client, each step to the answer, the answer, its scope, and what would change it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.responses import Response

from lbdns.base.words import OWN_PATH
from lbdns.manage.dashboard.page_calls import ApiAnswer, ask_api, path_of, path_with
from lbdns.manage.dashboard.page_request import PageRequest, call_api
from lbdns.manage.dashboard.page_router import PageRouter, render, see_other
from lbdns.manage.dashboard.question import (
    PLACE,
    TYPES,
    Question,
    Supposition,
    answer_words,
    balancer_text,
    changes_of,
    chosen_pool,
    errors_by_field,
    tried_of,
)
from lbdns.manage.dashboard.world_map.country_shapes import HEIGHT, WIDTH
from lbdns.manage.dashboard.world_map.drawing import to_pick

NAMES_MAX: Final = 200
"""Names that the field suggests."""
EXPLAIN: Final = f"{OWN_PATH}/explain"

router = PageRouter()


@router.get(PLACE)
async def ask(request: PageRequest) -> Response:
    """Show the form, and where a name is given what it is answered."""
    question = Question.of(request.query_params)
    countries = await call_api(request, "GET", f"{OWN_PATH}/countries")
    rows: list[dict[str, Any]] = countries.result if countries.is_success else []
    if "country" in request.query_params:  # of the form, whose fields are all there: the link says what matters
        return see_other(_of_country(question, request.query_params["country"], rows).link)
    names = await call_api(request, "GET", f"{OWN_PATH}/load_balancers", {"page": 1, "per_page": NAMES_MAX})
    suggested = [one["name"] for one in names.result] if names.is_success else []
    family = "ipv6" if ":" in question.ecs else "ipv4"
    given: dict[str, Any] = {
        "question": question,
        "types": TYPES if question.type in TYPES else (*TYPES, question.type),
        "countries": rows,
        "here": next((one["country"] for one in rows if question.ecs and one[family] == question.ecs), ""),
        "suggested": suggested,
        "example": suggested[0] if suggested else "",
        "world_drawn": to_pick(rows, lambda row: question.having(ecs=row[family] or row["ipv4"] or row["ipv6"]).link),
        "size": (WIDTH, HEIGHT),
        "wrong": {},
        "explained": None,
    }
    if not question.name:
        return render(request, "ask.html", **given)
    answer = await call_api(request, "GET", EXPLAIN, question.query)
    if not answer.is_success:
        return render(request, "ask.html", answer.status, **{**given, "wrong": errors_by_field(answer.errors)})
    return render(request, "ask.html", **given | await _told(request, question, answer.result))


def _of_country(question: Question, picked: str, rows: list[dict[str, Any]]) -> Question:
    """Return the question of a client in a country that was picked; "": as it is."""
    row = next((one for one in rows if one["country"] == picked), None)
    return question if row is None else question.having(ecs=row["ipv4"] or row["ipv6"])


async def _told(request: PageRequest, question: Question, explained: dict[str, Any]) -> dict[str, Any]:
    steps = explained["steps"]
    changes = changes_of(question, steps)
    tried = tried_of(changes, steps)
    plain = [question.unsupposed] if question.supposed else []
    asked = await asyncio.gather(*(_quietly(request, one) for one in (*plain, *(one.question for one in tried))))
    as_it_is = asked[0].result if plain and asked[0].is_success else None
    outcomes = [_outcome(one, found, explained) for one, found in zip(tried, asked[len(plain) :], strict=True)]
    return {
        "explained": explained,
        "answered": answer_words(explained),
        "pool": chosen_pool(steps),
        "stands": balancer_text(steps),
        "steps": steps[1:],
        "outcomes": [one for one in outcomes if one is not None],
        "changes": [one for one in changes if one not in tried],
        "map_link": path_with("/map", _map_query(question)),
        "pool_link": path_of("/health", chosen_pool(steps)),
        "as_it_is": as_it_is,
        "as_it_is_words": answer_words(as_it_is) if as_it_is else [],
        "as_it_is_pool": chosen_pool(as_it_is["steps"]) if as_it_is else "",
    }


def _map_query(question: Question) -> dict[str, Any]:
    """Return what the map shows of the same load balancer, with the same suppositions."""
    left_out = ("name", "ecs", "resolver", "draw")
    kept = {name: value for name, value in question.query.items() if name not in left_out}
    return {"load_balancer": question.name, **kept}


async def _quietly(request: PageRequest, question: Question) -> ApiAnswer:
    """Ask what is no question of the page itself: it is not told among what the page asked."""
    who = request.visit.who if request.visit is not None else None
    return await ask_api(request.scope["app"], request.scope, who, "GET", EXPLAIN, question.query)


def _outcome(change: Supposition, answer: ApiAnswer, explained: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a change comes to; None where the API refuses to try it."""
    if not answer.is_success:
        return None
    words, pool = answer_words(answer.result), chosen_pool(answer.result["steps"])
    is_same = sorted(words) == sorted(answer_words(explained)) and pool == chosen_pool(explained["steps"])
    return {"change": change, "words": words, "pool": pool, "is_same": is_same}
