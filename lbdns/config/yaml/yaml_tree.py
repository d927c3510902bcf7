"""YAML text -> plain values and the line of each, every problem kept.

The values are those of YAML 1.2's core schema: `true` and `false` are the only booleans, so that `off`, `on`, `y` and
the country `NO` stay texts. Mapping keys are always texts, whatever they look like: a pool may be called `7`.

Events come from libyaml one by one and become values at once; no node graph is kept, which a file of 100,000 load
balancers would pay for with a gigabyte. Lines are kept in a parallel tree that collapses to one number wherever a value
stands on one line:

    value                      lines
    {a: 1, b: [2, 3]}  (line 7)     7
    a: 1               (line 7)     Lines(7, {"a": 7, "b": 8})
    b: [2, 3]          (line 8)

An alias shares the anchored value and counts with its whole size, so that a bomb of aliases ends at MAX_NODES.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import yaml

from lbdns.base.errors import Problem
from lbdns.base.wording import join_path

MAX_NODES: Final = 20_000_000
"""Values in one file, those that aliases repeat counted again."""
MAX_DEPTH: Final = 32
_CORE_TAG: Final = "tag:yaml.org,2002:"


class Lines(NamedTuple):
    """Where a value begins, and where its items do: by key, by index, or one line for all of them."""

    line: int
    items: dict[str, LineTree] | list[LineTree] | int


LineTree: TypeAlias = int | Lines


def lines_at(lines: LineTree, step: str | int) -> LineTree:
    """Return the lines of an item of a value; those of the value itself where the item is not known."""
    if not isinstance(lines, Lines):
        return lines
    if isinstance(lines.items, int):
        return lines.items
    if isinstance(lines.items, dict):
        found = lines.items.get(spelled(lines.items, step))
        return lines.line if found is None else found
    return lines.items[step] if isinstance(step, int) and step < len(lines.items) else lines.line


def spelled(mapping: Mapping[str, object], key: str | int) -> str:
    """Return a key as the file spells it: models put the keys of some mappings into another form."""
    if key in mapping:
        return str(key)
    return next((written for written in mapping if isinstance(written, str) and key in _forms(written)), str(key))


def spellings(mapping: Mapping[str, object]) -> dict[str, str]:
    """Return the keys of a mapping as it spells them, by the forms that models give them; of two alike, the first."""
    return {
        form: written for written in reversed(list(mapping)) if isinstance(written, str) for form in _forms(written)
    }


def _forms(written: str) -> tuple[str, ...]:
    """Return what a model may make of a key: a code in upper case, a domain name in lower case without its last dot."""
    return (written.upper(), written.lower().removesuffix(".")) if "." in written else (written.upper(),)


def line_at(lines: LineTree, location: Sequence[str | int] = ()) -> int:
    """Return the line of the value at a location, or of the nearest value above it that has one of its own."""
    for step in location:
        lines = lines_at(lines, step)
    return lines.line if isinstance(lines, Lines) else lines


@dataclass(frozen=True, slots=True)
class YamlTree:
    """A file's value (None where the file is empty or unreadable), its lines, and what was wrong with its text.

    `is_whole` is False where the text breaks off at a syntax error, so that names declared behind it are not known.
    """

    value: Any
    lines: LineTree
    problems: tuple[Problem, ...]
    is_whole: bool = True


class _Broken(Exception):
    """A problem after which nothing more of the file can be read; the argument is the Problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


def parse_yaml(text: str, file: str) -> YamlTree:
    """Read one YAML document; never raises for what stands in it."""
    builder = _Builder(file)
    try:
        builder.read(text)
    except _Broken as broken:
        return YamlTree(None, 1, (*builder.problems, broken.problem), is_whole=False)
    except yaml.MarkedYAMLError as error:
        return YamlTree(None, 1, (*builder.problems, _syntax_problem(file, text, error)), is_whole=False)
    except yaml.reader.ReaderError as error:
        return YamlTree(None, 1, (*builder.problems, _character_problem(file, text, error)), is_whole=False)
    return YamlTree(builder.value, builder.lines, tuple(builder.problems))


def _syntax_problem(file: str, text: str, error: yaml.MarkedYAMLError) -> Problem:
    """Say in our words what libyaml found, where those help, and where the thing began that went wrong."""
    mark = error.problem_mark or error.context_mark
    said = str(error.problem or error.context or "cannot be read")
    if "could not find expected ':'" in said:
        mark = error.context_mark or mark
    line = mark.line + 1 if mark else 0
    lines = text.split("\n")
    source = lines[mark.line] if mark and mark.line < len(lines) else ""
    words = next((words for found, words in _SYNTAX_WORDS if found in said), f"not YAML: {said}")
    if "cannot start any token" in said and mark is not None:
        if "\t" in source[: len(source) - len(source.lstrip())]:
            return Problem(file, line, "", "a tab indents this line; YAML indents with spaces only")
        words = f'a text cannot begin with "{source[mark.column : mark.column + 1]}"; put it in quotes'
    if error.context_mark is not None and error.context_mark.line + 1 < line:
        words += f" (it begins in line {error.context_mark.line + 1})"
    return Problem(file, line, "", words)


_SYNTAX_WORDS: Final = (
    (
        "mapping values are not allowed",
        'a ":" stands where no key can; check the indentation, or put the text in quotes',
    ),
    ("could not find expected ':'", 'a ":" is missing after this key'),
    ("did not find expected key", "expected another key here, indented as the first of this mapping"),
    ("did not find expected '-' indicator", 'expected another item here, a "-" indented as the first of this list'),
    ("did not find expected ',' or", 'a list or mapping in brackets goes on here; expected "," or the closing bracket'),
    (
        "did not find expected node content",
        "a list or mapping in brackets is not closed; expected a value or the bracket",
    ),
    ("found unexpected end of stream", "the file ends inside a quoted text; close the quotes"),
)


def _character_problem(file: str, text: str, error: yaml.reader.ReaderError) -> Problem:
    index = next((index for index, char in enumerate(text) if not _lawful(char)), 0)
    line = text.count("\n", 0, index) + 1
    return Problem(file, line, "", f"the character U+{ord(text[index]):04X} is not allowed in YAML")


def _lawful(char: str) -> bool:
    """Tell whether libyaml reads a character (YAML 1.2 section 5.1, c-printable)."""
    code = ord(char)
    return (
        code in (0x09, 0x0A, 0x0D, 0x85)
        or 0x20 <= code <= 0x7E
        or 0xA0 <= code <= 0xD7FF
        or (0xE000 <= code <= 0xFFFD and code != 0xFEFF)
        or code >= 0x10000
    )


_INT = re.compile(r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_WORDS: Final[dict[str, Any]] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    ".inf": float("inf"),
    ".Inf": float("inf"),
    ".INF": float("inf"),
    "+.inf": float("inf"),
    "-.inf": float("-inf"),
    "-.Inf": float("-inf"),
    "-.INF": float("-inf"),
    ".nan": float("nan"),
    ".NaN": float("nan"),
    ".NAN": float("nan"),
}


def resolve_scalar(text: str) -> Any:
    """Return the value of a plain scalar by YAML 1.2's core schema (section 10.3.2)."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INT.fullmatch(text):
        return int(text, 8) if text.startswith("0o") else int(text, 16) if text.startswith("0x") else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser; PyYAML's own, ten times slower, where PyYAML was built without it."""
_Scalar = yaml.events.ScalarEvent
_MappingStart = yaml.events.MappingStartEvent
_SequenceStart = yaml.events.SequenceStartEvent
_MappingEnd = yaml.events.MappingEndEvent
_SequenceEnd = yaml.events.SequenceEndEvent
_Alias = yaml.events.AliasEvent
_DocumentStart = yaml.events.DocumentStartEvent
_StreamEnd = yaml.events.StreamEndEvent


_DISCARD: Final = "\0discard"
"""The key of an entry that was refused: its value is read and thrown away."""


class _Open:
    """A mapping or sequence that is being read. `key` is None where a mapping's next key is awaited."""

    __slots__ = ("anchor", "first_line", "is_mapping", "items", "key", "key_line", "lines", "one_line", "size_before")

    def __init__(self, is_mapping: bool, first_line: int, anchor: str | None, size_before: int) -> None:
        self.is_mapping = is_mapping
        self.items: Any = {} if is_mapping else []
        self.lines: Any = {} if is_mapping else []
        self.first_line = first_line
        self.one_line = True
        self.anchor = anchor
        self.size_before = size_before
        self.key: str | None = None
        self.key_line = 0


class _Builder:
    """Turns events into a value and its lines."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.value: Any = None
        self.lines: LineTree = 1
        self.size = 0
        self.stack: list[_Open] = []
        self.anchored: dict[str, tuple[Any, int]] = {}
        self.plain: dict[str, Any] = {}
        self.keys: dict[str, str] = {}

    def read(self, text: str) -> None:
        """Read the stream to its end; raises yaml.YAMLError and _Broken."""
        loader = _LOADER(text)
        try:
            self._read_events(loader.get_event)
        finally:
            loader.dispose()

    def _read_events(self, get_event: Any) -> None:
        documents = 0
        while True:
            event = get_event()
            kind = event.__class__
            if kind is _Scalar:
                self._scalar(event)
            elif kind is _MappingStart or kind is _SequenceStart:
                self._open(event, kind is _MappingStart)
            elif kind is _MappingEnd or kind is _SequenceEnd:
                self._close()
            elif kind is _Alias:
                self._alias(event.anchor, event.start_mark.line + 1)
            elif kind is _DocumentStart:
                documents += 1
                if documents > 1:
                    line = event.start_mark.line + 1
                    raise _Broken(Problem(self.file, line, "", 'a second document begins ("---"); one file holds one'))
            elif kind is _StreamEnd:
                return
            if self.size > MAX_NODES:
                said = f"more than {MAX_NODES:,} values, aliases counted with what they repeat"
                raise _Broken(Problem(self.file, event.start_mark.line + 1, "", said))

    def _scalar(self, event: Any) -> None:
        """Take a scalar for the awaited key, or resolve it and add it."""
        line: int = event.start_mark.line + 1
        text: str = event.value
        self.size += 1
        if self.stack and self.stack[-1].key is None and self.stack[-1].is_mapping:
            self._key(self.stack[-1], text, line)
            value: Any = text
        else:
            if event.implicit[0]:
                value = self.plain.get(text, self)
                if value is self:
                    value = self.plain[text] = resolve_scalar(text)
            elif event.implicit[1] or event.tag in ("!", _CORE_TAG + "str"):
                value = text
            else:
                value = self._tagged(event.tag, text, line)
            self._add(value, line)
        if event.anchor is not None:
            self.anchored[event.anchor] = (value, 1)

    def _tagged(self, tag: str, text: str, line: int) -> Any:
        """Return the value of a scalar with a tag of its own; only the core schema's are known."""
        value = resolve_scalar(text)
        name = tag.removeprefix(_CORE_TAG)
        lawful = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}.get(name)
        if lawful is None:
            self._report(line, f'the tag "{tag}" is not known here; leave it out')
        elif not isinstance(value, lawful) or (name != "bool" and isinstance(value, bool)):  # type: ignore[arg-type]
            self._report(line, f'"{text}" does not fit its tag "!!{name}"')
        return float(value) if name == "float" and isinstance(value, int) else value

    def _open(self, event: Any, is_mapping: bool) -> None:
        line = event.start_mark.line + 1
        if len(self.stack) >= MAX_DEPTH:
            raise _Broken(Problem(self.file, line, "", f"nested more than {MAX_DEPTH} deep; no object is"))
        if event.tag not in (None, "!", _CORE_TAG + "map", _CORE_TAG + "seq"):
            self._report(line, f'the tag "{event.tag}" is not known here; leave it out')
        self.stack.append(_Open(is_mapping, line, event.anchor, self.size))
        self.size += 1

    def _close(self) -> None:
        done = self.stack.pop()
        if done.anchor is not None:
            self.anchored[done.anchor] = (done.items, self.size - done.size_before)
        self._add(done.items, done.first_line if done.one_line else Lines(done.first_line, done.lines))

    def _alias(self, anchor: str, line: int) -> None:
        if anchor not in self.anchored:
            inside = any(level.anchor == anchor for level in self.stack)
            why = "stands inside the value that it repeats" if inside else "repeats an anchor that is not given above"
            raise _Broken(Problem(self.file, line, "", f'the alias "*{anchor}" {why}'))
        value, size = self.anchored[anchor]
        self.size += size
        self._add(value, line)

    def _add(self, value: Any, lines: LineTree) -> None:
        """Put a finished value where it belongs: into the open list or mapping, or at the top."""
        if not self.stack:
            self.value, self.lines = value, lines
            return
        level = self.stack[-1]
        if not level.is_mapping:
            level.items.append(value)
            level.lines.append(lines)
        elif level.key is None:
            self._key(level, value if isinstance(value, str) else None, line_at(lines))
            return
        else:
            # An entry's line is its key's, where the value does not stand on the same one.
            if lines != level.key_line:
                lines = Lines(level.key_line, lines if isinstance(lines, int) else lines.items)
            if level.key is not _DISCARD:
                level.items[level.key] = value
                level.lines[level.key] = lines
            level.key = None
        if lines != level.first_line:
            level.one_line = False

    def _key(self, level: _Open, key: str | None, line: int) -> None:
        """Begin a mapping's entry; the value of a key that is no text, or that was given before, is discarded."""
        level.key_line = line
        if key is None:
            self._report(line, "a key must be a text")
            level.key = _DISCARD
        elif key in level.items:
            before = line_at(level.lines[key])
            self._report(line, f'the key "{key}" is given twice; it stands in line {before} already', key)
            level.key = _DISCARD
        elif key == "<<":
            self._report(line, 'merge keys ("<<") are not part of YAML 1.2; write the keys out', key)
            level.key = _DISCARD
        else:
            level.key = self.keys.setdefault(key, key)

    def _report(self, line: int, message: str, key: str | None = None) -> None:
        steps = [level.key if level.is_mapping else len(level.items) for level in self.stack]
        path = join_path(*(step for step in steps if step is not _DISCARD), key)
        self.problems.append(Problem(self.file, line, path, message))
