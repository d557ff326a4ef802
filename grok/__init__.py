"""A laboratory for grokking research.

``grok.train(config)`` trains a run into the run store, ``grok.open_run(dir)`` reads one,
``grok.load_experiment(name)`` gives an experiment's config. The callbacks are in
:mod:`grok.lit.callbacks`, and the measures they read in :mod:`grok.measures`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grok.config import RunConfig as RunConfig
    from grok.config import parse_run as load_experiment
    from grok.lit.train import train as train
    from grok.lit.train import train_stack as train_stack
    from grok.runs import open_run as open_run

__all__ = ["RunConfig", "load_experiment", "open_run", "train", "train_stack"]

_HOMES = {
    "RunConfig": ("grok.config", "RunConfig"),
    "load_experiment": ("grok.config", "parse_run"),
    "open_run": ("grok.runs", "open_run"),
    "train": ("grok.lit.train", "train"),
    "train_stack": ("grok.lit.train", "train_stack"),
}


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for; the command line starts without torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'grok' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)
