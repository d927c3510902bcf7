"""Loopback addresses of one's own: resolvers that follow delegations ask port 53, which is free at each of these."""

from __future__ import annotations

import contextlib
import ipaddress
import random
import socket

import pytest

DNS_PORT = 53
TRIES = 50


def dns_addresses(count: int) -> list[str]:
    """Return neighbours in 127/8 whose port 53 is free for UDP and TCP; the test is skipped by name where none may be
    bound to."""
    chance = random.SystemRandom()  # tests that run at the same time must not agree
    refused = ""
    for _ in range(TRIES):
        first = ipaddress.IPv4Address(f"127.{chance.randrange(10, 250)}.{chance.randrange(1, 250)}.1")
        found = [str(first + number) for number in range(count)]
        try:
            for address in found:
                _bind(address)
        except OSError as error:
            refused = str(error)
        else:
            return found
    pytest.skip(f"no loopback address with port 53: {refused}")


def _bind(address: str) -> None:
    with contextlib.ExitStack() as sockets:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            sockets.enter_context(socket.socket(socket.AF_INET, kind)).bind((address, DNS_PORT))
