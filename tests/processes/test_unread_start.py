"""A start begins with what was served last, unread, where reading would give the same; and with nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from lbdns.base.own_package import package_environment
from lbdns.base.words import LAST_SERVED, STORE_FILE
from lbdns.config.examined import Loaded
from lbdns.config.files_read import FilesRead
from lbdns.config.kept_texts import name_of_text
from lbdns.config.loading import load
from lbdns.config.settings_loading import load_settings
from lbdns.config.tolerance import Tolerates, none_tolerated
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.snapshot_file import DATABASES
from lbdns.model.configuration import Configuration
from lbdns.model.resting_configuration import RestingConfiguration
from lbdns.model.settings import Settings
from lbdns.places.geodata import geodata_dir
from lbdns.processes.supervisor.beginning import Beginning
from lbdns.processes.supervisor.configuration_source import ConfigurationSource
from lbdns.processes.supervisor.cookie_secrets import OwnCookieSecrets
from lbdns.processes.supervisor.keeping import Keeper, ToKeep
from lbdns.processes.supervisor.unread_start import UnreadStart
from lbdns.publish.canary import CanaryError
from lbdns.publish.first_results import first_results
from lbdns.publish.publisher import Publisher
from lbdns.testing import LbdnsServer, write_files
from lbdns.transfer.inward.published_terms import terms_of
from tests.processes.load import NAME, ZONE
from tests.processes.test_last_served import lbdns, made, metric, served_once, settings_of
from tests.processes.test_reload import NEW, NEW_FILES, OLD, OLD_FILES, eventually
from tests.store.served import StoreServer, stopped_server

UNREAD = ", as it was compiled last: nothing has changed since"
READ = "the start, which goes on: serving"
LIST = "lists/office.txt"
STOP_S = 8.0


class Stage:
    """Files that were served and kept, and who would start with them; `objects`: what their store would say."""

    def __init__(self, work: Path) -> None:
        self.config, self.state = work / "config", work / "state"
        self.objects: str | None = None
        city = self.config / "places.mmdb"
        self.config.mkdir()
        (self.config / "lists").mkdir()
        (self.config / LIST).write_text("127.0.0.0/8\n")
        shutil.copy(next(geodata_dir().glob("*.mmdb")), city)
        settings = {"state": str(self.state), "geodata": {"city": str(city)}, "lists": {"office": LIST}}
        write_files({**OLD_FILES, "settings": settings}, self.config)
        self.keep()

    @property
    def source(self) -> ConfigurationSource:
        def read(files: FilesRead, tolerates: Tolerates) -> Loaded:
            return load(self.config, files, tolerates=tolerates)

        def refuse(*_: object) -> Loaded:
            raise AssertionError("texts are read")

        def told(_: int | None) -> str:
            assert self.objects is not None
            return self.objects

        return ConfigurationSource(
            load=read,
            directory=self.config,
            place="files",
            settings=self.settings,
            override=lambda settings: settings,
            load_texts=refuse,
            text_name=lambda path: name_of_text(path, self.config),
            objects=None if self.objects is None else told,
        )

    def settings(self) -> Settings:
        return load_settings(self.config)

    def keep(self, change: Callable[[Configuration], Configuration] = lambda configuration: configuration) -> None:
        """Serve the files, changed, and keep what is served."""
        source = self.source
        loaded = source.read(source.files(), none_tolerated)
        run = RunDirectory(self.state)
        publisher = Publisher(Control.create(run.control), run, cookie_secrets=OwnCookieSecrets(self.state).current)
        published = publisher.prepare(loaded.configuration)
        publisher.publish(published)
        published = dataclasses.replace(published, configuration=change(loaded.configuration))
        keeper = Keeper(self.state, source.place, source.objects)
        keeper.tell(ToKeep(published, loaded.texts, 1.0, loaded.read))
        asyncio.run(keeper.close())
        run.remove()

    def found(self, settings: Settings | None = None) -> Beginning | None:
        """Return what a start would begin with."""

        async def look() -> Beginning | None:
            source, run = self.source, RunDirectory(self.state)
            wanted = settings or source.settings()
            try:
                return await UnreadStart(source, wanted, source.files(), self.state, run).found()
            finally:
                run.remove()

        return asyncio.run(look())

    @property
    def copy(self) -> Path:
        (copy,) = [path for path in (self.state / LAST_SERVED).iterdir() if path.is_dir()]
        return copy


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("unread"))


@pytest.fixture
def stage(kept: Stage, tmp_path: Path) -> Iterator[Stage]:
    """Return the stage, and have all that is on the disk as it was afterwards."""
    kept.objects = None
    shutil.copytree(kept.config, tmp_path / "config")
    shutil.copytree(kept.state, tmp_path / "state")
    yield kept
    for name, path in (("config", kept.config), ("state", kept.state)):
        shutil.rmtree(path)
        shutil.copytree(tmp_path / name, path)


def test_what_is_as_it_was_is_begun_with_as_it_was_compiled(stage: Stage) -> None:
    stage.keep()
    found = stage.found()
    assert found is not None and found.is_unread and found.compiled is not None and found.not_served is None
    loaded = stage.source.read(stage.source.files(), none_tolerated)
    names = [one.name for one in dataclasses.fields(Configuration)]
    assert Configuration(**{name: getattr(found.configuration, name) for name in names}) == loaded.configuration
    assert found.loaded.read == loaded.read
    snapshot, slots = found.compiled
    assert len(snapshot.columns["lb_ttl"]) == 1 and slots.pool


def test_nothing_that_grows_with_what_is_served_is_read_before_the_first_answers(stage: Stage) -> None:
    """Neither what is found nor what is put in force of it needs a pool or a load balancer."""
    stage.keep()
    found = stage.found()
    assert found is not None and isinstance(found.configuration, RestingConfiguration)
    run = RunDirectory(stage.state)
    try:
        control = Control.create(run.control)
        publisher = Publisher(control, run, cookie_secrets=OwnCookieSecrets(stage.state).current)
        published = found.restored(publisher)
        publisher.publish(published)
        assert asyncio.run(first_results(published))
        assert terms_of(published).secondaries == {}
        assert not found.configuration.is_read
        assert [one.name for one in found.configuration.load_balancers] == [NAME]
        assert found.configuration.is_read
    finally:
        run.remove()


def test_a_kept_canary_that_is_not_answered_is_told(stage: Stage) -> None:
    """What is asked first is what was kept, and it is asked."""
    stage.keep()
    found = stage.found()
    assert found is not None and found.needs is not None and len(found.needs.canaries) > 1
    strange = found.needs.canaries[0]._replace(owner=b"\x07missing\x07invalid\x00")
    found = dataclasses.replace(found, needs=dataclasses.replace(found.needs, canaries=(strange,)))
    run = RunDirectory(stage.state)
    try:
        publisher = Publisher(Control.create(run.control), run)
        with pytest.raises(CanaryError, match="missing"):
            found.restored(publisher)
    finally:
        run.remove()


def test_files_that_were_written_again_as_they_were_are_the_same(stage: Stage) -> None:
    stage.keep()
    for path in (stage.config / "example.com.zone", stage.config / "lbdns.yaml", stage.config / LIST):
        text = path.read_text()
        path.unlink()
        path.write_text(text)
    assert stage.found() is not None


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write("# changed\n")


def touch_database(stage: Stage) -> None:
    os.utime(stage.config / "places.mmdb", ns=(1, 1))


def other_secrets(stage: Stage) -> None:
    (stage.state / "cookie-secrets").unlink()


def sign(stage: Stage) -> None:
    (stage.state / "dnssec").mkdir()
    (stage.state / "dnssec" / "example.com.json").write_text("{}")


def spoil(name: str) -> Callable[[Stage], None]:
    def cut(stage: Stage) -> None:
        path = stage.copy / name
        path.write_bytes(path.read_bytes()[:-1])

    return cut


def of_another_release(stage: Stage) -> None:
    current = stage.state / LAST_SERVED / "current.json"
    current.write_text(json.dumps({**json.loads(current.read_text()), "format": "another release"}))


def kept_without_grounds(stage: Stage) -> None:
    current = stage.state / LAST_SERVED / "current.json"
    document = json.loads(current.read_text())
    del document["digests"]["grounds.json"]
    current.write_text(json.dumps(document))


DIFFERENCES: dict[str, Callable[[Stage], object]] = {
    "a zone": lambda stage: append(stage.config / "example.com.zone"),
    "objects": lambda stage: append(stage.config / "objects.yaml"),
    "settings": lambda stage: append(stage.config / "lbdns.yaml"),
    "a list": lambda stage: append(stage.config / LIST),
    "a file that is gone": lambda stage: (stage.config / "objects.yaml").unlink(),
    "a file that came": lambda stage: shutil.copy(stage.config / "example.com.zone", stage.config / "example.net.zone"),
    "a database": touch_database,
    "secrets of cookies": other_secrets,
    "a zone that is signed": sign,
    "a damaged snapshot": spoil("snapshot"),
    "damaged tries": spoil("tries"),
    "damaged slots": spoil("slots.json"),
    "a damaged configuration": spoil("configuration.json"),
    "damaged grounds": spoil("grounds.json"),
    "damaged targets": spoil("pools.targets"),
    "another release": of_another_release,
    "a copy that does not say": kept_without_grounds,
    "no copy": lambda stage: shutil.rmtree(stage.state / LAST_SERVED),
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_whatever_is_otherwise_is_read_first(stage: Stage, difference: str) -> None:
    stage.keep()
    assert stage.found() is not None
    DIFFERENCES[difference](stage)
    assert stage.found() is None


def test_what_the_command_line_says_otherwise_is_read_first(stage: Stage) -> None:
    stage.keep()
    listen = ("127.0.0.1:5399",)
    assert stage.found(stage.settings().model_copy(update={"listen": listen})) is None


def test_who_is_strict_reads_first(stage: Stage) -> None:
    settings_of(stage.config, strict=True)
    stage.keep()
    assert stage.found() is None


@pytest.mark.parametrize("change", ["another primary", "a follower"])
def test_what_hangs_on_other_servers_is_read_first(stage: Stage, change: str) -> None:
    stage.keep()
    zones = {"example.com": {"primaries": ["192.0.2.53"]}} if change == "another primary" else {}
    access = {"transfer": [{"network": "192.0.2.0/24"}]} if change == "a follower" else {}

    def among_others(configuration: Configuration) -> Configuration:
        document = {"zones": zones, "access": access}
        read = Settings.model_validate(document)
        settings = configuration.settings.model_copy(update={"zones": read.zones, "access": read.access})
        return dataclasses.replace(configuration, settings=settings)

    stage.keep(among_others)
    assert stage.found(among_others(Configuration(settings=stage.settings())).settings) is None


def test_the_objects_of_a_store_are_to_be_those_that_were_kept(stage: Stage) -> None:
    stage.objects = "these"
    stage.keep()
    assert stage.found() is not None
    stage.objects = "others"
    assert stage.found() is None
    stage.objects = ""  # it is not known
    stage.keep()
    assert stage.found() is None


def test_a_snapshot_says_from_which_databases_it_was_compiled(stage: Stage) -> None:
    stage.keep()
    found = stage.found()
    assert found is not None and found.compiled is not None
    path, modified_ns, size, inode = found.compiled[0].meta[DATABASES][0]
    seen = (stage.config / "places.mmdb").stat()
    assert Path(path) == stage.config / "places.mmdb"
    assert (modified_ns, size, inode) == (seen.st_mtime_ns, seen.st_size, seen.st_ino)


def restarted(server: LbdnsServer) -> str:
    """Start a server again; return what it says of it, once it has read all."""
    before = len(server.log)
    server.start()
    eventually(lambda: " serving " in server.log[before:])
    if UNREAD in server.log[before:]:
        eventually(lambda: READ in server.log[before:])
    return server.log[before:]


@pytest.mark.process
def test_files_are_served_unread_and_then_read(tmp_path: Path) -> None:
    with made(tmp_path) as server:
        served_once(server)
        for _ in range(2):  # what the start went on with is kept as well
            log = restarted(server)
            assert UNREAD in log and " error " not in log
            assert server.addresses(NAME) == sorted(OLD[1])
            state = server.status()
            assert state["generation"] == 2 and state["standing"]["state"] == "good"
            assert metric(server, "reloads_total") == 0
            assert len([*server.run_directory.glob("tries-*.bin")]) == 1  # both generations have the same
            assert server.stop() == 0
        server.start()
        write_files(
            {**NEW_FILES, "settings": yaml.safe_load((server.directory / "lbdns.yaml").read_text())}, server.directory
        )
        eventually(lambda: server.addresses(NAME) == sorted(NEW[1]))
        assert server.stop() == 0
        settings_of(server.directory, workers=2)
        assert UNREAD not in restarted(server)
        assert server.addresses(NAME) == sorted(NEW[1])


SLOW: Final = """
import time
from lbdns.__main__ import main
from lbdns.config import loading

def load(*_, **__):
    print("reading", flush=True)
    while True:
        time.sleep(0.01)

loading.load = load
main(["serve", {directory!r}])
"""
"""A server that never has read its source."""


@pytest.mark.process
def test_who_is_to_stop_while_it_reads_behind_the_first_answer_stops_at_once(tmp_path: Path) -> None:
    with made(tmp_path) as server:
        served_once(server)
        command = [sys.executable, "-P", "-c", SLOW.format(directory=str(server.directory))]
        log = tmp_path / "slow.log"
        with (
            log.open("wb") as out,
            subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=package_environment()) as process,
        ):
            try:
                eventually(lambda: "reading" in log.read_text())
                assert server.addresses(NAME) == sorted(OLD[1])
                process.terminate()
                assert process.wait(STOP_S) == 0
            finally:
                process.kill()
        told = log.read_text()
        assert told.rstrip().endswith("stopped") and " error " not in told and "Traceback" not in told
        assert not server.run_directory.exists()
        assert UNREAD in restarted(server)  # what was kept is kept yet


@pytest.mark.process
def test_a_mistake_that_is_made_while_the_server_is_down_is_told_at_its_start(tmp_path: Path) -> None:
    with made(tmp_path) as server:
        served_once(server)
        (server.directory / "example.com.zone").write_text(f"{ZONE}www IN A not-an-address\n")
        assert UNREAD not in restarted(server)
        assert server.addresses(NAME) == sorted(OLD[1])
        assert server.status()["standing"]["state"] != "good"


@pytest.mark.process
def test_a_store_is_served_unread_and_then_changed_as_ever(tmp_path: Path) -> None:
    with stopped_server(tmp_path) as server:
        assert UNREAD not in restarted(server)  # it listens on the port that was any before
        server.wait_for_api()
        assert server.stop() == 0
        assert UNREAD in restarted(server)
        assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
        server.wait_for_api()
        patch_pool(server, "192.0.2.9")
        eventually(lambda: server.addresses(NAME) == ["192.0.2.9"])
        assert server.stop() == 0
        assert UNREAD in restarted(server)
        assert server.addresses(NAME) == ["192.0.2.9"]
        assert server.stop() == 0
        # The store moved on while nobody served it.
        state = ["--state", str(server.state_dir)]
        done = lbdns("record", "add", "example.com", "new", "A", "192.0.2.77", *state)
        assert done.returncode == 0, done.stderr
        assert UNREAD not in restarted(server)
        assert server.addresses(NAME) == ["192.0.2.9"]
        server.wait_for_api()
        assert server.stop() == 0
        # Somebody changed it by other means, without a revision.
        with contextlib.closing(sqlite3.connect(server.state_dir / STORE_FILE)) as connection, connection:
            connection.execute("UPDATE objects SET body = replace(body, '192.0.2.9', '192.0.2.8')")
        assert UNREAD not in restarted(server)
        assert server.addresses(NAME) == ["192.0.2.8"]


def patch_pool(server: StoreServer, address: str) -> None:
    """Give the one pool of a server another endpoint."""
    with server.local as client:
        account = client.get("/client/v4/accounts").json()["result"][0]["id"]
        pools = f"/client/v4/accounts/{account}/load_balancers/pools"
        (pool,) = client.get(pools).json()["result"]
        body: dict[str, Any] = {"origins": [{"name": "e", "address": address}]}
        client.patch(f"{pools}/{pool['id']}", json=body).raise_for_status()
