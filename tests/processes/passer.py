"""Becomes another program, to which sockets are passed as systemd passes them (sd_listen_fds(3)).

    passer.py SOCKET PROGRAM [ARGUMENT...]

They come over the UNIX socket at the path SOCKET, from a test, which keeps them (`Holder`).
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

FIRST_DESCRIPTOR = 3
SOCKETS_MAX = 32
HIGH = 100  # descriptors that are in nobody's way


@contextlib.contextmanager
def holding(path: Path, sockets: Sequence[socket.socket]) -> Iterator[None]:
    """Hold sockets and pass them to every program that is started with `path` as its SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        path.chmod(0o777)
        listening.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    channel, _ = listening.accept()
                    with channel:
                        socket.send_fds(channel, [b"\0"], [one.fileno() for one in sockets])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in sockets:
                one.close()


def main() -> None:
    """Take them and go on as the program."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.connect(sys.argv[1])
        _, descriptors, _, _ = socket.recv_fds(channel, 1, SOCKETS_MAX)
    high = [os.dup2(descriptor, HIGH + index) for index, descriptor in enumerate(descriptors)]
    for index, descriptor in enumerate(high):
        os.dup2(descriptor, FIRST_DESCRIPTOR + index, inheritable=True)
        os.close(descriptor)
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(high))}
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
