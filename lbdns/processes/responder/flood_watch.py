"""Keeps floods out of a UDP socket: where it is full and datagrams are lost, networks far beyond the limit of replies
have most of what they send dropped before it takes a place there, so that all others lose nothing.

    datagrams are lost, and a network has BEGIN_PER_S replies beyond the limit --> most of what it sends is dropped
    it has less than END_PER_S for QUIET_S, as what is let through tells --------> all of it is taken again

A filter stays at a socket, which goes from process to process. So what filter it has is said anew at each look, and
nobody need know who had the socket before, or has it too.
"""

from __future__ import annotations

import ipaddress
import logging
import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lbdns.answer.proxy_clients import has_proxies
from lbdns.base.networks import NETWORK_BITS_V4, NETWORK_BITS_V6
from lbdns.fastpath.floods import Floods
from lbdns.mapped.rate_words import LIMIT_COOKIES
from lbdns.mapped.unread_words import UNREAD_FLOOD, UNREAD_FULL
from lbdns.model.socket_address import format_socket_address
from lbdns.processes.responder.flood_filter import QueueState, attach, detach, flood_filter, queue_state

LOOK_S: Final = 0.25
BEGIN_PER_S: Final = 10_000
END_PER_S: Final = 2_000
QUIET_S: Final = 2.0
THROUGH_PER_S: Final = 5_000
"""At least so many of a network are let through, where it sends more: of a hundred times the default limit none gets a
whole reply, and the others in that network are heard as often as can be."""
ONE_IN_MAX: Final = 64
NETWORKS_MAX: Final = 16
"""Of one socket: its program tests them in turn, for every datagram."""
_LOWER_32: Final = 0xFFFFFFFF
_SEED_BITS: Final = 64

log = logging.getLogger("lbdns.processes")


@dataclass(slots=True)
class _Flood:
    """A network that is kept out: since when, of how many datagrams one is let through, and from when on it has been
    quiet."""

    since_s: float
    one_in: int
    quiet_from_s: float | None = None


class FloodWatch:
    """What is kept out of one socket."""

    def __init__(self, sock: socket.socket, floods: Floods, words: memoryview) -> None:
        """Have it take everything. `floods`: what its thread notes of networks; `words`: where lost datagrams are
        counted."""
        self._socket = sock
        self._address = format_socket_address(*sock.getsockname()[:2])
        self._floods = floods
        self._words = words
        self._kept_out: dict[int, _Flood] = {}
        self._looked_s = 0.0
        self._before: QueueState | None = None
        self._is_failing = False
        self.close()

    @property
    def networks(self) -> list[str]:
        """The networks that are kept out."""
        return [self._name(network) for network in self._kept_out]

    def look(self, columns: Mapping[str, memoryview], now_s: float) -> None:
        """Judge who floods by what came since the last look, and say what the socket is to take. `columns`: of the view
        in force; `now_s`: of the monotonic clock."""
        votes = self._floods.take(random.getrandbits(_SEED_BITS))
        try:
            state = queue_state(self._socket)
            if self._before is not None and now_s > self._looked_s:
                lost = (state.dropped - self._before.dropped) & _LOWER_32
                self._words[UNREAD_FLOOD if self._kept_out else UNREAD_FULL] += lost
                is_pressed = lost > 0 or state.waiting > state.most // 2
                elapsed_s = now_s - self._looked_s
                rates = {network: count / elapsed_s for network, count in votes} if _is_limited(columns) else {}
                self._judge(rates, is_pressed, now_s)
            self._before, self._looked_s = state, now_s
            if not _is_limited(columns):
                self._kept_out.clear()
            self._set_filter(columns)
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Have the socket take everything, as nobody looks any more."""
        self._kept_out.clear()
        try:
            detach(self._socket)
        except OSError as error:
            self._fail(error)

    def _judge(self, rates: Mapping[int, float], is_pressed: bool, now_s: float) -> None:
        """Begin and end by the replies beyond the limit of each network, a second. `is_pressed`: datagrams are lost, or
        are about to be."""
        for network, flood in list(self._kept_out.items()):
            rate = rates.get(network, 0.0) * flood.one_in
            flood.one_in = max(_one_in(rate), flood.one_in // 2)
            if rate >= END_PER_S:
                flood.quiet_from_s = None
            elif flood.quiet_from_s is None:
                flood.quiet_from_s = now_s
            elif now_s - flood.quiet_from_s >= QUIET_S:
                del self._kept_out[network]
                told = "%s floods %s no more, after %.0f s: all that it sends is read again"
                log.info(told, self._name(network), self._address, now_s - flood.since_s)
        if not is_pressed:
            return
        floods = [one for one, rate in rates.items() if rate >= BEGIN_PER_S and one not in self._kept_out]
        for network in sorted(floods, key=lambda one: -rates[one])[: NETWORKS_MAX - len(self._kept_out)]:
            self._kept_out[network] = _Flood(now_s, _one_in(rates[network]))
            told = "%s floods %s, which is full, with %.0f queries a second beyond the limit: most are read no more"
            log.warning(told, self._name(network), self._address, rates[network])

    def _set_filter(self, columns: Mapping[str, memoryview]) -> None:
        if not self._kept_out:
            detach(self._socket)
            return
        networks = {network: flood.one_in for network, flood in self._kept_out.items()}
        attach(self._socket, flood_filter(self._socket.family, networks, _exempts_cookies(columns)))

    def _fail(self, error: OSError) -> None:
        """Go on without a filter; say so once."""
        self._kept_out.clear()
        if not self._is_failing:
            log.warning("no flood is kept out of %s: %s", self._address, error)
        self._is_failing = True

    def _name(self, network: int) -> str:
        """Return a network as people write it."""
        if self._socket.family == socket.AF_INET:
            return str(ipaddress.IPv4Network((network << (32 - NETWORK_BITS_V4), NETWORK_BITS_V4)))
        return str(ipaddress.IPv6Network((network << (128 - NETWORK_BITS_V6), NETWORK_BITS_V6)))


def _one_in(rate: float) -> int:
    """Return of how many datagrams one is to be let through where so many come a second."""
    one_in = 2
    while one_in < ONE_IN_MAX and rate >= 2 * one_in * THROUGH_PER_S:
        one_in *= 2
    return one_in


def _is_limited(columns: Mapping[str, memoryview]) -> bool:
    """Return whether replies are limited, and by the networks that send to the socket: whoever a proxy asks for does
    not."""
    return len(columns["rate_limit"]) != 0 and not has_proxies(columns)


def _exempts_cookies(columns: Mapping[str, memoryview]) -> bool:
    return len(columns["cookie_secret"]) != 0 and columns["rate_limit"][LIMIT_COOKIES] != 0
