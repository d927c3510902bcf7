"""What a change would do to some networks: the file that names them, and which would be answered from another pool."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import counted

NAMED_NETWORKS: Final = 6


def networks_in(path: Path) -> list[str]:
    """Return the networks that a file names, read as the file of a named list, those within others too. Raises
    LbdnsError with every mistake."""
    from lbdns.config.yaml.list_files import line_problems, networks_by_line
    from lbdns.model.named_lists import read_networks

    numbered = networks_by_line(text_of(path))
    if not numbered:
        raise LbdnsError(f"{path}: no network in it; expected one a line, such as 192.0.2.0/24")
    found = [network for _, network in numbered]
    _, mistakes = read_networks(found)
    if mistakes:
        raise LbdnsError("\n".join(map(str, line_problems(path, numbered, mistakes))))
    return found


def text_of(path: Path) -> str:
    """Return a file's text, - for standard input. Raises LbdnsError."""
    try:
        with click.open_file(str(path), encoding="utf-8-sig") as file:
            return str(file.read())
    except OSError as error:
        raise LbdnsError(f"{path}: cannot read it: {error.strerror}") from error
    except UnicodeDecodeError:
        raise LbdnsError(f"{path}: not a text in UTF-8") from None


def render_moves(told: dict[str, Any]) -> list[str]:
    """Return the lines to print of what would change: how many networks, then which go where."""
    changed, count = told["changed"], counted(told["networks"], "network")
    lines = [click.style(f"{told['name']} {told['type']}: {changed:,} of {count} would change pool", bold=True)]
    rows = [(f"{one['before']} -> {one['after']}", one["networks"], _moving(told, one)) for one in told["moves"]]
    rows += [(f"{pool} stays", count, "") for pool, count in told["stay"].items()]
    width = max(len(row[0]) for row in rows)
    return lines + [f"  {what:<{width}}  {count:>6,}  {which}".rstrip() for what, count, which in rows]


def _moving(told: dict[str, Any], move: dict[str, Any]) -> str:
    """Return the networks of one move, the first few by name."""
    ends = (move["before"], move["after"])
    names = [one["network"] for one in told["changes"] if (one["before"], one["after"]) == ends]
    shown = ", ".join(names[:NAMED_NETWORKS])
    return f"{shown} and {len(names) - NAMED_NETWORKS:,} more" if len(names) > NAMED_NETWORKS else shown
