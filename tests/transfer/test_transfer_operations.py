"""Requests about zones' transfers, as the control socket and the API bring them: looked at before anybody is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.processes.supervisor.transfer_operations import TransferDesk
from lbdns.transfer.zone_transfer_status import ZoneTransferStatus
from tests.transfer.played_transfers import primary, secondary


class Asked:
    """Zones, and what was asked of them."""

    def __init__(self, *zones: ZoneTransferStatus) -> None:
        self.statuses = zones
        self.verbs: list[tuple[str, Mapping[str, Any]]] = []

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        self.verbs.append((verb, arguments))
        return self.statuses[0].as_json()


def test_zones_come_in_the_order_of_their_names_and_one_by_name() -> None:
    desk = TransferDesk(Asked(primary("b.example"), secondary("a.example")))
    shown = asyncio.run(desk.show({}))
    assert [one["zone"] for one in shown] == ["a.example", "b.example"]
    assert asyncio.run(desk.show({"zone": "B.Example."})) == shown[1:]
    assert asyncio.run(desk.show({"zone": "c.example"})) == []


def test_a_check_and_a_notify_reach_who_does_them() -> None:
    asked = Asked(secondary("a.example"), primary("b.example"))
    desk = TransferDesk(asked)
    asyncio.run(desk.refresh({"zone": "A.example", "by": "token x"}))
    asyncio.run(desk.refresh({"zone": "a.example", "force": True}))
    asyncio.run(desk.notify({"zone": "b.example"}))
    assert asked.verbs == [
        ("refresh", {"zone": "a.example", "force": False}),
        ("refresh", {"zone": "a.example", "force": True}),
        ("notify", {"zone": "b.example"}),
    ]


@pytest.mark.parametrize(
    ("verb", "request_", "refusal"),
    [
        ("refresh", {"zone": "a.exampel"}, 'did you mean "a.example"'),
        ("refresh", {"zone": "b.example"}, "no secondary zone"),
        ("refresh", {"zone": "a.example", "force": "yes"}, "force: expected true or false"),
        ("refresh", {}, "expected the name of a zone"),
        ("refresh", {"zone": "a..example"}, "is no name of a zone"),
        ("notify", {"zone": "a.example"}, "nobody is told of changes of a.example"),
        ("notify", {"zone": 7}, "expected the name of a zone"),
        ("show", {"zone": "a..example"}, "is no name of a zone"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nobody_is_asked(verb: str, request_: dict[str, Any], refusal: str) -> None:
    asked = Asked(secondary("a.example"), primary("b.example"))
    with pytest.raises(LbdnsError, match=refusal):
        asyncio.run(getattr(TransferDesk(asked), verb)(request_))
    assert not asked.verbs


def test_where_nothing_is_transferred_there_is_nothing_to_do() -> None:
    desk = TransferDesk(Asked())
    assert asyncio.run(desk.show({})) == []
    with pytest.raises(LbdnsError, match="is transferred"):
        asyncio.run(desk.notify({"zone": "a.example"}))
