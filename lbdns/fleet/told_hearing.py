"""Whom the monitor worker hears, for those who show it: a file in the run directory, which the worker alone writes.

Written anew when what it says changes; times are CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, TypeAdapter, ValidationError

from lbdns.base.whole_file import write_whole
from lbdns.fleet.fleet_document import BadDocument, decode_document, encode_document

FILE: Final = "fleet-hearing.json"
_Number = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class RemoteVantage:
    """A vantage point of another machine: its name, its region, and the machine."""

    name: str
    region: str = ""
    machine: str = ""


@dataclass(frozen=True, slots=True)
class ToldHearing:
    """What a machine hears of others: `heard` and `known` leave itself out, `vantages` are those of all known others.

    `cut_off_since_s`: since when it hears too few to judge by others' observations, None where it hears enough;
    `agreed_by`: how many machines, itself among them, were heard when that began.
    """

    heard: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    vantages: tuple[RemoteVantage, ...] = ()
    cut_off_since_s: _Number | None = None
    agreed_by: int = 0


_READ: Final = TypeAdapter(ToldHearing)


def write_hearing(run_dir: Path, told: ToldHearing) -> None:
    """Tell it in a run directory; raises LbdnsError."""
    write_whole(run_dir / FILE, encode_document(asdict(told)), "whom the monitor worker hears", is_private=True)


def read_hearing(run_dir: Path) -> ToldHearing | None:
    """Return what a run directory has, None where nobody told anything that can be read."""
    try:
        return _READ.validate_python(decode_document((run_dir / FILE).read_bytes()))
    except (OSError, BadDocument, ValidationError):
        return None
