"""One machine of the clients for all tests here, and a zone for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.acme_server import AcmeServer, running_authority
from tests.clients.client_site import ClientSite, running_site, skip_without_namespaces


@pytest.fixture(scope="session")
def site(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClientSite]:
    skip_without_namespaces()
    with running_site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture
def zone(site: ClientSite) -> Iterator[str]:
    """The id of the zone example.com, which is a test's alone."""
    with site.zone() as made:
        yield made


@pytest.fixture
def acme(site: ClientSite, tmp_path: Path) -> Iterator[AcmeServer]:
    with running_authority(site, tmp_path / "authority.log") as made:
        yield made
