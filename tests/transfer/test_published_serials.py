"""Serials as the publisher takes them on and gives them up, and journals that break off midway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.zone_journal import ZoneJournal, read_differences
from lbdns.model.configuration import Configuration
from lbdns.publish import publisher as publishing
from lbdns.publish.canary import CanaryError
from lbdns.publish.publisher import Published, Publisher
from lbdns.transfer.content.transfer_content import TransferContent
from tests.transfer.publications import FOLLOWED, Transferred, walked

ZONE = "$TTL 60\n@ SOA ns1 hostmaster 7 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.{last}\n"


class Server:
    """A publisher with its content."""

    def __init__(self, folder: Path, control: Control, run: RunDirectory) -> None:
        self.folder, self._control, self._run = folder, control, run
        self.restart()

    def restart(self) -> None:
        self.content = TransferContent(self.folder)
        self.publisher = Publisher(self._control, self._run, transfers=self.content)

    def read(self, last: int, settings: Mapping[str, Any] = FOLLOWED) -> Configuration:
        tree = {"settings": dict(settings), "zones": {"example.com": ZONE.format(last=last)}}
        return parse(tree, self.folder).configuration

    def serve(self, last: int) -> Published:
        published = self.publisher.prepare(self.read(last))
        self.publisher.publish(published)
        return published


def serial(published: Published) -> int:
    return Transferred(walked(ServingView(published.snapshot, published.table), 0)).serial


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    run = RunDirectory(tmp_path / "state")
    control = Control.create(run.control)
    yield Server(tmp_path, control, run)
    control.close()
    run.remove()


def test_a_generation_that_is_abandoned_gives_its_serial_back(server: Server) -> None:
    server.serve(1)
    prepared = server.publisher.prepare(server.read(2))
    assert serial(prepared) == 8
    server.publisher.abandon(prepared)
    assert serial(server.serve(3)) == 8
    server.restart()
    assert serial(server.serve(3)) == 8


def test_a_canary_that_fails_changes_no_serial(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.serve(1)

    def fail(*_: object) -> None:
        raise CanaryError("as if")

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "try_canaries", fail)
        with pytest.raises(CanaryError):
            server.publisher.prepare(server.read(2))
    assert [one.serial for one in server.content.log.served.values()] == [7]
    assert serial(server.serve(3)) == 8


def test_what_was_compiled_before_is_compiled_anew_where_its_serial_is_behind(server: Server) -> None:
    """A copy of what was served is written after it is: a kill in between leaves one that is older."""
    kept = server.serve(1)
    server.serve(2)
    server.restart()
    restored = server.publisher.restore(kept.configuration, kept.snapshot, kept.slots)
    server.publisher.publish(restored)
    assert serial(restored) == 9
    same = server.publisher.restore(restored.configuration, restored.snapshot, restored.slots)
    assert serial(same) == 9


def test_what_can_not_be_kept_is_said_and_served(server: Server, tmp_path: Path) -> None:
    (tmp_path / "transfers").write_text("no directory")
    assert serial(server.serve(1)) == 7
    assert "cannot be kept" in server.content.problem
    assert serial(server.serve(2)) == 8
    (tmp_path / "transfers").unlink()
    assert serial(server.serve(3)) == 9
    assert not server.content.problem
    server.restart()
    assert serial(server.serve(3)) == 9


def test_a_line_that_a_full_disk_cut_short_spoils_none_that_follows(server: Server) -> None:
    server.serve(1)
    path = server.content.log.path
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:30])
    assert serial(server.serve(2)) == 8
    server.restart()
    assert [one.serial for one in server.content.log.served.values()] == [8]


def test_a_journal_that_breaks_off_anywhere_says_what_is_whole(server: Server) -> None:
    for last in range(1, 6):
        server.serve(last)
    [journal] = server.content.journals.values()
    whole = journal.path.read_bytes()
    apex = server.read(1).zones[0].apex
    found = []
    for end in range(len(whole)):
        journal.path.write_bytes(whole[:end])
        ends_at = ZoneJournal(journal.path).serial
        leads = [read_differences(server.folder, apex, "public", 7, 8 + step) is not None for step in range(4)]
        assert leads == sorted(leads, reverse=True)
        assert ends_at == (7 + sum(leads) if any(leads) else None)
        found.append(sum(leads))
    assert found == sorted(found)
    assert found[-1] == 3
    journal.path.write_bytes(whole[:-1])
    server.restart()
    assert serial(server.serve(5)) == 11
    assert serial(server.serve(6)) == 12
    assert read_differences(server.folder, apex, "public", 11, 12) is not None
    assert read_differences(server.folder, apex, "public", 7, 12) is None, "the step to 11 is lost"
