"""scripts/demo-private: two sites with the same addresses, an answer that moves and comes back, nothing left."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, str(ROOT / "scripts/demo.d/private.py")]
APART = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
DEMO_S = 900.0
END_S = 60.0

pytestmark = [
    pytest.mark.process,
    pytest.mark.slow,
    pytest.mark.timeout(DEMO_S + END_S),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for network namespaces"),
    pytest.mark.skipif(None in map(shutil.which, ("unshare", "ip", "dig")), reason="needs unshare, ip and dig"),
]


@pytest.fixture(autouse=True)
def namespaces(starts_processes: None) -> None:
    """Skip where this machine lets nobody make network namespaces."""
    made = subprocess.run([*APART, "ip", "link", "add", "pair0", "type", "veth"], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no network namespaces here: {made.stderr.decode().strip()}")


def answers(text: str, client: str, name: str) -> list[str]:
    """Return what a client was answered for a name, each time it asked."""
    lines = text.splitlines()
    asked = f"{client:6} $ dig {name} +short"
    return [after.strip() for line, after in itertools.pairwise(lines) if line == asked]


def test_an_answer_moves_with_a_link_and_with_a_site_and_comes_back() -> None:
    played = subprocess.run(
        [*APART, *DEMO, "--play"],
        capture_output=True,
        text=True,
        timeout=DEMO_S,
        cwd=ROOT,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": ""},  # what is printed by it and by lbdns is in order without that too
    )
    text = played.stdout
    assert played.returncode == 0, played.stderr + text
    first, second = "10.0.0.1 10.0.0.2", "10.0.0.1 10.0.0.3"
    moved = [first, second, first, second, first]
    assert answers(text, "office", "app.corp") == moved, text
    assert answers(text, "office", "100.112.0.0") == moved
    assert answers(text, "others", "www.example.com") == moved
    assert answers(text, "others", "app.corp") == ["REFUSED"] * len(moved)
    unplugged = text.partition("> unplug 1")[2].partition("> plug 1")[0]
    stopped = text.partition("> stop 1")[2].partition("> start 1")[0]
    assert "Virtual network site-1 is down: interface link1 is down" in unplugged  # one fault, of the network
    assert "Virtual network" not in stopped and "TCP connection failed" in stopped  # two, of endpoints


def test_nothing_is_left_whatever_ends_it() -> None:
    before = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    demo = subprocess.Popen([*APART, *DEMO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert demo.stdout is not None
    inside: list[int] = []
    try:
        for line in demo.stdout:
            if "quit" in line:
                break
        inside = namespace_of(demo.pid)
        assert len(inside) > 3  # a server with its processes, and the endpoints
    finally:
        demo.kill()
        demo.wait()
    deadline = time.monotonic() + END_S
    while any(map(runs, inside)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in inside if runs(pid)]
    assert (os.listdir("/run/netns") if os.path.isdir("/run/netns") else []) == before
    if demo.stdin is not None:
        demo.stdin.close()
    demo.stdout.close()


def namespace_of(parent: int) -> list[int]:
    """Return all processes in the PID namespace that a process made for its children."""
    child = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0]
    wanted = os.readlink(f"/proc/{child}/ns/pid")
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "ns/pid") == wanted:
                found.append(int(entry.name))
        except OSError:
            continue  # it has ended
    return found


def runs(pid: int) -> bool:
    """Tell whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
