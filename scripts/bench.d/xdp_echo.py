"""Start the echo over AF_XDP behind the filter that lbdns has: xdp_echo.py PROGRAM INTERFACE HOST PORT."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing

from lbdns.xdp.attachment import Attachment, Interface, open_socket


def main() -> None:
    """Attach, and wait for the program, which ends with this."""
    program, name, host, port = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    interface = Interface.find(name)
    with closing(Attachment(interface, [(host, int(port))])) as attachment, open_socket() as made:
        descriptors = made.fileno(), attachment.sockets
        subprocess.run([program, *map(str, (*descriptors, interface.index))], check=True, pass_fds=descriptors)


if __name__ == "__main__":
    main()
