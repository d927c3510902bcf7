"""A key put into lbdns.yaml and taken out again: all else stays as it was, byte by byte, or nothing is changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdns.base.errors import LbdnsError
from lbdns.cli.frame.settings_block import block_text, with_block, without_block
from lbdns.config.yaml.yaml_tree import parse_yaml

VALUES = {"name": "AMS-1", "join": ["tls://a:4222", "nats://b"], "embedded": True, "port": 4222, "said": "yes"}
TEXTS = [
    "",
    "# a comment alone\n",
    "listen: [127.0.0.1:53]\n",
    "listen: [127.0.0.1:53]   # no line end",
    "pop:\n  code: AMS\n\n# the end\n",
    "listen:\n- 127.0.0.1:53\nworkers: 2\n\n\n",
    "---\nworkers: 2\n",
    'pop: {code: AMS,\n      country: NL}\r\nworkers: 2\r\n',
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_in_and_out_again(text: str) -> None:
    added = with_block(text, "fleet", VALUES, "lbdns.yaml")
    assert added.startswith(text) and parse_yaml(added, "x").value["fleet"] == VALUES
    assert without_block(added, "fleet", "lbdns.yaml") == text + ("" if text.endswith("\n") or not text else "\n")


@pytest.mark.parametrize(
    "text, left",
    [
        ("fleet:\n  name: A\nworkers: 2\n", "workers: 2\n"),
        ("workers: 2\nfleet:\n  name: A\n\n# of pop\npop: {code: A}\n", "workers: 2\n\n# of pop\npop: {code: A}\n"),
        ("fleet: {name: A, join: nats://a}\n", ""),
        ("workers: 2\nfleet: # us\n  # inner\n  name: A\n", "workers: 2\n"),
        ("workers: 2\n", "workers: 2\n"),
    ],
)  # fmt: skip
def test_out_of_what_people_wrote(text: str, left: str) -> None:
    assert without_block(text, "fleet", "lbdns.yaml") == left


@pytest.mark.parametrize("text", ["{workers: 2}\n", "workers: 2\n...\n", "- a\n", "fleet: {}\n", "workers: [\n"])
def test_a_form_that_lines_cannot_be_added_to_is_told_with_the_lines(text: str) -> None:
    with pytest.raises(
        LbdnsError, match=r"lbdns\.yaml: not changed, .* add this by hand:\n    fleet:\n      name: AMS-1"
    ):
        with_block(text, "fleet", VALUES, "lbdns.yaml")


@pytest.mark.parametrize("text", ['"fleet":\n  name: A\n', "{fleet: {name: A}, workers: 2}\n", "fleet: {\nname: A}\n"])
def test_lines_that_cannot_be_told_from_others_stay(text: str) -> None:
    with pytest.raises(LbdnsError, match="not changed, as it is not plain which lines"):
        without_block(text, "fleet", "lbdns.yaml")


@given(st.dictionaries(st.sampled_from("abc"), st.text() | st.booleans() | st.integers() | st.lists(st.text())))
def test_values_are_read_as_they_were_written(values: dict[str, object]) -> None:
    tree = parse_yaml(block_text("fleet", values), "x")
    if not tree.problems:  # characters that YAML has no place for
        assert (tree.value["fleet"] or {}) == values
