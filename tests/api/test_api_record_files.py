"""Records as a master file in a form: forms without one, and large ones."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from lbdns.manage.store.item import Item
from tests.api.conftest import Api
from tests.api.test_api_records import path, refusals

pytestmark = pytest.mark.process


@pytest.fixture
def zone(api: Api) -> Item:
    return api.zone()


@pytest.mark.parametrize(
    ("send", "code"),
    [
        ({"json": {}}, 1008),
        ({"content": b"a A 192.0.2.1", "headers": {"Content-Type": "text/plain"}}, 1008),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 1008),
        ({"files": {"fiel": b"a A 192.0.2.1"}}, 1002),
        ({"files": {"file": b"\xff"}}, 1002),
        ({"files": {"file": b""}, "data": {"proxied": "true"}}, 1002),
    ],
)
def test_forms_that_hold_no_file(client: httpx.Client, zone: Item, send: dict[str, Any], code: int) -> None:
    response = client.post(path(zone, "import"), **send)
    assert (response.status_code, refusals(response)[0][0]) == (400, code)


def test_import_of_more_than_a_mebibyte(client: httpx.Client, zone: Item) -> None:
    text = "".join(f"h{number} 60 A 10.0.{number >> 8}.{number & 255} ; {'x' * 300}\n" for number in range(4000))
    assert len(text) > 1 << 20
    assert client.post(path(zone, "import"), files={"file": text.encode()}).json()["result"]["recs_added"] == 4000
