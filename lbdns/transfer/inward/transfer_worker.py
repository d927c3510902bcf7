"""START HERE. The transfer worker: zones that come from other servers, and who is told of those that are here.
`python -m lbdns.transfer.inward.transfer_worker ...`

    supervisor --channel: which zones come from where, what is served--> worker --SOA? IXFR? AXFR?--> primaries
    responders --notices.sock: NOTIFY came in-------------------------->   |    --NOTIFY-----------> secondaries
    supervisor <--channel: a copy is there, has expired; how all stand--   '--> secondaries/NAME.copy

What a primary sends is judged and written here, in a process that serves nobody: one that sends without end, or what
nobody may, costs this process some time and memory, both bounded. It is the one writer of the copies, belongs to one
supervisor and ends with it; what is served needs it only to become newer, and to expire.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.log import log_uncaught, start_log
from lbdns.base.words import TRANSFER_MODULE
from lbdns.mapped.run_directory import RunDirectory
from lbdns.transfer.inward.incoming import RECORDS_MAX, TransferBounds
from lbdns.transfer.inward.transfer_at_work import TransferWorker

NICE: Final = 5
"""Who answers comes first, where both want the processor."""

log = logging.getLogger("lbdns.transfer")


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Return what the supervisor says on the command line; `ps` shows it to people."""
    parser = argparse.ArgumentParser(prog=TRANSFER_MODULE, description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True, help="the state directory")
    parser.add_argument("--channel-fd", type=int, required=True, help="the way to the supervisor")
    parser.add_argument("--wake-fd", type=int)
    parser.add_argument("--records-max", type=int, default=RECORDS_MAX, help="how many records a transfer may have")
    parser.add_argument("--log", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Work until told to stop; the exit status is 0 then."""
    said = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    start_log("transfer worker", said.log)
    log_uncaught()
    with contextlib.suppress(PermissionError):  # a filter of system calls, such as systemd's ~@resources
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    try:
        run = RunDirectory(said.state_dir)

        async def work() -> None:
            with socket.socket(fileno=said.channel_fd) as channel:
                await TransferWorker(said.state_dir, run, channel, TransferBounds(said.records_max)).work()

        asyncio.run(work())
    except LbdnsError as error:
        log.error("cannot start: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
