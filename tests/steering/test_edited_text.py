"""A list's text with edits: it says what the list says, keeps its base while little is another, and is the very same
while nothing is."""

from __future__ import annotations

from random import Random

import pytest

from lbdns.model.targets_document import join_parts
from lbdns.publish.edited_text import EDITED_MAX, EDITED_SHARE, EDITS_MAX, EditedText


@pytest.mark.parametrize("seed", range(20))
def test_random_edits_say_what_a_list_says(seed: int) -> None:
    random = Random(seed)
    wanted = [b"part%d" % number for number in range(random.choice((0, 1, 40, 400)))]
    text = EditedText.of_parts(wanted)
    for turn in range(60):
        first = random.randint(0, len(wanted))
        count = min(random.choice((0, 0, 1, 1, 2, 5)), len(wanted) - first)
        parts = [b"new%d.%d" % (turn, number) for number in range(random.choice((count, count, 0, 1, 3)))]
        wanted[first : first + count] = parts
        text = text.replaced(first, count, parts)
        assert text.whole() == join_parts(wanted)
        applied, at = list[bytes](), 0
        base = text.base.text.split(b",\n") if text.base.text else []
        for edit in text.edits:
            assert edit.at >= at and (edit.gone or edit.parts)
            applied += [*base[at : edit.at], *edit.parts]
            at = edit.at + edit.gone
        assert applied + base[at:] == wanted


def test_what_says_the_same_is_the_very_same() -> None:
    text = EditedText.of_parts([b"a", b"b", b"c"] * 20)
    edited = text.replaced(4, 1, [b"x"])
    assert text.replaced(0, 60, [b"a", b"b", b"c"] * 20) is text
    assert edited.base is text.base and edited.replaced(4, 1, [b"x"]) is edited
    assert [*edited.edits] == [(4, 1, (b"x",))]


def test_one_part_again_and_again_is_one_edit() -> None:
    text = EditedText.of_parts([b"part"] * 1000)
    base = text.base
    for number in range(200):
        text = text.replaced(500, 1, [b"%d" % number])
    assert text.base is base and len(text.edits) == 1


def test_a_base_is_made_anew_once_much_is_another() -> None:
    few = EditedText.of_parts([b"part"] * (EDITED_SHARE - 1))
    assert few.replaced(0, 1, [b"x"]).base is not few.base
    many = EditedText.of_parts([b"part"] * (4 * EDITED_SHARE * EDITED_MAX))
    scattered = many
    for number in range(EDITS_MAX):
        scattered = scattered.replaced(10 * number, 1, [b"x"])
    assert scattered.base is many.base
    assert not scattered.replaced(10 * EDITS_MAX, 1, [b"x"]).edits
    assert many.replaced(7, 0, [b"x"] * EDITED_MAX).edits and not many.replaced(7, 0, [b"x"] * (EDITED_MAX + 1)).edits


def test_one_of_text_is_read_as_one_of_parts() -> None:
    parts = [b"part%d" % number for number in range(100)]
    read = EditedText.of_text(join_parts(parts))
    assert read.replaced(99, 1, [b"x", b"y"]).whole() == join_parts([*parts[:99], b"x", b"y"])
