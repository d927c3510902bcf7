"""The conditions that Python evaluates at query time, as trees."""

from __future__ import annotations

from collections.abc import Mapping

from lbdns.expressions.parse import parse_shown
from lbdns.expressions.patterns import searcher
from lbdns.expressions.tree import Condition
from lbdns.steering.kernel.numbers import TEST_ASKED


class AskedTrees:
    """The trees of a snapshot's tests that are TEST_ASKED, each read when it is first asked for.

    What reads them is made with the first of them, not by a query: it takes tens of milliseconds, memory, and files
    that must be opened.
    """

    def __init__(self, columns: Mapping[str, memoryview]) -> None:
        """Make ready where there are such tests."""
        self._columns = columns
        self._trees: dict[int, Condition] = {}
        first = bytes(columns["test_op"]).find(TEST_ASKED)
        if first >= 0:
            self.tree(first)
            searcher(b"")

    def tree(self, test: int) -> Condition:
        """Return what a test evaluates; `test` is its row."""
        found = self._trees.get(test)
        if found is None:
            at = self._columns["test_operand"][test]
            text = bytes(self._columns["blob"][at : at + self._columns["test_operand_length"][test]]).decode()
            found = self._trees[test] = parse_shown(text)
        return found
