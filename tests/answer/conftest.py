"""One server and one compiled view of the same configuration for all tests of this directory, as lanes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.model.configuration import Configuration
from lbdns.testing import LbdnsServer, running_server
from tests.answer.lanes import InProcess, Lane, OverTcp, OverUdp, compiled_view
from tests.answer.world import configuration, write_geodata

SERVED = [pytest.param(name, marks=pytest.mark.process) for name in ("udp", "tcp")]
"""The lanes that ask the running server; the others start no process."""


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """The configuration as a dict."""
    return configuration(write_geodata(tmp_path_factory.mktemp("geodata") / "toy.mmdb"))


@pytest.fixture(scope="session")
def parsed(tree: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    """The configuration as the loader has it."""
    return parse(tree, tmp_path_factory.mktemp("parsed")).configuration


@pytest.fixture(scope="session")
def view(parsed: Configuration, tmp_path_factory: pytest.TempPathFactory) -> ServingView:
    """The configuration compiled in this process."""
    return compiled_view(parsed, tmp_path_factory.mktemp("view"))


@pytest.fixture(scope="session")
def server(
    starts_processes: None, tree: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LbdnsServer]:
    """The configuration served."""
    with running_server(tree, tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="session")
def over_udp(server: LbdnsServer) -> Iterator[OverUdp]:
    """The running server over UDP."""
    lane = OverUdp(server.host, server.port)
    yield lane
    lane.close()


@pytest.fixture(scope="session")
def over_tcp(server: LbdnsServer) -> OverTcp:
    """The running server over TCP."""
    return OverTcp(server.host, server.port)


@pytest.fixture(params=["in-process-udp", "in-process-tcp", *SERVED])
def lane(request: pytest.FixtureRequest) -> Lane:
    """Every way to ask, one after the other."""
    return _lane(request)


@pytest.fixture(params=["in-process-udp", SERVED[0]])
def udp_lane(request: pytest.FixtureRequest) -> Lane:
    """Those over UDP."""
    return _lane(request)


@pytest.fixture(params=["in-process-tcp", SERVED[1]])
def tcp_lane(request: pytest.FixtureRequest) -> Lane:
    """Those over TCP."""
    return _lane(request)


@pytest.fixture
def view_lanes(view: ServingView) -> tuple[Lane, Lane]:
    """Both in this process: UDP, TCP."""
    return InProcess(view, over_tcp=False), InProcess(view, over_tcp=True)


def _lane(request: pytest.FixtureRequest) -> Lane:
    name: str = request.param
    if name.startswith("in-process"):
        return InProcess(request.getfixturevalue("view"), over_tcp=name.endswith("tcp"))
    found: Lane = request.getfixturevalue(f"over_{name}")
    return found
