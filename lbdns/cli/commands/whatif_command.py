"""`lbdns whatif DIR`: what a change would move of the recorded traffic, before it is made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lbdns.base.words import OWN_PATH, SETTINGS_FILE
from lbdns.cli.frame.api_place import Local
from lbdns.cli.frame.client import ApiClient, api_options
from lbdns.cli.frame.common import parse_duration_s, print_json
from lbdns.cli.frame.guarded import checked_guard, refuse

if TYPE_CHECKING:
    from lbdns.publish.replay.what_if_question import WhatIfQuestion


@click.command()
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@api_options
@click.option("--revision", type=click.IntRange(min=0), metavar="N", help="Ask of the store's revision N.")
@click.option("--prune", is_flag=True, help="As `apply --prune` would: without the objects that the files do not name.")
@click.option("--since", default="1h", show_default=True, metavar="TIME", help="How far back: 15min, 2h.")
@click.option(
    "--samples", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Ask samples that were exported."
)
@click.option("--all-up", is_flag=True, help="Suppose every endpoint to be up; default: the health of now.")
@click.option(
    "--guard",
    metavar="SHARE",
    callback=checked_guard,
    help="Exit with status 3 where more than this share moves, such as 5%.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def whatif(
    client: ApiClient,
    directory: Path | None,
    revision: int | None,
    prune: bool,
    since: str,
    samples: Path | None,
    all_up: bool,
    guard: str | None,
    as_json: bool,
) -> None:
    """Show what serving DIR's files, or a revision, would move of the last hour's recorded traffic.

    Every sample is asked again, of what is served and of what is proposed, by the code that answers queries: who would
    change pool, what endpoints would get, which names would no longer be answered. Nothing is changed. Where the server
    serves files, its state directory suffices: it need not run.
    """
    if (directory is None) == (revision is None):
        raise click.UsageError("give a directory, or --revision N")
    question = _question(since, all_up)
    if directory is not None and _serves_files(client, directory):
        told = _of_files(client, directory, question, samples)
    elif samples is not None:
        raise click.UsageError("--samples is for a server of files on this machine")
    else:
        told = _of_api(client, directory, revision, prune, question)
    if as_json:
        print_json(told)
    else:
        from lbdns.cli.frame.movement_told import render

        click.echo("\n".join(render(told)))
    if guard is not None:
        _hold(told, guard)


def _question(since: str, all_up: bool) -> WhatIfQuestion:
    from lbdns.publish.replay.what_if_question import WhatIfQuestion

    return WhatIfQuestion.of_last(parse_duration_s(since), all_up)


def _serves_files(client: ApiClient, directory: Path) -> bool:
    """Whether the server at a place serves files: then this process may look at its state itself."""
    if not isinstance(client.place, Local):
        return False
    from lbdns.publish.last_served import last_served

    kept = last_served(_state_dir(client, directory))
    return kept is not None and not kept.is_of_store


def _state_dir(client: ApiClient, directory: Path) -> Path:
    """Return the state directory of a place, or where none is said the one that the directory's own settings name."""
    place = client.place
    assert isinstance(place, Local), "it was looked at"
    if place.settings_path is None and place.state is None and (directory / SETTINGS_FILE).is_file():
        place = Local(directory)
    return place.state_dir()


def _of_files(client: ApiClient, directory: Path, question: WhatIfQuestion, samples: Path | None) -> dict[str, Any]:
    from lbdns.cli.commands.check_command import required
    from lbdns.config.loading import examine
    from lbdns.telemetry.recorded_what_if import recorded_what_if
    from lbdns.telemetry.sample_file import traffic_in
    from lbdns.transfer.inward.copied_zone import with_copies

    proposed = required(examine(directory))
    traffic = None if samples is None else traffic_in(samples)
    state_dir = _state_dir(client, directory)
    return recorded_what_if(state_dir, with_copies(proposed, state_dir), question, traffic)


def _of_api(
    client: ApiClient, directory: Path | None, revision: int | None, prune: bool, question: WhatIfQuestion
) -> dict[str, Any]:
    from lbdns.cli.commands.apply_command import checked
    from lbdns.manage.store.revisions.sent_tree import sent_tree

    params = {"since": question.since_s, "until": question.until_s, "all_up": question.all_up, "revision": revision}
    body = None if directory is None else {"configuration": sent_tree(checked(directory)), "prune": prune}
    told: dict[str, Any] = client.post(f"{OWN_PATH}/whatif", body, **params)
    return told


def _hold(told: dict[str, Any], guard: str) -> None:
    from lbdns.publish.replay.guard import Guarded, check_guard, parse_guard

    try:
        check_guard(told, parse_guard(guard))
    except Guarded as error:
        refuse(str(error))
