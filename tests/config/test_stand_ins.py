"""What stands in for a required field that was refused: it passes, whatever the model is."""

from __future__ import annotations

from lbdns.config.yaml.repair import STAND_INS
from lbdns.model.kind_models import MODELS, REQUIRED


def test_there_is_one_for_every_required_field_of_every_object() -> None:
    """They are known by the names of models: one that is called otherwise would go without."""
    required = {MODELS[kind].__name__: names for kind, names in REQUIRED.items() if names}
    assert {name: frozenset(stand_in) for name, stand_in in STAND_INS.items()} == required


def test_each_passes() -> None:
    for model in MODELS.values():
        model.model_validate(STAND_INS.get(model.__name__, {}))
