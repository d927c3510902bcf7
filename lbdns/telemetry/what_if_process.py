"""The process that says what a change would move: `python -m lbdns.telemetry.what_if_process`.

On standard input a line of JSON (`state_dir`, `since_s`, `until_s`, `all_up`), then the proposed configuration as a
document; on standard output JSON: what it moves, or `refused`. It is as low as can be in priority, and bounded in
computing: whoever started it waits, and nobody else.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Final

from pydantic_core import from_json, to_json

from lbdns.base.errors import LbdnsError
from lbdns.model.configuration_document import decode_configuration
from lbdns.publish.replay.what_if_question import CPU_S, WhatIfQuestion
from lbdns.telemetry.recorded_what_if import recorded_what_if

NICE: Final = 10


def main() -> int:
    """Answer one question; returns the exit status."""
    os.nice(NICE)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    most = CPU_S if hard == resource.RLIM_INFINITY else min(CPU_S, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked = from_json(sys.stdin.buffer.readline())
    try:
        proposed = decode_configuration(sys.stdin.buffer.read())
        question = WhatIfQuestion(asked["since_s"], asked["until_s"], asked["all_up"])
        told = recorded_what_if(Path(asked["state_dir"]), proposed, question)
    except LbdnsError as error:
        told = {"refused": str(error)}
    sys.stdout.buffer.write(to_json(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
