"""`lbdns serve [DIR]`: the server in the foreground, from files or from the store."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import click

from lbdns.base.errors import ConfigError, LbdnsError, Problem
from lbdns.base.words import SETTINGS_FILE, SETTINGS_VARIABLE, STORE_FILE, STORE_PLACE
from lbdns.cli.frame.common import files_place
from lbdns.processes.supervisor.capabilities import refuse_new_privileges
from lbdns.processes.supervisor.hangups import Hangups

if TYPE_CHECKING:
    from lbdns.config.examined import Loaded
    from lbdns.config.files_read import FilesRead
    from lbdns.config.tolerance import Tolerates
    from lbdns.manage.api.frame.site import ApiSite
    from lbdns.manage.api.frame.tls import Certificate
    from lbdns.manage.api.hosting import ApiServer
    from lbdns.manage.api.ondemand import OnDemand
    from lbdns.manage.api.site_host import SiteHost
    from lbdns.manage.store.files_manager import FilesManager
    from lbdns.manage.store.manager import StoreManager
    from lbdns.manage.store.sqlite import Store
    from lbdns.model.settings import Settings
    from lbdns.processes.supervisor.configuration_source import ConfigurationSource
    from lbdns.processes.supervisor.fleet_link import StoreSide
    from lbdns.processes.supervisor.server_life import Companion
    from lbdns.processes.supervisor.supervisor import Supervisor
    from lbdns.processes.supervisor.update_door import UpdateDoor


@click.command()
@click.argument(
    "directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar=SETTINGS_VARIABLE,
    help="Without DIR: the server's settings. "
    f"[env: {SETTINGS_VARIABLE}; default: ./{SETTINGS_FILE}, where there is one]",
)
@click.option("--listen", multiple=True, metavar="IP:PORT", help="Listen here, whatever lbdns.yaml says; repeatable.")
@click.option("--state", type=click.Path(path_type=Path), help="The state directory, whatever lbdns.yaml says.")
def serve(directory: Path | None, settings_file: Path | None, listen: tuple[str, ...], state: Path | None) -> None:
    """Answer queries as the files in DIR say, or, without DIR, as the store in the state directory says.

    Files are changed with an editor: what is saved is served within two seconds. A store is changed by `lbdns zone`,
    `record`, `lb`, `pool`, `monitor` and `apply`, and by the management API. Whatever has a mistake is not served: what
    was served before is served on. SIGTERM finishes what has come and stops; SIGHUP reloads.
    """
    said_in = click.get_current_context().get_parameter_source("settings_file")
    if directory is not None and said_in is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--settings goes without DIR: with it, the settings are DIR/lbdns.yaml")
    hangups = Hangups()  # before anything that takes time: a server that starts is not to be ended by one
    refuse_new_privileges()  # before there are threads
    # numpy's threads for matrices, which nothing here has, would keep what only the start may do.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    from lbdns.base.garbage import still_until_quiet

    with still_until_quiet():  # the modules that are loaded are the most of what is made
        _serve(directory, settings_file, listen, state, hangups)


def _serve(
    directory: Path | None, settings_file: Path | None, listen: tuple[str, ...], state: Path | None, hangups: Hangups
) -> None:
    from lbdns.base.log import log_uncaught, start_log
    from lbdns.base.progress import LAST_STAGE
    from lbdns.cli.frame.bar import bar
    from lbdns.processes.supervisor.server_life import serve as serve_source

    overrides: dict[str, Any] = {"listen": listen} if listen else {}
    if state is not None:
        overrides |= {"state": state.resolve(), "control": None}
    start_log("supervisor", "text")
    log_uncaught()
    log = logging.getLogger("lbdns.cli")
    try:
        with contextlib.ExitStack() as cleanup:
            if directory is not None:
                source, companion = _from_files(directory.resolve(), overrides)
            else:
                source, companion = _from_store((settings_file or Path(SETTINGS_FILE)).resolve(), overrides, cleanup)
            with bar(LAST_STAGE):
                asyncio.run(serve_source(source, hangups, companion))
    except ConfigError as error:
        for problem in error.problems:
            log.error("%s", problem)
        raise click.exceptions.Exit(1) from error
    except LbdnsError as error:
        log.error("%s", error)
        raise click.exceptions.Exit(1) from error


def _from_files(directory: Path, overrides: dict[str, Any]) -> tuple[ConfigurationSource, Companion]:
    from lbdns.config.kept_texts import name_of_text
    from lbdns.config.readable_settings import readable_settings
    from lbdns.config.settings_loading import load_settings
    from lbdns.processes.supervisor.configuration_source import ConfigurationSource

    keys, state = _Keys(), overrides.get("state")

    def read(files: FilesRead, tolerates: Tolerates) -> Loaded:
        return _under(_loading().load(directory, files, tolerates=tolerates, state=state), override)

    def override(settings: Settings) -> Settings:
        return _overridden(settings, overrides)

    @contextlib.asynccontextmanager
    async def companion(supervisor: Supervisor) -> AsyncIterator[None]:
        from lbdns.manage.api.ondemand import OnDemand
        from lbdns.manage.store.files_manager import FilesManager
        from lbdns.manage.store.sqlite import Store
        from lbdns.manage.updates.refused_updates import RefusedUpdates

        settings = supervisor.in_force().configuration.settings
        state_dir = settings.state_dir()
        # Tokens alone are kept there; without an address to use them at, no store is begun.
        needs_store = settings.api is not None or os.path.exists(state_dir / STORE_FILE)

        def site(store: Store | None, problem: str = "") -> ApiSite:
            return _api_site(FilesManager(store, directory, supervisor), store, settings, problem)

        def find() -> ApiSite:
            return site(cleanup.enter_context(contextlib.closing(Store(state_dir))) if needs_store else None)

        def instead(problem: str) -> ApiSite:
            return site(None, problem)

        async with contextlib.AsyncExitStack() as cleanup:
            door = await cleanup.enter_async_context(_updates(supervisor))
            door.use(RefusedUpdates())
            if settings.api is None:  # its modules are loaded when somebody asks
                on_demand = OnDemand(
                    state_dir, lambda: _host(supervisor, find, instead, NO_TOKENS, keys.certificate(settings))[1]
                )
                async with _serving(on_demand, supervisor):
                    yield
            else:
                async with _hosted(supervisor, find, instead, NO_TOKENS, keys.certificate(settings)):
                    yield

    source = ConfigurationSource(
        load=read,
        directory=directory,
        place=files_place(directory),
        settings=lambda: override(readable_settings(directory)),
        override=override,
        load_texts=lambda texts: _under(_loading().load(texts, base=directory, state=state), override),
        check=lambda settings: _check_api(settings, keys),
        check_settings=lambda: load_settings(directory),
        read_as_root=keys.read,
        text_name=lambda path: name_of_text(path, directory),
    )
    return source, companion


def _from_store(
    settings_file: Path, overrides: dict[str, Any], cleanup: contextlib.ExitStack
) -> tuple[ConfigurationSource, Companion]:
    from lbdns.config.kept_texts import name_of_text
    from lbdns.config.readable_settings import readable_settings
    from lbdns.config.settings_loading import load_settings
    from lbdns.processes.supervisor.configuration_source import ConfigurationSource

    def override(settings: Settings) -> Settings:
        return _with_api(_overridden(settings, overrides))

    keys = _Keys()
    settings = override(readable_settings(settings_file))
    state_dir = settings.state_dir()
    managers: list[StoreManager] = []
    opening = threading.Lock()

    def opened() -> StoreManager:
        from lbdns.manage.store.manager import StoreManager
        from lbdns.manage.store.sqlite import Store

        with opening:
            if not managers:
                with contextlib.ExitStack() as failing:
                    store = failing.enter_context(contextlib.closing(Store(state_dir)))
                    managers.append(StoreManager(store, settings))
                    cleanup.push(failing.pop_all())
            return managers[0]

    def load_store(files: FilesRead, tolerates: Tolerates) -> Loaded:
        from lbdns.config.checks.listeners import check_listeners
        from lbdns.config.directory import read_text
        from lbdns.config.yaml.source import Source

        files.note(settings_file)
        texts = {SETTINGS_FILE: read_text(settings_file) if settings_file.is_file() else ""}
        present = override(load_settings(settings_file, files, texts))
        loaded = opened().load(present, texts, tolerates)
        told = check_listeners(present, Source(str(settings_file), 0, "", None))
        return dataclasses.replace(loaded, warnings=(*told, *loaded.warnings))

    @contextlib.asynccontextmanager
    async def companion(supervisor: Supervisor) -> AsyncIterator[None]:
        served = supervisor.in_force().configuration.settings

        from lbdns.manage.store.files_manager import ServedManager
        from lbdns.manage.updates.update_queue import UpdateQueue
        from lbdns.transfer.content.serials_in_force import SerialsInForce

        def find() -> ApiSite:
            manager = opened()
            manager.running = supervisor
            door.use(UpdateQueue(manager, lambda: SerialsInForce(supervisor.in_force().snapshot).of))
            supervisor.fleet_keeper.use(partial(_in_fleet, manager))
            return _api_site(manager, manager.store, served)

        def instead(problem: str) -> ApiSite:
            return _api_site(ServedManager(supervisor, f"{STORE_PLACE}{state_dir}", problem), None, served, problem)

        async with (
            _updates(supervisor) as door,
            _hosted(supervisor, find, instead, NO_CHANGES, keys.certificate(served)),
        ):
            if managers and not managers[0].is_current:  # it was read before this process had the lock
                await supervisor.reload("the store changed")
            yield

    source = ConfigurationSource(
        load=load_store,
        directory=settings_file.parent,
        place=f"{STORE_PLACE}{state_dir}",
        settings=lambda: override(readable_settings(settings_file)),
        override=override,
        load_texts=lambda texts: _under(_loading().load(texts, base=settings_file.parent), override),
        load_under=lambda present, texts: opened().load(present, texts),
        suffixes=(),
        check=lambda settings: _check_api(settings, keys),
        check_settings=lambda: load_settings(settings_file),
        read_as_root=keys.read,
        text_name=lambda path: SETTINGS_FILE if path == settings_file else name_of_text(path, None),
        objects=lambda revision: _objects_of(state_dir, revision),
    )
    return source, companion


def _objects_of(state_dir: Path, revision: int | None) -> str:
    """Return what tells the objects of a store from all others; the most of the store's modules are loaded later."""
    from lbdns.manage.store.objects_digest import objects_digest

    return objects_digest(state_dir, revision)


def _loading() -> ModuleType:
    """Return what reads configurations: settings alone, as far as they can be read, are read without it."""
    from lbdns.config import loading

    return loading


def _under(loaded: Loaded, override: Callable[[Settings], Settings]) -> Loaded:
    """Return what was loaded, with its settings as the command line changes them."""
    settings = override(loaded.configuration.settings)
    return dataclasses.replace(loaded, configuration=dataclasses.replace(loaded.configuration, settings=settings))


class _Keys:
    """The certificate of the API: read once, maybe as root, and used by whoever the server is then."""

    def __init__(self) -> None:
        self._held: dict[tuple[Path, Path], Certificate] = {}

    def certificate(self, settings: Settings) -> Certificate | None:
        """Return the certificate of settings, None where they name none; raises LbdnsError."""
        from lbdns.manage.api.frame.tls import Certificate

        api = settings.api
        if api is None or api.certificate is None or api.key is None:
            return None
        files = api.certificate, api.key
        if files not in self._held:
            self._held[files] = Certificate(*files)
        return self._held[files]

    def read(self, settings: Settings) -> None:
        """Read it now; what is wrong with it is said when it is needed."""
        with contextlib.suppress(LbdnsError):
            self.certificate(settings)


def _check_api(settings: Settings, keys: _Keys) -> None:
    """Raise LbdnsError where the API could not be served: rather now than when the answers depend on this process."""
    from lbdns.manage.api.frame.api_sockets import tcp_socket

    if settings.api is None:
        return
    keys.certificate(settings)
    tcp_socket(settings.api.listen).close()


NO_CHANGES: Final = "changes are refused"
NO_TOKENS: Final = "no token can be checked or made"
Find = Callable[[], "ApiSite"]
Instead = Callable[[str], "ApiSite"]


@contextlib.asynccontextmanager
async def _hosted(
    supervisor: Supervisor, find: Find, instead: Instead, lacking: str, certificate: Certificate | None
) -> AsyncIterator[None]:
    """Serve the management API as long as the context lasts; raises LbdnsError where it cannot listen.

    It is that of the site which `find` returns, or of `instead` as long as that raises LbdnsError.
    """
    host, server = await asyncio.to_thread(_host, supervisor, find, instead, lacking, certificate)
    supervisor.troubles.append(lambda: host.problem)
    supervisor.store = host.store_facts
    async with _serving(server, supervisor), host.following(server):
        yield


@contextlib.asynccontextmanager
async def _updates(supervisor: Supervisor) -> AsyncIterator[UpdateDoor]:
    """Take the updates that responders bring, as long as the context lasts; raises LbdnsError."""
    from lbdns.processes.supervisor.update_door import UpdateDoor

    door = UpdateDoor(supervisor.run, supervisor.in_force)
    door.open()
    supervisor.state_keeper.keep(door)
    try:
        yield door
    finally:
        await door.close()


def _host(
    supervisor: Supervisor, find: Find, instead: Instead, lacking: str, certificate: Certificate | None
) -> tuple[SiteHost, ApiServer]:
    """Return what serves the API; its modules take half a second, so this runs in a thread."""
    from lbdns.manage.api.hosting import ApiServer
    from lbdns.manage.api.site_host import SiteHost

    def said() -> tuple[str, ...]:
        refused = supervisor.facts().not_served
        return () if refused is None else refused.problems

    host = SiteHost(supervisor, find, instead, lacking, said)
    return host, ApiServer(host.first_site(), certificate)


@contextlib.asynccontextmanager
async def _serving(server: ApiServer | OnDemand, supervisor: Supervisor) -> AsyncIterator[None]:
    await server.start()
    supervisor.state_keeper.keep(server)
    try:
        yield
    finally:
        await server.close()


def _api_site(
    manager: StoreManager | FilesManager, store: Store | None, settings: Settings, problem: str = ""
) -> ApiSite:
    from lbdns.manage.api.frame.site import ApiSite

    return ApiSite(manager, store, settings, problem)


def _in_fleet(manager: StoreManager, fleet_id: str, machine: str, directory: Path) -> StoreSide:
    """Return a store's side of its fleet."""
    from lbdns.manage.store.fleet_store import FleetStore

    return FleetStore(manager, fleet_id, machine, directory)


def _with_api(settings: Settings) -> Settings:
    """Return settings whose API is on where they do not say: a store is there to be changed by it."""
    from lbdns.model.settings import ApiSettings

    return settings if "api" in settings.model_fields_set else settings.model_copy(update={"api": ApiSettings()})


def _overridden(settings: Settings, overrides: dict[str, Any]) -> Settings:
    """Return the settings as the command line changes them; raises ConfigError."""
    from pydantic import ValidationError

    if not overrides:
        return settings
    try:
        return type(settings).model_validate(settings.model_dump(exclude_unset=True) | overrides)
    except ValidationError as error:  # the files have been checked: what is wrong is --listen
        wrong = [one for one in error.errors() if len(one["loc"]) > 1] or error.errors()
        raise ConfigError(Problem("--listen", 0, "", one["msg"]) for one in wrong) from error
