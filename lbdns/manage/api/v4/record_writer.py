"""One change of a zone's records, by whatever request: what it writes, and where in the request each record stands.

A client that writes a record of the zone's own name servers knows it from then on (store/zones/own_servers.py):

    the same record                  it is that record, with the client's TTL, comment and tags
    an address of a host, where
    its others were MADE             those are what this server found of itself, and give way
    its others were GIVEN            those of the same type are listed as well
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fastapi import Request, Response

from lbdns.base.errors import OWNER_NAMES, ConfigError, Problem, problems_about
from lbdns.base.kinds import Kind
from lbdns.base.words import STORED
from lbdns.manage.api.frame.api_errors import no_record, point_by, several
from lbdns.manage.api.frame.auth import Caller
from lbdns.manage.api.frame.dropped import widened
from lbdns.manage.api.frame.dry_run import planned
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.pointers import Steps
from lbdns.manage.api.frame.reply_messages import MESSAGES_MAX, tell, warnings
from lbdns.manage.api.frame.signer import tell_of_new
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.api.v4.balancing import etag
from lbdns.manage.api.v4.record_clashes import each_told
from lbdns.manage.api.v4.record_shapes import shown_record
from lbdns.manage.api.v4.record_taking import taken_record
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item, new_id
from lbdns.manage.store.managing import Done
from lbdns.manage.store.records.record_bodies import NAME_SERVER, merged_record, stored_key
from lbdns.manage.store.refusals import NotFound
from lbdns.manage.store.state import State
from lbdns.manage.store.zones.own_servers import ADDRESSES, is_of_server, shown_server, yielding

Places = dict[str, tuple[str | int, ...]]
"""Where in the request's body each record stands that it writes, by id."""
Servers = dict[str, list[str]]
"""The ids of the records of a zone's own name servers, by name."""


class RecordWriter:
    """One change of a zone's records: who makes it, and where in the request each record stands."""

    def __init__(self, site: ApiSite, caller: Caller, request: Request, zone_id: str, dry_run: bool) -> None:
        self.site = site
        self.caller = caller
        self.zone_id = zone_id
        self.dry_run = dry_run
        self.places: Places = {}
        self.before = site.state
        zone = self.before.get(Kind.ZONE, zone_id)
        if zone is None:
            raise NotFound(Kind.ZONE, zone_id)
        self.zone = zone
        self._after: State | None = None
        self._servers: Servers | None = None
        self._unknown: list[Problem] = []
        point_by(request, self.pointing)

    async def change(self, verb: str, make: Callable[[Edit], Any]) -> Done[Any]:
        """Do it; raises LbdnsError."""

        def made(edit: Edit) -> Any:
            self._after = edit.state
            return make(edit)

        words = f'{verb} of zone "{self.zone.label}"'
        try:
            return await self.site.manager.change(
                self.caller.author, words, made, dry_run=self.dry_run, is_local=self.caller.local
            )
        except ConfigError as error:
            if self._after is None:
                raise
            told = each_told(error.problems, self._after, self.places)
            # A field with a slip in it may be what is missing.
            raise ConfigError([*told, *self._unknown], error.more) from None

    def create(self, edit: Edit, body: Mapping[str, Any], *place: str | int) -> Item:
        """Add a record, whose body stands at a place in the request."""
        tell_of_new(self.site, self.zone.id)
        id = new_id()
        self.places[id] = place
        count = len(edit.problems)
        record = edit.create(Kind.RECORD, self._taken(id, body), self.zone_id, id)
        return record if len(edit.problems) > count else self._beside_servers(edit, record)

    def replace(self, edit: Edit, id: str, body: Mapping[str, Any], *place: str | int) -> Item:
        """Give a record a new body."""
        before = self.find(edit, id)
        self.places[id] = place
        after = edit.replace(Kind.RECORD, id, self._taken(id, body))
        for sentence, at in widened(before, after, body):
            tell(sentence, (*place, *at))
        return after

    def patch(self, edit: Edit, id: str, fields: Mapping[str, Any], *place: str | int) -> Item:
        """Change some fields of a record."""
        before = self.find(edit, id).body
        self.places[id] = place
        merged = merged_record(before, self._taken(id, fields, before))
        return edit.replace(Kind.RECORD, id, _as_clients_write_it(merged))

    def delete(self, edit: Edit, id: str) -> Item:
        """Delete a record."""
        self.find(edit, id)
        return edit.delete(Kind.RECORD, id)

    def find(self, edit: Edit, id: str, based_on: int | None = None) -> Item:
        """Return a record of the zone; raises NotFound, or Outdated where it changed since a revision."""
        record = edit.get(Kind.RECORD, id)
        if record.zone_id != self.zone_id:
            raise NotFound(Kind.RECORD, id)
        return record if based_on is None else edit.expect(Kind.RECORD, id, based_on)

    def find_all(self, edit: Edit, ids: Iterable[tuple[str, Steps]]) -> None:
        """Check that there are all of some records, each with its place; raises ApiError for those that are not, or no
        longer: those to be deleted come first.
        """
        there = {*edit.state.records(self.zone_id)}
        missing: list[dict[str, Any]] = []
        for id, at in ids:
            if id not in there:
                missing.append(no_record(id, at))
            elif at[0] == "deletes":
                there.discard(id)
        if missing:
            raise several(404, missing)

    def _taken(self, id: str, body: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> dict[str, Any]:
        def told(text: str, at: Steps, is_unknown: bool) -> None:
            tell(text, (*self.places[id], *at))
            if is_unknown and len(self._unknown) < MESSAGES_MAX:
                self._unknown.append(Problem(STORED, 0, "", text, at=("records", id, *at)))

        return taken_record(body, told, before)

    def _beside_servers(self, edit: Edit, record: Item) -> Item:
        """Return a new record as it stands beside those of the zone's own name servers: it may be one of them."""
        ids = self._own_servers(edit).get(record.name, ()) if not record.view else ()
        servers = [server for id in ids if (server := edit.state.get(Kind.RECORD, id)) and is_of_server(server)]
        gone = yielding([record.body], servers)
        for server in servers:
            if stored_key(server) == stored_key(record):
                edit.delete(Kind.RECORD, record.id)
                self.places[server.id] = self.places.pop(record.id)
                record = edit.replace(Kind.RECORD, server.id, record.body)
            elif server in gone:
                edit.delete(Kind.RECORD, server.id)
                tell(f"{shown_server(server)}: an address that came with the zone, and gives way to this one")
            elif server.body["type"] == record.body["type"] and record.body["type"] in ADDRESSES:
                edit.replace(Kind.RECORD, server.id, _as_clients_write_it(server.body))
                tell(f"{shown_server(server)}: an address of the zone's own name server is here too, and listed now")
        return record

    def _own_servers(self, edit: Edit) -> Servers:
        if self._servers is None:
            self._servers = {}
            for server in filter(is_of_server, edit.state.records(self.zone_id).values()):
                self._servers.setdefault(server.name, []).append(server.id)
        return self._servers

    def pointing(self, problem: Problem) -> Steps | None:
        """Tell where in the request a problem stands. One at another record of the same name is this one's name's."""
        if problem.at[:1] != ("records",):
            return None
        id = str(problem.at[1])
        if id in self.places:
            return (*self.places[id], *problem.at[2:])
        other = self._record(id)
        if other is None:
            return None
        named = [mine for mine in self.places if (record := self._record(mine)) and record.name == other.name]
        return (*self.places[named[0]], "name") if named else None

    def _record(self, id: str) -> Item | None:
        return self._after.get(Kind.RECORD, id) if self._after is not None else None

    def messages(self, done: Done[Any], names: Iterable[str]) -> list[dict[str, Any]]:
        """Return the warnings about some names, and those that records had before: of their records, of load balancers
        there, and of what else makes them exist or answers them."""
        had = {change.before.name for change in done.changes if change.before and change.before.kind is Kind.RECORD}
        state = self._after if self._after is not None else self.site.state
        return warnings(_about(done.warnings, {*names, *had}, state)[:MESSAGES_MAX])

    def told(self, done: Done[Item]) -> Response:
        """Answer with one record, or with what would change."""
        record = done.result
        messages = self.messages(done, [record.name])
        if self.dry_run:
            return planned(done, self.before, messages)
        return ok(shown_record(record, self.zone), messages=messages, headers=etag(record))


def _as_clients_write_it(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored body without the mark of what no client wrote."""
    return {key: value for key, value in body.items() if key != NAME_SERVER}


def _about(found: Sequence[Problem], names: set[str], state: State) -> list[Problem]:
    """Return the problems of records and load balancers of some names, in their order."""
    about = {*map(id, problems_about(found, (Kind.LOAD_BALANCER.section, OWNER_NAMES), names))}
    for one in found:
        if one.at[:1] == ("records",):
            record = state.get(Kind.RECORD, str(one.at[1]))
            if record is not None and record.name in names:
                about.add(id(one))
    return [one for one in found if id(one) in about] if about else []
