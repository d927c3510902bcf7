"""A kernel that is compiled in part: a module is left interpreted, so is what needs it, and the rest serves them."""

from __future__ import annotations

import importlib
import re
from contextlib import ExitStack
from pathlib import Path

import pytest

import lbdns
from lbdns.answer.serving_view import ServingView
from tests.fastpath.fuzz_check import Checker, read_corpus
from tests.fastpath.lanes import KERNEL, Lane, compiled_lane
from tests.interpreted import standing_in


def needs(name: str) -> set[str]:
    """Return the modules that one is compiled against, directly or through another; itself among them."""
    declared = (Path(str(lbdns.__file__)).parent / (name.replace(".", "/") + ".pxd")).read_text()
    found = {name}
    for other in re.findall(r"(?m)^from lbdns\.([\w.]+) cimport \w", declared):
        found |= needs(other)
    return found


@pytest.mark.parametrize("left_out", KERNEL)
def test_what_is_interpreted_uses_what_is_compiled(left_out: str, view: ServingView) -> None:
    if compiled_lane() is None:
        pytest.skip("the compiled kernel is not installed: there is nothing to mix")
    modules = {}
    with ExitStack() as stack:
        for name in KERNEL:
            if left_out in needs(name):
                modules[name] = stack.enter_context(standing_in(name))
            else:
                modules[name] = importlib.import_module(f"lbdns.{name}")
    lane = Lane("mixed", modules["fastpath.read"].Server, modules["fastpath.serve"].serve)
    checker = Checker(view, [lane])
    for datagram in read_corpus():
        checker.check(datagram)
