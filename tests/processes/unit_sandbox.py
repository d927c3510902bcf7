"""The settings of contrib/lbdns.service without systemd: by mounts, setpriv and a filter of system calls.

What the unit says is read from it, so that a line there is a line here. Left out are those that other processes would
notice (PrivateTmp, the test's own directory lies there), what this root may not raise (LimitNOFILE), and those that
forbid what the filter and the missing capabilities forbid already.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.processes.users import USER_ID, needs_root, open_python
from tests.test_unit import SERVICE, analyzed

SYSTEM_PYTHON = "/usr/bin/python3"
CONFINE = Path(__file__).with_name("confine.py")
ALWAYS = ("@default",)  # what systemd lets every filter pass, so that a program can start at all


def needs_sandbox() -> None:
    """Skip the test where something that it is made of is missing."""
    needs_root()
    for command, package in (("systemd-analyze", "systemd"), ("setpriv", "util-linux")):
        if shutil.which(command) is None:
            pytest.skip(f"{command} (Debian: {package}) is not installed")
    if subprocess.run([SYSTEM_PYTHON, "-c", "import seccomp"], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"the package seccomp of {SYSTEM_PYTHON} (Debian: python3-seccomp) is not installed")


def unit() -> dict[str, list[str]]:
    """Return the values of each setting of the unit, in order."""
    found: dict[str, list[str]] = {}
    for line in SERVICE.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def system_calls(filters: list[str]) -> set[str]:
    """Return the system calls that lines of SystemCallFilter= allow."""
    allowed = {one for group in ALWAYS for one in _members(group)}
    for value in filters:
        names = {one for word in value.removeprefix("~").split() for one in _members(word)}
        allowed = allowed - names if value.startswith("~") else allowed | names
    return allowed


def _members(word: str) -> set[str]:
    """Return the system calls of a group such as @process, or the one that the word names."""
    if not word.startswith("@"):
        return {word}
    lines = [line.strip() for line in analyzed("syscall-filter", word).splitlines()]
    inner = [line for line in lines if line and not line.startswith("#") and line != word]
    return {one for line in inner for one in _members(line)}


def sandboxed(monkeypatch: pytest.MonkeyPatch, work: Path) -> None:
    """Have servers that are started in this test run as the unit would have them, with `work`/state for their state."""
    settings = unit()
    state = work / "state"
    (kept,) = settings["CapabilityBoundingSet"]
    (ambient,) = settings["AmbientCapabilities"]
    capabilities = [f"+{one.removeprefix('CAP_').lower()}" for one in ambient.split()]
    bounds = [f"+{one.removeprefix('CAP_').lower()}" for one in kept.split()]
    assert settings["ProtectSystem"] == ["strict"] and settings["NoNewPrivileges"] == ["yes"]
    assert settings["PrivateDevices"] == ["yes"]
    (seen,), (subset,) = settings["ProtectProc"], settings["ProcSubset"]
    devices = " ".join(f"touch /mnt/{one} && mount --bind /dev/{one} /mnt/{one} &&" for one in ("null", "urandom"))
    mounts = (
        f"mkdir -p {state} && chown {USER_ID}:{USER_ID} {state} && mount --bind {state} {state} && "
        f"mount -t tmpfs none /mnt && mkdir /mnt/shm && mount --bind /dev/shm /mnt/shm && {devices} "
        "mount --move /mnt /dev && "
        f"mount -t proc -o hidepid={seen},subset={subset} proc /proc && "
        "mount -o remount,ro,bind / && "
        f"umask {settings['UMask'][0]} && "
    )
    drop = [
        *("setpriv", f"--reuid={USER_ID}", f"--regid={USER_ID}", "--clear-groups", "--no-new-privs"),
        f"--inh-caps=-all,{','.join(capabilities)}",
        f"--ambient-caps=-all,{','.join(capabilities)}",
        f"--bounding-set=-all,{','.join(bounds)}",
    ]
    allowed = ",".join(sorted(system_calls(settings["SystemCallFilter"])))
    through = [*drop, SYSTEM_PYTHON, str(CONFINE), allowed]
    open_python(monkeypatch, work, "sh", "-c", f'{mounts}exec {shlex.join(through)} "$@"', "sh")
