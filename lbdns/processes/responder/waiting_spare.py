"""A spare responder: a process that has all but sockets, so that it can go on at once for one that died.

waiting, with every generation mapped as it comes --(a message with sockets)--> a responder
                                                 --(the supervisor ends)------> over
"""

from __future__ import annotations

import os
import select
import signal
import socket

from lbdns.answer.serving_view import ServingView
from lbdns.processes.responder.views import Views
from lbdns.processes.sockets import ResponderDuty, receive_duty


def wait_for_duty(channel_fd: int, wake_fd: int, views: Views) -> ResponderDuty | None:
    """Return what this process is to serve once the supervisor says it; None where that is never.

    Raises KeyError, ValueError or OSError for a message that is none of ours.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with socket.socket(fileno=channel_fd) as channel, select.epoll() as events:
        events.register(channel_fd, select.EPOLLIN)
        events.register(wake_fd, select.EPOLLIN)
        view = _mapped(views, None)
        while True:
            ready = {descriptor for descriptor, _ in events.poll()}
            if wake_fd in ready:
                os.eventfd_read(wake_fd)
                view = _mapped(views, view)
            if channel_fd in ready:
                return receive_duty(channel)


def _mapped(views: Views, before: ServingView | None) -> ServingView:
    """Return the view in force with its pages in memory, so that its first query waits for none."""
    view = views.current()
    if view is not before:
        for _ in view.snapshot.fault_in(before.snapshot if before else None):
            pass
    return view
