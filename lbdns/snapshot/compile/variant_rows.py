"""Variants as rows behind those of the load balancers, and the verdicts that lead to them; equal ones stand once."""

from __future__ import annotations

from array import array
from collections.abc import Callable

from lbdns.mapped.columns import NONE_32
from lbdns.model.balancer import LoadBalancer
from lbdns.snapshot.compile.balancer_rows import BalancerRow
from lbdns.snapshot.compile.row_numbers import Numbering, RowNumbers, append_row
from lbdns.steering.kernel.numbers import LB_GIVES_CNAME, LB_VARIES, NO_RULES, OWN_ROW, SELECT_SET
from lbdns.steering.rules.decision_table import Hits
from lbdns.steering.rules.variants import Variant, by_set, set_positions

Columns = dict[str, "array[int]"]


class VariantRows:
    """Numbers variants from `first` on, and verdicts."""

    def __init__(
        self, columns: Columns, numbering: Numbering, plan_row: Callable[[LoadBalancer], BalancerRow], first: int
    ) -> None:
        """Begin with none; `plan_row` plans a variant."""
        self._columns = columns
        self._numbering = numbering
        self._plan_row = plan_row
        self._first = first
        self._rows: dict[RowNumbers, int] = {}
        self._verdicts: dict[tuple[int, Hits], int] = {}

    def row_of(self, variant: Variant, is_apex: bool, rule_count: int) -> RowNumbers:
        """Return a variant's row, and add those that its pool sets make of it; positions of pool sets stand behind
        those of `rule_count` rules."""
        load_balancer = variant.load_balancer
        if variant.is_fixed:
            return self._numbering.fixed(load_balancer)
        row = self._plan_row(load_balancer)
        if row.select != SELECT_SET:
            return self._numbering.steering(load_balancer, row, is_apex)
        verdicts = []
        for position in set_positions(row.lists):
            made = self.row_of(by_set(load_balancer, position), is_apex, rule_count)
            verdicts.append(self.verdict(made, () if position is None else (rule_count + position,)))
        return self._numbering.leading(load_balancer, row, is_apex, verdicts)

    def verdict(self, row: RowNumbers, hits: Hits, own: RowNumbers | None = None) -> int:
        """Return the number of the verdict that these rules match and that the row decides; `own`: that of the load
        balancer itself, where it may be the one."""
        lb = OWN_ROW if own is not None and _decide_alike(row, own) else self._number(row)
        number = self._verdicts.get((lb, hits))
        if number is None:
            columns = self._columns
            number = self._verdicts[lb, hits] = len(columns["verdict_lb"])
            columns["verdict_lb"].append(lb)
            columns["verdict_hit_start"].append(len(columns["verdict_hit"]))
            columns["verdict_hit_count"].append(len(hits))
            columns["verdict_hit"].extend(hits)
        return number

    def _number(self, row: RowNumbers) -> int:
        return self._rows.setdefault(row, self._first + len(self._rows))

    def append_all(self) -> None:
        """Append the variants' rows behind those of the load balancers."""
        columns = self._columns
        assert len(columns["lb_select"]) == self._first, "load balancers were counted beforehand"
        for row in self._rows:
            append_row(columns, row, LB_VARIES if row.select == SELECT_SET else 0)
            columns["lb_slot"].append(NONE_32)
            columns["lb_text"].append(0)
            columns["lb_rules"].append(NO_RULES)
            columns["lb_hit_start"].append(0)


def _decide_alike(row: RowNumbers, other: RowNumbers) -> bool:
    """Return whether two rows are equal but for whether CNAMEs are asked of them, which is no matter of decisions."""
    return row._replace(flags=row.flags | LB_GIVES_CNAME) == other._replace(flags=other.flags | LB_GIVES_CNAME)
