"""START HERE. The signer: the one process that has private keys. `python -m lbdns.dnssec.signer.signer_worker ...`

    supervisor --channel: what to sign in bulk, what to do with keys--> signer --> signatures; how zones stand
    responders --signer.sock: RRsets that lack a signature------------> signer --> signatures, put into the table too
                                                             nobody --> signer --> what will be asked for, likewise

It begins with the keys, and signs in bulk: so the supervisor can publish. From `serve` on it is the only one that
writes the table and the state of keys, and answers responders. It goes on without its supervisor, as responders do,
until the next one has one of its own. Its memory is not for others to look into (prctl(2)).

What is asked for comes first; what will be is made while nobody asks, a little at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import logging
import socket
import sys
import time
from pathlib import Path
from typing import Final

from lbdns.base.clocks import elapsed_s
from lbdns.base.errors import LbdnsError
from lbdns.base.log import log_uncaught, start_log
from lbdns.base.words import SIGNER_MODULE
from lbdns.dnssec.parent_check import ask_parent
from lbdns.dnssec.signer.demand_signing import DemandSigning
from lbdns.dnssec.signer.foresight import Foresight
from lbdns.dnssec.signer.key_life import KeyLife
from lbdns.dnssec.signer.signer_at_work import SignerWorker
from lbdns.dnssec.signer.steady_clock import SteadyClock
from lbdns.dnssec.signer.steered_foresight import SteeredForesight
from lbdns.dnssec.token import KeyToken
from lbdns.mapped.run_directory import RunDirectory

_PR_SET_DUMPABLE: Final = 4

log = logging.getLogger("lbdns.dnssec")


def foresight_of(signing: DemandSigning) -> Foresight:
    """Return who says what load balancers may answer."""
    return SteeredForesight(signing, time.monotonic)


def hide_memory() -> None:
    """Let nobody look into this process's memory, and leave none of it behind where it fails (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Return what the supervisor says on the command line; `ps` shows it to people."""
    parser = argparse.ArgumentParser(prog=SIGNER_MODULE, description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True, help="the state directory")
    parser.add_argument("--channel-fd", type=int, required=True, help="the way to the supervisor")
    parser.add_argument("--wake-fd", type=int)
    parser.add_argument("--log", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Work until told to stop; the exit status is 0 then."""
    hide_memory()
    said = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    start_log("signer", said.log)
    log_uncaught()
    try:
        run = RunDirectory(said.state_dir)
        keys = KeyLife(said.state_dir, SteadyClock(time.time, elapsed_s), ask_parent, KeyToken(time.monotonic))
    except (LbdnsError, OSError) as error:
        log.error("cannot start: %s", error)
        return 1

    async def work() -> None:
        with socket.socket(fileno=said.channel_fd) as channel:
            await SignerWorker(run, keys, foresight_of, channel, time.time).work(said.wake_fd)

    gc.collect()
    gc.freeze()
    asyncio.run(work())
    return 0


if __name__ == "__main__":
    sys.exit(main())
