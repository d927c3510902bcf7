"""A spare responder: a process that has all but sockets, so that it can go on at once for one that died.

waiting, with every generation mapped as it comes --(a message with sockets)--> a responder
                                                 --(the supervisor ends)------> over
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import Final

from lbdns.answer.serving_view import ServingView
from lbdns.mapped.query_room import BEAT_BYTES, map_query_room
from lbdns.processes.responder.view_in_force import Views
from lbdns.processes.sockets import ResponderDuty, receive_duty

BEAT_S: Final = 0.2


def wait_for_duty(channel_fd: int, wake_fd: int, beat_fd: int | None, views: Views) -> ResponderDuty | None:
    """Return what this process is to serve once the supervisor says it; None where that is never. Until then it shows
    that it lives: `beat_fd` is memory for a time.

    Raises KeyError, ValueError or OSError for a message that is none of ours.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    beat = map_query_room(beat_fd, BEAT_BYTES).cast("Q")
    with socket.socket(fileno=channel_fd) as channel, select.epoll() as events:
        events.register(channel_fd, select.EPOLLIN)
        events.register(wake_fd, select.EPOLLIN)

        def ready(wait_s: float) -> set[int]:
            beat[0] = time.monotonic_ns()
            return {descriptor for descriptor, _ in events.poll(wait_s)}

        view = _mapped(views, None, lambda: channel_fd in ready(0))
        while channel_fd not in (there := ready(BEAT_S)):
            if wake_fd in there:
                os.eventfd_read(wake_fd)
                view = _mapped(views, view, lambda: channel_fd in ready(0))
        return receive_duty(channel)


def _mapped(views: Views, before: ServingView | None, is_called: Callable[[], bool]) -> ServingView:
    """Return the view in force with its pages in memory, so that its first query waits for none, or with some of them
    where this process is called before it has all."""
    view = views.current()
    if view is not before:
        for _ in view.snapshot.fault_in(before.snapshot if before else None):
            if is_called():
                break
    return view
