"""The envelope: a long list in it is encoded in parts, and reads as if it were not."""

from __future__ import annotations

import json

import pytest

from lbdns.manage.api.frame.envelope import LISTED_AT_ONCE, ok, ok_with_list


@pytest.mark.parametrize("count", [0, 1, LISTED_AT_ONCE, 2 * LISTED_AT_ONCE + 1])
@pytest.mark.parametrize("rest", [{}, {"revision": 3, "counts": {"create": {}}}])
def test_a_list_in_parts_reads_like_a_whole_one(count: int, rest: dict[str, object]) -> None:
    items = [{"id": str(number), "text": "\u00fc,]"} for number in range(count)]
    messages = [{"code": 1, "message": "m"}]
    whole, parts = ok({**rest, "list": items}, messages=messages), ok_with_list(rest, "list", iter(items), messages)
    assert json.loads(bytes(parts.body)) == json.loads(bytes(whole.body))
    assert (parts.status_code, parts.media_type) == (whole.status_code, whole.media_type)
