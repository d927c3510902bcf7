"""A spare responder: a process that has all but sockets, so that it can go on at once for one that died.

nothing to serve yet --(the first generation)--> waiting, with every generation mapped as it comes
waiting --(a message with sockets)--> a responder
either  --(the supervisor ends)-----> over
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from typing import Final

from lbdns.answer.serving_view import ServingView
from lbdns.mapped.control import Control
from lbdns.mapped.query_room import BEAT_BYTES, map_query_room
from lbdns.processes.responder.view_in_force import Views
from lbdns.processes.sockets import ResponderDuty, receive_duty

BEAT_S: Final = 0.2


class WaitingSpare:
    """One process that waits for a duty, and shows meanwhile that it lives."""

    def __init__(self, channel_fd: int, wake_fd: int, beat_fd: int | None) -> None:
        """Begin to wait: for what comes by `channel_fd`, for news in the control file by `wake_fd`. `beat_fd` is memory
        for a time."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._channel = socket.socket(fileno=channel_fd)
        self._wake_fd = wake_fd
        self._beat = map_query_room(beat_fd, BEAT_BYTES).cast("Q")
        self._events = select.epoll()
        self._events.register(channel_fd, select.EPOLLIN)
        self._events.register(wake_fd, select.EPOLLIN)

    def first_generation(self, control: Control) -> bool:
        """Wait until there is a generation to serve; False where there never will be: the supervisor has ended."""
        while not control.generation:
            if self._is_called(BEAT_S) and not control.generation:
                self._close()
                return False
        return True

    def duty(self, views: Views) -> ResponderDuty | None:
        """Return what this process is to serve once the supervisor says it; None where that is never.

        Raises KeyError, ValueError or OSError for a message that is none of ours.
        """
        try:
            view = self._mapped(views, None)
            while not self._is_called(BEAT_S):
                view = self._mapped(views, view)
            return receive_duty(self._channel)
        finally:
            self._close()

    def _is_called(self, wait_s: float) -> bool:
        """Wait so long for the supervisor, or for news; return whether the supervisor says something, or has ended."""
        self._beat[0] = time.monotonic_ns()
        there = {descriptor for descriptor, _ in self._events.poll(wait_s)}
        if self._wake_fd in there:
            os.eventfd_read(self._wake_fd)
        return self._channel.fileno() in there

    def _mapped(self, views: Views, before: ServingView | None) -> ServingView:
        """Return the view in force with its pages in memory, so that its first query waits for none, or with some of
        them where this process is called before it has all."""
        view = views.current()
        if view is not before:
            for _ in view.snapshot.fault_in(before.snapshot if before else None):
                if self._is_called(0):
                    break
        return view

    def _close(self) -> None:
        self._events.close()
        self._channel.close()
