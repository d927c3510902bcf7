"""`lbdns dnssec`: zones that are signed, as the running server's signer has them."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, Final

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.cli.commands.completion_command import names_of
from lbdns.cli.frame.common import PIPE_COLUMNS, print_json
from lbdns.cli.frame.dnssec_told import dnskey_lines, ds_lines, is_wrong, no_ds_yet, status_lines, table_rows
from lbdns.cli.frame.hosted import zone_name
from lbdns.cli.frame.running import RunningServer, running_options
from lbdns.cli.frame.verb_group import VerbGroup
from lbdns.cli.frame.verbs import json_option, zone_argument
from lbdns.dns.codes import CREATED_ALGORITHMS
from lbdns.dnssec.signer_verbs import KEY_FORMS
from lbdns.dnssec.zone_status import KeyRole, ZoneStatus, algorithm_text

SIGNER_WAITS_S: Final = 90.0
"""So long a verb may take: a large zone is signed while it is waited for."""
PROGRESS_WAITS_S: Final = 5.0
_ALGORITHMS: Final = [algorithm_text(one) for one in CREATED_ALGORITHMS]


@click.group(cls=VerbGroup)
def dnssec() -> None:
    """Sign zones with DNSSEC: keys, their rolls, and what the zone above has to know."""


@dnssec.command()
@zone_argument
@running_options
@click.option(
    "--algorithm", type=click.Choice(_ALGORITHMS, case_sensitive=False), help="Of the keys. [default: dnssec.algorithm]"
)
@click.option("--keys", type=click.Choice(KEY_FORMS), help="One key, or a KSK and a ZSK. [default: dnssec.keys]")
@click.option("--ds-seen", is_flag=True, help="The zone above has the DS: where it cannot be asked.")
@json_option
def enable(
    running: RunningServer, zone: str, algorithm: str | None, keys: str | None, ds_seen: bool, as_json: bool
) -> None:
    """Sign a zone from now on; says when the zone above is to have its DS, or prints that."""
    if ds_seen:
        _tell(_ask(running, "ds_seen", zone), as_json)
        return
    _tell(_begin(running, "enable", zone, algorithm=_number(algorithm), keys=keys), as_json)


@dnssec.command()
@zone_argument
@running_options
@click.option("--ds-gone", is_flag=True, help="The zone above has no DS any more: where it cannot be asked.")
@json_option
def disable(running: RunningServer, zone: str, ds_gone: bool, as_json: bool) -> None:
    """Stop signing a zone, once the zone above has no DS of it and nobody remembers one; says what to do for that."""
    status = _ask(running, "disable", zone)
    if ds_gone:
        status = _ask(running, "ds_seen", zone)
    _tell(status, as_json)


@dnssec.command()
@click.argument("zone", required=False, shell_complete=names_of(Kind.ZONE))
@running_options
@json_option
def status(running: RunningServer, zone: str | None, as_json: bool) -> None:
    """Show how a zone stands, or all that are signed: keys, the DS above, what happens next and when.

    Exit status: 0 all is good, 1 somebody has to mend something.
    """
    if zone is not None:
        found = [_ask(running, "status", zone)]
        _tell(found[0], as_json)
    else:
        found = [ZoneStatus.from_json(one) for one in _operate(running, "status")]
        _tell_all(found, as_json)
    sys.exit(int(any(map(is_wrong, found))))


def _tell_all(found: list[ZoneStatus], as_json: bool) -> None:
    if as_json:
        print_json([one.as_json() for one in found])
        return
    if not found:
        click.echo("no zone is signed; `lbdns dnssec enable ZONE` signs one", err=True)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("zone", "status", "keys", "next"):
        table.add_column(heading, overflow="fold")
    for row in table_rows(found, time.time()):
        table.add_row(*row)
    console = Console()
    (console if console.is_terminal else Console(width=PIPE_COLUMNS)).print(table)


@dnssec.command()
@zone_argument
@running_options
@click.option(
    "--key", "role", type=click.Choice([one.value for one in KeyRole]), help="Which key. [default: csk or ksk]"
)
@click.option("--algorithm", type=click.Choice(_ALGORITHMS, case_sensitive=False), help="Go over to another algorithm.")
@click.option("--emergency", is_flag=True, help="The old key is lost to somebody: it goes as soon as that is safe.")
@click.option("--ds-seen", is_flag=True, help="The zone above has the new DS: where it cannot be asked.")
@json_option
def roll(
    running: RunningServer,
    zone: str,
    role: str | None,
    algorithm: str | None,
    emergency: bool,
    ds_seen: bool,
    as_json: bool,
) -> None:
    """Replace a key by a new one, step by step: no cache is ever left with signatures that it cannot check."""
    if ds_seen:
        if role or algorithm or emergency:
            raise click.UsageError("--ds-seen goes on with the roll that is under way; give it alone")
        _tell(_ask(running, "ds_seen", zone), as_json)
        return
    if role is None:
        keys = _ask(running, "status", zone).keys
        role = KeyRole.CSK if any(key.role == KeyRole.CSK for key in keys) else KeyRole.KSK
    given = {"role": str(role), "algorithm": _number(algorithm), "emergency": emergency}
    _tell(_ask(running, "roll", zone, **given), as_json)


@dnssec.command("import")
@zone_argument
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
@running_options
@json_option
def import_(running: RunningServer, zone: str, directory: Path, as_json: bool) -> None:
    """Take over a zone's keys as BIND writes them (K*.key, K*.private, which may be in PEM), and sign with them; the
    signer reads them."""
    _tell(_begin(running, "import", zone, directory=str(directory.absolute())), as_json)


@dnssec.command()
@zone_argument
@click.argument("directory", required=False, type=click.Path(path_type=Path, file_okay=False))
@running_options
@json_option
def export(running: RunningServer, zone: str, directory: Path | None, as_json: bool) -> None:
    """Write a zone's keys as BIND has them, private ones too, for their owner alone; prints the files.

    The signer writes them: where DIRECTORY is not given, below its own in the state directory.
    """
    where = None if directory is None else str(directory.absolute())
    found = _operate(running, "export", zone=zone_name(zone), directory=where)
    if as_json:
        print_json(found)
        return
    for path in found["files"]:
        click.echo(path)
    click.echo("whoever has the .private files can sign this zone: move them, and leave no copy", err=True)


@dnssec.command()
@zone_argument
@running_options
@click.option("--dnskey", is_flag=True, help="Print DNSKEY records: some registrars make the DS of these.")
@json_option
def ds(running: RunningServer, zone: str, dnskey: bool, as_json: bool) -> None:
    """Print the DS records that the zone above is to have, in master-file form, ready to paste."""
    status = _ask(running, "status", zone)
    if as_json:
        print_json(list(status.ds))
        return
    if not status.ds:
        raise LbdnsError(f"{status.zone} is to have no DS{no_ds_yet(status, time.time())}")
    click.echo("\n".join(dnskey_lines(status) if dnskey else ds_lines(status)))


def _number(algorithm: str | None) -> int | None:
    return None if algorithm is None else CREATED_ALGORITHMS[_ALGORITHMS.index(algorithm)]


def _operate(running: RunningServer, verb: str, **arguments: Any) -> Any:
    from lbdns.cli.frame.bar import bar_elsewhere
    from lbdns.processes.supervisor.control_socket import ask

    control = running.control()
    with bar_elsewhere(lambda: ask(control, "progress", PROGRESS_WAITS_S)):
        return ask(control, "dnssec", SIGNER_WAITS_S, verb=verb, **arguments)


def _ask(running: RunningServer, verb: str, zone: str, **arguments: Any) -> ZoneStatus:
    """Have the signer do something about a zone, and return how it stands then; raises LbdnsError."""
    return ZoneStatus.from_json(_operate(running, verb, zone=zone_name(zone), **arguments))


def _begin(running: RunningServer, verb: str, zone: str, **arguments: Any) -> ZoneStatus:
    """Have a zone signed that was not, and return how it stands; who looks on sees how far that has come."""
    from lbdns.cli.frame.bar import show_until_quiet
    from lbdns.processes.supervisor.control_socket import ask

    status = _ask(running, verb, zone, **arguments)
    if not sys.stderr.isatty():
        return status
    control = running.control()
    show_until_quiet(lambda: ask(control, "progress", PROGRESS_WAITS_S), SIGNER_WAITS_S)
    return _ask(running, "status", zone)


def _tell(status: ZoneStatus, as_json: bool) -> None:
    if as_json:
        print_json(status.as_json())
    else:
        click.echo("\n".join(status_lines(status, time.time())))
