"""Running `lbdns` in this process, as a person would: exit status, standard output, standard error."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from typing import Any

from lbdns.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def run(*arguments: str) -> Outcome:
    """Run a command."""
    out, err = io.StringIO(), io.StringIO()
    status: Any = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(arguments))
        except SystemExit as end:
            status = end.code
    return Outcome(int(status or 0), out.getvalue(), err.getvalue())


def done(*arguments: str) -> str:
    """Run a command that succeeds, and return its output."""
    outcome = run(*arguments)
    assert outcome.status == 0, outcome
    return outcome.out


def refused(*arguments: str) -> list[str]:
    """Run a command that is refused, and return the lines that say why."""
    outcome = run(*arguments)
    assert (outcome.status, outcome.out) == (1, ""), outcome
    return [line for line in outcome.err.splitlines() if not line.startswith("warning: ")]
