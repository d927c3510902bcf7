"""scripts/demo, which scripts/run starts: the example answers, is changed by files, and keeps that over a restart."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import dns.message
import dns.query
import pytest

from tests.store.served import free_port

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
READY = "Ctrl-C here stops everything."


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the example is made of, on ports of its own."""
    for name in ("demo", "demo-endpoint"):
        (tmp_path / "scripts").mkdir(exist_ok=True)
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts" / name)
    shutil.copytree(ROOT / "zones", tmp_path / "zones")
    port = str(free_port())
    for path in (tmp_path / "scripts" / "demo-endpoint", tmp_path / "zones" / "balancing.yaml"):
        assert "18080" in path.read_text()
        path.write_text(path.read_text().replace("18080", port))
    settings = (tmp_path / "zones" / "lbdns.yaml").read_text()
    kept = [line for line in settings.splitlines() if not line.startswith("listen:")]
    kept += [f'listen: ["127.0.0.1:{free_port()}"]', f'api: {{listen: "127.0.0.1:{free_port()}"}}']
    (tmp_path / "zones" / "lbdns.yaml").write_text("\n".join(kept) + "\n")
    return tmp_path


@contextmanager
def running(checkout: Path) -> Iterator[None]:
    """Run the example until it says what to type next; stop it as Ctrl-C does."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "scripts/demo"]
    process = subprocess.Popen(
        command, cwd=checkout, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    try:
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith(READY):
                break
        else:
            pytest.fail(said)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        process.wait(20)
        process.stdout.close()


def ask(checkout: Path, name: str) -> str:
    """Return the first address of a name."""
    settings = (checkout / "zones" / "lbdns.yaml").read_text()
    port = int(settings.partition('listen: ["127.0.0.1:')[2].partition('"')[0])
    answer = dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.1", port=port, timeout=5)
    return str(answer.answer[0][0])


def apply(checkout: Path) -> str:
    """Apply the example's files as its text says to."""
    command = [sys.executable, "-m", "lbdns", "apply", "zones", "--config", "zones", "--yes"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True, text=True).stdout


def is_new(checkout: Path) -> bool:
    """Ask scripts/demo whether it would begin anew."""
    path = str(checkout / "scripts" / "demo")
    loader = SourceFileLoader("demo", path)
    spec = spec_from_loader("demo", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    answer: bool = module.is_new()
    return answer


def test_the_example_begins_with_its_files_and_keeps_what_is_changed(checkout: Path) -> None:
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.11", 0))
        except OSError:
            pytest.skip("127.0.0.11, the example's endpoint, is no address of this machine")
    assert is_new(checkout)
    zone = checkout / "zones" / "example.org.zone"
    with running(checkout):
        assert ask(checkout, "www.example.org") == "127.0.0.11"
        assert ask(checkout, "static.example.org") == "192.0.2.80"
        zone.write_text(zone.read_text().replace("192.0.2.80", "192.0.2.81"))
        assert "    content: 192.0.2.80 -> 192.0.2.81\n" in apply(checkout)
        assert ask(checkout, "static.example.org") == "192.0.2.81"
    assert not is_new(checkout)  # the next time, the store is served as it is
