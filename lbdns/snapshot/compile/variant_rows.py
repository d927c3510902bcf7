"""Variants as rows behind those of the load balancers, and the verdicts that lead to them; equal ones stand once."""

from __future__ import annotations

from array import array

from lbdns.mapped.columns import NONE_32
from lbdns.snapshot.compile.balancer_rows import PlannedRow, planned_row
from lbdns.snapshot.compile.row_numbers import Numbering, RowNumbers, append_rows
from lbdns.steering.kernel.numbers import LB_VARIES, NO_RULES, OWN_ROW, SELECT_SET
from lbdns.steering.policies.context import Context
from lbdns.steering.policies.what_steers import Steered
from lbdns.steering.rules.decision_table import Hits
from lbdns.steering.rules.variants import Variant, by_set, set_positions

Columns = dict[str, "array[int]"]


class VariantRows:
    """Numbers variants from `first` on, and verdicts."""

    def __init__(self, columns: Columns, numbering: Numbering, context: Context, first: int) -> None:
        """Begin with none."""
        self._columns = columns
        self._numbering = numbering
        self._context = context
        self._first = first
        self._rows: dict[RowNumbers, int] = {}
        self._verdicts: dict[tuple[int, Hits], int] = {}

    def row_of(self, variant: Variant, is_apex: bool, rule_count: int) -> RowNumbers:
        """Return a variant's row, and add those that its pool sets make of it; positions of pool sets stand behind
        those of `rule_count` rules."""
        steered, is_fixed = variant
        if is_fixed:
            return self._numbering.fixed(steered.ttl)
        row = planned_row(steered, self._context)
        self._context.take_reads()  # variants are planned each time, by parts that are kept
        if row.select != SELECT_SET:
            return self._numbering.steering(row, is_apex)
        return self.row_with_sets(steered, row, is_apex, rule_count)

    def row_with_sets(self, steered: Steered, row: PlannedRow, is_apex: bool, rule_count: int) -> RowNumbers:
        """Return the row that finds pool sets, and add those that they make."""
        verdicts = []
        for position in set_positions(row.lists):
            made = self.row_of(by_set(steered, position), is_apex, rule_count)
            verdicts.append(self.verdict(made, () if position is None else (rule_count + position,)))
        return self._numbering.leading(row, is_apex, verdicts)

    def verdict(self, row: RowNumbers, hits: Hits, own: RowNumbers | None = None) -> int:
        """Return the number of the verdict that these rules match and that the row decides; `own`: that of the load
        balancer itself, where it may be the one."""
        lb = OWN_ROW if row == own else self._rows.setdefault(row, self._first + len(self._rows))
        return self._verdicts.setdefault((lb, hits), len(self._verdicts))

    def append_all(self) -> None:
        """Append the variants' rows behind those of the load balancers, and the verdicts."""
        columns = self._columns
        assert len(columns["lb_select"]) == self._first, "load balancers were counted beforehand"
        rows = list(self._rows)
        append_rows(columns, rows, [LB_VARIES if row.select == SELECT_SET else 0 for row in rows])
        for name, nothing in (("lb_slot", NONE_32), ("lb_text", 0), ("lb_rules", NO_RULES), ("lb_hit_start", 0)):
            columns[name].extend([nothing] * len(rows))
        for lb, hits in self._verdicts:
            columns["verdict_lb"].append(lb)
            columns["verdict_hit_start"].append(len(columns["verdict_hit"]))
            columns["verdict_hit_count"].append(len(hits))
            columns["verdict_hit"].extend(hits)
