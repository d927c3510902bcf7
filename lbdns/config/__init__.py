"""Configuration: text -> model, every problem at once, each with its file and line.

Start with `loading`. `yamltree` and `master` read the two kinds of files; `objects`, `repair` and `settings` make
models of them; `references`, `pools`, `balancers`, `effects` and `master.checks` hold the parts against one another.
"""

from .loading import Examined, Loaded, examine, examine_objects, examine_tree, load, load_settings, parse
from .objects import Objects
from .repair import build
from .source import Placed, Source

__all__ = [
    "Examined",
    "Loaded",
    "Objects",
    "Placed",
    "Source",
    "build",
    "examine",
    "examine_objects",
    "examine_tree",
    "load",
    "load_settings",
    "parse",
]
