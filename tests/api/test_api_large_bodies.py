"""Bodies full of mistakes: bounds are looked at before contents, a hundred are told, and the others counted."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import httpx
import pytest

from lbdns.base.errors import Problem
from lbdns.base.kept_problems import COUNTED_MAX, KEPT_MAX, KeptProblems
from lbdns.base.wording import TOLD_CHARS_MAX, abridged
from lbdns.config.yaml.bounded import UNKNOWN_MAX, Shape, shape_of
from lbdns.config.yaml.repair import build
from lbdns.config.yaml.source import Source
from lbdns.manage.api.frame.api_errors import ERRORS_MAX
from lbdns.manage.reading import request_bounds
from lbdns.manage.reading.body_refused import BadBody
from lbdns.manage.reading.configuration_reading import ConfigurationReading
from lbdns.manage.reading.json_body import parse_json
from lbdns.manage.reading.readings import outcome
from lbdns.model import bounds
from lbdns.model.balancer import LoadBalancer
from lbdns.model.kind_models import MODELS
from lbdns.model.pool import Pool
from tests.api.conftest import Api
from tests.work import calls_of

pytestmark = [pytest.mark.process, pytest.mark.slow]

CALLS_MAX = 400_000  # half a second's; what looked at all that is sent made up to 23 million


def post(client: httpx.Client, path: str, body: Any) -> dict[str, Any]:
    answer = client.post(path, content=json.dumps(body).encode())
    assert answer.status_code in (400, 413)
    found: dict[str, Any] = answer.json()
    return found


def test_a_list_is_counted_before_its_items_are_looked_at(api: Api, client: httpx.Client) -> None:
    body = {"name": "p", "origins": [{} for _ in range(200_000)]}
    errors = post(client, f"{api.account}/pools", body)["errors"]
    assert errors[0]["message"] == "origins: 200000 entries; expected at most 100: validation failed"
    assert errors[0]["source"]["pointer"] == "/origins"
    assert len(errors) == ERRORS_MAX + 1
    assert errors[-1]["message"] == f"and {1 + 2 * 100 - ERRORS_MAX:,} more: validation failed"  # of 100 origins alone


def test_mistakes_beyond_a_hundred_are_counted(api: Api, client: httpx.Client) -> None:
    pools = {f"p{number}": {"origins": [{"name": "a", "address": "x y"}]} for number in range(15_000)}
    tree = {"configuration": {"pools": pools}}
    answer = client.post("/../../lbdns/v1/apply", json=tree)
    errors = answer.json()["errors"]
    assert errors[-1]["message"] == "and 14,900 more: validation failed"
    assert errors[0]["source"]["pointer"] == "/configuration/pools/p0/origins/0/address"
    assert not api.manager.state.revision
    body = io.BytesIO(json.dumps(tree).encode())
    calls = calls_of(lambda: list(outcome(ConfigurationReading(), body.read)))
    assert calls["_Repair.run"] == KEPT_MAX  # of the others, mistakes are only counted


def test_unknown_sections_are_counted(client: httpx.Client) -> None:
    tree = {f"s{number}": 1 for number in range(20_000)}
    errors = client.post("/../../lbdns/v1/apply", json={"configuration": tree}).json()["errors"]
    assert errors[-1]["message"] == "and 19,900 more: validation failed"


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (Pool, {"name": "p", "origins": [{"name": "a", "address": "x y", "weight": 9}] * 15_000}),
        (Pool, {"name": "p", "origins": [1] * 300_000}),
        (Pool, {"name": "p", "origins": [{"name": "a", "address": "192.0.2.1"}], "check_regions": ["X"] * 150_000}),
        (Pool, {"name": "p", "description": [[]] * 100_000, **{f"k{n}": n for n in range(80_000)}}),
        (LoadBalancer, {"name": "a.example", "region_pools": {f"R{n}": ["x"] for n in range(60_000)}}),
        (LoadBalancer, {"name": "a.example", "pop_pools": {f"R{n}": [1] * 256 for n in range(200)}}),
        (LoadBalancer, {"name": "a.example", "default_pools": [1] * 300_000, "rules": [{}] * 200_000}),
    ],
)
def test_an_object_costs_what_it_may_hold(model: Any, body: dict[str, Any]) -> None:
    problems = KeptProblems()
    calls = calls_of(lambda: build(model, body, Source("body", 0, "objects", "p"), problems))
    assert calls.total() < CALLS_MAX
    assert problems and len(problems) <= KEPT_MAX


def test_excess_is_told_beside_the_mistakes_in_the_rest() -> None:
    problems: list[Problem] = []
    origins = [{"name": f"a{n}", "address": f"192.0.2.{n}"} for n in range(bounds.MAX_ENDPOINTS_PER_POOL + 1)]
    origins[3]["address"] = "x y"
    unknown = dict.fromkeys((f"k{n}" for n in range(UNKNOWN_MAX + 7)), 1)
    placed = build(Pool, {"name": "p", "origins": origins, **unknown}, Source("body", 0, "pools", "p"), problems)
    told = [problem.message for problem in problems]
    assert "101 entries; expected at most 100" in told and "and 7 more unknown keys" in told
    assert [problem.at[2:] for problem in problems if "x y" in problem.message] == [("origins", 3, "address")]
    assert placed is not None and not placed.knows("origins")


def test_everything_that_an_object_holds_several_of_has_a_bound() -> None:
    without = []

    def walk(shape: Shape | None, at: str) -> None:
        if shape is not None and shape.fields is not None:
            for key, inner in shape.fields.items():
                walk(inner, f"{at}.{key}")
        elif shape is not None:
            if shape.most is None:
                without.append(at)
            walk(shape.item, f"{at}[]")

    for model in MODELS.values():
        walk(shape_of(model), model.__name__)
    # It refuses every key but Host.
    assert without == ["Pool.origins[].header"]


def test_what_is_kept_of_problems_has_a_bound() -> None:
    problems = KeptProblems()
    problems.extend(Problem("file", line, "", "wrong") for line in range(KEPT_MAX + 5))
    problems.append(Problem("file", 1, "", "odd", "warning"))
    assert (len(problems), problems.more, problems.is_full, problems.is_hopeless) == (KEPT_MAX + 1, 5, True, False)
    problems += KeptProblems((), COUNTED_MAX)
    assert problems.more == COUNTED_MAX + 5 and problems.is_hopeless


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" + b"0," * request_bounds.VALUES_MAX + b"0]", 413),
        (b'{"a":[' + b"{}," * request_bounds.VALUES_MAX + b"{}]}", 413),
        (b'{"' + b"k" * (request_bounds.KEY_CHARS_MAX + 1) + b'":1}', 400),
        (b"[" * 1_000_000, 400),
        (b"[" * 40 + b"]" * 40, 400),
    ],
)
def test_a_body_is_counted_before_it_is_parsed(body: bytes, status: int) -> None:
    refusals: list[BadBody] = []

    def refused() -> None:
        with pytest.raises(BadBody) as refusal:
            parse_json(body)
        refusals.append(refusal.value)

    calls = calls_of(refused)
    assert (413 if refusals[0].is_too_large else 400) == status
    assert ("from_json" in calls) == (status == 400)
    assert calls.total() < 1000


def test_a_body_of_too_many_fields(api: Api, client: httpx.Client) -> None:
    body = {"type": "A", **{f"k{number}": 1 for number in range(50_000)}}
    zone = api.zone()
    errors = post(client, f"/zones/{zone.id}/dns_records", body)["errors"]
    assert errors[0]["message"] == "the body has 50,001 fields; expected at most 1,000"


def test_a_parsed_body_is_not_copied() -> None:
    body = json.dumps({"a": [[1.0, 2.5, "x"]] * 50_000}).encode()
    tracemalloc.start()
    value = parse_json(body)
    _, peak = tracemalloc.get_traced_memory()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert value["a"][0] == [1, 2.5, "x"] and isinstance(value["a"][0][0], int)
    assert peak < 1.5 * size


def test_models_share_what_they_say_of_fields_that_were_given() -> None:
    origins = [{"name": "a", "address": "192.0.2.1"}]
    first, second = (
        build(Pool, {"name": name, "origins": origins}, Source("f", 0, "pools", name), []) for name in ("p", "q")
    )
    assert first is not None and second is not None
    assert first.item.model_fields_set is second.item.model_fields_set == {"name", "origins"}
    assert first.item.origins[0].model_fields_set is second.item.origins[0].model_fields_set == {"name", "address"}
    assert first.item.model_dump(exclude_unset=True)["name"] == "p"


def test_a_name_that_is_too_long_is_not_looked_at(api: Api, client: httpx.Client) -> None:
    zone = api.zone()
    name = "a." * 400_000
    tracemalloc.start()
    errors = post(client, f"/zones/{zone.id}/dns_records", {"name": name, "type": "A", "content": "192.0.2.1"})[
        "errors"
    ]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert errors[0]["message"].startswith('name: the name "a.a.') and "800,000 characters" in errors[0]["message"]
    assert peak < 10 * len(name)


LONG = "x" * 900_000


@pytest.mark.parametrize(
    ("way", "sent"),
    [
        ("load_balancers", {"json": {"name": LONG, "default_pools": ["a"], "fallback_pool": "a"}}),
        ("dns_records/batch", {"json": {"deletes": [{"id": LONG}]}}),
        ("dns_records", {"json": {"type": "A", "name": "www", "content": LONG}}),
        ("dns_records/import", {"files": {"file": f"$TTL 300\nwww {LONG} A 192.0.2.1\n"}}),
        ("dns_records", {"json": {"type": "A", "name": "www", "content": "192.0.2.1", "tags": [LONG]}}),
    ],
)
def test_what_is_told_of_something_long_is_short(
    api: Api, client: httpx.Client, way: str, sent: dict[str, Any]
) -> None:
    response = client.post(f"/zones/{api.zone().id}/{way}", **sent)
    body = response.json()
    told = [one["message"] for one in [*body["errors"], *body["messages"]]]
    assert told
    assert max(map(len, told)) <= TOLD_CHARS_MAX
    assert len(response.content) < 10 * TOLD_CHARS_MAX or response.is_success


def test_a_long_text_is_told_with_its_start_and_its_end() -> None:
    assert abridged("a" * TOLD_CHARS_MAX) == "a" * TOLD_CHARS_MAX
    text = abridged(f'"{LONG}" has a label of 900,000 characters; at most 63 fit')
    assert text.startswith('"xxx')
    assert text.endswith('x" has a label of 900,000 characters; at most 63 fit')
    assert "characters are left out" in text
