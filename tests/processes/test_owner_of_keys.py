"""Whose the signer and its keys are, where root starts a server that becomes another user."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.base.words import DNSSEC_DIRECTORY
from lbdns.model.settings import Settings
from lbdns.processes.supervisor.configuration_source import ConfigurationSource
from lbdns.processes.supervisor.control_socket import ask
from lbdns.processes.supervisor.privileges import Privileges
from lbdns.testing import LbdnsServer, ServerError, running_server, write_files
from tests.dnssec.signed_server import SIGNED, SignedServer, tree
from tests.processes.users import USER, USER_ID, needs_root, open_python, public_directory, who

pytestmark = pytest.mark.process

ANOTHER_ID = USER_ID + 1
ANOTHER = f"{ANOTHER_ID}:{ANOTHER_ID}"


def settled(user: str, signer: str) -> dict[str, Any]:
    """Return a configuration whose zone will be signed, with the user of the server and that of the signer."""
    return tree(settings={"workers": 1, "user": user, "dnssec": {"user": signer}})


def check_whose(served: SignedServer, uid: int) -> None:
    """Hold the signer, and the files that are its alone, against a user."""
    said = who(served.signer_pid())
    assert set(said["Uid"]) == {"\t".join([str(uid)] * 4)}
    assert {int(one, 16) for name in ("CapPrm", "CapEff") for one in said[name]} == {0}
    directory = served.server.state_dir / DNSSEC_DIRECTORY
    assert directory.stat().st_uid == uid and directory.stat().st_mode & 0o777 == 0o700
    private = [path.stat() for path in directory.iterdir() if path.suffix == ".private"]
    assert private and all(one.st_uid == uid and one.st_mode & 0o777 == 0o600 for one in private)


def test_keys_are_the_user_of_the_server_and_go_with_it_to_another(
    monkeypatch: pytest.MonkeyPatch, starts_processes: None
) -> None:
    needs_root()
    with public_directory() as work:
        open_python(monkeypatch, work)
        with running_server(settled(USER, USER), work) as server:
            served = SignedServer(server)
            served.sign()
            served.learn_keys()
            check_whose(served, USER_ID)
            check_reload_refused(served, tree(settings={"workers": 1, "user": USER, "dnssec": {"user": ANOTHER}}))
            write_files(settled(ANOTHER, ANOTHER), server.directory)
            os.kill(server.pid, signal.SIGKILL)
            assert server.process is not None
            server.process.wait()
            server.start()
            check_whose(served, ANOTHER_ID)
            served.proved(f"later.apps.{SIGNED}", "A")


def check_reload_refused(served: SignedServer, wanted: Mapping[str, Any]) -> None:
    """Hold that a reload which names a user of the signer's own is refused, and what is served goes on."""
    server: LbdnsServer = served.server
    write_files(wanted, server.directory)
    with pytest.raises(LbdnsError, match=f'dnssec.user: the signer cannot become "{ANOTHER}"'):
        ask(server.control, "reload")
    check_whose(served, USER_ID)
    served.proved(f"www.{SIGNED}", "A")


def test_nothing_starts_where_the_signer_is_to_be_another(
    monkeypatch: pytest.MonkeyPatch, starts_processes: None
) -> None:
    needs_root()
    with public_directory() as work:
        open_python(monkeypatch, work)
        with (
            pytest.raises(ServerError, match=f'the signer cannot become "{ANOTHER}"'),
            running_server(settled(USER, ANOTHER), work),
        ):
            pass


def test_keys_of_another_user_need_a_start_by_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root the server stays who started it: as a warning is enough for `user`, it is not for keys."""
    monkeypatch.setattr(os, "geteuid", lambda: ANOTHER_ID)
    source = cast(ConfigurationSource, SimpleNamespace())
    own, others = ({"user": one, "dnssec": {"user": one}} for one in (ANOTHER, USER))
    with pytest.raises(LbdnsError) as refused:
        Privileges(source, Settings.model_validate(others))
    assert str(refused.value) == (
        f"dnssec.user: {USER} needs a start by root; the server would run as {ANOTHER_ID}, who could read the keys: "
        "start it as root, or leave dnssec.user out"
    )
    assert Privileges(source, Settings.model_validate(own)).user is None
    assert Privileges(source, Settings(user=USER)).user is None
