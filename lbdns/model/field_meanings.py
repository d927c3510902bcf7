"""What the fields of a model mean, in words: the docstring below each field in its source, declared there once.

The settings reference, the API's forms and whoever explains a field read it here.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any


@cache
def field_meanings(model: type[Any]) -> Mapping[str, str]:
    """Return field -> meaning, those of base classes among them, of models and of plain terms. A field without a
    docstring has none here."""
    bases = [base for base in model.__bases__ if base.__module__.startswith("lbdns.")]
    inherited = {field: meaning for base in bases for field, meaning in field_meanings(base).items()}
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef)
    return inherited | {
        item.target.id: " ".join(str(after.value.value).split())
        for item, after in pairwise(body.body)
        if isinstance(item, ast.AnnAssign)
        and isinstance(item.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }
