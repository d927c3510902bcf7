"""Waiting for sockets by one epoll: again and again, not any more, and under a number that another one had."""

from __future__ import annotations

import asyncio
import socket

from lbdns.monitor.probes.readiness import READABLE, WRITABLE, Readiness, readiness_of

PATIENCE_S = 5.0


async def woken(readiness: Readiness, sock: socket.socket, event: int, is_known: bool) -> bool:
    waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    readiness.arm(sock.fileno(), event, waiter, is_known)
    return await asyncio.wait_for(waiter, PATIENCE_S)


def test_a_socket_is_waited_for_again_and_again() -> None:
    async def run() -> None:
        readiness = readiness_of(asyncio.get_running_loop())
        assert readiness_of(asyncio.get_running_loop()) is readiness
        ours, theirs = socket.socketpair()
        with ours, theirs:
            assert await woken(readiness, ours, WRITABLE, False)
            for _ in range(3):
                theirs.send(b"x")
                assert await woken(readiness, ours, READABLE, True)
                assert ours.recv(10) == b"x"

    asyncio.run(run())


def test_who_gave_up_is_not_woken_and_a_new_socket_of_the_same_number_is() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        readiness = readiness_of(loop)
        ours, theirs = socket.socketpair()
        gone: asyncio.Future[bool] = loop.create_future()
        number = ours.fileno()
        readiness.arm(number, READABLE, gone, False)
        readiness.forget(number)
        theirs.send(b"x")
        ours.close()
        theirs.close()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            assert ours.fileno() == number
            waiter: asyncio.Future[bool] = loop.create_future()
            readiness.arm(number, READABLE, waiter, False)
            await asyncio.sleep(0.01)
            assert not waiter.done() and not gone.done()
            theirs.send(b"y")
            assert await asyncio.wait_for(waiter, PATIENCE_S)

    asyncio.run(run())
