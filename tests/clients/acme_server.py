"""The certificate authority of the clients' machine, as a process there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clients.client_site import ENTER, OWN_HOST, ROOT, SERVER, ClientSite
from tests.store.served import wait_until

PORT = 14000


class AcmeServer:
    """A running authority: where its directory is, and which challenges it looked at."""

    directory = f"https://{OWN_HOST}:{PORT}/directory"

    def __init__(self, log: Path) -> None:
        self._log = log

    def seen(self) -> list[tuple[str, list[str]]]:
        """Return, of each challenge, its name and the values of TXT that stood there."""
        said = [line.split() for line in self._log.read_text().splitlines() if line != "ready"]
        return [(name, values) for name, *values in said]


@contextmanager
def running_authority(site: ClientSite, log: Path) -> Iterator[AcmeServer]:
    """Run an authority on the clients' machine for a `with` block."""
    program = [sys.executable, "-m", "tests.clients.acme_authority", SERVER, str(PORT)]
    program += [str(site.certificate_file), str(site.key_file), OWN_HOST]
    inside = [*ENTER, "--target", str(site.pid), f"--wd={ROOT}", *program]
    with log.open("w") as output:
        process = subprocess.Popen(inside, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        wait_until(lambda: "ready" in log.read_text(), lambda: f"the authority does not start:\n{log.read_text()}")
        yield AcmeServer(log)
    finally:
        process.kill()
        process.wait()
