"""A difference between configurations as a person reads it, from the JSON that the API gives.

    + pool eu
        monitor: web
        origins:
          - {name: eu-1, address: 192.0.2.10}
    ~ load balancer www.example.com
        steering_policy: off -> geo
        + region_pools.ENAM: [us, eu]
    - record old.example.com A 192.0.2.9

Colours are click's, which leaves them out where the output is no terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click

from lbdns.base.kinds import SHOWN
from lbdns.base.wording import counted, printable
from lbdns.model.view_names import VIEW, labelled, parted

SHOWN_MAX: Final = 200
"""Objects that are shown; a zone of a million records is not read on a terminal."""
SIGNS: Final = {"create": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red")}
FUTURE: Final = {"create": "create", "update": "change", "delete": "delete"}
PAST: Final = {"create": "created", "update": "changed", "delete": "deleted"}
VALUE_CHARS_MAX: Final = 200


def total(counts: Mapping[str, Mapping[str, int]]) -> int:
    """Return how many objects are concerned."""
    return sum(number for of_action in counts.values() for number in of_action.values())


def show(differences: Sequence[Mapping[str, Any]], count: int | None = None) -> None:
    """Print a block for each object, and how many are not shown; `count`: of how many these are the first, None where
    they are all."""
    for one in differences[:SHOWN_MAX]:
        sign, colour = SIGNS[one["action"]]
        click.secho(f"{sign} {printable(title(one))}", fg=colour)
        for line in _lines(one):
            click.secho(f"    {printable(line)}", fg=_line_colour(one, line))
    left = (len(differences) if count is None else count) - SHOWN_MAX
    if left > 0:
        click.echo(f"... and {left:,} more; --json says them all")


def summary(counts: Mapping[str, Mapping[str, int]], words: Mapping[str, str] = FUTURE) -> str:
    """Return how many objects of each kind are concerned: `create 2 pools, 1 record; delete 1 zone`."""
    parts = []
    for action, word in words.items():
        found = [counted(counts[action][kind], kind.words, kind.plural) for kind in SHOWN if counts[action].get(kind)]
        if found:
            parts.append(f"{word} {', '.join(found)}")
    return "; ".join(parts)


def title(one: Mapping[str, Any]) -> str:
    """Return what an object is, on one line: what is in a zone of a view is of that view."""
    view = one.get(VIEW) or parted(one.get("zone", ""))[1]
    words = f"{one['kind'].replace('_', ' ')} {labelled(one['name'], view)}"
    if one["kind"] == "load_balancer" and one["type"] != "A":
        return f"{words} {one['type']}"
    if one["kind"] != "record":
        return words
    if one["action"] == "update":
        return f"{words} {one['type']}"
    fields = {field["field"]: field.get("after", field.get("before")) for field in one["fields"]}
    ttl = f"  ttl {fields['ttl']}" if "ttl" in fields else ""
    content = " ".join(str(fields[key]) for key in ("priority", "content") if key in fields)
    return _cut(f"{words} {one['type']} {content}{ttl}")


def _lines(one: Mapping[str, Any]) -> Iterator[str]:
    from lbdns.config.yaml.yaml_text import block_text

    if one["action"] == "update":
        for field in one["fields"]:
            yield from _changed(field)
    elif one["action"] == "create":
        left_out = ("content", "ttl", "priority") if one["kind"] == "record" else ()
        for field in one["fields"]:
            if field["field"] not in left_out:
                yield from block_text({field["field"]: field["after"]}).splitlines()


def _changed(field: Mapping[str, Any]) -> Iterator[str]:
    name = field["field"]
    if "before" not in field:
        yield f"+ {name}: {_value(field['after'])}"
    elif "after" not in field:
        yield f"- {name}: {_value(field['before'])}"
    else:
        yield f"{name}: {_value(field['before'])} -> {_value(field['after'])}"


def _value(value: Any) -> str:
    """Return a value on one line; a text as it is, where it can be told from what is around it."""
    from lbdns.config.yaml.yaml_text import flow_text

    if value is None:
        return "none"
    if isinstance(value, str) and value and value.isprintable() and "->" not in value and value.strip() == value:
        return _cut(value)
    return _cut(flow_text(value))


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[: VALUE_CHARS_MAX - 3]}..."


def _line_colour(one: Mapping[str, Any], line: str) -> str | None:
    if one["action"] == "update" and line[:2] in ("+ ", "- "):
        return "green" if line[0] == "+" else "red"
    return None
