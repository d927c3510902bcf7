"""The file of cookie secrets that servers share: what is wrong with its lines, and who may read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdns.config.loading import examine

ZONE = "$TTL 300\n@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53\n"
FIRST, SECOND, THIRD = "00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100", "0f" * 16
OPEN = "warning: SECRETS: everybody on this machine can read these secrets; take that right from others (chmod o-r)"


@pytest.mark.parametrize(
    ("lines", "mode", "told"),
    [
        ([FIRST, "# the next one", SECOND, THIRD], 0o640, []),
        ([FIRST], 0o644, [OPEN]),
        (["# none"], 0o600, ["SECRETS: there is no secret in this file; openssl rand -hex 16 prints one"]),
        (
            [FIRST, FIRST[:-1], FIRST.upper(), SECOND],
            0o600,
            [
                "SECRETS: 4 secrets; at most 3: one in use, one to come, and the last",
                "SECRETS:2: a secret is 32 hexadecimal digits in quotes; openssl rand -hex 16 prints one",
                "SECRETS:3: this secret stands in line 1 already; list it once",
            ],
        ),
    ],
)
def test_each_line_is_told(tmp_path: Path, lines: list[str], mode: int, told: list[str]) -> None:
    (tmp_path / "example.com.zone").write_text(ZONE)
    (tmp_path / "lbdns.yaml").write_text("cookies: {secret_file: secrets}\n")
    secrets = tmp_path / "secrets"
    secrets.write_text("".join(f"{line}\n" for line in lines))
    secrets.chmod(mode)
    found = examine(tmp_path)
    said = [*map(str, found.errors), *(f"warning: {one}" for one in found.warnings)]
    assert [one.replace(str(secrets), "SECRETS") for one in said] == told


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "example.com.zone").write_text(ZONE)
    (tmp_path / "lbdns.yaml").write_text("cookies: {secret_file: secrets}\n")
    [problem] = examine(tmp_path).errors
    assert str(problem) == f"{tmp_path / 'secrets'}: the file cannot be read: there is no such file"
