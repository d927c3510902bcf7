"""The networks, endpoints and server of scripts/demo-private, which starts this in namespaces of its own.

    office 10.1.0.2 ----- 10.1.0.1             link1 ----- site 1: 10.0.0.1, 10.0.0.2
                                   the server
    anybody (127.0.0.1) ----------             link2 ----- site 2: 10.0.0.1, 10.0.0.3

The links are WireGuard where the kernel has it and `wg` is there, else veth pairs.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SITES = {"1": ("10.0.0.1", "10.0.0.2"), "2": ("10.0.0.1", "10.0.0.3")}
PORT = 8080
SETTLED_S = 240.0
STEP_S = 0.25

FILES = {
    "lbdns.yaml": """\
listen: ["10.1.0.1:53", "127.0.0.1:53"]
state: state
views:
  office: {networks: [10.1.0.0/24], private: true}
virtual_networks:
  site-1: {via: {device: link1}}
  site-2: {via: {device: link2}}
""",
    "objects.yaml": """\
monitors:
  app: {type: http, path: /, port: 8080, interval: 5, timeout: 4, retries: 0}
pools:
  site-1:
    monitor: app
    origins:
      - {name: one, address: 10.0.0.1, virtual_network: site-1}
      - {name: two, address: 10.0.0.2, virtual_network: site-1}
  site-2:
    monitor: app
    origins:
      - {name: one, address: 10.0.0.1, virtual_network: site-2}
      - {name: three, address: 10.0.0.3, virtual_network: site-2}
load_balancers:
  - {name: 100.112.0.0, default_pools: [site-1, site-2], fallback_pool: site-2}
  - {name: www.example.com, default_pools: [site-1, site-2], fallback_pool: site-2}
overrides:
  app.corp: 100.112.0.0
""",
    "example.com.zone": """\
$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 300
@ NS ns1
ns1 A 192.0.2.53
""",
}

SERVE = """\
import functools, http.server, socketserver, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
for address in sys.argv[2:]:
    server = http.server.ThreadingHTTPServer((address, int(sys.argv[1])), Handler)
    threading.Thread(target=server.serve_forever).start()
"""

HELP = """\
  ask           what the office and the others are answered
  health        what is up, and why not
  explain       each step to the answer for the office
  stop N        the endpoints of site N end; `start N` has them run again
  unplug N      the link to site N goes down; `plug N` has it up again
  shell         a shell in here: dig, ip, lbdns; `exit` comes back
  quit          everything ends
"""


def run(*command: str, given: str | None = None) -> str:
    """Run a command to its end and return what it wrote; raises CalledProcessError."""
    return subprocess.run(command, check=True, capture_output=True, text=True, input=given).stdout


def inside(site: str) -> list[str]:
    """Return how a command begins that is run at a site or in the office."""
    return ["ip", "netns", "exec", site]


class Unexpected(Exception):
    """What was to come did not."""


class Networks:
    """The links, the sites and the office."""

    def make(self) -> str:
        """Make all of it; returns what the links are."""
        run("mount", "-t", "tmpfs", "none", "/run")
        run("ip", "link", "set", "lo", "up")
        kind = "wireguard" if self._has_wireguard() else "veth"
        for name in ("site-1", "site-2", "office"):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        for number, addresses in SITES.items():
            self._wireguard(number) if kind == "wireguard" else self._pair(f"link{number}", f"site-{number}", "uplink")
            self._join(f"link{number}", f"10.255.{number}.1", f"site-{number}", f"10.255.{number}.2")
            for address in addresses:
                run("ip", "-n", f"site-{number}", "address", "add", f"{address}/32", "dev", "lo")
            # Both links have a route to the same network: who binds to a link takes that link's.
            run(
                "ip",
                "route",
                "add",
                "10.0.0.0/24",
                "dev",
                f"link{number}",
                "via",
                f"10.255.{number}.2",
                "metric",
                number,
            )
        self._pair("clients", "office", "uplink")
        self._join("clients", "10.1.0.1", "office", "10.1.0.2")
        for name in ("all", "link1", "link2"):
            Path(f"/proc/sys/net/ipv4/conf/{name}/rp_filter").write_text("2")
        return kind

    def plug(self, number: str, state: str) -> None:
        """Set the link to a site "up" or "down"."""
        run("ip", "link", "set", "dev", f"link{number}", state)
        if state == "up":  # routes went with the link
            route = ("10.0.0.0/24", "dev", f"link{number}", "via", f"10.255.{number}.2", "metric", number)
            run("ip", "route", "replace", *route)

    def _has_wireguard(self) -> bool:
        if shutil.which("wg") is None:
            return False
        made = subprocess.run(["ip", "link", "add", "tried", "type", "wireguard"], capture_output=True, check=False)
        if made.returncode == 0:
            run("ip", "link", "delete", "tried")
        return made.returncode == 0

    def _pair(self, here: str, name: str, there: str) -> None:
        run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", name)

    def _wireguard(self, number: str) -> None:
        """Make a tunnel from here to a site, over a pair of its own."""
        here, name = f"wire{number}", f"site-{number}"
        self._pair(here, name, "wire")
        self._join(here, f"192.0.2.{number}", name, f"198.51.100.{number}", "wire")
        keys = [run("wg", "genkey").strip() for _ in range(2)]
        public = [run("wg", "pubkey", given=key).strip() for key in keys]
        run("ip", "link", "add", f"link{number}", "type", "wireguard")
        run("ip", "-n", name, "link", "add", "uplink", "type", "wireguard")
        peer = ("allowed-ips", "0.0.0.0/0", "endpoint")
        key = ("private-key", "/dev/stdin", "listen-port", f"5182{number}", "peer")
        run("wg", "set", f"link{number}", *key, public[1], *peer, f"198.51.100.{number}:5182{number}", given=keys[0])
        run(
            *inside(name),
            "wg",
            "set",
            "uplink",
            *key,
            public[0],
            *peer,
            f"192.0.2.{number}:5182{number}",
            given=keys[1],
        )

    def _join(self, link: str, here: str, name: str, there: str, up: str = "uplink") -> None:
        run("ip", "address", "add", here, "peer", there, "dev", link)
        run("ip", "-n", name, "address", "add", there, "peer", here, "dev", up)
        run("ip", "link", "set", "dev", link, "up")
        run("ip", "-n", name, "link", "set", "dev", up, "up")


class Demo:
    """The server and the endpoints, and what one can do with them."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.networks = Networks()
        self.endpoints: dict[str, subprocess.Popen[bytes]] = {}
        self.verbs: dict[str, Callable[..., None]] = {
            "ask": self.ask,
            "health": self.health,
            "explain": self.explain,
            "stop": self.stop,
            "start": self.start,
            "unplug": self.unplug,
            "plug": self.plug,
            "shell": self.shell,
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Make the networks and serve; everything ends with it."""
        print(f"Two sites behind {self.networks.make()} links, and an office:\n\n{PICTURE}")
        for name, text in FILES.items():
            (self.work / name).write_text(text)
        for number in SITES:
            self.start(number)
        with (self.work / "log").open("wb") as log:
            server = subprocess.Popen(self.lbdns("serve", str(self.work)), stdout=log, stderr=log)
        try:
            self.wait_for(lambda: server.poll() is not None or self.is_settled(), "no endpoint's health is known yet")
            if server.poll() is not None:
                raise Unexpected("the server ended")
            yield
        except Unexpected as error:
            raise Unexpected(f"{error}\nthe server's log:\n{(self.work / 'log').read_text()}") from None
        finally:
            server.terminate()
            server.wait()
            for process in self.endpoints.values():
                process.kill()
                process.wait()

    def lbdns(self, *command: str) -> list[str]:
        """Return a command of lbdns."""
        return [sys.executable, "-m", "lbdns", *command]

    def answer(self, client: str, name: str) -> str:
        """Return what dig says of a name that a client asks for."""
        at = inside("office") if client == "office" else []
        server = "10.1.0.1" if client == "office" else "127.0.0.1"
        lines = run(*at, "dig", f"@{server}", name, "+short").splitlines()
        return " ".join(sorted(line for line in lines if not line.startswith(";")))  # that it asks once more

    def shown(self, client: str, name: str) -> str:
        """Return the command and the code that came back, and the answer."""
        at = inside("office") if client == "office" else []
        server = "10.1.0.1" if client == "office" else "127.0.0.1"
        whole = run(*at, "dig", f"@{server}", name, "+noall", "+answer", "+comments")
        code = whole.partition("status: ")[2].partition(",")[0]
        return f"{client:6} $ dig {name} +short\n         {self.answer(client, name) or code}"

    def is_settled(self) -> bool:
        """Whether the server has a result of every endpoint."""
        found = subprocess.run(
            self.lbdns("health", "--json", "--config", str(self.work)), capture_output=True, check=False
        )
        if found.returncode != 0 and not found.stdout:
            return False
        pools = json.loads(found.stdout)["pools"]
        return all(one["state"] != "unknown" for pool in pools for one in pool["origins"])

    def wait_for(self, is_so: Callable[[], bool], otherwise: str) -> None:
        """Wait until something is so; raises Unexpected, which says what is `otherwise`, after long enough."""
        deadline = time.monotonic() + SETTLED_S
        while not is_so():
            if time.monotonic() > deadline:
                raise Unexpected(f"{otherwise}, after {SETTLED_S:.0f} s")
            time.sleep(STEP_S)

    def until_it_moves(self, before: str) -> None:
        """Wait until the office is answered otherwise, by all endpoints of a site: they come one by one."""

        def has_moved() -> bool:
            answer = self.answer("office", "app.corp")
            return answer != before and len(answer.split()) == len(SITES["1"])

        self.wait_for(has_moved, f"the office is still answered {before}")

    def ask(self) -> None:
        """Show what the clients are answered."""
        for client, name in (
            ("office", "app.corp"),
            ("office", "100.112.0.0"),
            ("others", "app.corp"),
            ("others", "www.example.com"),
        ):
            print(self.shown(client, name))

    def health(self) -> None:
        """Show what is up."""
        subprocess.run(self.lbdns("health", "--config", str(self.work)), check=False)

    def explain(self) -> None:
        """Show the steps to an answer."""
        command = self.lbdns("explain", "app.corp", "--resolver", "10.1.0.2", "--config", str(self.work))
        subprocess.run(command, check=False)

    def start(self, number: str) -> None:
        """Have a site's endpoints run."""
        if number not in self.endpoints:
            command = [*inside(f"site-{number}"), sys.executable, "-c", SERVE, str(PORT), *SITES[number]]
            self.endpoints[number] = subprocess.Popen(command)

    def stop(self, number: str) -> None:
        """End a site's endpoints."""
        process = self.endpoints.pop(number, None)
        if process is not None:
            process.kill()
            process.wait()

    def unplug(self, number: str) -> None:
        """Take the link to a site down."""
        self.networks.plug(number, "down")

    def plug(self, number: str) -> None:
        """Bring the link to a site up."""
        self.networks.plug(number, "up")

    def shell(self) -> None:
        """Run a shell where the server is."""
        subprocess.run([os.environ.get("SHELL", "/bin/sh")], check=False)

    def do(self, line: str) -> None:
        """Do what one line says."""
        words = shlex.split(line)
        verb, given = words[0], words[1:]
        takes = 1 if verb in ("stop", "start", "plug", "unplug") else 0
        if verb not in self.verbs:
            print(HELP if verb == "help" else f'there is no "{verb}"\n{HELP}', end="")
        elif len(given) != takes or any(one not in SITES for one in given):
            print(f"{verb} takes the number of a site, {' or '.join(SITES)}" if takes else f"{verb} stands alone")
        else:
            self.verbs[verb](*given)

    def play(self) -> None:
        """Show an answer that moves and comes back: for want of a link, then for want of endpoints."""
        self.ask()
        for away, back in (("unplug 1", "plug 1"), ("stop 1", "start 1")):
            for step in (away, back):
                before = self.answer("office", "app.corp")
                print(f"\n> {step}\n")
                self.do(step)
                self.until_it_moves(before)
                self.ask()
                if step == away:
                    print()
                    self.health()

    def talk(self) -> None:
        """Do what is typed."""
        self.ask()
        print(f"\n{HELP}")
        while True:
            try:
                line = input("> ").strip()
            except EOFError:
                return
            if line == "quit":
                return
            if line:
                self.do(line)


PICTURE = (__doc__ or "").split("\n\n")[1] + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/demo-private")
    parser.add_argument("--play", action="store_true", help="show what it does, and end")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=True)  # what commands of lbdns print comes between
    try:
        with tempfile.TemporaryDirectory(prefix="lbdns-demo-") as work:
            demo = Demo(Path(work))
            with demo.running():
                demo.play() if options.play else demo.talk()
    except KeyboardInterrupt:
        return 130
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip() or error.stdout.strip()
        print(f"{shlex.join(error.cmd)}: {said}", file=sys.stderr)
        return 1
    except Unexpected as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
