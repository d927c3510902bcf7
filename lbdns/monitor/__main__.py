"""The monitor worker's process: `python -m lbdns.monitor --run-dir DIR --control-file FILE`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from lbdns.base.errors import LbdnsError
from lbdns.base.log import log_uncaught, start_log
from lbdns.monitor.waiting_worker import Options, WaitingWorker


def main(arguments: list[str] | None = None) -> int:
    """Run the worker; returns its exit status."""
    parser = argparse.ArgumentParser(prog="lbdns.monitor", description="Probe endpoints and keep the health table.")
    parser.add_argument("--run-dir", type=Path, required=True, help="where the supervisor puts what to probe")
    parser.add_argument("--control-file", type=Path, required=True, help="which generation is in force")
    parser.add_argument("--state-dir", type=Path, help="where the record, forced states and round-trip times are kept")
    parser.add_argument("--orphan-ok", action="store_true", help="go on when the parent process dies")
    parser.add_argument("--parent", type=int, help="the process that began this one")
    parser.add_argument("--wake-fd", type=int, help="an eventfd that says that the control file has news")
    parser.add_argument("--log", choices=["text", "json"], default="text")
    given = parser.parse_args(arguments)
    start_log("monitor", given.log)
    log_uncaught()
    options = Options(given.run_dir, given.control_file, given.state_dir, given.orphan_ok, given.wake_fd, given.parent)
    try:
        asyncio.run(_run(options))
    except LbdnsError as error:
        logging.getLogger("lbdns.monitor").error("%s", error)
        return 1
    return 0


async def _run(options: Options) -> None:
    worker = WaitingWorker(options)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    await worker.run()


if __name__ == "__main__":
    sys.exit(main())
