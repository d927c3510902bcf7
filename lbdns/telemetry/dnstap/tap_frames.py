"""Exchanges as dnstap messages: AUTH_QUERY and AUTH_RESPONSE (dnstap.proto of dnstap.info).

A response carries the query's time as well as its own, and the zone that answered: what it takes to tell how long an
answer took, without keeping the queries.
"""

from __future__ import annotations

from collections.abc import Iterator

from dnstap_pb import Dnstap

from lbdns.telemetry.dnstap.tap_reader import TappedExchange

NS = 1_000_000_000
MESSAGE, AUTH_QUERY, AUTH_RESPONSE = 1, 1, 2
INET, INET6 = 1, 2
UDP, TCP = 1, 2


class TapFrames:
    """Makes frames of exchanges."""

    def __init__(self, identity: str, version: str, queries: bool, responses: bool) -> None:
        """Say who tells, and what of."""
        self._identity, self._version = identity.encode(), version.encode()
        self._queries, self._responses = queries, responses

    def of(self, exchange: TappedExchange) -> Iterator[bytes]:
        """Yield the frames of an exchange, the query's first."""
        if self._queries:
            told = self._told(exchange, AUTH_QUERY)
            told.message.query_message = exchange.query
            yield told.SerializeToString()
        if self._responses and exchange.reply:
            told = self._told(exchange, AUTH_RESPONSE)
            told.message.response_message = exchange.reply
            told.message.response_time_sec, told.message.response_time_nsec = divmod(exchange.response_ns, NS)
            yield told.SerializeToString()

    def _told(self, exchange: TappedExchange, kind: int) -> Dnstap:
        told = Dnstap(identity=self._identity, version=self._version, type=MESSAGE)
        message = told.message
        message.type = kind
        message.socket_family = INET if len(exchange.client) == 4 else INET6
        message.socket_protocol = TCP if exchange.is_tcp else UDP
        message.query_address = exchange.client
        message.query_port = exchange.client_port
        if exchange.local:
            message.response_address = exchange.local
        if exchange.local_port:
            message.response_port = exchange.local_port
        message.query_time_sec, message.query_time_nsec = divmod(exchange.query_ns, NS)
        if exchange.zone:
            message.query_zone = exchange.zone
        return told
