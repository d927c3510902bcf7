"""One request that could be read, with all that its answer follows from."""

from __future__ import annotations

from typing import NamedTuple

from lbdns.answer.reply import Client, Transport
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import make_query
from lbdns.dns.message import Message
from lbdns.dns.options.client_subnet import ClientSubnet
from lbdns.dns.tsig import Judgement
from lbdns.snapshot.lookup.look_up import directory_of
from lbdns.snapshot.lookup.view_of import view_of


class Exchange(NamedTuple):
    """One request that could be read: what it says, for which network of clients, who sent it and how, the view that
    answers it, when (seconds of CLOCK_MONOTONIC), what is said of its signature, and the number of the view that its
    listener is of, 0 for none. `datagram`: as it came; `draw`: 64 random bits, from which every random choice of its
    reply follows; `unix_s`: the time of day; `cookie`: the option's data for the reply, empty for none."""

    message: Message
    client_subnet: ClientSubnet | None
    client: Client
    transport: Transport
    view: ServingView
    now_s: int
    judgement: Judgement
    listener_view: int
    datagram: bytes = b""
    draw: int = 0
    unix_s: int = 0
    cookie: bytes = b""

    @property
    def known_view(self) -> int:
        """The number of the view that the request's key or listener says, 0 for none: a key says who somebody is
        wherever he asks."""
        return self.judgement.view or self.listener_view

    def zone_at(self) -> tuple[int, int] | None:
        """Return the row of the zone whose apex the question's name is, as who sent this sees it (by key, listener and
        address; never by ECS), and the number of that view; None where there is no such zone."""
        seen = self.known_view
        if not seen and self.view.has_networks:
            asker = make_query(self.client, None, self.now_s, self.draw)
            seen = view_of(self.view.steering, asker, 0) >> 8
        zones = self.view.zones_above(directory_of(seen), self.message.qname)
        if not zones or self.view.apex(zones[0]) != self.message.qname:
            return None
        return zones[0], seen
