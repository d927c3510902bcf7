"""The running server as commands name it: by its control socket, or by the settings or the state that lead there.

`running_options` gives a command the options, and its first argument: a RunningServer. They may stand before a
subcommand or behind it; those behind win.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from lbdns.base.words import RESPONDER_MODULE
from lbdns.cli.frame.api_place import Local, find_local
from lbdns.cli.frame.client import PLACE_OPTIONS, one_of_settings

Command = Callable[..., Any]

AT_OPTION: Final = click.option(
    "--at", "machine", metavar="MACHINE", help="What this machine of the fleet answers; it is asked."
)
_CONTROL: Final = "The running server's control socket; default: where the settings put it. [env: LBDNS_CONTROL]"


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Where a running server is; None: not said. Settings with mistakes count as far as they can be read.

    `is_said`: the command line says where, not only the environment.
    """

    control_socket: Path | None = None
    settings: Path | None = None
    state: Path | None = None
    is_said: bool = False

    def control(self) -> Path:
        """Return the path of the control socket."""
        if self.control_socket is not None:
            return self.control_socket
        from lbdns.mapped.run_directory import RunDirectory

        settings = self.place().readable_settings()
        return RunDirectory.socket_in_use(settings.control_path(), settings.state_dir())

    def state_dir(self) -> Path:
        """Return the state directory."""
        return self.place().state_dir()

    def left_serving(self) -> list[int]:
        """Return the processes of responders that are there, whether a supervisor is or not."""
        from lbdns.mapped.run_directory import RunDirectory

        state_dir = os.fsencode(self.state_dir().resolve())
        found = []
        for path in RunDirectory.location(self.state_dir()).glob("responder-*.sock"):
            pid = path.stem.rpartition("-")[2]
            try:
                command = Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if RESPONDER_MODULE.encode() in command and any(os.path.realpath(one) == state_dir for one in command):
                found.append(int(pid))
        return sorted(found)

    def place(self) -> Local:
        """Return the state directory, and the settings that lead there."""
        return find_local(self.settings, self.state)


def running_options(command: Command) -> Command:
    """Add the options that say which server; the command gets a RunningServer as its first argument."""
    return _with_options(command, ("settings", "config", "state"), ("--control",))


def explained_options(command: Command) -> Command:
    """Add the same to a command to which --config means something else, and that says --server for --control too."""
    return _with_options(command, ("settings", "state"), ("--server", "--control"))


def ask_at(control: Path, machine: str | None, op: str, request: Mapping[str, Any] | None = None) -> Any:
    """Return what the server of a control socket answers to an operation, or another machine of its fleet; raises
    LbdnsError."""
    from lbdns.processes.supervisor.control_socket import ask

    if machine is None:
        return ask(control, op, **(request or {}))
    return ask(control, "fleet_ask", machine=machine, asked=op, request=dict(request or {}))


def _with_options(command: Command, names: tuple[str, ...], control_names: tuple[str, ...]) -> Command:
    @functools.wraps(command)
    def run(**arguments: Any) -> Any:
        context = click.get_current_context()
        outer = context.parent.obj if context.parent is not None else None
        said = _running({name: arguments.pop(name) for name in ("control_socket", *names)}, context)
        context.obj = outer if isinstance(outer, RunningServer) and not said.is_said else said
        return command(context.obj, **arguments)

    before = getattr(command, "__click_params__", [])
    run.__click_params__ = []  # type: ignore[attr-defined]
    for name in reversed(names):
        PLACE_OPTIONS[name](run)
    path = click.Path(path_type=Path)
    click.option(*control_names, "control_socket", envvar="LBDNS_CONTROL", type=path, help=_CONTROL)(run)
    run.__click_params__ += before  # type: ignore[attr-defined]
    return run


def _running(options: Mapping[str, Any], context: click.Context) -> RunningServer:
    """Return what the options name. What the command line says wins over the environment."""
    on_line = {name for name in options if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    settings = one_of_settings(options["settings"], options.get("config"), context)
    control = options["control_socket"]
    if on_line and "control_socket" not in on_line:
        control = None
    return RunningServer(control, settings, options["state"], bool(on_line))
