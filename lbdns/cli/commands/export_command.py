"""`lbdns export DIR`: the store as files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.words import OWN_PATH, SETTINGS_FILE
from lbdns.cli.frame.client import ApiClient, api_options
from lbdns.cli.frame.common import print_json


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@api_options
@click.option("--force", is_flag=True, help="Write into a directory that is not empty, over files of the same name.")
@click.option("--revision", type=click.IntRange(min=0), metavar="N", help="The objects of an earlier revision.")
@click.option("--octodns", "for_octodns", is_flag=True, help="Write what octoDNS reads in place of lbdns's files.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the names of the files, and what they cannot say, as JSON."
)
def export(
    client: ApiClient, directory: Path, force: bool, revision: int | None, for_octodns: bool, as_json: bool
) -> None:
    """Write the store as files into DIR: monitors, pools and load balancers as YAML, each zone as a master file.

    `lbdns check DIR` accepts them, and `lbdns apply DIR` finds no difference in them. No file is ever there by half.
    With --force, .zone and .yaml files that are not of this export are removed, save lbdns.yaml: DIR then says what the
    store says and nothing else.

    With --octodns, DIR has octodns.yaml and zones/: octodns-sync --config-file=octodns.yaml then brings what they say
    here, by octodns-bind and RFC 2136.
    """
    _check_place(directory, force)
    path = f"{OWN_PATH}/configuration" if revision is None else f"{OWN_PATH}/revisions/{revision}/configuration"
    found = client.get(path)
    if for_octodns:
        from lbdns.cli.frame.octodns_files import octodns_files

        files, notes = octodns_files(found["files"])
        found = {**found, "files": files, "notes": notes}
    _write(directory, found["files"])
    for note in found["notes"]:
        click.echo(f"note: {note}", err=True)
    if as_json:
        shown = {"revision": found["revision"], "files": sorted(found["files"]), "notes": found["notes"]}
        print_json(shown)
        return
    count = len(found["files"])
    click.echo(f"{directory}: {count} file{'' if count == 1 else 's'}, revision {found['revision']}")


def _check_place(directory: Path, force: bool) -> None:
    if directory.exists() and not directory.is_dir():
        raise LbdnsError(f"{directory} is a file; give a directory")
    if directory.exists() and not force and any(directory.iterdir()):
        raise LbdnsError(f"{directory} is not empty; --force replaces what is in it")


def _write(directory: Path, files: Mapping[str, str]) -> None:
    """Write the files beside the directory first, so that none is there by half; raises LbdnsError."""
    parent = directory.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{directory.name}.", dir=parent) as name:
            fresh = Path(name) / "files"
            fresh.mkdir()
            for file, text in files.items():
                (fresh / file).parent.mkdir(exist_ok=True)
                (fresh / file).write_text(text, encoding="utf-8")
            if directory.exists():
                _replace(directory, fresh)
            else:
                os.replace(fresh, directory)
    except OSError as error:
        raise LbdnsError(f"{directory}: cannot write there: {error.strerror}") from error


def _replace(directory: Path, fresh: Path) -> None:
    """Put the files over those of a directory, each in one step, and remove those that would be read beside them."""
    names = {str(path.relative_to(fresh)) for path in fresh.rglob("*") if path.is_file()}
    for name in sorted(names):
        (directory / name).parent.mkdir(exist_ok=True)
        os.replace(fresh / name, directory / name)
    for path in sorted(directory.iterdir()):
        is_read = path.suffix in (".zone", ".yaml") and path.name != SETTINGS_FILE and not path.name.startswith(".")
        if is_read and path.name not in names:
            path.unlink()
            click.echo(f"{path} is removed: the export does not hold it", err=True)
