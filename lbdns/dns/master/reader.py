"""Master files (RFC 1035 section 5, RFC 2308 section 4 for $TTL) -> a ZoneDraft with every mistake in them.

    scan_entries -> directive or record -> owner, TTL, class, type -> encode_complete -> ZoneDraft

A mistake costs its own record; what follows is read as if the record were not there. A record without a TTL takes
$TTL's, else the last one stated, else the SOA's MINIMUM. $INCLUDE stays inside the configuration directory.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lbdns.base.errors import Problem
from lbdns.base.kept_problems import is_hopeless
from lbdns.base.progress import STEP, report
from lbdns.base.wording import nearest
from lbdns.dns import record_bounds
from lbdns.dns.codes import TYPE_SOA
from lbdns.dns.master.draft import ZoneDraft, subject
from lbdns.dns.master.entries import CLASS, Entry, scan_entries, unquoted
from lbdns.dns.master.generate import generate
from lbdns.dns.master.ttl import parse_ttl
from lbdns.dns.name import BadName, encode_name, is_at_or_below, show_name
from lbdns.dns.rdata.master_form import BadRdata, encode_complete
from lbdns.dns.rdata.record_types import parse_type, type_text

MAX_INCLUDE_DEPTH: Final = 8
MAX_GENERATED_IN_ALL: Final = 1 << 20
"""Records that all $GENERATE lines of a zone may make: a few kilobytes of them would keep the reader busy for hours."""
MAX_TYPE_HINTS: Final = 100
"""Unknown types for which the nearest known one is looked up: a file of another kind may hold a million."""
_DIRECTIVES: Final = ("$ORIGIN", "$TTL", "$INCLUDE", "$GENERATE")
_CLASS_IN: Final = frozenset({"IN", "CLASS1"})

ReadFile = Callable[[Path], str]
"""Return a file's text; raises OSError, or UnicodeDecodeError where it is not UTF-8."""
TakeRecord = Callable[[bytes, int, bytes, int], None]
"""Takes a record's owner (wire, lower case), type, data (wire) and line."""


class _Refused(Exception):
    """What is wrong with an entry; caught where entries are read, never outside."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


def read_master(
    text: str,
    apex: bytes,
    file: str,
    base: Path | None,
    read_file: ReadFile,
    fallback_ttl_s: int | None = None,
    take_record: TakeRecord | None = None,
    problems: list[Problem] | None = None,
    records_max: int | None = None,
) -> ZoneDraft:
    """Read a zone. `base` is the directory that $INCLUDE may not leave, None where it is not allowed at all.

    `fallback_ttl_s` is the TTL where the file sets none; None: that is a mistake. `take_record` hears of each record.
    What is wrong goes into `problems`, the draft's list; one that keeps only the first of them ends the reading where
    it has counted too many. Beyond `records_max` records nothing is read; None: there may be any number.
    """
    draft = ZoneDraft(apex, file, problems=[] if problems is None else problems)
    _Reader(draft, base, read_file, fallback_ttl_s, take_record, records_max).read(text, file, apex, ())
    return draft


class _Reader:
    """The state that runs through a master file and the files that it includes."""

    def __init__(
        self,
        draft: ZoneDraft,
        base: Path | None,
        read_file: ReadFile,
        fallback_ttl_s: int | None,
        take_record: TakeRecord | None,
        records_max: int | None,
    ) -> None:
        self.draft = draft
        self.apex = draft.apex
        self.base = base
        self.read_file = read_file
        self.file = draft.file
        self.origin = draft.apex
        self.owner: bytes | None = None
        self.owner_is_bad = False
        self.default_ttl: int | None = None
        self.last_ttl: int | None = None
        self.soa_minimum: int | None = None
        self.fallback_ttl_s = fallback_ttl_s
        self.take_record = take_record
        self.generated_count = 0
        self.records_max = sys.maxsize if records_max is None else records_max
        self.record_count = 0
        self.is_over = False
        self.types: dict[str, int] = {}
        self.unknown_types: dict[str, str] = {}

    def read(self, text: str, file: str, origin: bytes, including: tuple[str, ...]) -> None:
        """Read one file; afterwards the origin and the owner of the including file stand again (RFC 1035, 5.1)."""
        before = self.file, self.origin, self.owner, self.owner_is_bad
        self.file, self.origin = file, origin

        def unreadable(line: int, message: str) -> None:
            self.draft.problems.append(Problem(file, line, "", message))
            self.draft.lose(None, None)

        line_count = text.count("\n")
        for number, entry in enumerate(scan_entries(text, unreadable)):
            if number % STEP == 0:
                report(f"reading {os.path.basename(file)}", entry.line, line_count)
                if is_hopeless(self.draft.problems):
                    break
            if self.is_over:
                break
            try:
                if entry.tokens[0][0] in '$"' and not entry.is_indented:
                    self._unplain(entry, (*including, file))
                else:
                    self._record(entry)
            except _Refused as refused:
                self.draft.problems.append(Problem(file, entry.line, refused.path, str(refused)))
        self.file, self.origin, self.owner, self.owner_is_bad = before

    def _unplain(self, entry: Entry, including: tuple[str, ...]) -> None:
        """Read a directive, or a record whose owner stands in quotes: BIND reads either as if there were none."""
        if entry.tokens[0][0] == '"':
            entry = entry._replace(tokens=[unquoted(entry.tokens[0]), *entry.tokens[1:]])
            if not entry.tokens[0]:
                self.owner, self.owner_is_bad = None, True
                self.draft.lose(None, None)
                raise _Refused('the owner "" is empty; expected a name, or @')
        if entry.tokens[0].startswith("$"):
            self._directive(entry, including)
        else:
            self._record(entry)

    def _record(self, entry: Entry) -> None:
        line, is_indented, tokens = entry
        self._check_room(1)
        self.record_count += 1
        at = 0
        if not is_indented:
            at = 1
            self._take_owner(tokens[0])
        ttl, rdtype, at = self._ttl_and_type(tokens, at)
        try:
            rdata = encode_complete(rdtype, tokens[at:], self.origin)
        except BadRdata as error:
            self.draft.lose(self.owner, rdtype)
            raise _Refused(str(error), self._subject(rdtype)) from None
        if rdtype == TYPE_SOA and self.soa_minimum is None:
            self.soa_minimum = min(int.from_bytes(rdata[-4:], "big"), record_bounds.MAX_TTL_S)
        if ttl is None:
            ttl = self._implicit_ttl(rdtype)
        if self.owner is None:
            if self.owner_is_bad:
                return
            self.draft.lose(None, rdtype)
            raise _Refused("the first record begins with white space, so it has no owner; expected a name, or @")
        self.draft.add(self.owner, rdtype, ttl, rdata, self.file, line)
        if self.take_record is not None:
            self.take_record(self.owner, rdtype, rdata, line)

    def _check_room(self, count: int) -> None:
        """Raise _Refused, and end the reading, where so many more records are too many."""
        if count > self.records_max - self.record_count:
            self.is_over = True
            self.draft.lose(None, None)
            raise _Refused(f"more than {self.records_max:,} records; nothing from here on was read")

    def _ttl_and_type(self, tokens: list[str], at: int) -> tuple[int | None, int, int]:
        """Return the TTL where one is given, the type, and the index of the data's first token."""
        ttl: int | None = None
        while True:
            if at == len(tokens):
                raise self._lost("the record ends before its type; expected OWNER TTL IN TYPE DATA")
            token = tokens[at]
            at += 1
            rdtype = self.types.get(token)
            if rdtype is not None:
                return ttl, rdtype, at
            if ttl is None and token[0].isdigit():
                ttl = self.last_ttl = self._ttl(token)
            elif CLASS.fullmatch(token):
                if token.upper() not in _CLASS_IN:
                    raise self._lost(f"class {token.upper()} is not served; expected IN, or no class")
            else:
                return ttl, self._type(token), at

    def _type(self, token: str) -> int:
        """Return the number of a type that was not met before."""
        if token in self.unknown_types:
            raise self._lost(self.unknown_types[token])
        try:
            rdtype = self.types[token] = parse_type(token, len(self.unknown_types) < MAX_TYPE_HINTS)
        except ValueError as error:
            self.unknown_types[token] = str(error)
            raise self._lost(str(error)) from None
        return rdtype

    def _take_owner(self, token: str) -> None:
        """Set the owner of this record and of those behind it that name none."""
        self.owner, self.owner_is_bad = None, True
        try:
            owner = encode_name(token, self.origin).lower()
        except BadName as error:
            self.draft.lose(None, None)
            raise _Refused(str(error)) from None
        if not is_at_or_below(owner, self.apex):
            raise _Refused(
                f'the owner "{show_name(owner)}" is outside the zone "{show_name(self.apex)}"; '
                "its records belong into another file"
            )
        self.owner, self.owner_is_bad = owner, False

    def _lost(self, message: str) -> _Refused:
        """Return the refusal of a record whose type is not known, and note that it may be missed elsewhere."""
        if self.owner is not None or not self.owner_is_bad:
            self.draft.lose(self.owner, None)
        return _Refused(message, show_name(self.owner) if self.owner is not None else "")

    def _ttl(self, token: str) -> int:
        try:
            return parse_ttl(token)
        except ValueError as error:
            raise self._lost(str(error)) from None

    def _implicit_ttl(self, rdtype: int) -> int:
        for ttl in (self.default_ttl, self.last_ttl, self.soa_minimum, self.fallback_ttl_s):
            if ttl is not None:
                return ttl
        self.draft.lose(self.owner, rdtype)
        message = "the record has no TTL and none is set; give it one, or put a $TTL line before it"
        raise _Refused(message, self._subject(rdtype))

    def _subject(self, rdtype: int) -> str:
        return subject(self.owner, rdtype) if self.owner is not None else type_text(rdtype)

    def _directive(self, entry: Entry, including: tuple[str, ...]) -> None:
        word = entry.tokens[0].upper()
        arguments = entry.tokens[1:]
        try:
            self._obey(word, arguments, entry, including)
        except _Refused:
            self.draft.lose(None, None)
            raise

    def _obey(self, word: str, arguments: list[str], entry: Entry, including: tuple[str, ...]) -> None:
        if word == "$ORIGIN":
            self.origin = self._one_name(arguments)
        elif word == "$TTL":
            if len(arguments) != 1:
                raise _Refused("$TTL takes one TTL, such as $TTL 300")
            try:
                self.default_ttl = parse_ttl(arguments[0])
            except ValueError as error:
                raise _Refused(str(error)) from None
        elif word == "$INCLUDE":
            self._include(arguments, entry.line, including)
        elif word == "$GENERATE":
            self._generate(arguments, entry.line)
        else:
            near = nearest(word, _DIRECTIVES)
            meant = f'did you mean "{near}"?' if near else f"expected one of {', '.join(_DIRECTIVES)}"
            raise _Refused(f'unknown directive "{entry.tokens[0]}"; {meant}')

    def _one_name(self, arguments: list[str]) -> bytes:
        if len(arguments) != 1:
            raise _Refused("$ORIGIN takes one name, such as $ORIGIN example.com.")
        if arguments[0][0] == '"':
            raise _Refused(f"the name {arguments[0]} stands in quotes; only an owner may, so leave them away here")
        try:
            return encode_name(arguments[0], self.origin)
        except BadName as error:
            raise _Refused(str(error)) from None

    def _include(self, arguments: list[str], line: int, including: tuple[str, ...]) -> None:
        if len(arguments) not in (1, 2):
            raise _Refused("$INCLUDE takes a file and, where wanted, an origin")
        if self.base is None:
            raise _Refused("$INCLUDE is not allowed here; put the records in its place")
        origin = self._one_name(arguments[1:]) if len(arguments) == 2 else self.origin
        name = arguments[0].strip('"')
        path = (Path(self.file).parent / name).resolve()
        if not path.is_relative_to(self.base.resolve()):
            raise _Refused(f'"{name}" is outside the configuration directory; $INCLUDE stays inside it')
        shown = str(Path(self.file).parent / name)
        if shown in including or len(including) > MAX_INCLUDE_DEPTH:
            raise _Refused(f'"{name}" includes itself, or files are included more than {MAX_INCLUDE_DEPTH} deep')
        try:
            text = self.read_file(Path(shown))
        except OSError as error:
            raise _Refused(f'"{name}" cannot be read: {error.strerror or error}') from None
        except UnicodeDecodeError:
            raise _Refused(f'"{name}" is not text in UTF-8') from None
        outermost = self.draft.include_lines.get(self.file, line)
        self.draft.include_lines.setdefault(shown, outermost)
        self.read(text, shown, origin, including)

    def _generate(self, arguments: list[str], line: int) -> None:
        """Read the records that a $GENERATE line stands for; the first mistake in one ends it.

        A record behind them that names no owner belongs to the one before the line, as in BIND.
        """
        try:
            count, generated = generate(arguments)
        except ValueError as error:
            raise _Refused(str(error)) from None
        self.generated_count += count
        if self.generated_count > MAX_GENERATED_IN_ALL:
            raise _Refused(f"the $GENERATE lines make more than {MAX_GENERATED_IN_ALL} records in all")
        self._check_room(count)
        before = self.owner, self.owner_is_bad
        try:
            for tokens in generated:
                self._record(Entry(line, False, tokens))
        finally:
            self.owner, self.owner_is_bad = before
