"""Tokens: a line and back; what is no whole line is told, and never repeated."""

from __future__ import annotations

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.fleet.embedded.join_token import decode_join_token, encode_join_token
from lbdns.model.fleet_secret import FleetSecret

SECRET = FleetSecret(
    fleet_id="f1", role="hub", user="u", password="hidden", ca="-----PEM", urls=("tls://hub.example:4222",), domain="d"
)


def test_a_line_and_back() -> None:
    line = encode_join_token(SECRET)
    assert "\n" not in line and " " not in line and "hidden" not in line
    assert decode_join_token(line) == SECRET.model_copy(update={"role": "member"})
    assert decode_join_token(f"  {line[:40]}\n{line[40:]} \n") == decode_join_token(line)  # as terminals wrap it


@pytest.mark.parametrize("cut", [lambda line: line[:-1], lambda line: line[:30], lambda line: line[:-5] + "AAAAA"])
def test_a_line_that_is_not_whole(cut: object) -> None:
    assert callable(cut)
    with pytest.raises(LbdnsError, match="this token is not whole; copy all of the line"):
        decode_join_token(cut(encode_join_token(SECRET)))


def test_what_is_no_token() -> None:
    with pytest.raises(LbdnsError, match="this is no token"):
        decode_join_token("hello")
    with pytest.raises(LbdnsError, match="of another release"):
        decode_join_token(encode_join_token(SECRET).replace("fleet-1-", "fleet-2-"))
