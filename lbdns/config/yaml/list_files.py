"""Named lists: files with a network a line, and the section `lists` of any file of a directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lbdns.base.errors import Problem
from lbdns.base.wording import counted
from lbdns.config.yaml.repair import build
from lbdns.config.yaml.source import Source
from lbdns.config.yaml.yaml_tree import LineTree
from lbdns.model.fields import Frozen
from lbdns.model.named_lists import NetworkList, excess, read_networks
from lbdns.model.settings import NamedLists, NetworksOrFile

LISTS: Final = "lists"
ReadText = Callable[[Path], str | None]
"""Returns a file's text; None where it cannot be had, which it reports."""
_TOLD_MAX: Final = 100
"""Lines of one file that are told one by one."""


class ListsSection(Frozen):
    """What a file says of named lists."""

    lists: NamedLists


def read_section(
    value: Any, lines: LineTree, file: str, base: Path, read: ReadText | None, problems: list[Problem]
) -> Mapping[str, NetworksOrFile]:
    """Return the lists of a section; relative paths start from `base`. `read`: as in `read_lists`."""
    placed = build(ListsSection, {LISTS: value}, Source(file, lines, "", None), problems)
    return {} if placed is None else read_lists(placed.item.lists, base, read, problems)


def read_lists(
    lists: Mapping[str, NetworksOrFile], base: Path, read: ReadText | None, problems: list[Problem]
) -> Mapping[str, NetworksOrFile]:
    """Return lists whose files are read, as far as they can be; relative paths start from `base`.

    `read`: returns a file's text; without it files stay paths.
    """
    if read is None:
        return lists
    return {
        name: read_list(base / one.expanduser(), read, problems) if isinstance(one, Path) else one
        for name, one in lists.items()
    }


def read_list(path: Path, read: ReadText, problems: list[Problem]) -> NetworkList:
    """Return the networks of a file: one a line, `#` begins a remark."""
    text = read(path)
    if text is None:
        return frozenset()
    numbered = networks_by_line(text)
    if too_many := excess(len(numbered)):
        problems.append(Problem(str(path), 0, "", too_many))
        return frozenset()
    networks, mistakes = read_networks(network for _, network in numbered)
    problems.extend(line_problems(path, numbered, mistakes))
    return networks


def networks_by_line(text: str) -> list[tuple[int, str]]:
    """Return what stands for networks in a text, one a line, with the lines' numbers; `#` begins a remark."""
    numbered = ((number, line.partition("#")[0].strip()) for number, line in enumerate(text.split("\n"), 1))
    return [(number, network) for number, network in numbered if network]


def line_problems(
    path: Path, numbered: Sequence[tuple[int, str]], mistakes: Sequence[tuple[int, str]]
) -> Iterator[Problem]:
    """Yield the mistakes of `read_networks` in what `networks_by_line` gave, at their lines."""
    for index, message in mistakes[:_TOLD_MAX]:
        yield Problem(str(path), numbered[index][0], "", message)
    if len(mistakes) > _TOLD_MAX:
        more = counted(len(mistakes) - _TOLD_MAX, "more line")
        yield Problem(str(path), numbered[mistakes[_TOLD_MAX][0]][0], "", f"and {more} that are no network")
