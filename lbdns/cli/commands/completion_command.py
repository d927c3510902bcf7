"""`lbdns completion SHELL`: what a shell needs to complete commands, options, and names of objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import CompletionItem, get_completion_class

from lbdns.base.errors import LbdnsError
from lbdns.base.words import OWN_PATH

if TYPE_CHECKING:
    from lbdns.base.kinds import Kind

VARIABLE: Final = "_LBDNS_COMPLETE"
PROGRAM: Final = "lbdns"
SHOWN_MAX: Final = 200
START_FILES: Final = {"bash": "~/.bashrc", "zsh": "~/.zshrc", "fish": "~/.config/fish/completions/lbdns.fish"}


@click.command(epilog='In a start-up file: eval "$(lbdns completion bash)"; in fish: lbdns completion fish | source')
@click.argument("shell", type=click.Choice(list(START_FILES)))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete lbdns, names of objects included."""
    from lbdns.cli.main import cli

    made = get_completion_class(shell)
    if made is None:
        raise LbdnsError(f"nothing completes in {shell}")
    click.echo(made(cli, {}, PROGRAM, VARIABLE).source())


def names_of(kind: Kind) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return what completes the names of a kind: asks a running server, and offers nothing where none answers."""

    return _completing(lambda named: named[kind.value], (kind.value,))


def views_of(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the names of views that zones or load balancers are of, likewise."""
    return _completing(_views_in, ("zone", "load_balancer"))(context, parameter, incomplete)


def _views_in(named: Mapping[str, Iterable[str]]) -> list[str]:
    from lbdns.model.view_names import PUBLIC, parted

    found = {parted(label)[1] for labels in named.values() for label in labels}
    return sorted({*filter(None, found), PUBLIC})


def _completing(
    choose: Callable[[Mapping[str, Iterable[str]]], Iterable[str]], kinds: tuple[str, ...]
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            names = choose(_ask(context.params, kinds))
        except (LbdnsError, OSError):
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)][:SHOWN_MAX]

    return complete


def _ask(options: dict[str, Any], kinds: tuple[str, ...]) -> Mapping[str, Iterable[str]]:
    from lbdns.cli.frame.api_place import Local, answers, find_place
    from lbdns.cli.frame.client import ApiClient

    given = {key: options.get(key) for key in ("api", "token", "token_file", "state")}
    settings: Path | None = options.get("settings") or options.get("config")
    place = find_place(settings=settings, **given)
    if isinstance(place, Local) and not answers(place.socket_path()):
        return dict.fromkeys(kinds, ())  # a store is not locked for a key stroke
    with ApiClient(place) as client:
        named: dict[str, dict[str, str]] = client.get(f"{OWN_PATH}/names", kind=list(kinds))
    return named
