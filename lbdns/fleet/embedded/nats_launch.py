"""Becomes nats-server: started like any child of the supervisor, whose descriptor for waking it has no use there."""

from __future__ import annotations

import argparse
import os


def main() -> None:
    """Leave this process to nats-server."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--configuration", required=True)
    parser.add_argument("--wake-fd", type=int, required=True)
    arguments = parser.parse_args()
    os.close(arguments.wake_fd)
    os.execv(arguments.binary, [arguments.binary, "-c", arguments.configuration])


if __name__ == "__main__":
    main()
