"""Whoever lets others reach the API or the metrics is told so: by check, at the start, and at a reload."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lbdns.config.checks.listeners import check_listeners, is_exposed
from lbdns.config.loading import examine
from lbdns.config.yaml.source import Source
from lbdns.model.settings import Settings
from tests.store.served import StoreServer, free_port, wait_until

NOWHERE = Source("lbdns.yaml", 0, "", None)


@pytest.mark.parametrize(
    ("host", "is_so"),
    [
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("[::1]", False),
        ("[::ffff:127.0.0.1]", False),
        ("0.0.0.0", True),
        ("[::]", True),
        ("192.0.2.1", True),
        ("10.0.0.1", True),
        ("[2001:db8::1]", True),
        ("[::ffff:192.0.2.1]", True),
        ("[::ffff:0.0.0.0]", True),
    ],
)
def test_what_others_reach(host: str, is_so: bool) -> None:
    assert is_exposed(f"{host}:8080") == is_so
    settings = Settings.model_validate({"api": {"listen": f"{host}:8080"}, "metrics": f"{host}:9100"})
    paths = [one.path for one in check_listeners(settings, NOWHERE)]
    assert paths == (["api.listen", "metrics"] if is_so else [])


def test_tls_is_enough_for_the_api(tmp_path: Path) -> None:
    api = {"listen": "0.0.0.0:8080", "certificate": str(tmp_path / "c"), "key": str(tmp_path / "k")}
    assert not [*check_listeners(Settings.model_validate({"api": api}), NOWHERE)]
    assert not [*check_listeners(Settings.model_validate({"api": None}), NOWHERE)]


def test_check_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "example.com.zone").write_text("@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\n")
    (tmp_path / "lbdns.yaml").write_text("workers: 1\napi:\n  listen: '[::]:8080'\nmetrics: '0.0.0.0:9100'\n")
    found = [one for one in examine(tmp_path).warnings if one.file.endswith("lbdns.yaml")]
    assert [(one.line, one.path) for one in found] == [(3, "api.listen"), (4, "metrics")]
    assert found[0].message.startswith(
        "the API at [::]:8080 speaks plain HTTP to every network of this machine: tokens"
    )


@pytest.fixture
def server(starts_processes: None, tmp_path: Path) -> Iterator[StoreServer]:
    made = StoreServer(tmp_path)
    made.api = f"http://0.0.0.0:{free_port()}"
    made.settings_file.write_text(f"api: {{listen: '{made.api.removeprefix('http://')}'}}\n")
    try:
        made.start()
        made.wait_for_api()
        yield made
    finally:
        made.close()


@pytest.mark.slow
def test_the_log_says_where_the_api_listens_and_to_whom(server: StoreServer) -> None:
    def said(words: str) -> list[str]:
        return [line for line in server.log.splitlines() if words in line]

    (where,) = said("the API listens at")
    assert where.endswith(f"{server.api} and at {server.state_dir / 'api.sock'}")
    assert len(said("speaks plain HTTP to every network of this machine")) == 1
    with server.settings_file.open("a") as out:
        out.write(f"metrics: '0.0.0.0:{free_port()}'\n")
    wait_until(lambda: said("the metrics at 0.0.0.0:"), lambda: server.log)
    assert len(said("speaks plain HTTP")) == 2
