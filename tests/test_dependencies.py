"""What lbdns needs: nothing with a known fault, in the releases that it is tested with, under licences that suit."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.test_docs import reference

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

MENDED = {
    "aiohttp": ("3.14.4", "PYSEC-2026-4369, PYSEC-2026-4371"),
    "aiosmtplib": ("5.1.2", "CVE-2026-55558"),
    "certifi": ("2024.7.4", "CVE-2024-39689"),
    "click": ("8.3.3", "CVE-2026-7246"),
    "cryptography": ("50.0.0", "CVE-2026-69247"),
    "dnspython": ("2.9.2", "CVE-2026-128089"),
    "fastapi": ("0.109.1", "CVE-2024-24762"),
    "h11": ("0.16.0", "CVE-2025-43859"),
    "httpx": ("0.23.0", "CVE-2021-41945"),
    "idna": ("3.15", "CVE-2026-45409"),
    "numpy": ("1.22.2", "CVE-2021-41495"),
    "pydantic": ("2.4.0", "CVE-2024-3772"),
    "pygments": ("2.20.0", "CVE-2026-4539"),
    "python-multipart": ("0.0.31", "CVE-2026-53540"),
    "pyyaml": ("5.4", "CVE-2020-14343"),
    "requests": ("2.33.0", "CVE-2026-25645"),
    "setuptools": ("78.1.1", "CVE-2025-47273"),
    "starlette": ("1.3.1", "CVE-2026-54283"),
    "urllib3": ("2.7.0", "CVE-2026-44431, CVE-2026-44432"),
    "uvicorn": ("0.11.7", "CVE-2020-7694"),
}
"""The first release without any fault that is known, and what is mended in it: the last advisory of each package."""

LICENCES = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "PSF-2.0", "Zlib"}
"""What asks for nothing but that it is named."""
WEAK_COPYLEFT = {"asyncinotify": "MPL-2.0", "certifi": "MPL-2.0", "icmplib": "LGPL-3.0"}
"""Files, or a library, that stay under their licence; both are used as they are and not distributed with lbdns."""


def floors() -> dict[str, Version]:
    """Return the oldest release of each package that pyproject.toml allows."""
    project = PROJECT["project"]
    groups = [project["dependencies"], PROJECT["build-system"]["requires"], *project["optional-dependencies"].values()]
    wanted = [Requirement(text) for group in groups for text in group if not text.startswith("lbdns[")]
    found: dict[str, Version] = {}
    for one in wanted:
        (specifier,) = one.specifier
        assert specifier.operator == ">=", one
        name, floor = canonicalize_name(one.name), Version(specifier.version)
        found[name] = min(floor, found.get(name, floor))
    return found


def pins() -> dict[str, Version]:
    """Return the release of each package that constraints.txt names for this Python."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    found: dict[str, Version] = {}
    for one in map(Requirement, lines):
        if one.marker is None or one.marker.evaluate():
            (specifier,) = one.specifier
            assert specifier.operator == "==" and one.name not in found, one
            found[one.name] = Version(specifier.version)
    return found


@pytest.mark.parametrize("name", sorted(MENDED))
def test_no_release_with_a_known_fault_is_allowed(name: str) -> None:
    mended, advisories = MENDED[name]
    assert floors()[name] >= Version(mended), advisories
    assert pins()[name] >= Version(mended), advisories


def test_what_is_tested_with_is_what_is_wanted() -> None:
    tested = pins()
    for name, floor in floors().items():
        assert tested[name] >= floor, name


def test_what_is_installed_is_what_constraints_name() -> None:
    differing = {}
    for name, pinned in pins().items():
        try:
            installed = Version(version(name))
        except PackageNotFoundError:  # of an extra that is not installed
            continue
        if installed != pinned:
            differing[name] = f"{installed} is installed, {pinned} in constraints.txt"
    assert not differing, "remove the environment (.venv), or write constraints.txt anew with scripts/lock"


def test_all_that_is_needed_to_run_is_in_constraints() -> None:
    assert set(reference().requirements()) <= set(pins())


def test_licences_suit() -> None:
    module = reference()
    for name, package in module.requirements().items():
        licence = module.licence_of(package)
        if WEAK_COPYLEFT.get(name) != licence:
            needed = [set(one.split(" OR ")) for one in licence.split(" AND ")]  # of those with OR, either will do
            assert all(choice & LICENCES for choice in needed), f"{name}: {licence}"
