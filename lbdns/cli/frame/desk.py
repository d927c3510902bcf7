"""What the commands of balancing objects share: finding one by its name, its form in files, writing, and telling of it.

lbdns pool set eu ttl=..   ->  find: names -> id  ->  the body by names  ->  fields.assign  ->  by ids  ->  PATCH
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.base.wording import listed
from lbdns.base.words import (
    INNER_SET_BY_SERVER,
    NETWORKS_SET_BY_SERVER,
    NOT_RUNNING_CODE,
    OWN_PATH,
    SET_BY_SERVER,
    V4_PATH,
)
from lbdns.cli.frame.client import ApiClient, ApiRefusal, Reply
from lbdns.cli.frame.common import PIPE_COLUMNS, print_json
from lbdns.cli.frame.moves import render_moves
from lbdns.dns.name import text_suffixes
from lbdns.manage.store.item import Item
from lbdns.manage.store.references_by_name import to_ids, to_names
from lbdns.manage.store.state import State
from lbdns.model.view_names import VIEW, labelled, parted

if TYPE_CHECKING:
    from rich.table import Table

Body = dict[str, Any]
Moves = Callable[[], Body]
"""Gives which networks a change would move to another pool."""

NOT_IN_FILES: Final = frozenset({*SET_BY_SERVER, *NETWORKS_SET_BY_SERVER, "zone_id", "notification_email"})
"""Fields of an object that are not of its own."""
FILE_BYTES_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An object as the API says it, and where it is."""

    path: str
    body: Body
    revision: int | None


class Desk:
    """The objects of one kind at one API."""

    def __init__(self, client: ApiClient, kind: Kind) -> None:
        self.client = client
        self.kind = kind

    # --- finding ---

    def list(self, view: str | None = None) -> list[Body]:
        """Return all objects of the kind; of load balancers, those of a view where one is given, "" for all's."""
        if self.kind is Kind.LOAD_BALANCER:
            return list(self.client.pages(f"{OWN_PATH}/load_balancers", view=view))
        return list(self.client.pages(self.client.objects(self.kind)))

    def find(self, name: str, type: str | None = None, view: str | None = None) -> FoundObject:
        """Return an object by its name or id; raises LbdnsError. `type` and `view` tell load balancers of one name
        apart, and so does NAME@VIEW; a name alone is that of the one that all see, where there is one."""
        path = self._balancer_path(name, type, view) if self.kind is Kind.LOAD_BALANCER else self._path(name)
        reply = self.client.fetch(path)
        return FoundObject(path, reply.result, reply.revision)

    def is_there(self, name: str) -> bool:
        """Tell whether there is an object of a name."""
        return name in self.client.get(f"{OWN_PATH}/names", kind=self.kind.value)[self.kind.value]

    def _path(self, name: str) -> str:
        ids = self.client.get(f"{OWN_PATH}/names", kind=self.kind.value)[self.kind.value]
        id = ids.get(name) or (name if name in ids.values() else None)
        if id is None:
            raise LbdnsError(self._unknown(name, ids))
        return self.client.objects(self.kind, id)

    def _balancer_path(self, text: str, type: str | None, view: str | None) -> str:
        name, said = parted(text)
        if view is not None and said not in ("", view):
            raise LbdnsError(f'"{text}" is of the view {said}, and --view says {view or "none"}; give one of the two')
        wanted = said or view
        found = self.client.get(f"{OWN_PATH}/load_balancers", name=owner_name(name))
        found = [one for one in found if type in (None, one["type"]) and wanted in (None, one.get(VIEW, ""))]
        if wanted is None:
            found = [one for one in found if VIEW not in one] or found
        if not found:
            ids = self.client.get(f"{OWN_PATH}/names", kind=self.kind.value)[self.kind.value]
            label = labelled(name, wanted or "")
            raise LbdnsError(self._unknown(f"{label} {type}" if type else label, ids))
        if len(found) > 1:
            by_type = len({one["type"] for one in found}) > 1
            one_view = len({one.get(VIEW) for one in found}) == 1
            if one_view:
                types = ", ".join(one["type"] for one in found)
                raise LbdnsError(f"there are {len(found)} load balancers {name}, of types {types}: say which by --type")
            shown = listed([f"{called(one)} {one['type']}" if by_type else called(one) for one in found])
            raise LbdnsError(f'"{name}" is {len(found)} load balancers, {shown}: say which by NAME@VIEW or --view')
        return self._balancers(found[0]["zone_id"]) + f"/{found[0]['id']}"

    def _balancers(self, zone_id: str | None) -> str:
        return self.client.balancing() if zone_id is None else f"{V4_PATH}/zones/{zone_id}/load_balancers"

    def _unknown(self, name: str, known: Iterable[str]) -> str:
        from lbdns.base.wording import nearest

        near = nearest(name, known)
        meant = f'; did you mean "{near}"?' if near else ""
        return f'there is no {self.kind.words} "{name}"{meant}'

    def collection(self, name: str, in_account: bool = False, view: str = "") -> str:
        """Return the path that an object of a name is created at: of a load balancer, its zone's, as its view sees it.
        Raises LbdnsError."""
        if self.kind is not Kind.LOAD_BALANCER:
            return self.client.objects(self.kind)
        if in_account:
            return self._balancers(None)
        zones = self.client.get(f"{OWN_PATH}/names", kind="zone")["zone"]
        suffixes = [*text_suffixes(owner_name(name))]
        labels = (labelled(suffix, one) for suffix in suffixes for one in dict.fromkeys((view, "")))
        zone_id = next((zones[label] for label in labels if label in zones), None)
        if zone_id is None and not view:
            zone_id = self._of_some_view(name, suffixes, zones)
        if zone_id is None:
            whole = labelled(name, view)
            raise LbdnsError(
                f'no zone here holds "{whole}": make it by `lbdns zone create`, or make it private by --on-ramp'
            )
        return self._balancers(zone_id)

    def _of_some_view(self, name: str, suffixes: Iterable[str], zones: Mapping[str, str]) -> str | None:
        """Return the id of the zone around a name where only zones of views are; raises LbdnsError for several."""
        for suffix in suffixes:
            found = [label for label in zones if parted(label)[0] == suffix]
            if len(found) > 1:
                raise LbdnsError(f'"{name}" is in {len(found)} zones, {listed(found)}: say which by --view')
            if found:
                return zones[found[0]]
        return None

    # --- names and ids ---

    @cached_property
    def _names(self) -> State:
        """The objects that those of this kind refer to, as far as names go."""
        kinds = self.kind.referred
        if not kinds:
            return State()
        named = self.client.get(f"{OWN_PATH}/names", kind=[kind.value for kind in kinds])
        items = (Item(kind, id, {"name": name}) for kind in kinds for name, id in named[kind.value].items())
        return State.of(items, 0)

    def named(self, body: Mapping[str, Any]) -> Body:
        """Return an object's own fields, references by name, as files have them."""
        own = {key: value for key, value in body.items() if key not in NOT_IN_FILES}
        for key in INNER_SET_BY_SERVER.keys() & own.keys():
            own[key] = [{k: v for k, v in one.items() if k not in INNER_SET_BY_SERVER[key]} for one in own[key]]
        return to_names(self.kind, own, self._names)

    def by_ids(self, body: Mapping[str, Any]) -> Body:
        """Return a body as the API takes it."""
        return to_ids(self.kind, body, self._names)

    # --- writing ---

    def create(self, body: Body, path: str, dry_run: bool, as_json: bool) -> None:
        """Create an object, or show what that would make, and tell of it."""
        reply = self.client.request("POST", path, self.by_ids(body), params={"dry_run": dry_run or None})
        self._tell(reply, dry_run, as_json, "created")

    def change(
        self, found: FoundObject, fields: Body, dry_run: bool, as_json: bool, moves: Moves | None = None
    ) -> None:
        """Change some fields of an object, if nobody else has changed it meanwhile."""
        params = {"dry_run": dry_run or None}
        reply = self.client.request("PATCH", found.path, self.by_ids(fields), found.revision, params)
        self._tell(reply, dry_run, as_json, "changed", found, moves)

    def replace(self, found: FoundObject, body: Body, dry_run: bool, as_json: bool, moves: Moves | None = None) -> None:
        """Give an object a new body, if nobody else has changed it meanwhile."""
        params = {"dry_run": dry_run or None}
        reply = self.client.request("PUT", found.path, self.by_ids(body), found.revision, params)
        self._tell(reply, dry_run, as_json, "changed", found, moves)

    def delete(self, found: FoundObject, dry_run: bool) -> None:
        """Delete an object, if nobody else has changed it meanwhile."""
        reply = self.client.request("DELETE", found.path, None, found.revision, {"dry_run": dry_run or None})
        if dry_run:
            show_plan(reply.result)
        else:
            click.echo(f"{self.kind.words} {called(found.body, self.kind)}: deleted")

    def _tell(
        self,
        reply: Reply,
        dry_run: bool,
        as_json: bool,
        done: str,
        before: FoundObject | None = None,
        moves: Moves | None = None,
    ) -> None:
        if as_json:
            told = reply.result if dry_run else reply.result | {"revision": reply.revision}
            print_json(told if moves is None else told | {"what_if": moves()})
            return
        if dry_run:
            show_plan(reply.result)
            if moves is not None:
                click.echo("\n".join(["", *render_moves(moves())]))
            return
        name = f"{self.kind.words} {called(reply.result, self.kind)}"
        if before is not None and reply.revision == before.revision:
            click.echo(f"{name}: nothing changed")
            return
        click.echo(f"{name}: {done} in revision {reply.revision}")
        if before is not None:
            from lbdns.cli.frame import difference

            told = self.client.get(f"{OWN_PATH}/revisions/{reply.revision}")["differences"]
            difference.show([one for one in told if one["id"] == reply.result["id"]])

    def would_move(self, body: Body, networks: Sequence[str]) -> Body:
        """Return which networks the running server would answer from another pool, were a load balancer this."""
        kind = body.get("type") or "A"
        asked = {"name": body["name"], "type": kind, "load_balancer": body, "networks": [*networks]}
        if view := body.get(VIEW):
            asked[VIEW] = view
        told: Body = self.client.post(f"{OWN_PATH}/what_if", asked)
        return told

    # --- health ---

    def health(self) -> dict[str, Body]:
        """Return what the running server says of pools or load balancers, by what they are called; nothing where none
        runs."""
        try:
            report = self.client.get(f"{OWN_PATH}/health")
        except ApiRefusal as error:
            if error.refusals[0].code != NOT_RUNNING_CODE:
                raise
            return {}
        return {called(one): one for one in report[self.kind.section]}


def called(body: Mapping[str, Any], kind: Kind = Kind.LOAD_BALANCER) -> str:
    """Return what an object of a kind is called: its name, with its view where it is of one."""
    return labelled(str(body[kind.called_by]), body.get(VIEW) or "")


def owner_name(text: str) -> str:
    """Return a load balancer's name as it is stored: in lower case, without a dot at its end, in A-labels."""
    name = text.rstrip(".").lower()
    if name.isascii():
        return name
    from pydantic_core import PydanticCustomError

    from lbdns.model.hostnames import parse_owner_name

    try:
        return parse_owner_name(name)
    except PydanticCustomError as error:
        raise LbdnsError(error.message()) from error


def show_plan(plan: Mapping[str, Any]) -> None:
    """Show what a write would change."""
    from lbdns.cli.frame import difference

    if not plan["differences"]:
        click.echo("nothing would change")
        return
    difference.show(plan["differences"])
    click.echo("\nnothing is changed: --dry-run")


def file_text(kind: Kind, body: Mapping[str, Any]) -> str:
    """Return an object by names as a file of the configuration has it: what is at its default left out."""
    from lbdns.config.yaml.yaml_text import block_text, item_text
    from lbdns.model.kind_models import MODELS

    name = str(body["name"])
    fields = {key: value for key, value in body.items() if not kind.is_keyed or key != "name"}
    model = MODELS[kind]
    own = fields | {"name": name} if "name" in model.model_fields else fields
    dumped = model.model_validate(own).model_dump(mode="json", exclude_defaults=True)
    section = kind.section
    if kind.is_keyed:
        dumped.pop("name", None)
        return f"{section}:\n" + block_text({name: dumped}, indent=1)
    first = {key: dumped.pop(key) for key in ("name", "type") if key in dumped}
    return f"{section}:\n" + item_text(first | dumped, indent=1)


def read_body(kind: Kind, path: Path, name: str | None) -> Body:
    """Return a body by names from a YAML or JSON file, or standard input (-): bare, or in its section as `show` prints
    it. Raises LbdnsError.
    """
    from lbdns.config.yaml.yaml_tree import parse_yaml

    try:
        data = sys.stdin.buffer.read(FILE_BYTES_MAX + 1) if str(path) == "-" else path.read_bytes()
        text = data.decode()
    except OSError as error:
        raise LbdnsError(f"{path}: cannot read it: {error.strerror}") from error
    except UnicodeDecodeError:
        raise LbdnsError(f"{path}: not a text in UTF-8") from None
    if len(data) > FILE_BYTES_MAX:
        raise LbdnsError(f"{path}: too long for one object")
    tree = parse_yaml(text, str(path))
    if tree.problems:
        raise LbdnsError("\n".join(map(str, tree.problems)))
    value = tree.value
    if isinstance(value, dict) and set(value) == {kind.section}:
        value = _of_section(kind, value[kind.section], path, name)
    if not isinstance(value, dict):
        raise LbdnsError(f"{path}: expected a mapping: the fields of one {kind.words}")
    return value


def _of_section(kind: Kind, section: Any, path: Path, name: str | None) -> Any:
    """Return the object of a name in a section, or the only one there is."""
    if isinstance(section, dict):
        bodies = {key: {"name": key, **(body or {})} for key, body in section.items() if isinstance(body, dict | None)}
    else:
        items: Sequence[Any] = section if isinstance(section, list) else ()
        bodies = {item.get("name"): item for item in items if isinstance(item, dict)}
    if name in bodies:
        return bodies[name]
    if len(bodies) == 1:
        return next(iter(bodies.values()))
    raise LbdnsError(f"{path}: holds {len(bodies)} {kind.plural}, none of them {name}")


def print_table(table: Table) -> None:
    """Print a table, as wide as the terminal, or as wide as it is where it goes elsewhere."""
    from rich.console import Console

    console = Console()
    (console if console.is_terminal else Console(width=PIPE_COLUMNS)).print(table)


def make_table(*headings: str) -> Table:
    """Return a table as all lists have it."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def state_cell(row: Mapping[str, Any] | None) -> Any:
    """Return a state in its colour; nothing where it is not known."""
    from rich.text import Text

    from lbdns.cli.commands.health_command import STYLES

    return Text("") if row is None else Text(row["state"], STYLES.get(row["state"], ""))
