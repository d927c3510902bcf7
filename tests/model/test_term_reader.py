"""Plain terms: what they read is what is written of them, and what is none of theirs is told with where it stands."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import TypeAdapter, ValidationError

from lbdns.model import bounds
from lbdns.model.fields import Frozen
from lbdns.model.monitor_terms import MonitorTerms
from lbdns.model.monitors import Monitor, MonitorGroup
from lbdns.model.plain_fields import CheckedBy, Laid, Whole, plain_term
from lbdns.model.refusal import refusal
from lbdns.model.settings import ProbeNetworks
from lbdns.model.term_reader import BadTerm, read_term, write_term


def _no_x(text: str) -> str:
    if "x" in text:
        raise refusal(f'"{text}" has an x')
    return text.strip()


@plain_term
class Inner:
    word: Annotated[str, Laid(max_length=4), CheckedBy(_no_x), CheckedBy(str, is_first=True)] = ""
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True, slots=True)
class Outer:
    number: int
    is_so: bool = False
    share: float = 0.5
    path: Path | None = None
    spans: tuple[tuple[float, float], ...] = ()
    inner: dict[str, Inner] = field(default_factory=dict)


class InnerModel(Frozen, Inner):
    """The same terms, checked."""

    width: Annotated[Whole, Laid(ge=1, le=3)] = 1


WHOLE = Outer(7, True, 1.25, Path("/a"), ((1.0, 2.5), (3.0, 4.0)), {"k": Inner(word="é", kind="b")})


def test_what_is_written_is_read_and_what_is_left_out_is_at_its_default() -> None:
    assert read_term(Outer, write_term(WHOLE)) == WHOLE
    assert read_term(Outer, b'{"number": 1, "tomorrow": {}, "share": 1}') == Outer(1, share=1.0)


@pytest.mark.parametrize(
    ("text", "location", "told"),
    [
        ("{", (), "no JSON"),
        ("[]", (), "expected an object"),
        ("{}", ("number",), "Field required"),
        ('{"number": "1"}', ("number",), "expected a whole number"),
        ('{"number": true}', ("number",), "expected a whole number"),
        ('{"number": 1, "is_so": 0}', ("is_so",), "expected true or false"),
        ('{"number": 1, "share": "1"}', ("share",), "expected a number"),
        ('{"number": 1, "path": 3}', ("path",), "expected a text"),
        ('{"number": 1, "spans": {}}', ("spans",), "expected a list"),
        ('{"number": 1, "spans": [[1, 2], [3]]}', ("spans", 1), "expected a list of 2"),
        ('{"number": 1, "spans": [[1, 2], [3, null]]}', ("spans", 1), "expected a number"),
        ('{"number": 1, "inner": []}', ("inner",), "expected an object"),
        ('{"number": 1, "inner": {"k": {"kind": "c"}}}', ("inner", "k", "kind"), "expected one of 'a', 'b'"),
        ('{"number": 1, "inner": {"k": {"kind": []}}}', ("inner", "k", "kind"), "expected one of 'a', 'b'"),
        ('{"number": 1, "inner": {"k": {"word": "ax"}}}', ("inner", "k", "word"), '"ax" has an x'),
    ],
)
def test_what_is_none_is_told_with_where_it_stands(text: str, location: tuple[str | int, ...], told: str) -> None:
    with pytest.raises(BadTerm) as e:
        read_term(Outer, text.encode())
    assert e.value.location == location and told in str(e.value)


def test_a_type_that_no_term_has_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="a term has no"):
        read_term(dataclasses.make_dataclass("Odd", [("some", set)]), b"{}")


@pytest.mark.parametrize(
    ("given", "type_"),
    [
        ({"word": "12345"}, "string_too_long"),
        ({"word": "x"}, "refusal"),
        ({"kind": "c"}, "literal_error"),
        ({"width": 4}, "less_than_equal"),
        ({"width": True}, "int_type"),
        ({"other": 1}, "extra_forbidden"),
    ],
)
def test_a_model_checks_the_terms_that_it_is_derived_from(given: dict[str, Any], type_: str) -> None:
    with pytest.raises(ValidationError) as e:
        InnerModel.model_validate(given)
    assert [one["type"] for one in e.value.errors()] == [type_]
    assert InnerModel.model_validate({"word": 12}).word == "12"


def test_a_model_is_written_as_its_terms_and_both_are_frozen() -> None:
    made = InnerModel(word="a", width=2)
    assert read_term(Inner, write_term(made)) == Inner(word="a")
    for one, error in ((made, ValidationError), (Inner(), dataclasses.FrozenInstanceError)):
        with pytest.raises(error):
            setattr(one, "word", "b")  # noqa: B010
    assert [one.name for one in dataclasses.fields(MonitorTerms)] == list(Monitor.model_fields)
    assert read_term(MonitorTerms, b"{}") == MonitorTerms(**Monitor().model_dump())


def test_bounds_stand_before_what_wraps_them() -> None:
    """Behind it they would be taken, and bound nothing."""
    with pytest.raises(TypeError, match=r"max_length.* is laid over function-after"):
        TypeAdapter(Annotated[str, CheckedBy(_no_x), Laid(max_length=4)])


@pytest.mark.parametrize(
    "given",
    [
        {"expected_codes": "200," * 64 + "2xx"},
        {"path": "/" + "a" * bounds.MAX_PATH_CHARS},
        {"header": {f"X-{number}": ["a"] for number in range(bounds.MAX_HEADERS + 1)}},
        {"header": {"X": ["a"] * (bounds.MAX_HEADER_VALUES + 1)}},
        {"header": {"X": []}},
        {"header": {"X" * (bounds.MAX_HEADER_NAME_CHARS + 1): ["a"]}},
        {"header": {"X": ["a" * (bounds.MAX_HEADER_VALUE_CHARS + 1)]}},
        {"client_certificate": "/" + "a" * bounds.MAX_FILE_PATH_CHARS},
        {"description": "a" * (bounds.MAX_DESCRIPTION_CHARS + 1)},
        {"expected_body": "a" * (bounds.MAX_EXPECTED_BODY_CHARS + 1)},
        {"probe_zone": "a" * (bounds.MAX_NAME_CHARS + 1)},
        {"interval": bounds.MIN_INTERVAL_S - 1},
        {"timeout": bounds.MAX_TIMEOUT_S + 1},
        {"retries": bounds.MAX_RETRIES + 1},
        {"consecutive_up": bounds.MAX_CONSECUTIVE + 1},
        {"consecutive_down": -1},
        {"port": bounds.MAX_PORT + 1},
    ],
)
def test_every_bound_of_a_monitor_binds(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"at (most|least)|greater than|less than"):
        Monitor.model_validate(given)


def test_the_bounds_of_groups_and_networks_bind() -> None:
    member = {"monitor": "m"}
    for model, given in (
        (MonitorGroup, {"members": []}),
        (MonitorGroup, {"members": [member] * (bounds.MAX_GROUP_MEMBERS + 1)}),
        (MonitorGroup, {"members": [{"monitor": ""}]}),
        (ProbeNetworks, {"allow": ["192.0.2.0/24"] * (bounds.MAX_PROBE_NETWORKS + 1)}),
    ):
        with pytest.raises(ValidationError, match=r"at (most|least)"):
            model.model_validate(given)
