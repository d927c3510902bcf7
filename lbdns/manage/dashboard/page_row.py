"""A row of the table of pages: what the navigation says of one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PageRow:
    """One page: its name in the navigation, its path, its picture in static/icons.svg, and the question it answers."""

    title: str
    path: str
    icon: str
    answers: str
