"""`lbdns serve DIR`: the server in the foreground."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from lbdns.errors import ConfigError, LbdnsError, Problem


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--listen", multiple=True, metavar="IP:PORT", help="Listen here, whatever lbdns.yaml says; repeatable.")
@click.option("--state", type=click.Path(path_type=Path), help="The state directory, whatever lbdns.yaml says.")
def serve(directory: Path, listen: tuple[str, ...], state: Path | None) -> None:
    """Answer queries as the files in DIR say.

    SIGTERM finishes what has come and stops; SIGHUP reloads; changed files are served within two seconds. A
    configuration with any mistake is not served: what was served before is served on.
    """
    from lbdns.cli.bar import bar
    from lbdns.config import Loaded, load
    from lbdns.fastpath.templates import LAST_STAGE
    from lbdns.model import Settings
    from lbdns.server.journal import start_log
    from lbdns.server.supervisor import serve as serve_directory

    overrides: dict[str, Any] = {"listen": listen} if listen else {}
    if state is not None:
        overrides |= {"state": state.resolve(), "control": None}

    def load_directory() -> Loaded:
        loaded = load(directory)
        if not overrides:
            return loaded
        try:
            settings = Settings.model_validate(loaded.configuration.settings.model_dump() | overrides)
        except ValidationError as error:  # the files have been checked: what is wrong is --listen
            wrong = [one for one in error.errors() if len(one["loc"]) > 1] or error.errors()
            raise ConfigError(Problem("--listen", 0, "", one["msg"]) for one in wrong) from error
        return dataclasses.replace(loaded, configuration=dataclasses.replace(loaded.configuration, settings=settings))

    start_log("supervisor", "text")
    log = logging.getLogger("lbdns.server")
    try:
        with bar(LAST_STAGE):
            asyncio.run(serve_directory(directory.resolve(), load_directory))
    except ConfigError as error:
        for problem in error.problems:
            log.error("%s", problem)
        raise click.exceptions.Exit(1) from error
    except LbdnsError as error:
        log.error("%s", error)
        raise click.exceptions.Exit(1) from error
