"""`lbdns key`: TSIG keys (RFC 8945), in the store of a running server or of none."""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64encode
from pathlib import Path
from typing import Final

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.cli.commands.apply_command import ask
from lbdns.cli.frame.client import ApiClient, api_options, creating_api_options
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.desk import Body, Desk, file_text, make_table, print_table
from lbdns.cli.frame.verb_group import VerbGroup
from lbdns.cli.frame.verbs import dry_run_option, json_option, name_argument

ALGORITHM: Final = "hmac-sha256"
SECRET_CHARS_MAX: Final = 4096
"""Of a file that holds a secret."""


@click.group(cls=VerbGroup)
def key() -> None:
    """Manage TSIG keys, which transfers, updates and queries are signed with.

    Those under `keys` in lbdns.yaml are not among them: they are the server's own.
    """


@key.command()
@click.argument("name")
@creating_api_options
@click.option("--algorithm", default=ALGORITHM, show_default=True, metavar="NAME", help="hmac-sha512, hmac-md5, ...")
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Take the secret, in base64, from a file, or from standard input by -; without it one is made.",
)
@click.option("--bind", is_flag=True, help="Print the key as BIND, nsupdate -k and others read it.")
def create(client: ApiClient, name: str, algorithm: str, secret_file: Path | None, bind: bool) -> None:
    """Make a key and print its secret, this once: nothing shows it again.

    lbdns key create ns2.example.net > secret
    """
    secret = _made_secret(algorithm) if secret_file is None else _read_secret(secret_file)
    made = client.post(client.objects(Kind.TSIG), {"name": name, "algo": algorithm, "secret": secret})
    called, algo = made["name"], made["algo"]
    text = f'key "{called}" {{\n\talgorithm {algo};\n\tsecret "{secret}";\n}};' if bind else secret
    click.echo(text)
    click.echo(f"key {called}, {algo}: keep the secret, it is not shown again", err=True)


def _made_secret(algorithm: str) -> str:
    """Return a secret as long as the hash that it is for: what is longer is no stronger (RFC 2104 section 3)."""
    hash_name = algorithm.lower().removeprefix("hmac-").partition("-")[0].partition(".")[0]
    try:
        octets = hashlib.new(hash_name, usedforsecurity=False).digest_size
    except ValueError:
        octets = hashlib.sha256().digest_size  # whoever knows the algorithms says that this is none
    return b64encode(secrets.token_bytes(octets)).decode()


def _read_secret(path: Path) -> str:
    try:
        with click.open_file(str(path), encoding="ascii") as file:
            return "".join(file.read(SECRET_CHARS_MAX).split())
    except (OSError, ValueError) as error:
        raise LbdnsError(f"{path}: no secret can be read from it: {error}") from error


@key.command("list")
@api_options
@json_option
def list_(client: ApiClient, as_json: bool) -> None:
    """List the keys: name, algorithm, and the peers that have them. Nobody can list their secrets."""
    from rich.text import Text

    keys = Desk(client, Kind.TSIG).list()
    if as_json:
        print_json([_shown(body) for body in keys])
        return
    peers = Desk(client, Kind.PEER).list() if keys else []
    table = make_table("key", "algorithm", "peers", "id")
    for body in keys:
        having = [peer["name"] for peer in peers if peer.get("tsig_id") == body["id"]]
        table.add_row(Text(body["name"], "bold"), body["algo"], Text(", ".join(having)), body["id"])
    print_table(table)


def _shown(body: Body) -> Body:
    return {field: value for field, value in body.items() if field != "secret"}


@key.command()
@name_argument(Kind.TSIG)
@api_options
@json_option
def show(client: ApiClient, name: str, as_json: bool) -> None:
    """Show a key as the files have it, without its secret."""
    desk = Desk(client, Kind.TSIG)
    found = desk.find(name)
    body = _shown(found.body)
    if as_json:
        print_json({**body, "revision": found.revision})
        return
    click.secho(f"# id {body['id']}, revision {found.revision}", dim=True)
    click.echo(file_text(Kind.TSIG, desk.named(body)), nl=False)


@key.command()
@name_argument(Kind.TSIG)
@api_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@dry_run_option
def delete(client: ApiClient, name: str, yes: bool, dry_run: bool) -> None:
    """Delete a key: what is signed with it is refused from then on. A peer's key is not deleted."""
    desk = Desk(client, Kind.TSIG)
    found = desk.find(name)
    if not dry_run:
        ask(f"Delete the key {found.body['name']}?", yes)
    desk.delete(found, dry_run)
