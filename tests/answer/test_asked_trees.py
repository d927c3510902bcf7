"""What only Python can test, in a process that has opened a snapshot and never read a configuration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lbdns.config.loading import parse
from tests.answer.lanes import compiled_view
from tests.answer.packets import query
from tests.answer.test_rule_answers import POOLS, STATIC

RULES = [
    {"condition": 'to_string(ip.src) contains "192.0.2."', "overrides": {"pools": ["other"]}},
    {"condition": 'dns.qry.name matches "^[a-z]+[0-9]+[.]"', "overrides": {"pools": ["third"]}},
]
PROGRAM = """
import sys
from pathlib import Path
from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import Snapshot

folder = Path(sys.argv[1])
view = ServingView(Snapshot.open(folder / "snapshot"), HealthTable.attach(folder / "health.bin"))
before = set(sys.modules)
opened = []
sys.addaudithook(lambda event, arguments: opened.append(arguments) if event == "open" else None)
for client in ((192, 0, 2, 7), (203, 0, 113, 7)):
    reply = respond(view, bytes.fromhex(sys.argv[2]), Client(bytes(client), 4000), Transport.UDP, 1, 0)
    print(".".join(map(str, reply[-4:])))
    assert not opened, opened
    assert set(sys.modules) == before, set(sys.modules) - before
"""


@pytest.mark.process
def test_a_query_neither_loads_nor_opens_what_evaluates_it(tmp_path: Path) -> None:
    balancer = {"name": "*.example.com", "default_pools": ["own"], "fallback_pool": "own", "rules": RULES}
    text = {
        "settings": {"pop": {"code": "AMS"}},
        "zones": {"example.com": STATIC},
        "pools": POOLS,
        "load_balancers": [balancer],
    }
    view = compiled_view(parse(text, tmp_path).configuration, tmp_path)
    view.snapshot.write_tries(tmp_path / "tries")
    view.snapshot.write(tmp_path / "snapshot", tmp_path / "tries")
    for name, wanted in (("web1", ["192.0.2.3", "192.0.2.3"]), ("web", ["192.0.2.2", "192.0.2.1"])):
        message = query(f"{name}.example.com.").wire.hex()
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), message]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.stdout.split(), done.stderr) == (wanted, "")
