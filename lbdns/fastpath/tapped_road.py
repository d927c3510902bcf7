"""What is told of by dnstap of the messages that the slow path answers, or drops, by the way to the answer."""

from __future__ import annotations

from lbdns.answer.answer import Road
from lbdns.answer.match import MatchKind
from lbdns.answer.reply import Client, Transport
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import halves
from lbdns.mapped.sample_words import TRANSPORT_TCP, TRANSPORT_UDP
from lbdns.mapped.tap_ring import Tap, put_exchange


def tap_answered(
    tap: Tap,
    view: ServingView,
    client: Client,
    transport: Transport,
    road: Road,
    message: bytes,
    reply: bytes | None,
    response_ns: int,
) -> None:
    """Copy a message and its reply; when it was taken up, and where it came in, is set."""
    tap.response_ns = response_ns
    tap.transport = TRANSPORT_TCP if transport is Transport.TCP else TRANSPORT_UDP
    tap.version = 4 if len(client.address) == 4 else 6
    tap.client_high, tap.client_low = halves(client.address)
    tap.client_port = client.port
    zone = b""
    if road.matches and road.matches[0].kind is not MatchKind.OUT_OF_ZONE:
        zone = view.name(view.columns["zone_apex"][road.matches[0].zone])
    # An empty buffer is none that compiled code could take.
    given = bytearray(reply or b"\0")
    put_exchange(tap, zone or b"\0", 0, len(zone), message or b"\0", 0, len(message), given, 0, len(reply or b""))
