"""A form with a master file -> the records that it says, checked and canonical."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from lbdns.base.errors import ConfigError, Problem
from lbdns.base.kept_problems import KeptProblems
from lbdns.base.repeats import gathered
from lbdns.manage.reading.frames import Frame, in_parts, problem_of, told_problem
from lbdns.manage.reading.request_bounds import RECORDS_MAX
from lbdns.manage.store.zones.zone_bodies import ImportedZone, import_zone

_GENERATE: Final = re.compile(rb"\$GENERATE", re.IGNORECASE)
_ZONE: Final = "zone"
_RECORDS: Final = "records"


@dataclass(frozen=True, slots=True)
class ReadZone:
    """A zone as a master file says it, and what its sender should know."""

    zone: ImportedZone
    noted: list[Problem]


@dataclass(frozen=True, slots=True)
class ZoneReading:
    """What is to be read of a request that sends a master file. `is_signed`: the zone has keys here."""

    content_type: str
    zone_name: str
    is_signed: bool = False

    def may_grow(self, body: bytearray) -> bool:
        """Tell whether a directive in it may make many records."""
        return _GENERATE.search(body) is not None

    def tell(self, body: bytes) -> Iterator[Frame]:
        """Yield what a form says; raises BadBody, BodyRefused, or ConfigError with every mistake in the file, each with
        its line, those of one kind as one."""
        from lbdns.manage.reading.form_body import file_of_form  # a tenth of a start, and a configuration is no form

        text = file_of_form(body, self.content_type)
        problems = KeptProblems()
        zone = import_zone(text, self.zone_name, problems, records_max=RECORDS_MAX, is_signed=self.is_signed)
        told = [
            replace(one, path=f"line {one.line}: {one.path}".removesuffix(": ") if one.line else one.path)
            for one in problems
        ]
        errors = [one for one in told if one.severity == "error"]
        if errors:
            raise ConfigError(gathered(errors), problems.more)
        yield [_ZONE, zone.fields, zone.lacks_servers, list(map(told_problem, told))]
        yield from ([_RECORDS, part] for part in in_parts(zone.records))

    def hear(self, frames: Iterable[Frame]) -> ReadZone:
        """Return what `tell` told."""
        fields, lacks_servers, noted = None, False, []
        records: list[dict[str, Any]] = []
        for what, *told in frames:
            if what == _ZONE:
                fields, lacks_servers, noted = told
            else:
                records += told[0]
        return ReadZone(ImportedZone(fields, records, lacks_servers), list(map(problem_of, noted)))
