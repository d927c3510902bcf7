"""What a monitor and a group of them say: read by the monitor worker without pydantic, checked by their models."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from lbdns.base.probe_types import PROBE_TYPES
from lbdns.model import bounds
from lbdns.model.headers import Headers
from lbdns.model.plain_fields import (
    SHOWN_WHERE_SET,
    CheckedBy,
    Description,
    Flag,
    Laid,
    Port,
    Reference,
    Whole,
    plain_term,
)
from lbdns.model.refusal import refusal

if TYPE_CHECKING:
    MonitorType = str  # a type checker takes no words from a table
else:
    MonitorType = Literal[tuple(PROBE_TYPES)]

NOT_PROBED: Final = frozenset({"description", "consecutive_up", "consecutive_down", "probe_zone"})
"""Fields of a monitor that no probe and no rhythm of probes follows from: monitors that differ in these alone share
theirs. Any other field tells two checks apart, one that is added tomorrow as well."""

_CODES_ITEM = re.compile(
    r"(?P<first>[1-5][0-9][0-9])(?:-(?P<last>[1-5][0-9][0-9]))?|(?P<family>[1-5])[xX][xX]", re.ASCII
)
_PATH = re.compile(r"/[^\x00-\x20\x7f#]*")
EXPECTED_PATH: Final = 'expected one that begins with "/", without spaces or "#"'


def parse_expected_codes(text: str) -> tuple[tuple[int, int], ...]:
    """Return the ranges (first, last), both included, that `200`, `2xx`, `200-299` or a list of those stands for.

    Raises a refusal that names the item that is none of these.
    """
    ranges = []
    for item in text.split(","):
        found = _CODES_ITEM.fullmatch(item.strip())
        if found is None:
            raise refusal(
                f'"{item.strip()}" is no response code; expected 200, 2xx, 200-299, or a list such as "200,3xx"'
            )
        if found["family"]:
            ranges.append((int(found["family"]) * 100, int(found["family"]) * 100 + 99))
            continue
        first = int(found["first"])
        last = int(found["last"] or first)
        if last < first:
            raise refusal(f'"{item.strip()}" runs backwards; did you mean {last}-{first}?')
        ranges.append((first, last))
    return tuple(ranges)


def _codes_text(value: Any) -> Any:
    """Take a bare number for its text: `expected_codes: 200` is what people write."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_codes(text: str) -> str:
    if text:
        parse_expected_codes(text)
    return text


def _check_path(path: str) -> str:
    if path and not _PATH.fullmatch(path):
        raise refusal(f'"{path}" is no path; {EXPECTED_PATH}')
    return path


def _check_pem_file(path: str) -> str:
    if not path.startswith("/") or "\0" in path:
        raise refusal(f'"{path}" is no absolute path; expected one such as /etc/lbdns/client.pem')
    return path


PemFile = Annotated[str, Laid(max_length=bounds.MAX_FILE_PATH_CHARS), CheckedBy(_check_pem_file)]


@plain_term
class MonitorTerms:
    """What a monitor says; `Monitor` is what checks it as a whole."""

    type: MonitorType = "http"
    """What is sent."""
    description: Description = ""
    """For people."""
    interval: Annotated[Whole, Laid(ge=bounds.MIN_INTERVAL_S, le=bounds.MAX_INTERVAL_S)] = bounds.DEFAULT_INTERVAL_S
    """Seconds from one probe of an endpoint to the next."""
    timeout: Annotated[Whole, Laid(ge=bounds.MIN_TIMEOUT_S, le=bounds.MAX_TIMEOUT_S)] = bounds.DEFAULT_TIMEOUT_S
    """Seconds after which a probe without an answer has failed."""
    retries: Annotated[Whole, Laid(ge=0, le=bounds.MAX_RETRIES)] = bounds.DEFAULT_RETRIES
    """How often a probe that timed out is tried again, at once; nothing else is tried again."""
    consecutive_up: Annotated[Whole, Laid(ge=0, le=bounds.MAX_CONSECUTIVE)] = 0
    """How many passed probes in a row make an endpoint healthy again; 0 and 1 mean the first."""
    consecutive_down: Annotated[Whole, Laid(ge=0, le=bounds.MAX_CONSECUTIVE)] = 0
    """How many failed probes in a row make it unhealthy; 0 and 1 mean the first."""
    port: Port = 0
    """The port that is probed. 0: the endpoint's own, else the type's."""
    method: Literal["GET", "HEAD", "OPTIONS", "connection_established", ""] = "GET"
    """The HTTP method; `connection_established` is the one of `tcp`. It may be empty where the type sends no request,
    as may `path` and `expected_codes`."""
    path: Annotated[str, Laid(max_length=bounds.MAX_PATH_CHARS), CheckedBy(_check_path)] = "/"
    """The path of the HTTP request, with its query."""
    header: Headers = field(default_factory=dict)
    """Headers of the HTTP request. An endpoint's Host goes over the one here; User-Agent is refused."""
    expected_codes: Annotated[
        str,
        Laid(max_length=bounds.MAX_EXPECTED_CODES_CHARS),
        CheckedBy(_codes_text, is_first=True),
        CheckedBy(_check_codes),
    ] = "200"
    """The response codes that pass: `200`, `2xx`, `200-299`, or a list of those."""
    expected_body: Annotated[str, Laid(max_length=bounds.MAX_EXPECTED_BODY_CHARS)] = ""
    """A text that the first 10 KB of the body must hold, in any case of letters; empty: any body passes."""
    follow_redirects: Flag = False
    """Whether a redirection is followed, or is the answer."""
    allow_insecure: Flag = False
    """Whether a certificate passes that nobody vouches for, or that is another name's, and TLS 1.0 and 1.1."""
    probe_zone: Annotated[str, Laid(max_length=bounds.MAX_NAME_CHARS), SHOWN_WHERE_SET] = ""
    """Kept for the v4 API; does not act: lbdns probes as itself."""
    client_certificate: Annotated[PemFile | None, SHOWN_WHERE_SET] = None
    """The file of the certificate, in PEM, that probes show where an endpoint asks for one; read again when changed."""
    client_key: Annotated[PemFile | None, SHOWN_WHERE_SET] = None
    """The file of the certificate's private key; without it the key is in the file of the certificate."""


@plain_term
class GroupMemberTerms:
    """What a monitor's part in a group says."""

    monitor: Reference
    """The monitor's name."""
    enabled: Flag = True
    """Whether it probes and votes."""
    must_be_healthy: Flag = False
    """Whether its failure alone takes the endpoint down."""
    monitoring_only: Flag = False
    """Whether it probes and is notified of, and does not vote."""


@plain_term
class MonitorGroupTerms:
    """What a group says."""

    description: Description = ""
    """For people."""
    members: tuple[GroupMemberTerms, ...]
    """The monitors. More than half of those that vote take an endpoint down."""
