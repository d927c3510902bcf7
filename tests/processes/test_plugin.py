"""The pytest plugin as other people use it, with the example of docs/testing.md."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lbdns import testing
from lbdns.processes.supervisor.child_process import package_environment
from lbdns.testing import LbdnsServer, ServerError
from tests.processes.load import NAME, configuration

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., LbdnsServer]


def example(text: str) -> str:
    """Return the first indented test function of a text."""
    found = re.search(r"^    def test_.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return textwrap.dedent(found[0])


def test_document_and_docstring_show_the_same_example() -> None:
    assert testing.__doc__ is not None
    assert example((ROOT / "docs" / "testing.md").read_text()).strip() == example(testing.__doc__).strip()


def test_the_example_passes(tmp_path: Path) -> None:
    (tmp_path / "test_example.py").write_text(example((ROOT / "docs" / "testing.md").read_text()))
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_example.py"],
        cwd=tmp_path,
        env=package_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "1 passed" in said.stdout, said.stdout


def test_the_example_directory_is_served(lbdns_server: Start) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.11", 18080)) == 0:
            pytest.skip("scripts/run is running: its endpoints have the addresses that this test plays")
    before = sorted(path.name for path in (ROOT / "zones").iterdir())
    server = lbdns_server(ROOT / "zones")
    assert server.addresses("www.example.org") == ["127.0.0.11"]
    assert server.addresses("geo.example.org", ecs="133.11.0.0/24") == ["203.0.113.10"]
    assert [str(rdata) for rdata in server.resolver().resolve("mail.example.org", "MX")]
    assert server.endpoint_state("europe/ams-1") == "no monitor"
    assert sorted(path.name for path in (ROOT / "zones").iterdir()) == before


def test_what_cannot_be_played_is_refused_in_words(lbdns_server: Start) -> None:
    server = lbdns_server(configuration())
    with pytest.raises(ServerError, match=r"main/e0 cannot be set up or down: .* those are none"):
        server.set_endpoint("main/e0", up=False)
    with pytest.raises(ServerError, match="there is no endpoint main/nobody"):
        server.endpoint_state("main/nobody")


def test_a_server_that_does_not_start_says_why(lbdns_server: Start) -> None:
    tree = configuration()
    tree["load_balancers"][0]["default_pools"] = ["nowhere"]
    with pytest.raises(ServerError, match="nowhere"):
        lbdns_server(tree)


def test_files_can_be_added_and_removed(lbdns_server: Start) -> None:
    server = lbdns_server(configuration())
    extra = {"load_balancers": [{"name": "two.example.com", "default_pools": ["main"], "fallback_pool": "main"}]}
    server.reload({"two.yaml": yaml.safe_dump(extra)})
    assert server.addresses("two.example.com") == server.addresses(NAME)
    server.reload({"two.yaml": None})
    assert server.addresses("two.example.com") == []
