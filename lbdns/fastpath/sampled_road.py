"""Samples of what the slow path answered, by the way to the answer: the same records as the fast path's."""

from __future__ import annotations

from lbdns.answer.answer import Road
from lbdns.answer.reply import Client, Transport
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import make_query
from lbdns.fastpath.sampling import Sampler, write_sample
from lbdns.mapped.sample_words import TRANSPORT_TCP, TRANSPORT_UDP
from lbdns.snapshot.lookup.name_rows import NO_KIND


def sample_answered(
    sampler: Sampler,
    view: ServingView,
    client: Client,
    transport: Transport,
    road: Road,
    reply: bytes,
    unix_ns: int,
) -> None:
    """Write what the slow path has answered, by the way to it."""
    query = road.query or make_query(client, None, 0, 0)
    sampler.unix_ns = unix_ns
    sampler.generation = view.snapshot.generation
    sampler.transport = TRANSPORT_TCP if transport is Transport.TCP else TRANSPORT_UDP
    sampler.is_steered = road.decision is not None
    sampler.kind = road.matches[0].kind.value if road.matches else NO_KIND
    sampler.seen_view, sampler.known_view = road.view, road.known_view
    sampler.scope = road.scope
    write_sample(sampler, view.steering, query, road.decision or view.decision, bytearray(reply), 0)
