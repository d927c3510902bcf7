"""The model that checks the objects of each kind of lbdns.base.kinds that has one."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Final

from pydantic import BaseModel

from lbdns.base.kinds import BALANCING, Kind
from lbdns.model.fields import Frozen
from lbdns.model.mistakes import models_in


def _model(kind: Kind) -> type[Frozen]:
    module, _, name = kind.model.partition(".")
    model: type[Frozen] = getattr(import_module(f"lbdns.model.{module}"), name)
    return model


MODELS: Final = {kind: _model(kind) for kind in BALANCING}
REQUIRED: Final = {
    kind: frozenset(name for name, field in model.model_fields.items() if field.is_required())
    for kind, model in MODELS.items()
}
"""The fields that have no default."""


def models_held(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model, and every model that its fields hold."""
    yield model
    for field in model.model_fields.values():
        for held in models_in(field.annotation):
            yield from models_held(held)


NAMED_BESIDE: Final = tuple(kind for kind, model in MODELS.items() if kind.called_by not in model.model_fields)
"""Kinds whose name is the key in files and no field of the model."""
